/**
 * A `Domain` whose every call is made in another thread, by messages: so that one test can have
 * requests issued from several workers at once. What is decided here is only what must be known
 * when a call returns: that its arguments are such, and whether a `cancel()` came in time.
 */

import {
  type AcquireOptions,
  Callback,
  type Capability,
  type Capacity,
  type CapacitySpec,
  DomainClosedError,
  type EnqueueOptions,
  type Grant,
  InvalidSetError,
  LimitError,
  type PreparedSet,
  type Resource,
  type ResourceRef,
  type Session,
  type SetSpec,
  type SettledOptions,
  type Snapshot,
  setSizeMax,
  type UnitsLeft,
  UnsupportedError,
  type Waiter,
} from 'kds';
import { callBack } from '../../src/api/callback.ts';
import {
  checkFunction,
  checkIsObject,
  checkLabel,
  readOptions,
  throwIfAborted,
} from '../../src/api/options.ts';
import {
  isUnitsLeft,
  listsOf,
  RequestedRefs,
  readRefs,
  readSpec,
  readUnitsLeft,
} from '../../src/api/read-set.ts';
import { checkName } from '../../src/api/sets.ts';
import { readCapacity } from '../../src/api/units.ts';
import { AbortListeners } from '../../src/runtime/abort-listeners.ts';
import { captureContext, detectContext, runInContext } from '../../src/runtime/async-context.ts';
import { deliver } from '../../src/runtime/delivery.ts';
import { runHeld } from '../conformance/run-held.ts';
import {
  type Asking,
  type ChangedGrant,
  type ErrorSent,
  type FromWorker,
  type GrantSent,
  type OptionsSent,
  type RefSent,
  receiveError,
  type SetSent,
  type ToWorker,
  type UnitsSent,
  type ValueSent,
} from './remote-messages.ts';

export const capabilities: readonly Capability[] = [
  'settled',
  'downgrade',
  'part-release',
  'steal',
  'blocking',
  'units',
];

/** What hears how a call or a request has ended. */
interface Answered {
  readonly signal?: AbortSignal | undefined;
  settle(value: ValueSent): void;
  refuse(reason: unknown): void;
}

type WithoutId<M> = M extends { readonly id: number } ? Omit<M, 'id'> : never;

/** What the sessions of one domain share: the way to its worker, and numbers for things. */
export class RemoteClient {
  readonly handles = new Map<string, RemoteResource>();
  readonly prepared = new Map<object, number>();
  readonly grants = new Map<number, RemoteGrant>();
  readonly offered: readonly Capability[];
  readonly #post: (message: ToWorker) => void;
  readonly #answered = new Map<number, Answered>();
  readonly #signalIds = new WeakMap<AbortSignal, number>();
  readonly #signals = new AbortListeners<Answered>((waiting) => this.#abort(waiting));
  #idLast = 0;

  constructor(post: (message: ToWorker) => void, offered = capabilities) {
    this.#post = post;
    this.offered = offered;
  }

  nextId(): number {
    this.#idLast++;
    return this.#idLast;
  }

  post(message: ToWorker): void {
    this.#post(message);
  }

  call<T>(message: WithoutId<ToWorker>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (value: unknown): void => resolve(value as T);
      const id = this.expect({ settle, refuse: reject });
      this.#post({ ...message, id } as ToWorker);
    });
  }

  /** Its answer is expected, under the number that is returned. */
  expect(answered: Answered): number {
    const id = this.nextId();
    this.#answered.set(id, answered);
    return id;
  }

  /** Its request has been sent: an abort from now on comes after it. */
  follow(answered: Answered): void {
    const { signal } = answered;
    if (signal !== undefined && !this.#signals.add(signal, answered))
      this.#abort(new Set([answered]));
  }

  signalId(signal: AbortSignal): number {
    const id = this.#signalIds.get(signal) ?? this.nextId();
    this.#signalIds.set(signal, id);
    return id;
  }

  /** @throws UnsupportedError */
  checkOffers(capability: Capability): void {
    if (this.offered.includes(capability)) return;
    throw new UnsupportedError(`this backend has no ${capability}`);
  }

  /** Nobody waits for it any more. */
  forget(answered: Answered): void {
    if (answered.signal !== undefined) this.#signals.remove(answered.signal, answered);
  }

  receive(message: FromWorker): void {
    if ('lost' in message) {
      this.grants.get(message.lost)?.lose(message.error);
      return;
    }
    const answered = this.#answered.get(message.id);
    if (answered === undefined) throw new Error(`an answer to nothing: ${message.id}`);
    this.#answered.delete(message.id);
    this.forget(answered);
    if ('error' in message) {
      const { error } = message;
      answered.refuse(error.isAbort ? answered.signal?.reason : receiveError(error));
    } else {
      answered.settle(message.value);
    }
  }

  /** The worker has ended: nothing will be answered any more. */
  fail(error: unknown): void {
    for (const answered of this.#answered.values()) answered.refuse(error);
    this.#answered.clear();
  }

  #abort(waiting: ReadonlySet<Answered>): void {
    for (const { signal } of waiting) {
      // All of them have the same one.
      this.#post({ do: 'abort', signal: this.signalId(signal as AbortSignal) });
      return;
    }
  }
}

