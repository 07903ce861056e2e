/** A client of the {@link NaiveServer}, and the sessions within it. */

import {
  type AcquireOptions,
  Callback,
  type Capability,
  DomainClosedError,
  type EnqueueOptions,
  type Grant,
  InvalidSetError,
  LimitError,
  type PreparedSet,
  type Resource,
  ResourceBusyError,
  type ResourceRef,
  type Session,
  type SetSpec,
  type SettledOptions,
  type Snapshot,
  setSizeMax,
  UnsupportedError,
  type Waiter,
} from 'kds';
import type { OracleSpec } from 'kds/conformance';
import { checkFunction, checkLabel, readOptions, throwIfAborted } from '../../src/api/options.ts';
import { listsOf, RequestedRefs, readRefs, readSpec } from '../../src/api/read-set.ts';
import { checkName } from '../../src/api/sets.ts';
import { NaiveGrant, NaiveRequest } from './naive-request.ts';
import type { NaiveServer, Terms } from './naive-server.ts';
import { runHeld } from './run-held.ts';

/** A proxy of a handle is not in it. */
const made = new WeakSet<object>();

class NaiveResource implements Resource {
  readonly name: string | undefined;
  readonly key: string;
  readonly client: NaiveClient;
  isOpen = true;

  constructor(client: NaiveClient, name: string | undefined) {
    this.client = client;
    this.name = name;
    this.key = name === undefined ? `#${client.server.tick()}` : `=${name}`;
    made.add(this);
  }

  async close(): Promise<void> {
    const { server, handles } = this.client;
    if (!this.isOpen) return;
    if (await server.ask(() => server.isUsed(this.key))) {
      throw new ResourceBusyError(`"${this.name}" is held or waited for`);
    }
    this.isOpen = false;
    if (this.name !== undefined) handles.delete(this.name);
  }
}

function acceptHandle(ref: unknown): ResourceRef {
  if (ref instanceof NaiveResource && made.has(ref)) return ref;
  checkName(ref);
  return ref;
}

/** What the sessions of one client share. */
class NaiveClient {
  readonly server: NaiveServer;
  readonly handles = new Map<string, NaiveResource>();
  readonly prepared = new WeakSet<object>();

  constructor(server: NaiveServer) {
    this.server = server;
  }

  handle(name: string | undefined): NaiveResource {
    if (name === undefined) return new NaiveResource(this, undefined);
    checkName(name);
    const handle = this.handles.get(name) ?? new NaiveResource(this, name);
    this.handles.set(name, handle);
    return handle;
  }

  keyOf(ref: ResourceRef): string {
    if (!(ref instanceof NaiveResource)) {
      checkName(ref);
      return `=${this.server.fault === 'a name is trimmed' ? ref.trim() : ref}`;
    }
    if (ref.client !== this) throw new InvalidSetError('a handle of another domain');
    if (!ref.isOpen) throw new InvalidSetError(`the handle of "${ref.name}" is closed`);
    return ref.key;
  }

  keysOf(refs: readonly ResourceRef[]): Map<string, ResourceRef> {
    return new Map(refs.map((ref) => [this.keyOf(ref), ref]));
  }

  keysOfPart(part: ResourceRef | readonly ResourceRef[]): readonly string[] {
    const requested = new RequestedRefs();
    readRefs(part, requested, acceptHandle);
    return requested.refs.map((ref) => this.keyOf(ref));
  }

  resolve(set: SetSpec | PreparedSet): OracleSpec & { readonly refs: PreparedSet } {
    const requested = new RequestedRefs();
    const { fault } = this.server;
    const isLax = fault === 'a list that is undefined is an empty one';
    if (isLax && Object(set).exclusive === undefined)
      return this.resolve({ ...set, exclusive: [] });
    if (fault === 'a getter is read again') void Object(set).exclusive;
    readSpec(set, requested, acceptHandle);
    const isPrepared = Object.isFrozen(set) && requested.count > 0;
    if (isPrepared && !this.prepared.has(set)) {
      throw new InvalidSetError('a prepared set of another domain');
    }
    const lists = listsOf(requested);
    if (lists.units !== undefined) throw new UnsupportedError('the naive backend has no units');
    const exclusive = this.keysOf(lists.exclusive);
    const shared = this.keysOf(lists.shared);
    for (const key of exclusive.keys()) shared.delete(key);
    const size = exclusive.size + shared.size;
    if (size > setSizeMax) throw new LimitError(`a set of ${size} resources is too large`);
    const units: ReadonlyMap<ResourceRef, number> = new Map();
    const refs = { exclusive: [...exclusive.values()], shared: [...shared.values()], units };
    return { exclusive: [...exclusive.keys()], shared: [...shared.keys()], refs };
  }
}

export class NaiveDomain implements Session {
  readonly capabilities: ReadonlySet<Capability> = new Set<Capability>([
    'settled',
    'downgrade',
    'part-release',
    'steal',
  ]);
  readonly label: string | undefined;
  readonly server: NaiveServer;
  readonly requests = new Set<NaiveRequest>();
  readonly grants = new Set<NaiveGrant>();
  readonly client: NaiveClient;
  readonly #parent: NaiveDomain | undefined;
  readonly #children = new Set<NaiveDomain>();
  #isClosed = false;

