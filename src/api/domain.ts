/**
 * The interface that all backends offer and all recipes use.
 *
 *     A set is granted exactly when no live set that arrived earlier conflicts with it.
 */

import type { Grant, SyncGrant, Waiter } from './grant.ts';
import type {
  AcquireOptions,
  AcquireSyncOptions,
  EnqueueOptions,
  SettledOptions,
} from './options.ts';
import type { PreparedSet, Resource, ResourceRef, SetSpec } from './sets.ts';
import type { Snapshot } from './snapshot.ts';
import type { Capacity, CapacitySpec } from './units.ts';

/**
 * A feature that a backend may lack: `domain.capabilities` has those of a domain. `settled`,
 * `downgrade`, `part-release` and `steal` are the calls and options of that name. `blocking`:
 * `acquireSync` can wait, since other threads can release. `units`: capacities, sets that take
 * units, and `tryUpgrade`.
 *
 * @since 0.1.0
 */
export type Capability = 'settled' | 'downgrade' | 'part-release' | 'steal' | 'blocking' | 'units';

/**
 * A namespace of resources, which callers lock in sets. Two domains are independent of each other.
 *
 * A set is granted exactly when no live set that arrived earlier conflicts with it: as a whole, in
 * arrival order, without deadlock between sets. A refused request leaves no trace.
 *
 * @example
 * ```ts
 * import { createDomain, type Domain } from 'kds';
 *
 * const domain: Domain = createDomain(); // or that of another backend
 * await domain.run({ exclusive: 'account 1', shared: 'rates' }, ({ token }) => console.log(token));
 * await domain.close();
 * ```
 * @since 0.1.0
 */
export interface Domain<G extends Grant = Grant> {
  /** The features of the backend; the same for all of its domains in a thread. */
  readonly capabilities: ReadonlySet<Capability>;

  /**
   * Requests a set and resolves with its grant. The caller releases the grant: prefer `run` or
   * `await using`. Options and set are read once, before the request begins.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param options - Time limit, signal, label and others; default: wait without a limit.
   * @throws {@link InvalidSetError} if the set is invalid, or `steal` names a shared resource.
   * @throws {@link CapacityError} if the units of the set can never be granted.
   * @throws {@link WaitTimeoutError} if the set is not granted within `timeoutMs`.
   * @throws {@link LockedError} if `locked` is 'fail' and a synchronous caller uses the set.
   * @throws {@link DeadlockError} if the request would wait for a grant that its caller keeps.
   * @throws {@link DomainClosedError} if the domain or session is closed, before or meanwhile.
   * @throws {@link LimitError} if the set, a name or the label is too long, or memory is full.
   * @throws {@link UnavailableError} if the backend cannot be reached in time.
   * @throws {@link ProtocolError} if the backend refuses for good, or has another version.
   * @throws TypeError or RangeError if an option is invalid; `signal.reason` if the signal aborts.
   * @waits Resolves when the set is granted; without `timeoutMs` and `signal` there is no limit.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * await using grant = await domain.acquire({ exclusive: 'a' }, { timeoutMs: 1000 });
   * console.log(grant.token); // released at the end of the block
   * ```
   */
  acquire(set: SetSpec | PreparedSet, options?: AcquireOptions): Promise<G>;

  /**
   * Requests a set and resolves with its grant, or with null if a request ahead conflicts with it:
   * one that holds, or one that waits, as a try does not overtake.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param options - `label`: text for snapshots and errors, at most {@link labelLengthMax}.
   * @throws {@link InvalidSetError} if the set is invalid.
   * @throws {@link CapacityError} if the units of the set can never be granted.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @throws {@link LimitError} if the set, a name or the label is too long, or memory is full.
   * @throws {@link UnavailableError} or {@link ProtocolError} as `acquire` does.
   * @throws TypeError if an option is invalid.
   * @waits Never for other requests. Resolves at once, or after a few round trips to the server.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * const grant = await domain.tryAcquire({ exclusive: 'a' });
   * console.log(await domain.tryAcquire({ shared: 'a' })); // null
   * await grant?.release();
   * ```
   */
  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<G | null>;