/** A proxy of a handle is not in it. */
const made = new WeakSet<object>();

class RemoteResource implements Resource {
  readonly client: RemoteClient;
  readonly id: number;
  readonly name: string | undefined;
  isOpen = true;

  constructor(client: RemoteClient, name: string | undefined) {
    this.client = client;
    this.name = name;
    this.id = client.nextId();
    made.add(this);
    client.post({ do: 'resource', id: this.id, ...(name !== undefined && { name }) });
  }

  async close(): Promise<void> {
    await this.client.call({ do: 'close resource', resource: this.id });
    this.isOpen = false;
    if (this.name !== undefined) this.client.handles.delete(this.name);
  }
}

class RemoteGrant implements Grant {
  readonly client: RemoteClient;
  readonly id: number;
  readonly token: number;
  readonly recovered: readonly string[];
  readonly ignored: readonly string[];
  readonly #controller = new AbortController();
  #reason: unknown;
  #units: UnitsSent;
  #isOver = false;
  isLost = false;

  constructor(client: RemoteClient, id: number, sent: GrantSent) {
    const { token, recovered, ignored, units } = sent;
    this.client = client;
    this.id = id;
    this.token = token;
    this.recovered = recovered;
    this.ignored = ignored;
    this.#units = units;
    client.grants.set(id, this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Neither let go of nor taken away. */
  get isHeld(): boolean {
    return !this.#isOver && !this.isLost;
  }

  async release(part?: ResourceRef | readonly ResourceRef[]): Promise<void> {
    if (part === undefined) this.#isOver = true;
    const { isHeld } = await this.#change('release', part);
    if (!isHeld) this.#isOver = true;
  }

  get units(): UnitsSent {
    return this.isHeld ? this.#units : {};
  }

  async tryUpgrade(part?: ResourceRef | readonly ResourceRef[]): Promise<boolean> {
    this.client.checkOffers('units');
    return (await this.#change('upgrade', part)).isUpgraded;
  }

  async downgrade(part?: ResourceRef | readonly ResourceRef[] | UnitsLeft): Promise<void> {
    if (!isUnitsLeft(part)) {
      await this.#change('downgrade', part);
      return;
    }
    const { client } = this;
    client.checkOffers('units');
    const requested = new RequestedRefs();
    const units = readUnitsLeft(part, requested, acceptHandle);
    const left = units.map((count, index) => {
      return [sent(client, requested.refs[index] as ResourceRef), count] as const;
    });
    await this.#send({ do: 'downgrade', grant: this.id, left });
  }

  async abandon(reason?: unknown): Promise<void> {
    this.#reason = reason;
    this.#isOver = true;
    await this.client.call({ do: 'abandon', grant: this.id });
  }

  /** Not offered. */
  async run(): Promise<never> {
    throw new UnsupportedError('grants of this backend have no inner domain');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  lose(error: ErrorSent): void {
    if (!this.#isOver) this.isLost = true;
    this.#controller.abort(this.#reason ?? receiveError(error));
  }

  async #change(
    change: 'release' | 'downgrade' | 'upgrade',
    refs: ResourceRef | readonly ResourceRef[] | undefined,
  ): Promise<ChangedGrant> {
    const part = refs === undefined ? {} : { part: sentPart(this.client, refs) };
    return this.#send({ do: change, grant: this.id, ...part });
  }

  async #send(message: WithoutId<ToWorker>): Promise<ChangedGrant> {
    const changed = await this.client.call<ChangedGrant>(message);
    this.#units = changed.units;
    return changed;
  }
}

export class RemoteDomain implements Session {
  readonly capabilities: ReadonlySet<Capability>;
  readonly label: string | undefined;
  readonly #client: RemoteClient;
  readonly #parent: RemoteDomain | undefined;
  readonly #id: number;
  #isClosed = false;

  constructor(client: RemoteClient, parent?: RemoteDomain, label?: string) {
    this.capabilities = new Set(client.offered);
    this.#client = client;
    this.#parent = parent;
    this.label = label;
    this.#id = parent === undefined ? 0 : client.nextId();
    if (parent === undefined) return;
    const named = label === undefined ? {} : { label };
    client.post({ do: 'session', id: this.#id, parent: parent.#id, ...named });
  }

  async acquire(set: SetSpec | PreparedSet, options: AcquireOptions = {}): Promise<Grant> {
    return new Promise((resolve, reject) => {
      this.#ask('acquire', set, options, resolve as (grant: Grant | null) => void, reject);
    });
  }

  async tryAcquire(
    set: SetSpec | PreparedSet,
    options: { label?: string } = {},
  ): Promise<Grant | null> {
    return new Promise((resolve, reject) => {
      this.#ask('try', set, options, resolve, reject);
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
    checkIsObject(options);
    const { onRefused, delivery: given } = options;
    if (onRefused !== undefined) checkFunction(onRefused, 'onRefused');
    const callback = given instanceof Callback ? given : undefined;
    const delivery = callback?.delivery ?? (given as 'queued' | 'direct' | undefined);
    if (delivery !== undefined && delivery !== 'queued' && delivery !== 'direct') {
      throw new TypeError('delivery is one of three');
    }
    if (callback?.isOpen === false) throw new DomainClosedError('the callback is closed');
    const tell = callback === undefined ? onGrant : callback.wrap(onGrant);
    let isOver = false;
    const endOnce = (after: () => void): void => {
      if (isOver) return;
      isOver = true;
      callback?.count(-1);
      detectContext();
      deliver({ deliver: after });
    };
    const context = captureContext();
    const granted = (grant: Grant | null): void =>
      endOnce(() => callBack(context, tell, grant as RemoteGrant));
    const refused = (reason: unknown): void =>
      endOnce(() => onRefused && runInContext(context, onRefused, reason));
    const request = this.#ask('enqueue', set, options, granted, refused, delivery);
    callback?.count(1);
    const cancel = (): boolean => {
      if (isOver) return false;
      endOnce(() => request.cancel());
      return true;
    };
    return { cancel };
  }

  prepare(set: SetSpec): PreparedSet {
    this.#checkOpen();
    const client = this.#client;
    if (client.prepared.has(set)) return set as PreparedSet;
    const requested = requestedIn(client, set) as RequestedRefs;
    const setSent = sentSet(client, requested);
    const lists = listsOf(requested);
    const exclusive = [...new Set(lists.exclusive.map((ref) => named(client, ref)))];
    // Those with the most units come first, and the first one counts.
    const counts = [...(lists.units ?? [])].map(
      ([ref, count]) => [named(client, ref), count] as const,
    );
    const taken = counts.filter(([ref]) => !exclusive.includes(ref));
    const units = new Map([...taken].reverse());
    const shared = [...new Set(lists.shared.map((ref) => named(client, ref)))].filter(
      (ref) => !exclusive.includes(ref) && !units.has(ref),
    );
    const size = exclusive.length + units.size + shared.length;
    if (size > setSizeMax) throw new LimitError(`a set of ${size} resources is too large`);
    const prepared = Object.freeze({ exclusive, shared, units });
    const id = client.nextId();
    client.prepared.set(prepared, id);
    client.post({ do: 'prepare', id, set: setSent });
    return prepared;
  }

  resource(name?: string): Resource {
    this.#checkOpen();
    const client = this.#client;
    if (name === undefined) return new RemoteResource(client, undefined);
    checkName(name);
    const handle = client.handles.get(name) ?? new RemoteResource(client, name);
    client.handles.set(name, handle);
    return handle;
  }

  session(options: { label?: string } = {}): Session {
    this.#checkOpen();
    checkIsObject(options);
    const { label } = options;
    if (label !== undefined) checkLabel(label);
    return new RemoteDomain(this.#client, this, label);
  }

  async setCapacity(ref: ResourceRef, spec: CapacitySpec): Promise<void> {
    const client = this.#client;
    client.checkOffers('units');
    const { count, names } = readCapacity(spec);
    const of = sent(client, acceptHandle(ref));
    this.#checkOpen();
    await client.call({ do: 'set capacity', session: this.#id, of, capacity: names ?? count });
  }

  async capacity(ref: ResourceRef): Promise<Capacity | undefined> {
    const client = this.#client;
    client.checkOffers('units');
    const of = sent(client, acceptHandle(ref));
    return client.call({ do: 'capacity', session: this.#id, of });
  }

  async settled(set: SetSpec | PreparedSet, options: SettledOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ask('settled', set, options, () => resolve(), reject);
    });
  }

  query(): Promise<Snapshot> {
    return this.#client.call({ do: 'query', session: this.#id });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.call({ do: 'close', session: this.#id });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask(
    how: Asking,
    set: SetSpec | PreparedSet,
    options: AcquireOptions,
    granted: (grant: Grant | null) => void,
    refuse: (reason: unknown) => void,
    delivery?: 'queued' | 'direct',
  ): Waiter {
    const own = readOptions(options);
    const client = this.#client;
    const optionsSent = sentOptions(client, own);
    const setSent = sentSet(client, requestedIn(client, set));
    throwIfAborted(own);
    this.#checkOpen();
    const settle = (value: unknown): void => {
      granted(value ? new RemoteGrant(client, id, value as GrantSent) : null);
    };
    const answered = { signal: own.signal, settle, refuse };
    const id = client.expect(answered);
    const terms = delivery === undefined ? optionsSent : { ...optionsSent, delivery };
    client.post({ do: 'ask', id, how, session: this.#id, set: setSent, options: terms });
    try {
      client.follow(answered);
    } catch (error) {
      client.post({ do: 'cancel', request: id });
      throw error;
    }
    const cancel = (): boolean => {
      client.forget(answered);
      client.post({ do: 'cancel', request: id });
      return true;
    };
    return { cancel };
  }

  #checkOpen(): void {
    for (let at: RemoteDomain | undefined = this; at !== undefined; at = at.#parent) {
      if (at.#isClosed) throw new DomainClosedError('the domain or session is closed');
    }
  }
}

function sentOptions(client: RemoteClient, options: AcquireOptions): OptionsSent {
  const { signal, timeoutMs, locked, steal, label, holding } = options;
  return {
    ...(signal !== undefined && { signal: client.signalId(signal) }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(locked !== undefined && { locked }),
    ...(steal !== undefined && { steal }),
    ...(label !== undefined && { label }),
    ...(holding !== undefined && { holding: listOf(holding).map((grant) => kept(client, grant)) }),
  };
}

function kept(client: RemoteClient, grant: Grant): number {
  if (grant instanceof RemoteGrant && grant.client === client) return grant.id;
  throw new TypeError('holding is a grant of this domain');
}

/** Read once; the number of a set that was prepared. */
function requestedIn(client: RemoteClient, set: SetSpec | PreparedSet): RequestedRefs | number {
  const prepared = client.prepared.get(set);
  if (prepared !== undefined) return prepared;
  const requested = new RequestedRefs();
  readSpec(set, requested, acceptHandle);
  if (Object.isFrozen(set) && requested.count > 0) {
    throw new InvalidSetError('a prepared set of another domain');
  }
  return requested;
}

function sentSet(client: RemoteClient, requested: RequestedRefs | number): SetSent {
  if (typeof requested === 'number') return requested;
  const { exclusive, shared, units } = listsOf(requested);
  if (units !== undefined) client.checkOffers('units');
  const counts = [...(units ?? [])].map(([ref, count]) => [sent(client, ref), count] as const);
  return {
    ...(units !== undefined && { units: counts }),
    exclusive: exclusive.map((ref) => sent(client, ref)),
    shared: shared.map((ref) => sent(client, ref)),
  };
}

function sentPart(
  client: RemoteClient,
  part: ResourceRef | readonly ResourceRef[],
): readonly RefSent[] {
  const requested = new RequestedRefs();
  readRefs(part, requested, acceptHandle);
  return requested.refs.map((ref) => sent(client, ref));
}

function acceptHandle(ref: unknown): ResourceRef {
  if (ref instanceof RemoteResource && made.has(ref)) return ref;
  checkName(ref);
  return ref;
}

function sent(client: RemoteClient, ref: ResourceRef): RefSent {
  if (!(ref instanceof RemoteResource)) {
    checkName(ref);
    return ref;
  }
  if (ref.client !== client) throw new InvalidSetError('a handle of another domain');
  if (!ref.isOpen) throw new InvalidSetError(`the handle of "${ref.name}" is closed`);
  return ref.id;
}

/** The handle that a name has, or what was given. */
function named(client: RemoteClient, ref: ResourceRef): ResourceRef {
  return typeof ref === 'string' ? (client.handles.get(ref) ?? ref) : ref;
}

function listOf<T>(list: T | readonly T[] | undefined): readonly T[] {
  if (list === undefined) return [];
  return Array.isArray(list) ? (list as readonly T[]) : [list as T];
}
