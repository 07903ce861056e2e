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

/** Called when the lock is granted; with null if `ifAvailable` is set and it is not available. */
export type LockGrantedCallback<R> = (lock: Lock | null) => R;
/** The same for a set: its locks in the order of their names, without duplicates. */
export type LockSetGrantedCallback<R> = (locks: readonly Lock[] | null) => R;

export interface LockInfo {
  readonly name: string;
  readonly mode: LockMode;
  readonly clientId: string;
}

export interface LockManagerSnapshot {
  readonly held: LockInfo[];
  readonly pending: LockInfo[];
}

export interface LockManagerOptions {
  /** Identifies this manager's locks in `query()`. Default: a new UUID. */
  readonly clientId?: string | undefined;
}

/**
 * @example
 * import { createDomain } from 'kds';
 * import { LockManager } from 'kds/web-locks';
 *
 * const locks = new LockManager(createDomain()); // or a domain of threads, of processes
 * const mode = await locks.request('inbox', { mode: 'shared' }, (lock) => lock?.mode);
 * console.log(mode); // shared
 * await locks.request(['account 1', 'account 2'], (both) => console.log(both?.length)); // 2
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

  /** @throws TypeError for an invalid domain; LimitError; DomainClosedError. */
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
   * Calls back when the lock is granted, in a task of its own, and holds the lock until the
   * promise that the callback returns is fulfilled or rejected; then the request is, likewise.
   *
   * Never throws. Rejects with TypeError for arguments that Web IDL refuses; with a DOMException:
   * NotSupportedError for options that exclude each other and names that begin with '-', AbortError
   * if the lock is stolen, or lost with its domain, while it is held (the callback goes on), or the
   * manager is closed meanwhile, InvalidStateError if it was closed before; with `signal.reason`
   * itself; with the domain's own errors (LimitError, UnavailableError). There is no time limit.
   *
   * A list of names, an extension by kds, requests a set: all of it is granted at once.
   */
  request<R>(name: string, callback: LockGrantedCallback<R>): Promise<Awaited<R>>;
  request<R>(
    name: string,
    options: LockOptions,
    callback: LockGrantedCallback<R>,
  ): Promise<Awaited<R>>;
  request<R>(names: readonly string[], callback: LockSetGrantedCallback<R>): Promise<Awaited<R>>;
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
   * Locks that are held and requests that wait, in the order of the requests: all of the domain's,
   * from any thread, process or machine. A set is listed name by name. A request not made by a
   * LockManager has the label of its session, or its own, as clientId.
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
   */
  async close(): Promise<void> {
    this.#agent.isClosed = true;
    await this.#session.close();
  }

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
  const isReserved = (name: string): boolean => name.startsWith('-');
  if (typeof names === 'string' ? isReserved(names) : names.some(isReserved)) {
    throw notSupported("names that begin with '-' are reserved");
  }
  if (steal && ifAvailable) throw notSupported('steal and ifAvailable exclude each other');
  if (steal && mode !== 'exclusive') throw notSupported('steal is for exclusive locks');
  if (signal !== undefined && (steal || ifAvailable)) {
    throw notSupported('signal goes neither with steal nor with ifAvailable: these never wait');
  }
  if (signal?.aborted) throw signal.reason;
}

function notSupported(message: string): DOMException {
  return domException('NotSupportedError', message);
}

function infoOf({ set, session, label }: SnapshotEntry): LockInfo[] {
  const clientId = session ?? label ?? '';
  const infoIn = (mode: LockMode) => (name: string) => ({ clientId, mode, name });
  return [...set.exclusive.map(infoIn('exclusive')), ...set.shared.map(infoIn('shared'))];
}
