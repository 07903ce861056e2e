/** A granted request, and one that waits. */

import type { PreparedSet, ResourceRef, SetSpec } from './sets.ts';

/** A held set. Until it is released, no other grant conflicts with it. */
export interface Grant {
  /**
   * The fencing token: a safe integer that grows with every grant of the domain. The store behind
   * the resource should refuse an operation whose token is less than one it has seen.
   */
  readonly token: number;
  /**
   * Whether the grant still holds a part of its set: false once all of it has been released or
   * abandoned, or the grant is lost, as far as this client knows. Never waits and never throws.
   *
   * @example
   * import { createDomain } from 'kds';
   *
   * const grant = createDomain().acquireSync({ exclusive: ['a', 'b'] });
   * grant.release('a');
   * console.log(grant.isHeld); // true
   * grant.release('b');
   * console.log(grant.isHeld); // false
   */
  readonly isHeld: boolean;
  /** Aborts with a GrantLostError if the grant is lost. Created on first use. */
  readonly signal: AbortSignal;
  /** Resources whose last exclusive holder died or abandoned them: they may be half written. */
  readonly recovered: readonly string[];
  /** Resources that the grant does not hold, since the request had `locked: 'ignore'`. */
  readonly ignored: readonly string[];
  /** Releases the whole set. Does nothing if the grant was released before, or is lost. */
  release(): void | Promise<void>;
  /**
   * Releases a part. Never waits for other requests, so it cannot deadlock.
   *
   * @throws InvalidSetError if the grant does not hold all of it; GrantLostError if it has ended.
   */
  release(part: ResourceRef | readonly ResourceRef[]): void | Promise<void>;
  /**
   * Makes exclusive resources shared: the part, or all. Never waits for other requests.
   *
   * @throws InvalidSetError if the grant does not hold all of it; GrantLostError if it has ended.
   */
  downgrade(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void>;
  /**
   * Releases, and marks the exclusive resources as possibly half written: the next grants list them
   * as `recovered`. `signal`, if it is used, aborts with `reason`.
   */
  abandon(reason?: unknown): void | Promise<void>;
  /** Calls `release()`, so that a replaced `release` also sees this. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A grant of a backend that releases within the call. */
export interface SyncGrant extends Grant {
  /**
   * Whether it holds all of a set at this moment, in that mode or a stronger one: false for what
   * has been released, downgraded, lost or ignored. Never waits. For guards of a resource.
   *
   * @throws InvalidSetError, LimitError for an invalid set.
   * @example
   * import { createDomain } from 'kds';
   *
   * const grant = createDomain().acquireSync({ exclusive: 'a' });
   * console.log(grant.covers({ shared: 'a' })); // true
   * grant.release();
   */
  covers(set: SetSpec | PreparedSet): boolean;
  release(part?: ResourceRef | readonly ResourceRef[]): void;
  downgrade(part?: ResourceRef | readonly ResourceRef[]): void;
  abandon(reason?: unknown): void;
  [Symbol.dispose](): void;
}

/** A request made with a callback. */
export interface Waiter {
  /**
   * Ends the request. True if its callback has not started: then it never will, and a grant made
   * meanwhile is released. False if the request had ended already.
   */
  cancel(): boolean;
}

/**
 * For recipes: whether a grant was lost, and not released by its holder. Reads the signal of a
 * grant of another copy of this package.
 */
export function isLost(grant: Grant): boolean {
  return (grant as { readonly isLost?: boolean }).isLost ?? grant.signal.aborted;
}