  /**
   * Requests a set, runs a function while the set is held, and releases it, also if `fn` throws.
   * Resolves with the result of `fn`, or rejects with its error.
   *
   * If `fn` returns but the grant was lost meanwhile, `run` rejects, since the result was not
   * computed in exclusion; `grant.signal` can stop `fn` earlier. A stream or an iterator that `fn`
   * returns is read after the release: let it acquire the set itself.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param fn - Called once, with the grant. No generator function.
   * @throws {@link GrantLostError} if the grant was lost before `fn` returned.
   * @throws TypeError if `fn` is no function, or a generator function; and the errors of `acquire`.
   * @waits Resolves when the set was granted and `fn` has ended; it does not await the release.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * const total = await domain.run({ exclusive: ['a', 'b'] }, async () => 42);
   * console.log(total); // 42
   * ```
   */
  run<R>(set: SetSpec | PreparedSet, fn: (grant: G) => R | Promise<R>): Promise<R>;
  /**
   * The same with options.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param options - Those of `acquire`.
   * @param fn - Called once, with the grant. No generator function.
   * @waits Resolves when the set was granted and `fn` has ended; it does not await the release.
   */
  run<R>(
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
    fn: (grant: G) => R | Promise<R>,
  ): Promise<R>;

  /**
   * Requests a set and returns; `onGrant` is called once, with the grant, which it owns and
   * releases. (kds.h: kds_async_waitall.)
   *
   * `onGrant` and `onRefused` run in the asynchronous context (AsyncLocalStorage) of this call. If
   * `onGrant` throws, or is an async function that rejects, the grant is abandoned unless it was
   * released, and the error is reported as uncaught.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param onGrant - Receives the grant: from a queue, or within the call that causes the grant.
   * @param options - Those of `acquire`, `delivery` and `onRefused`.
   * @returns A waiter, which can cancel the request.
   * @throws The errors of `acquire`. Those of a request that already waits, or of a server, go to
   * `onRefused` instead.
   * @throws {@link DomainClosedError} also if the Callback of `delivery` is closed.
   * @waits Never.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * domain.enqueue({ exclusive: 'frame 0' }, (grant) => {
   *   console.log('drawing');
   *   grant.release();
   * });
   * ```
   */
  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: G) => void,
    options?: EnqueueOptions,
  ): Waiter;

  /**
   * Checks a set once, for many requests of this domain. A prepared set holds nothing.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @throws {@link InvalidSetError} if the set is invalid.
   * @throws {@link LimitError} if the set or a name is too long.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @waits Never.
   */
  prepare(set: SetSpec): PreparedSet;

  /**
   * Returns a handle. With a name, the handle stands for the resource of that name, and each call
   * returns the same open handle; without one, for a resource that only this handle reaches.
   *
   * @param name - Any string of at most {@link nameLengthMax} code units.
   * @throws {@link InvalidSetError} if the name is no string.
   * @throws {@link LimitError} if the name is too long.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @throws {@link UnavailableError} on threads, without a name, if the arena's lock is not free.
   * @waits Never.
   */
  resource(name?: string): Resource;

  /**
   * Declares how many units a resource has, or changes that. Sets can take units of it then; a
   * shared one takes one, an exclusive one all. The capacity lasts as long as the domain.
   *
   * More capacity grants waiting sets in their order. With less, no grant is taken back, and until
   * such grants have ended more units than there are can be out; a waiting set that takes more
   * units than there are is refused with {@link CapacityError}. While units are in use, names can
   * only be added or removed at the end of the list.
   *
   * @param ref - The resource: a name, or a handle of this domain.
   * @param capacity - The number of units, or their names.
   * @returns Nothing, or on a backend with a server a promise.
   * @throws {@link CapacityError} if units are in use and the list would change their names.
   * @throws {@link InvalidSetError} if the resource is no name and no open handle of this domain.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @throws {@link LimitError} if a name or the list is too long, or memory is full.
   * @throws {@link UnavailableError} if the backend cannot be reached in time.
   * @throws {@link UnsupportedError} if the backend lacks the {@link Capability} `units`.
   * @throws TypeError or RangeError if the capacity is invalid.
   * @waits Never for other requests. A promise resolves when the server has the change.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * domain.setCapacity('gpu', ['gpu0', 'gpu1', 'gpu2', 'gpu3']);
   * await domain.run({ units: { gpu: 2 }, shared: 'models' }, ({ units }) => {
   *   console.log(units['gpu']); // [ 'gpu0', 'gpu1' ]
   * });
   * ```
   * @since 0.2.0
   */
  setCapacity(ref: ResourceRef, capacity: CapacitySpec): void | Promise<void>;

  /**
   * Returns the capacity of a resource and how much of it is taken at this moment, or undefined if
   * it has none. Walks the queue of the resource.
   *
   * @param ref - The resource: a name, or a handle of this domain.
   * @returns The capacity, or on a backend with a server a promise of it.
   * @throws {@link InvalidSetError} if the resource is no name and no handle of this domain.
   * @throws {@link LimitError} if a name is too long.
   * @throws {@link UnavailableError} if the backend cannot be reached in time.
   * @throws {@link UnsupportedError} if the backend lacks the {@link Capability} `units`.
   * @waits Never for other requests. A promise resolves after a round trip to the server.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain({ capacity: { ram: 64 } });
   * using grant = await domain.acquire({ units: { ram: 16 } });
   * console.log(domain.capacity('ram')); // { capacity: 64, taken: 16, waiting: 0 }
   * ```
   * @since 0.2.0
   */
  capacity(ref: ResourceRef): Capacity | undefined | Promise<Capacity | undefined>;

  /**
   * Opens a session: a domain within this one, whose `close()` releases and cancels all that was
   * requested through it. Sessions can be nested to any depth.
   *
   * @param options - `label`: text for snapshots and events, at most {@link labelLengthMax}.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @throws {@link LimitError} if the label is too long.
   * @throws TypeError if an option is invalid.
   * @waits Never.
   */
  session(options?: { label?: string }): Session<G>;

  /**
   * Resolves when all sets that conflict with this one *now*, held or waiting, have ended. Takes
   * nothing and blocks no other request. Later arrivals do not count; grants of the caller do.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param options - Time limit and signal; default: wait without a limit.
   * @throws {@link WaitTimeoutError} if the set is not settled within `timeoutMs`.
   * @throws {@link CapacityError} if the units of the set can never be granted.
   * @throws {@link InvalidSetError} if the set is invalid.
   * @throws {@link DomainClosedError} if the domain or session is closed, before or meanwhile.
   * @throws {@link LimitError} if the set or a name is too long, or memory is full.
   * @throws {@link UnavailableError} or {@link ProtocolError} as `acquire` does.
   * @throws TypeError or RangeError if an option is invalid; `signal.reason` if the signal aborts.
   * @waits Resolves when those sets have ended; without `timeoutMs` and `signal` there is no limit.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * void domain.run({ exclusive: 'log' }, () => console.log('written'));
   * await domain.settled({ shared: 'log' }); // all writes under way are done
   * ```
   */
  settled(set: SetSpec | PreparedSet, options?: SettledOptions): Promise<void>;

  /**
   * Returns all held and waiting sets of all clients of the domain, and the blockers of each. A
   * closed local domain or session answers too.
   *
   * @throws {@link UnavailableError} or {@link ProtocolError} if the backend does not answer.
   * @throws {@link DomainClosedError} if the domain is closed and its state is in a server.
   * @throws {@link LimitError} if the snapshot is too large for the backend.
   * @waits Resolves after a few turns of the event loop, or a few round trips to the server.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * const grant = await domain.acquire({ exclusive: 'db' }, { label: 'import' });
   * console.log((await domain.query()).held[0]?.label); // import
   * grant.release();
   * ```
   */
  query(): Promise<Snapshot>;

  /**
   * Releases all grants and aborts their `signal`, rejects all waiting requests with
   * DomainClosedError, and refuses new ones. One operation: no set of the domain or session is
   * granted meanwhile. Sets no recovered flag. A second call does nothing.
   *
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Resolves when the backend has ended them: at once, or after round trips to the server.
   */
  close(): Promise<void>;
  /**
   * Calls `close()`, for `await using`.
   *
   * @waits As `close` does.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A domain within a domain: its end ends all that was requested through it, also through sessions
 * within it, and nothing else. Its sets and those of the rest of the domain exclude each other.
 *
 * @example
 * ```ts
 * import { createDomain, type Session } from 'kds';
 *
 * const domain = createDomain();
 * const session: Session = domain.session({ label: 'request 7' });
 * const grant = await session.acquire({ exclusive: 'a' });
 * await session.close();
 * console.log(grant.isHeld); // false
 * ```
 * @since 0.1.0
 */