  constructor(server: NaiveServer, parent?: NaiveDomain, label?: string) {
    this.server = server;
    this.label = label;
    this.#parent = parent;
    this.client = parent?.client ?? new NaiveClient(server);
  }

  async acquire(set: SetSpec | PreparedSet, options: AcquireOptions = {}): Promise<Grant> {
    return new Promise((resolve, reject) => {
      this.#ask(set, options, {}, resolve, reject);
    });
  }

  async tryAcquire(set: SetSpec, options: { label?: string } = {}): Promise<Grant | null> {
    return new Promise((resolve, reject) => {
      const timedOut = (reason: unknown) => {
        if ((reason as Error).name === 'TimeoutError') resolve(null);
        else reject(reason);
      };
      this.#ask(set, { ...options, timeoutMs: 0 }, { isTry: true }, resolve, timedOut);
    });
  }

  run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | ((grant: Grant) => R | Promise<R>),
    maybeFn?: (grant: Grant) => R | Promise<R>,
  ): Promise<R> {
    return runHeld(this, set, optionsOrFn, maybeFn);
  }

  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: Grant) => void,
    options: EnqueueOptions = {},
  ): Waiter {
    checkFunction(onGrant, 'onGrant');
    const { delivery = 'queued', onRefused } = options;
    if (onRefused !== undefined) checkFunction(onRefused, 'onRefused');
    const callback = delivery instanceof Callback ? delivery : undefined;
    if (callback === undefined && delivery !== 'queued' && delivery !== 'direct') {
      throw new TypeError('delivery is one of three');
    }
    if (callback?.isOpen === false) throw new DomainClosedError('the callback is closed');
    const tell = callback?.wrap(onGrant) ?? onGrant;
    const request = this.#ask(set, options, { isCallback: true }, tell, (reason) => {
      onRefused?.(reason);
    });
    callback?.count(1);
    request.onEnd = () => callback?.count(-1);
    return request;
  }

  prepare(set: SetSpec): PreparedSet {
    this.#checkOpen();
    const prepared = Object.freeze(this.client.resolve(set).refs);
    this.client.prepared.add(prepared);
    return prepared;
  }

  resource(name?: string): Resource {
    this.#checkOpen();
    return this.client.handle(name);
  }

  session({ label }: { label?: string } = {}): Session {
    this.#checkOpen();
    if (label !== undefined) checkLabel(label);
    const session = new NaiveDomain(this.server, this, label);
    this.#children.add(session);
    return session;
  }

  /** Not offered. */
  async setCapacity(): Promise<never> {
    throw new UnsupportedError('the naive backend has no units');
  }

  /** Not offered. */
  async capacity(): Promise<never> {
    throw new UnsupportedError('the naive backend has no units');
  }

  async settled(set: SetSpec | PreparedSet, options: SettledOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ask(set, options, { isObserver: true }, () => resolve(), reject);
    });
  }

  query(): Promise<Snapshot> {
    return this.server.ask(() => this.server.snapshot());
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const domains: NaiveDomain[] = [this];
    for (const domain of domains) {
      domain.#isClosed = true;
      domains.push(...domain.#children);
    }
    const waiting = domains.flatMap(({ requests }) => [...requests]);
    const held = domains.flatMap(({ grants }) => [...grants]);
    const keeps = this.server.fault === 'a closed session keeps what it holds';
    for (const request of waiting) request.onRefused(new DomainClosedError('it was closed'));
    for (const grant of held) grant.lose();
    await this.server.ask(() => {
      this.server.removeAll([...waiting, ...(keeps ? [] : held)].map(({ set }) => set));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask(
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
    kind: { isTry?: boolean; isObserver?: boolean; isCallback?: boolean },
    onGranted: (grant: Grant) => void,
    onRefused: (reason: unknown) => void,
  ): NaiveRequest {
    const own = readOptions(options);
    const holding = this.#heldBy(own);
    const spec = this.client.resolve(set);
    throwIfAborted(own);
    this.#checkOpen();
    const { timeoutMs, steal } = own;
    if (steal === true && spec.refs.shared.length > 0) {
      throw new InvalidSetError('steal takes exclusive resources only');
    }
    const terms: Terms = { timeoutMs, steal, holding, isTry: kind.isTry === true };
    const request = new NaiveRequest(this, own, kind.isCallback === true, onGranted, onRefused);
    this.requests.add(request);
    request.start(spec, terms, kind.isObserver === true);
    return request;
  }

  #heldBy({ holding = [] }: AcquireOptions): Terms['holding'] {
    const list = (Array.isArray(holding) ? holding : [holding]) as readonly Grant[];
    return list.map((grant) => {
      if (grant instanceof NaiveGrant && grant.domain.server === this.server) return grant.set;
      throw new TypeError('holding is a grant of this domain');
    });
  }

  #checkOpen(): void {
    for (let at: NaiveDomain | undefined = this; at !== undefined; at = at.#parent) {
      if (at.#isClosed) throw new DomainClosedError('the domain or session is closed');
    }
  }
}
