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
import type { PreparedSet, Resource, SetSpec } from './sets.ts';
import type { Snapshot } from './snapshot.ts';

/** What a backend may lack. `blocking`: acquireSync can wait, since other threads can release. */
export type Capability = 'settled' | 'downgrade' | 'part-release' | 'steal' | 'blocking';

export interface Domain<G extends Grant = Grant> {
  readonly capabilities: ReadonlySet<Capability>;

  /**
   * Acquires a set; waits its turn. Rejects, and leaves no trace, with WaitTimeoutError,
   * `signal.reason`, LockedError, DeadlockError, DomainClosedError, InvalidSetError or LimitError;
   * with TypeError or RangeError for invalid options.
   */
  acquire(set: SetSpec | PreparedSet, options?: AcquireOptions): Promise<G>;

  /** Acquires a set if it is free. Never waits; null if a request holds it or waits for it. */
  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<G | null>;

  /**
   * Runs `fn` while the set is held, then releases it, also if `fn` throws. Rejects as both do;
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
   * Requests a set and returns; `onGrant` is called once, with the grant, which it owns. Never
   * waits. Throws as `acquire` rejects, except for a later end, which `onRefused` receives. Both
   * run in the asynchronous context (AsyncLocalStorage) of this call. If `onGrant` throws, or is an
   * async function that rejects, the grant is abandoned unless it was released, and the error is
   * reported as uncaught. (kds.h: kds_async_waitall.)
   */
  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: G) => void,
    options?: EnqueueOptions,
  ): Waiter;

  /** Checks a set once, for many requests. @throws InvalidSetError, LimitError */
  prepare(set: SetSpec): PreparedSet;

  /**
   * A handle. With a name it is the resource of that name, and each call returns the same open
   * handle; without one it is a resource that only this handle reaches.
   */
  resource(name?: string): Resource;

  /** A domain whose `close()` releases and cancels all that was requested through it. */
  session(options?: { label?: string }): Session<G>;

  /**
   * Resolves when all sets that conflict with it *now*, held or waiting, have ended; later arrivals
   * do not count. Takes nothing and blocks no other request. Rejects with WaitTimeoutError,
   * `signal.reason`, DomainClosedError.
   */
  settled(set: SetSpec | PreparedSet, options?: SettledOptions): Promise<void>;

  /** All held and waiting sets, and which of them each waits for. */
  query(): Promise<Snapshot>;

  /**
   * Releases all grants and aborts their `signal`, rejects all waiting requests with
   * DomainClosedError, and refuses new ones.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A domain within a domain: its end ends all that was requested through it, and no more. */
export interface Session<G extends Grant = Grant> extends Domain<G> {
  readonly label: string | undefined;
}

/** A domain whose state the calling thread can read and change. */
export interface SyncDomain extends Domain<SyncGrant> {
  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null;

  /**
   * Acquires a set. Blocks the thread until it is granted, where the backend can (`blocking`); on
   * others an unavailable set throws at once. Counts as a synchronous holder for `locked`.
   * (kds.h: kds_waitall.)
   *
   * @throws WaitTimeoutError if not granted in time, and the errors of `acquire`.
   */
  acquireSync(set: SetSpec | PreparedSet, options?: AcquireSyncOptions): SyncGrant;

  querySync(): Snapshot;

  session(options?: { label?: string }): SyncSession;
}

export interface SyncSession extends SyncDomain {
  readonly label: string | undefined;
}
