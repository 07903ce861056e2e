/**
 * The Web Locks API on any domain: https://w3c.github.io/web-locks/
 *
 * The domain is what the standard calls the lock manager: it has the queues. An object of this
 * class belongs to one *agent*: a page, a worker, a process or a part of one. So it is a session of
 * the domain, whose label is its clientId. Locks and sets of the same domain conflict, name by
 * name.
 */

import type { Domain, Session } from '../../api/domain.ts';
import { checkIsObject, checkLabel } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import type { SnapshotEntry } from '../../api/snapshot.ts';
import type { CapacitySpec } from '../../api/units.ts';
import { AbortListeners } from '../../runtime/abort-listeners.ts';
import { domException } from './dom-exception.ts';
import type { Lock } from './lock.ts';
import { type LockAgent, LockRequest } from './lock-request.ts';
import {
  asInterface,
  convertArguments,
  type LockMode,
  type LockOptions,
  type LockTerms,
} from './web-idl.ts';

/**
 * Called when the lock is granted. The lock is held until the promise that this returns is
 * fulfilled or rejected.
 *
 * @param lock - The lock; null if `ifAvailable` is set and it is not available.
 * @since 0.1.0
 */
export type LockGrantedCallback<R> = (lock: Lock | null) => R;
/**
 * Called when a set is granted. It is held until the promise that this returns is fulfilled or
 * rejected.
 *
 * @param locks - Its locks in the order of their names, without duplicates; null as for one lock.
 * @since 0.1.0
 */
export type LockSetGrantedCallback<R> = (locks: readonly Lock[] | null) => R;

/**
 * A lock that is held or requested.
 *
 * @since 0.1.0
 */
export interface LockInfo {
  /** Name of the resource. */
  readonly name: string;
  /** Mode of the request; 'shared' of one with units. */
  readonly mode: LockMode;
  /**
   * Number of units of a resource with a capacity: 1 of a shared lock; absent of an exclusive one.
   *
   * @since 0.2.0
   */
  readonly units?: number;
  /**
   * Identifies the manager. Of a request not made by one: the label of its session, or its own, or
   * ''.
   */
  readonly clientId: string;
}

/**
 * The result of {@link LockManager.query}.
 *
 * @since 0.1.0
 */
export interface LockManagerSnapshot {
  /** Locks that are held. A set is listed name by name. */
  readonly held: LockInfo[];
  /** Requests that wait, in their order. */
  readonly pending: LockInfo[];
}

/**
 * Options of a lock manager.
 *
 * @since 0.1.0
 */
export interface LockManagerOptions {
  /** Identifies this manager's locks in `query()`. At most 1024 code units. Default: a new UUID. */
  readonly clientId?: string | undefined;
}

/**
 * The Web Locks API on a domain, for one *agent*: a page, a worker, a process or a part of one.
 * Locks and sets of the same domain conflict, name by name.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { LockManager } from 'kds/web-locks';
 *
 * const locks = new LockManager(createDomain()); // or a domain of threads, of processes
 * const mode = await locks.request('inbox', { mode: 'shared' }, (lock) => lock?.mode);
 * console.log(mode); // shared
 * await locks.request(['account 1', 'account 2'], (both) => console.log(both?.length)); // 2
 * ```
 * @since 0.1.0
 */
export class LockManager {
  readonly #agent: LockAgent;
  readonly #session: Session;
  /** Identifies this manager's locks in `query()`. */
  readonly clientId: string;

  static {
    asInterface(LockManager, 'LockManager');
    // The number of arguments of the shortest overload.
    Object.defineProperty(LockManager.prototype.request, 'length', { value: 2 });
  }

  /**
   * Makes a lock manager, which is a session of the domain.
   *
   * @param domain - The domain of the locks, of any backend.
   * @param options - The `clientId`.
   * @throws TypeError if the domain or an option is invalid.
   * @throws {@link LimitError} if `clientId` is longer than 1024 code units.
   * @throws {@link DomainClosedError} if the domain is closed.
   */
  constructor(domain: Domain, options: LockManagerOptions = {}) {
    if (typeof domain?.session !== 'function') {
      throw new TypeError(`a LockManager needs a domain, not ${describe(domain)}`);
    }
    checkIsObject(options);
    const { clientId = crypto.randomUUID() } = options;
    checkLabel(clientId);
    this.clientId = clientId;
    this.#session = domain.session({ label: clientId });
    const abortListeners = new AbortListeners<LockRequest>((requests, reason) => {
      for (const request of requests) request.abort(reason);
    });
    this.#agent = { domain: this.#session, abortListeners, isClosed: false };
  }

