/** A granted request, and one that waits. */

import type { AcquireOptions } from './options.ts';
import type { PreparedSet, ResourceRef, SetSpec } from './sets.ts';
import type { Unit } from './units.ts';

/**
 * The units that a downgrade leaves, by resource: an object with names as keys, or a Map, whose
 * keys may be handles too.
 *
 * @since 0.2.0
 */
export interface UnitsLeft {
  /** The number of units that are left of each resource: at least one. */
  readonly units: Readonly<Record<string, number>> | ReadonlyMap<ResourceRef, number>;
}

/**
 * A held set. Until it is released, no other grant conflicts with it, unless it is lost: revoked by
 * a steal, ended with its session or domain, or beyond its lease. `signal` reports that.
 *
 * @example
 * ```ts
 * import { createDomain, type Grant } from 'kds';
 *
 * const grant: Grant = await createDomain().acquire({ exclusive: ['a', 'b'] });
 * await grant.downgrade('a'); // readers of `a` are granted, no writer in between
 * await grant.release();
 * ```
 * @since 0.1.0
 */
export interface Grant {
  /**
   * The fencing token: a safe integer, greater than the token of every earlier grant in the domain
   * (on etcd: of every earlier one that conflicts). Let the store behind the resource refuse an
   * operation whose token is less than one that it has seen.
   */
  readonly token: number;
  /**
   * Whether the grant still holds a part of its set: false once all of it has been released or
   * abandoned, or the grant is lost, as far as this client knows. Never waits and never throws.
   *
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const grant = createDomain().acquireSync({ exclusive: ['a', 'b'] });
   * grant.release('a');
   * console.log(grant.isHeld); // true
   * grant.release('b');
   * console.log(grant.isHeld); // false
   * ```
   * @since 0.2.0
   */
  readonly isHeld: boolean;
  /**
   * Aborts with a {@link GrantLostError} if the grant is lost, and with the reason of `abandon`;
   * never by a release. Created on first use, and then aborted if the grant is lost or abandoned
   * already. Pass it to long operations under the grant.
   */
  readonly signal: AbortSignal;
  /**
   * Resources whose last exclusive holder was revoked, abandoned them, or ended without a release:
   * they may be half written. An exclusive holder that releases or downgrades as usual clears the
   * flag. Names as in snapshots.
   */
  readonly recovered: readonly string[];
  /**
   * Resources that the grant did not wait for, by `locked: 'ignore'`, and does not own: their
   * holder still uses them. Later sets wait for the grant all the same. Names as in snapshots.
   */
  readonly ignored: readonly string[];
  /**
   * The units that the grant has of each resource with a capacity: the lowest free ones at the time
   * of the grant, ascending. Names as in snapshots. Empty once the grant has ended. On the broker
   * and etcd those that it has as far as this client knows.
   *
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Never.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain({ capacity: { gpu: ['gpu0', 'gpu1'], ram: 64 } });
   * using grant = await domain.acquire({ units: { gpu: 1, ram: 2 } });
   * console.log(grant.units); // { gpu: [ 'gpu0' ], ram: [ 0, 1 ] }
   * ```
   * @since 0.2.0
   */
  readonly units: Readonly<Record<string, readonly Unit[]>>;
  /**
   * Releases the whole set. Does nothing if the grant was released before, or is lost. Later
   * requests of the same client come after it.
   *
   * @returns Nothing, or on Redis and etcd a promise that never rejects.
   * @waits Never for other requests. A promise resolves when the server has the release.
   */
  release(): void | Promise<void>;
  /**
   * Releases a part. With its last part the grant ends.
   *
   * @param part - A resource or a list of them, each held by the grant.
   * @throws {@link InvalidSetError} if the grant does not hold all of the part: nothing is done.
   * @throws {@link GrantLostError} if the grant has ended.
   * @throws {@link LimitError} if the list or a name is too long.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @returns Nothing, or on Redis and etcd a promise that never rejects.
   * @waits Never for other requests. A promise resolves when the server has the release.
   */
  release(part: ResourceRef | readonly ResourceRef[]): void | Promise<void>;
  /**
   * Makes exclusive resources shared. No other exclusive set is granted in between; a shared
   * resource stays shared.
   *
   * @param part - A resource or a list of them, each held by the grant. Default: all.
   * @throws {@link InvalidSetError} if the grant does not hold all of the part: nothing is done.
   * @throws {@link GrantLostError} if the grant has ended.
   * @throws {@link LimitError} if the list or a name is too long.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @returns Nothing, or on Redis and etcd a promise that never rejects.
   * @waits Never for other requests. A promise resolves when the server has the change.
   */
  downgrade(part?: ResourceRef | readonly ResourceRef[]): void | Promise<void>;
  /**
   * Leaves that many units of resources: of an exclusive one, or fewer than before. The grant gives
   * back its highest units.
   *
   * @param part - The units that are left, by resource, each held by the grant.
   * @throws {@link InvalidSetError} if the grant does not hold all of the part, or as many units:
   * nothing is done.
   * @throws {@link CapacityError} if a resource has no capacity, or fewer units.
   * @throws {@link GrantLostError} if the grant has ended.
   * @throws {@link LimitError} if a name is too long, or memory is full.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @throws {@link UnsupportedError} if the backend lacks the {@link Capability} `units`.
   * @throws TypeError or RangeError if a number of units is invalid.
   * @returns Nothing, or on etcd a promise that never rejects.
   * @waits Never for other requests. A promise resolves when the server has the change.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain({ capacity: { gpu: 4 } });
   * using grant = await domain.acquire({ exclusive: 'gpu' });
   * grant.downgrade({ units: { gpu: 2 } });
   * console.log(grant.units['gpu']); // [ 0, 1 ]
   * ```
   * @since 0.2.0
   */
  downgrade(part: UnitsLeft): void | Promise<void>;
  /**
   * Makes shared resources, or those of which units are taken, exclusive, if no other set holds any
   * of them or would be granted before: all of them, or none. Waits for nobody, so it cannot
   * deadlock; on false, release the grant and request the set anew.
   *
   * @param part - A resource or a list of them, each held by the grant. Default: all.
   * @returns Whether they are exclusive now, or on a backend with a server a promise of it.
   * @throws {@link InvalidSetError} if the grant does not hold all of the part: nothing is done.
   * @throws {@link GrantLostError} if the grant has ended.
   * @throws {@link LimitError} if the list or a name is too long.
   * @throws {@link UnavailableError} if the backend cannot be reached in time.
   * @throws {@link UnsupportedError} if the backend lacks the {@link Capability} `units`.
   * @waits Never for other requests. A promise resolves after a round trip to the server.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * using grant = await domain.acquire({ shared: 'config' });
   * if (await grant.tryUpgrade('config')) console.log('nobody else reads it');
   * ```
   * @since 0.2.0
   */
  tryUpgrade(part?: ResourceRef | readonly ResourceRef[]): boolean | Promise<boolean>;
  /**
   * Releases the set and reports its exclusive resources as possibly half written: later grants
   * list them as `recovered`. Does nothing if the grant has ended.
   *
   * @param reason - The reason with which `signal` aborts. Default: a {@link GrantLostError}.
   * @returns Nothing, or on Redis and etcd a promise that never rejects.
   * @waits Never for other requests. A promise resolves when the server has the change.
   */
  abandon(reason?: unknown): void | Promise<void>;
  /**
   * Requests a set that this grant covers once more, within the grant, and holds it while a
   * function runs. Nested sets queue in an inner domain of the grant, in this client's event loop:
   * they exclude each other as sets of a domain do, and nothing outside of the grant. They end with
   * the grant, and with the parts of it that they use.
   *
   * @param set - Resources that the grant holds, in that mode or a stronger one.
   * @param fn - Called with a grant of the nested set; its `token` is that of this grant.
   * @returns The result of the function.
   * @throws {@link InvalidSetError} if the set is invalid, or the grant does not hold all of it.
   * @throws {@link GrantLostError} if the grant has ended, or ends before the function has.
   * @throws {@link LimitError} if the set or a name is too long, or memory is exhausted.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @throws TypeError if `fn` is no function, or a generator function.
   * @waits Resolves when the function has ended, after the earlier nested sets in conflict.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const step = async (name: string) => console.log(name);
   * await createDomain().run({ exclusive: ['a', 'b'] }, (grant) =>
   *   Promise.all(['one', 'two'].map((name) => grant.run({ exclusive: 'a' }, () => step(name)))),
   * ); // one, two: never both at a time
   * ```
   * @since 0.2.0
   */
  run<R>(set: SetSpec | PreparedSet, fn: (grant: SyncGrant) => R | Promise<R>): Promise<R>;
  /**
   * The same, with options of the nested request.
   *
   * @param set - Resources that the grant holds, in that mode or a stronger one.
   * @param options - As of {@link Domain.run}; `holding` names grants nested in this grant.
   * @param fn - Called with a grant of the nested set.
   * @throws As without options, and as {@link Domain.run} does.
   * @waits Resolves when the function has ended, after the earlier nested sets in conflict.
   */
  run<R>(
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
    fn: (grant: SyncGrant) => R | Promise<R>,
  ): Promise<R>;
  /**
   * Calls `release()`, so that a replaced `release` also sees this: for `await using`.
   *
   * @waits Resolves when the promise of `release()` does, or at once.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A grant of a backend that releases within the call.
 *
 * @example
 * ```ts
 * import { createDomain, type SyncGrant } from 'kds';
 *
 * using grant: SyncGrant = createDomain().acquireSync({ exclusive: 'a' });
 * console.log(grant.covers({ shared: 'a' })); // true; released at the end of the block
 * ```
 * @since 0.1.0
 */
export interface SyncGrant extends Grant {
  /**
   * Returns whether the grant holds all of a set at this moment, in that mode or a stronger one, of
   * units at least as many: false for a part that was released, downgraded, lost or ignored. For
   * guards of a resource.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @throws {@link InvalidSetError} if the set is invalid.
   * @throws {@link LimitError} if the set or a name is too long.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Never.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const grant = createDomain().acquireSync({ exclusive: 'a' });
   * console.log(grant.covers({ shared: 'a' })); // true
   * grant.release();
   * ```
   */
  covers(set: SetSpec | PreparedSet): boolean;
  /**
   * Releases the whole set, or a part of it, as {@link Grant.release} does.
   *
   * @param part - A resource or a list of them, each held by the grant. Default: all.
   * @throws {@link InvalidSetError} if the grant does not hold all of the part: nothing is done.
   * @throws {@link GrantLostError} if a part is given and the grant has ended.
   * @waits Never.
   */
  release(part?: ResourceRef | readonly ResourceRef[]): void;
  downgrade(part?: ResourceRef | readonly ResourceRef[] | UnitsLeft): void;
  tryUpgrade(part?: ResourceRef | readonly ResourceRef[]): boolean;
  abandon(reason?: unknown): void;
  /**
   * Calls `release()`: for `using`.
   *
   * @waits Never.
   */
  [Symbol.dispose](): void;
}

/**
 * A request made with a callback, by {@link Domain.enqueue}.
 *
 * @example
 * ```ts
 * import { createDomain, type Waiter } from 'kds';
 *
 * const domain = createDomain();
 * const waiter: Waiter = domain.enqueue({ shared: 'a' }, () => console.log('never printed'));
 * console.log(waiter.cancel()); // true
 * ```
 * @since 0.1.0
 */
export interface Waiter {
  /**
   * Ends the request. After `cancel` has returned, its callback never starts, and the sets behind
   * it move up.
   *
   * @returns True if the callback had not started; a grant made meanwhile is released. False if the
   * request had ended before.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Never.
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

/** Receives the reason with which a grant's signal aborts. */
export type LossReport = (reason: unknown) => void;

/**
 * For recipes: calls back once, when the signal of a grant aborts, or at once if it has. Only one
 * caller for a grant. An AbortController costs more than all else of a lock, so a local grant makes
 * none for this.
 */
export function whenLost(grant: Grant, report: LossReport): void {
  const own = grant as { whenLost?(report: LossReport | undefined): void };
  if (own.whenLost !== undefined) {
    own.whenLost(report);
    if (grant.isHeld) return;
    // Another thread may have taken it away before there was anything to report to.
    own.whenLost(undefined);
  }
  const { signal } = grant;
  const onAbort = (): void => report(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
}
