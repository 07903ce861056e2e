/**
 * The interface that all hosts offer and all clients are written for.
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
import type { PreparedSet, Resource, SetSpec } from './sets.ts';
import type { Snapshot } from './snapshot.ts';

/** What a host may lack. `blocking`: acquireSync can wait, as others can release meanwhile. */
export type Capability = 'settled' | 'downgrade' | 'part-release' | 'steal' | 'blocking';

export interface Domain<G extends Grant = Grant> {
  readonly capabilities: ReadonlySet<Capability>;

  /**
   * Takes a set, or waits its turn. Rejects, and leaves no trace, with WaitTimeoutError,
   * `signal.reason`, LockedError, DeadlockError, DomainClosedError, InvalidSetError or LimitError;
   * with TypeError or RangeError for options that are none.
   */
  acquire(set: SetSpec | PreparedSet, options?: AcquireOptions): Promise<G>;

  /** Takes a set if it can be had at once. Overtakes nobody: null also if others wait for it. */
  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<G | null>;

  /**
   * Runs `fn` while the set is held; releases however it ends. Rejects as `acquire` and `fn` do;
   * and with GrantLostError if `fn` returned, but the grant was lost meanwhile. A generator
   * function is refused with TypeError. A stream or an iterator that `fn` returns is read after the
   * release: let it acquire the set itself.
   */
  run<R>(set: SetSpec | PreparedSet, fn: (grant: G) => R | Promise<R>): Promise<R>;
  run<R>(
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
    fn: (grant: G) => R | Promise<R>,
  ): Promise<R>;

  /**
   * Asks for a set and returns; `onGrant` is called when it is granted, once, and owns the grant.
   * Never waits. Throws as `acquire` rejects, but for what can only be known later, which
   * `onRefused` is told. Both run in the asynchronous context (AsyncLocalStorage) of this call. If
   * `onGrant` throws, or is an async function that rejects, the grant is abandoned unless it was
   * released, and the error is reported as uncaught. (kds.h: kds_async_waitall.)
   */
  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: G) => void,
    options?: EnqueueOptions,
  ): Waiter;

  /** Checks a set once, for use many times. Throws InvalidSetError, LimitError. */
  prepare(set: SetSpec): PreparedSet;

  /**
   * A handle. With a name it stands for the same resource as the name does, and the same open
   * handle is returned for it each time; without one, for a resource that nothing else reaches.
   */
  resource(name?: string): Resource;

  /** A domain whose `close()` releases and cancels all that went through it. */
  session(options?: { label?: string }): Session<G>;

  /**
   * Resolves when all that conflicts with the set *now*, held or waiting, is gone, whatever arrives
   * later. Takes nothing and blocks nobody. Rejects with WaitTimeoutError, `signal.reason`,
   * DomainClosedError.
   */
  settled(set: SetSpec | PreparedSet, options?: SettledOptions): Promise<void>;

  /** Who holds what, and who waits for whom. */
  query(): Promise<Snapshot>;

  /**
   * Releases all that is held, rejects all that wait with DomainClosedError, and refuses from now
   * on. Grants that were held have their `signal` aborted.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A domain within a domain: its end ends what went through it, and nothing else. */
export interface Session<G extends Grant = Grant> extends Domain<G> {
  readonly label: string | undefined;
}

/** A domain whose state is within reach of the calling thread. */
export interface SyncDomain extends Domain<SyncGrant> {
  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null;

  /**
   * Takes a set, and blocks the thread until it has it, where the host can (`blocking`); otherwise
   * it takes it at once or throws. A synchronous holder, for those who ask with `locked`.
   * (kds.h: kds_waitall.)
   *
   * @throws WaitTimeoutError if not granted in time, and what `acquire` rejects with.
   */
  acquireSync(set: SetSpec | PreparedSet, options?: AcquireSyncOptions): SyncGrant;

  querySync(): Snapshot;

  session(options?: { label?: string }): SyncSession;
}

export interface SyncSession extends SyncDomain {
  readonly label: string | undefined;
}