export interface Session<G extends Grant = Grant> extends Domain<G> {
  /** The label that it was opened with, for snapshots and events. */
  readonly label: string | undefined;
}

/**
 * A domain whose state the calling thread can read and change, so that calls can answer at once.
 *
 * @example
 * ```ts
 * import { createDomain, type SyncDomain } from 'kds';
 *
 * const domain: SyncDomain = createDomain();
 * using grant = domain.acquireSync({ exclusive: 'a' });
 * console.log(domain.querySync().held.length, grant.token); // 1 1
 * ```
 * @since 0.1.0
 */
export interface SyncDomain extends Domain<SyncGrant> {
  /**
   * Requests a set and returns its grant, or null if a request ahead conflicts with it. The grant
   * counts as that of a synchronous caller for `locked`.
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param options - `label`: text for snapshots and errors, at most {@link labelLengthMax}.
   * @throws {@link InvalidSetError} if the set is invalid.
   * @throws {@link CapacityError} if the units of the set can never be granted.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @throws {@link LimitError} if the set, a name or the label is too long, or memory is full.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @throws TypeError if an option is invalid.
   * @waits Never.
   */
  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null;

  /**
   * Requests a set and returns its grant. Blocks the thread where the backend can (`blocking`); a
   * backend that cannot throws at once for a set that is not free. Request and grant count as those
   * of a synchronous caller for `locked`. (kds.h: kds_waitall.)
   *
   * @param set - The resources, at most {@link setSizeMax}, each exclusive, shared or units.
   * @param options - Time limit, time to spin and label; default: wait without a limit.
   * @throws {@link WaitTimeoutError} if the set is not granted in time, or not free and the thread
   * may not block.
   * @throws {@link DeadlockError} if the request would wait for a grant around it (`nested`), or
   * threads block on each other without a limit.
   * @throws {@link InterruptedError} if another thread interrupts the wait.
   * @throws {@link InvalidSetError} if the set is invalid.
   * @throws {@link CapacityError} if the units of the set can never be granted.
   * @throws {@link DomainClosedError} if the domain or session is closed.
   * @throws {@link LimitError} if the set, a name or the label is too long, or memory is full.
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @throws TypeError or RangeError if an option is invalid.
   * @waits Blocks the thread until the set is granted, at most `timeoutMs`; never without
   * `blocking`.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   *
   * const domain = createDomain();
   * using grant = domain.acquireSync({ exclusive: 'screen' }, { label: 'console' });
   * console.log(grant.isHeld); // true
   * ```
   */
  acquireSync(set: SetSpec | PreparedSet, options?: AcquireSyncOptions): SyncGrant;

  /**
   * Returns all held and waiting sets of the domain, and the blockers of each, at one moment.
   *
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Never. A large snapshot keeps the thread busy; `query()` lets its event loop run.
   */
  querySync(): Snapshot;

  setCapacity(ref: ResourceRef, capacity: CapacitySpec): void;

  capacity(ref: ResourceRef): Capacity | undefined;

  session(options?: { label?: string }): SyncSession;
}

/**
 * A session of a {@link SyncDomain}.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 *
 * const session = createDomain().session({ label: 'request 7' });
 * session.acquireSync({ exclusive: 'a' });
 * await session.close(); // releases
 * ```
 * @since 0.1.0
 */
export interface SyncSession extends SyncDomain {
  /** The label that it was opened with, for snapshots and events. */
  readonly label: string | undefined;
}
