/**
 * The Web Locks API on any domain: https://w3c.github.io/web-locks/
 *
 * The domain is what the standard calls the lock manager: it has the queues. An object of this
 * class is what one *agent* sees of it, be that a page, a worker, a process or a part of one; so it
 * is a session of the domain, whose label is its clientId. What is held by way of the domain itself
 * stands in the way of locks, and locks in its way, name by name.
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

/** Called when the lock is granted; null if it was to be had at once, and was not. */
export type LockGrantedCallback<R> = (lock: Lock | null) => R;
/** The same for a set: its locks in the order of their names, which no two share. */
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
  /** Told by `query()`, of what goes through this manager. Default: a new UUID. */
  readonly clientId?: string | undefined;
}

/**
 * @example
 * import { createDomain } from 'kds';
 * import { LockManager } from 'kds/web-locks';
 *
 * const locks = new LockManager(createDomain()); // or a domain of threads, of processes
 * const seen = await locks.request('inbox', { mode: 'shared' }, (lock) => lock?.mode);
 * console.log(seen); // shared
 * await locks.request(['account 1', 'account 2'], (both) => console.log(both?.length)); // 2
 */
export class LockManager {
  readonly #agent: LockAgent;
  readonly #session: Session;
  /** What `query()` tells of this manager's locks. */
  readonly clientId: string;

  static {
    asInterface(LockManager, 'LockManager');
    // That of the overload with the fewest arguments.
    Object.defineProperty(LockManager.prototype.request, 'length', { value: 2 });
  }

  /** @throws TypeError for what is no domain; LimitError; DomainClosedError. */
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
   * Calls back when the lock is granted, from a task of its own, and holds it until what the
   * callback returns has settled; then resolves, or rejects, as that did.
   *
   * Never throws. Rejects with TypeError for arguments that Web IDL refuses; with a DOMException:
   * NotSupportedError for options that exclude each other and names that begin with '-', AbortError
   * if the lock is stolen, or lost with its domain, while it is held (the callback goes on), or the
   * manager is closed, InvalidStateError if it has been; with `signal.reason` itself; with the
   * domain's own errors (LimitError, UnavailableError). Waits as long as it takes.
   *
   * A list of names, which is kds's own, asks for a set: all of it is granted at one moment.
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
   * Who holds what, and who waits, in the order of their requests: all that there is in the domain,
   * of whatever thread, process or machine. A set is told of name by name. What came by another
   * way than a LockManager has the label of its session, or its own, as clientId.
   */
  async query(): Promise<LockManagerSnapshot> {
    const session = this.#session;
    this.#checkOpen();
    const { held, pending } = await session.query();
    return { held: held.flatMap(infoOf), pending: pending.flatMap(infoOf) };
  }

  /**
   * The end of the agent, of which the standard says: terminate remaining locks and requests. All
   * of them reject with an AbortError, and no callback is called any more. The domain stays open.
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
  const told = (mode: LockMode) => (name: string) => ({ clientId, mode, name });
  return [...set.exclusive.map(told('exclusive')), ...set.shared.map(told('shared'))];
}
