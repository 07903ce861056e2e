/**
 * The interface of a domain whose state a backend keeps. The domain itself is the outermost
 * session; all sessions of one client share one backend. Errors of arguments are thrown here; every
 * other outcome comes from the backend.
 */

import type { Capability, Session } from '../api/domain.ts';
import type { Grant, Waiter } from '../api/grant.ts';
import {
  type AcquireOptions,
  checkCallbackOpen,
  checkIsObject,
  checkLabel,
  checkRunFunction,
  type EnqueueOptions,
  holdingList,
  readEnqueueOptions,
  readOptions,
  type SettledOptions,
  throwIfAborted,
} from '../api/options.ts';
import { closedWhileWaiting, domainClosed, foreignHolding, stealsShared } from '../api/refusals.ts';
import type { PreparedSet, Resource, SetSpec } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { captureContext } from '../runtime/async-context.ts';
import type { LeftBehind, RemoteBackend } from './backend.ts';
import { RemoteGrant } from './grant.ts';
import { CallbackRequest, PromiseRequest, RemoteRequest, type RequestTerms } from './request.ts';

const noOptions: AcquireOptions = Object.freeze({});
const nothingHeld: readonly RemoteGrant[] = Object.freeze([]);

export class RemoteSession<S extends Snapshot = Snapshot> implements Session {
  readonly label: string | undefined;
  /** @internal Among the sessions of its backend; 0: the domain itself. */
  readonly number: number;
  /** @internal */
  readonly parent: RemoteSession<S> | undefined;
  /** @internal */
  readonly backend: RemoteBackend<S>;
  /** @internal Requests that wait and grants that are held through it. */
  readonly tracked = new Set<RemoteRequest | RemoteGrant>();
  readonly #children = new Set<RemoteSession<S>>();
  #isOpen = true;
  #closed: Promise<void> | undefined;

  constructor(backend: RemoteBackend<S>, parent?: RemoteSession<S>, label?: string) {
    this.backend = backend;
    this.label = label;
    this.parent = parent;
    this.number = parent === undefined ? 0 : backend.nextId();
  }

  get capabilities(): ReadonlySet<Capability> {
    return this.backend.capabilities;
  }

  acquire(set: SetSpec | PreparedSet, options: AcquireOptions = noOptions): Promise<Grant> {
    return this.#promise('acquire', set, options) as Promise<Grant>;
  }

  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<Grant | null> {
    return this.#promise('try', set, options ?? noOptions);
  }

  async run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | ((grant: Grant) => R | Promise<R>),
    maybeFn?: (grant: Grant) => R | Promise<R>,
  ): Promise<R> {
    const [options, fn] =
      typeof optionsOrFn === 'function' ? [noOptions, optionsOrFn] : [optionsOrFn, maybeFn];
    checkRunFunction(fn);
    const grant = (await this.acquire(set, options)) as RemoteGrant;
    // It may have been lost since, and granted to another client.
    if (!grant.isHeld) throw grant.signal.reason;
    try {
      const result = await fn(grant);
      // The result was not made in exclusion.
      if (grant.isLost) throw grant.signal.reason;
      return result;
    } finally {
      grant.release();
    }
  }

  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: Grant) => void,
    options: EnqueueOptions = noOptions,
  ): Waiter {
    const { isDirect, callback, onRefused } = readEnqueueOptions(onGrant, options);
    const terms = this.#read('acquire', set, options);
    checkCallbackOpen(callback);
    const request = new CallbackRequest(this, terms, {
      onGrant: callback === undefined ? onGrant : callback.wrap(onGrant),
      onRefused,
      callback,
      isDirect,
      context: captureContext(),
    });
    this.backend.start(request);
    return request;
  }

  prepare(set: SetSpec): PreparedSet {
    this.#checkOpen();
    return this.backend.resources.prepare(set);
  }

  resource(name?: string): Resource {
    this.#checkOpen();
    return this.backend.resources.handle(name);
  }

  session(options: { label?: string } = noOptions as object): RemoteSession<S> {
    checkIsObject(options);
    const { label } = options;
    if (label !== undefined) checkLabel(label);
    this.#checkOpen();
    const session = new RemoteSession<S>(this.backend, this, label);
    this.#children.add(session);
    return session;
  }

  async settled(set: SetSpec | PreparedSet, options: SettledOptions = noOptions): Promise<void> {
    await this.#promise('settled', set, options);
  }

  /** Of all clients of the domain. A closed session can be asked as well. */
  query(): Promise<S> {
    return this.backend.query();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #promise(
    how: RequestTerms['how'],
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
  ): Promise<Grant | null> {
    const terms = this.#read(how, set, options);
    return new Promise((resolve, reject) => {
      this.backend.start(new PromiseRequest(this, terms, resolve, reject));
    });
  }

  /**
   * Reads the terms of a request, each once. That runs code of the caller, so the session is
   * checked to be open after it.
   */
  #read(
    how: RequestTerms['how'],
    spec: SetSpec | PreparedSet,
    options: AcquireOptions,
  ): RequestTerms {
    const { locked, steal, label, signal, timeoutMs, holding } = readOptions(options);
    const held = this.#heldBy(holding);
    const set = this.backend.resources.setOf(spec);
    throwIfAborted({ signal });
    this.#checkOpen();
    if (steal === true && set.shared !== undefined) {
      throw stealsShared();
    }
    const limitMs = timeoutMs === Number.POSITIVE_INFINITY ? undefined : timeoutMs;
    return { how, set, label, locked, steal, holding: held, timeoutMs: limitMs, signal };
  }

  #heldBy(holding: AcquireOptions['holding']): readonly RemoteGrant[] {
    if (holding === undefined) return nothingHeld;
    return holdingList(holding).map((grant) => {
      if (RemoteGrant.isGrant(grant) && grant.scope.backend === this.backend) return grant;
      throw foreignHolding(grant);
    });
  }

  async #close(): Promise<void> {
    const left = leftBehind(this.#shut());
    if (this.parent !== undefined) this.parent.#children.delete(this);
    await this.backend.end(this, left, closedWhileWaiting());
  }

  /** Closes its own sessions too, however deep. Returns what lives of them. */
  #shut(): readonly (RemoteRequest | RemoteGrant)[] {
    const owned: (RemoteRequest | RemoteGrant)[] = [];
    const sessions: RemoteSession<S>[] = [this];
    for (const session of sessions) {
      session.#isOpen = false;
      for (const object of session.tracked) owned.push(object);
      for (const child of session.#children) sessions.push(child);
    }
    return owned;
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw domainClosed();
  }
}

function leftBehind(owned: readonly (RemoteRequest | RemoteGrant)[]): LeftBehind {
  const requests = owned.filter((each) => each instanceof RemoteRequest);
  const grants = owned.filter((each) => each instanceof RemoteGrant);
  return {
    requests: requests.sort((one, other) => one.id - other.id),
    grants: grants.sort((one, other) => one.id - other.id),
  };
}