  /**
   * Requests a lock exclusive, calls back when it is granted, in a task of its own, and holds it
   * until the promise that the callback returns is fulfilled or rejected; then the request is,
   * likewise.
   *
   * Never throws. Rejects with the errors below; those of the domain, {@link LimitError} and {@link
   * UnavailableError}, also occur.
   *
   * @param name - Any string that does not begin with '-'.
   * @param callback - Called with the lock.
   * @throws TypeError if Web IDL refuses an argument.
   * @throws DOMException: NotSupportedError for options that exclude each other or a reserved name;
   * AbortError if the lock is stolen or lost while it is held (the callback goes on), or the
   * manager is closed meanwhile; InvalidStateError if the manager or its domain was closed before.
   * @throws The reason of `signal`, or the error of the callback.
   * @waits Resolves when the callback is done. There is no time limit: use `signal`.
   */
  request<R>(name: string, callback: LockGrantedCallback<R>): Promise<Awaited<R>>;
  /**
   * Requests a lock with options.
   *
   * @param name - Any string that does not begin with '-'.
   * @param options - The mode, a signal that ends the wait, `ifAvailable` or `steal`.
   * @param callback - Called with the lock; with null if `ifAvailable` is set and it is not
   * available.
   * @waits Resolves when the callback is done. With `ifAvailable` or `steal` it does not wait for
   * other locks.
   */
  request<R>(
    name: string,
    options: LockOptions,
    callback: LockGrantedCallback<R>,
  ): Promise<Awaited<R>>;
  /**
   * Requests a set exclusive, an extension by kds: all of its locks are granted at once.
   *
   * @param names - Up to 65,536 names.
   * @param callback - Called with the locks.
   * @waits Resolves when the callback is done.
   */
  request<R>(names: readonly string[], callback: LockSetGrantedCallback<R>): Promise<Awaited<R>>;
  /**
   * Requests a set with options. All names have the same mode.
   *
   * @param names - Up to 65,536 names.
   * @param options - The mode, a signal that ends the wait, `ifAvailable` or `steal`.
   * @param callback - Called with the locks; with null if `ifAvailable` is set and one is not
   * available.
   * @waits Resolves when the callback is done.
   */
  request<R>(
    names: readonly string[],
    options: LockOptions,
    callback: LockSetGrantedCallback<R>,
  ): Promise<Awaited<R>>;
  request(...args: readonly unknown[]): Promise<unknown> {
    try {
      const agent = this.#agent;
      const terms = convertArguments(args);
      this.#checkOpen();
      checkTerms(terms);
      return LockRequest.promise(agent, terms);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Declares the capacity of a resource, an extension by kds: locks with `units` take that many of
   * them, a shared one takes one, an exclusive one all. See {@link Domain.setCapacity}.
   *
   * @param name - Any string that does not begin with '-'.
   * @param capacity - The number of units, or their names.
   * @throws DOMException: NotSupportedError for a reserved name; InvalidStateError if the manager
   * is closed.
   * @throws {@link CapacityError}, {@link UnsupportedError}, TypeError or RangeError as the
   * domain's `setCapacity`, and {@link DomainClosedError} or {@link UnavailableError}.
   * @waits Never for a lock. Resolves after one round trip to a remote backend.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   * import { LockManager } from 'kds/web-locks';
   *
   * const locks = new LockManager(createDomain());
   * await locks.setCapacity('connections', 10);
   * await locks.request('connections', { units: 2 }, (lock) => {
   *   console.log(lock?.units); // [ 0, 1 ]
   * });
   * ```
   * @since 0.2.0
   */
  async setCapacity(name: string, capacity: CapacitySpec): Promise<void> {
    this.#checkOpen();
    if (isReserved(name)) throw reservedName();
    await this.#session.setCapacity(name, capacity);
  }

  /**
   * Lists locks that are held and requests that wait, in the order of the requests: all of the
   * domain's, from any thread, process or machine.
   *
   * @throws DOMException: InvalidStateError if the manager is closed.
   * @throws {@link DomainClosedError} or {@link UnavailableError} as the domain's `query`.
   * @waits Never for a lock. Resolves after one round trip to a remote backend.
   */
  async query(): Promise<LockManagerSnapshot> {
    const session = this.#session;
    this.#checkOpen();
    const { held, pending } = await session.query();
    return { held: held.flatMap(infoOf), pending: pending.flatMap(infoOf) };
  }

  /**
   * Ends the agent; by the standard this terminates its remaining locks and requests. All of them
   * reject with an AbortError, and no callback is called any more. The domain stays open.
   *
   * @waits Resolves when the locks are released: after one round trip to a remote backend.
   */
  async close(): Promise<void> {
    this.#agent.isClosed = true;
    await this.#session.close();
  }

  /**
   * Calls {@link close}.
   *
   * @waits Resolves as {@link close}.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(): void {
    if (!this.#agent.isClosed) return;
    throw domException('InvalidStateError', 'the lock manager is closed');
  }
}

/** Steps 5 to 9 of the request() method, in their order. */
function checkTerms({ names, mode, ifAvailable, steal, signal }: LockTerms): void {
  if (typeof names === 'string' ? isReserved(names) : names.some(isReserved)) throw reservedName();
  if (steal && ifAvailable) throw notSupported('steal and ifAvailable exclude each other');
  if (steal && mode !== 'exclusive') throw notSupported('steal is for exclusive locks');
  if (signal !== undefined && (steal || ifAvailable)) {
    throw notSupported('signal goes neither with steal nor with ifAvailable: these never wait');
  }
  if (signal?.aborted) throw signal.reason;
}

function isReserved(name: unknown): boolean {
  return typeof name === 'string' && name.startsWith('-');
}

function reservedName(): DOMException {
  return notSupported("names that begin with '-' are reserved");
}

function notSupported(message: string): DOMException {
  return domException('NotSupportedError', message);
}

function infoOf({ set, session, label }: SnapshotEntry): LockInfo[] {
  const clientId = session ?? label ?? '';
  const infoIn = (mode: LockMode) => (name: string) => ({ clientId, mode, name });
  const infos = [...set.exclusive.map(infoIn('exclusive')), ...set.shared.map(infoIn('shared'))];
  if (set.units === undefined) return infos;
  const counted = Object.entries(set.units).map(([name, units]): LockInfo => {
    return { ...infoIn('shared')(name), units };
  });
  return [...infos, ...counted];
}
