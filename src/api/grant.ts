/** What a request becomes when it is granted, and what it is until then. */

import type { PreparedSet, ResourceRef, SetSpec } from './sets.ts';

/** A set that is held. Nobody else holds anything that conflicts with it until it is released. */
export interface Grant {
  /**
   * The fencing token: a safe integer that grows with every grant of the domain. Let whatever the
   * resource stands for refuse an operation whose token is less than one it has seen.
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
  /** Aborts, with a GrantLostError, if the grant is taken away. Made on first use. */
  readonly signal: AbortSignal;
  /** Resources taken over from an exclusive holder that died, or gave up, without a release. */
  readonly recovered: readonly string[];
  /** Resources that the request went without, as `locked: 'ignore'` told it to. */
  readonly ignored: readonly string[];
  /** Lets go of everything. Does nothing if that has been done, or if the grant is lost. */
  release(): void | Promise<void>;
  /**
   * Lets go of a part, at once and without any risk of a deadlock.
   *
   * @throws InvalidSetError if the grant does not hold all of it; GrantLostError if it has ended.
   */
  release(part: ResourceRef | readonly ResourceRef[]): void | Promise<void>;
  /**
   * Makes exclusive resources, all or a part, shared, at once and without any risk of a deadlock.
   *
   * @throws InvalidSetError if the grant does not hold all of it; GrantLostError if it has ended.
   */
  downgrade(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void>;
  /**
   * Releases, but says that what was written may be half done: the next grants list the exclusive
   * resources as `recovered`. `reason` is what `signal` aborts with, if anyone listens.
   */
  abandon(reason?: unknown): void | Promise<void>;
  /** By way of `release()`: whoever is told of that is told of this. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A grant of a host that releases within the call. */
export interface SyncGrant extends Grant {
  /**
   * Whether it holds all of a set at this moment, in that mode or a stronger one: false for what
   * has been released, downgraded, lost or ignored. Never waits. For whoever guards a resource.
   *
   * @throws InvalidSetError, LimitError for what is no set of this domain.
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
   * Stops waiting. True if the request had not been told of a grant: its callback will never start,
   * and whatever it may have been granted meanwhile is released. False if it had ended already.
   */
  cancel(): boolean;
}

/**
 * For clients: whether a grant was taken away, and not let go of by its holder. A grant of another
 * copy of this package is asked by its signal.
 */
export function isLost(grant: Grant): boolean {
  return (grant as { readonly isLost?: boolean }).isLost ?? grant.signal.aborted;
}
