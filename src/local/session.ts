/**
 * The interface of a domain whose words are within reach. The domain itself is the outermost
 * session; all sessions work on one host.
 */

import type { Capability, SyncSession } from '../api/domain.ts';
import { type Ended, type EndsTogether, endsTogether } from '../api/ending.ts';
import { DeadlockError, LockedError, WaitTimeoutError } from '../api/errors.ts';
import { eventFlags, outcomeOf } from '../api/events.ts';
import type { Grant, SyncGrant, Waiter } from '../api/grant.ts';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkCallbackOpen,
  checkIsObject,
  checkLabel,
  checkRunFunction,
  checkSpin,
  type EnqueueOptions,
  type EnqueueTerms,
  holdingList,
  type RequestOptions,
  readEnqueueOptions,
  readOptions,
  type SettledOptions,
  throwIfAborted,
} from '../api/options.ts';
import { domainClosed, foreignHolding, stealsShared } from '../api/refusals.ts';
import { describe, type PreparedSet, type Resource, type SetSpec } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import { PASS_LOCKED, SYNC } from '../core/index.ts';
import { cycleOf, describeOwnerOf, waitTimeout } from '../report/blockers.ts';
import type { LocalReader } from '../report/core-reader.ts';
import { entriesOf } from '../report/snapshot-entries.ts';
import { captureContext } from '../runtime/async-context.ts';
import { atOnce, inSlices } from '../runtime/slices.ts';
import { HostGrant } from './grant.ts';
import type { Host } from './host.ts';
import {
  CallbackRequest,
  DirectRequest,
  HostRequest,
  ObserverRequest,
  PromiseRequest,
} from './request.ts';
import { labelOf, noOptions, noTerms, termsOf } from './request-terms.ts';
import type { RequestedSet, ResolvedSet } from './resources.ts';

const noneHeld: readonly HeldSet[] = Object.freeze([]);

/** A grant that the caller keeps while it waits, as core knows it. */
interface HeldSet {
  readonly set: number;
  readonly token: number;
}

export class HostSession implements SyncSession, EndsTogether {
  readonly label: string | undefined;
  /** @internal The id that a server gave it, for its snapshots. */
  readonly owner: number | undefined;
  /** @internal */
  readonly host: Host;
  /** @internal What went through it and lives; undefined for the domain, which owns all. */
  readonly tracked: Set<HostRequest | HostGrant> | undefined;
  readonly #parent: HostSession | undefined;
  readonly #children = new Set<HostSession>();
  #isOpen = true;

  get capabilities(): ReadonlySet<Capability> {
    return this.host.capabilities;
  }

  constructor(host: Host, parent?: HostSession, label?: string, owner?: number) {
    this.host = host;
    this.label = label;
    this.owner = owner;
    this.#parent = parent;
    this.tracked = parent === undefined ? undefined : new Set();
  }

  acquire(set: SetSpec | PreparedSet, options: AcquireOptions = noOptions): Promise<SyncGrant> {
    const { host } = this;
    if (options !== noOptions || host.heldContext !== undefined)
      return this.#acquireWith(set, options);
    let requested: RequestedSet | undefined;
    let placed: HostGrant | number;
    try {
      requested = host.resources.read(set);
      placed = this.#place(requested, 0);
    } catch (error) {
      return this.#acquireAgain(error, requested);
    }
    return typeof placed === 'number' ? this.#promise(placed) : Promise.resolve(placed);
  }

  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<SyncGrant | null> {
    let requested: RequestedSet | undefined;
    let label: string | undefined;
    try {
      label = labelOf(options);
      requested = this.host.resources.read(set);
      return Promise.resolve(this.#try(requested, 0, label));
    } catch (error) {
      return this.#tryAgain(error, requested, label);
    }
  }

  async run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | ((grant: SyncGrant) => R | Promise<R>),
    maybeFn?: (grant: SyncGrant) => R | Promise<R>,
  ): Promise<R> {
    const [options, fn] =
      typeof optionsOrFn === 'function' ? [noOptions, optionsOrFn] : [optionsOrFn, maybeFn];
    checkRunFunction(fn);
    const grant = (await this.acquire(set, options)) as HostGrant;
    const { heldContext } = this.host;
    // The session may have been closed since the grant: then it is somebody else's by now.
    if (!grant.isHeld) throw grant.signal.reason;
    try {
      const result = await (heldContext === undefined
        ? fn(grant)
        : heldContext.run(grant, () => fn(grant)));
      // What it has come to was not made in exclusion, whatever it says.
      if (grant.isLost) throw grant.signal.reason;
      return result;
    } finally {
      grant.release();
    }
  }

  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: SyncGrant) => void,
    options: EnqueueOptions = noOptions,
  ): Waiter {
    const own = readEnqueueOptions(onGrant, options);
    const terms = options === noOptions ? noTerms : termsOf(options);
    const held = this.#heldBy(terms.holding);
    const requested = this.#read(set, terms);
    checkCallbackOpen(own.callback);
    let placed: HostGrant | number;
    try {
      placed = this.#placeWith(requested, 0, terms, held);
    } catch (error) {
      const request = this.#callbackRequest(0, onGrant, own);
      this.#enqueueAgain(error, requested, terms, held, request);
      return request;
    }
    const request = this.#callbackRequest(typeof placed === 'number' ? placed : 0, onGrant, own);
    this.#startCallback(request, placed, terms);
    return request;
  }

  prepare(set: SetSpec): PreparedSet {
    this.#checkOpen();
    return this.host.resources.prepare(set);
  }

  resource(name?: string): Resource {
    this.#checkOpen();
    return this.host.resources.handle(name);
  }

  /** `owner` is for servers: the entries of its sets in a snapshot carry it. */
  session(options: { label?: string; owner?: number } = noOptions as object): HostSession {
    checkIsObject(options);
    const { label, owner } = options;
    if (label !== undefined) checkLabel(label);
    this.#checkOpen();
    const session = new HostSession(this.host, this, label, owner);
    this.#children.add(session);
    return session;
  }

  settled(set: SetSpec | PreparedSet, options: SettledOptions = noOptions): Promise<void> {
    try {
      const terms = readOptions(options);
      return this.#settled(this.#read(set, terms), terms);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #settled(requested: RequestedSet, terms: RequestOptions): Promise<void> {
    try {
      const observer = this.#observe(requested, terms);
      if (observer === 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        this.#wait(new ObserverRequest(this, observer, resolve, reject), terms);
      });
    } catch (error) {
      const kept = requested.copy();
      return this.host.askAgain(error, async () => {
        throwIfAborted(terms);
        return this.#settled(kept, terms);
      });
    }
  }

  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null {
    const label = labelOf(options);
    return this.#try(this.host.resources.read(set), SYNC, label);
  }

  acquireSync(set: SetSpec | PreparedSet, options: AcquireSyncOptions = noOptions): SyncGrant {
    checkIsObject(options);
    const { timeoutMs, label, spinUs } = options;
    if (spinUs !== undefined) checkSpin(spinUs);
    const terms = options === noOptions ? noTerms : termsOf({ timeoutMs, label });
    const held = this.#heldBy(undefined);
    const placed = this.#placeWith(this.#read(set, terms), SYNC, terms, held);
    if (typeof placed !== 'number') return placed;
    return this.host.block(this, placed, { timeoutMs, label, spinUs });
  }

  async query(): Promise<Snapshot> {
    try {
      const copy = this.#copy();
      return inSlices(entriesOf(copy, copy.withOwner));
    } catch (error) {
      return this.host.askAgain(error, () => this.query());
    }
  }

  querySync(): Snapshot {
    const sets = this.#copy();
    return atOnce(entriesOf(sets, sets.withOwner));
  }

  /** @internal Whether a set holds a resource or waits for it. Changes nothing, never waits. */
  isUsed(ref: Resource | string): boolean {
    return this.host.resources.isUsed(ref);
  }

  async close(): Promise<void> {
    try {
      this.#close();
    } catch (error) {
      return this.host.askAgain(error, () => this.close());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  [endsTogether](ended: readonly Ended[], died: boolean): void {
    const { host } = this;
    const own = ended.filter((each) => each instanceof HostRequest || each instanceof HostGrant);
    host.enter();
    host.endUnwanted(own, died);
    host.leave();
  }

  /**
   * The set, read, and the last look at the signal: from here on nothing of the caller's runs until
   * the operation has ended.
   */
  #read(set: SetSpec | PreparedSet, terms: Pick<RequestOptions, 'signal'>): RequestedSet {
    const requested = this.host.resources.read(set);
    if (terms.signal !== undefined) throwIfAborted(terms);
    return requested;
  }

  #acquireWith(set: SetSpec | PreparedSet, options: AcquireOptions): Promise<SyncGrant> {
    try {
      const terms = termsOf(options);
      const held = this.#heldBy(terms.holding);
      return this.#acquireRead(this.#read(set, terms), terms, held);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The grant, or the set that now waits: then the operation goes on, and {@link #wait} ends it.
   */
  #place(requested: RequestedSet, bits: number): HostGrant | number {
    this.#checkOpen();
    const { host } = this;
    const instrumented = eventFlags.hasSubscribers;
    host.enter();
    let placed: HostGrant | number;
    try {
      const resolved = host.resources.resolve(requested);
      placed = instrumented
        ? host.arriveInstrumented(resolved, bits, this, undefined)
        : host.arrive(resolved, bits, this, undefined);
    } catch (error) {
      throw host.undo(error);
    }
    if (typeof placed === 'number') return placed;
    if (instrumented) host.leave();
    else host.leaveGranted();
    return placed;
  }

  #placeWith(
    requested: RequestedSet,
    bits: number,
    terms: RequestOptions,
    held: readonly HeldSet[],
  ): HostGrant | number {
    if (terms === noTerms && held === noneHeld) return this.#place(requested, bits);
    this.#checkOpen();
    const { host } = this;
    host.enter();
    let placed: HostGrant | number;
    try {
      placed = this.#arriveWith(host.resources.resolve(requested), bits, terms, held);
    } catch (error) {
      throw host.undo(error);
    }
    if (typeof placed !== 'number') host.leave();
    return placed;
  }

  #promise(placed: number, terms = noTerms): Promise<SyncGrant> {
    return new Promise((resolve, reject) => {
      this.#wait(new PromiseRequest(this, placed, resolve, reject), terms);
    });
  }

  /** Apart from where all pass: a function with a closure in it makes room for that each time. */
  #acquireAgain(
    error: unknown,
    requested: RequestedSet | undefined,
    terms = noTerms,
    held = noneHeld,
  ): Promise<SyncGrant> {
    // It could not even be read.
    if (requested === undefined) return Promise.reject(error);
    const kept = requested.copy();
    return this.host.askAgain(error, async () => {
      throwIfAborted(terms);
      return this.#acquireRead(kept, terms, held);
    });
  }

  #acquireRead(
    requested: RequestedSet,
    terms: RequestOptions,
    held: readonly HeldSet[],
  ): Promise<SyncGrant> {
    let placed: HostGrant | number;
    try {
      placed = this.#placeWith(requested, 0, terms, held);
    } catch (error) {
      return this.#acquireAgain(error, requested, terms, held);
    }
    return typeof placed === 'number' ? this.#promise(placed, terms) : Promise.resolve(placed);
  }

  #arriveWith(
    resolved: ResolvedSet,
    bits: number,
    { steal, locked, timeoutMs, label }: RequestOptions,
    held: readonly HeldSet[],
  ): HostGrant | number {
    if (steal === true) return this.#steal(resolved, label);
    if (locked === 'fail') this.#refuseLocked(resolved);
    const allBits = locked === 'ignore' ? bits | PASS_LOCKED : bits;
    if (held.length > 0) this.host.expect(resolved, held.length, this, label);
    const arrive = eventFlags.hasSubscribers ? 'arriveInstrumented' : 'arrive';
    const placed = this.host[arrive](resolved, allBits, this, label);
    if (typeof placed !== 'number') return placed;
    if (timeoutMs === 0) this.#refuse(placed, waitTimeout(this.host.reader, placed, 0));
    if (held.length > 0) this.#refuseCircle(placed, held, label);
    return placed;
  }

  /** Only for a domain that is not ready: a try is not asked again for any other reason. */
  #tryAgain(
    error: unknown,
    requested: RequestedSet | undefined,
    label: string | undefined,
  ): Promise<SyncGrant | null> {
    try {
      if (requested === undefined) throw error;
      const kept = requested.copy();
      return this.host.whenReady(error, () => this.#try(kept, 0, label));
    } catch {
      return Promise.reject(error);
    }
  }

  #try(requested: RequestedSet, bits: number, label: string | undefined): HostGrant | null {
    const { host } = this;
    this.#checkOpen();
    const instrumented = eventFlags.hasSubscribers;
    host.enter();
    let grant: HostGrant | null;
    try {
      const resolved = host.resources.resolve(requested);
      const placed = instrumented
        ? host.arriveInstrumented(resolved, bits, this, label)
        : host.arrive(resolved, bits, this, label);
      if (typeof placed === 'number') host.drop(placed, 'denied');
      grant = typeof placed === 'number' ? null : placed;
    } catch (error) {
      throw host.undo(error);
    }
    if (instrumented || grant === null) host.leave();
    else host.leaveGranted();
    return grant;
  }

  #callbackRequest(
    set: number,
    onGrant: (grant: SyncGrant) => void,
    { isDirect, callback, onRefused }: EnqueueTerms,
  ): CallbackRequest {
    const Request = isDirect ? DirectRequest : CallbackRequest;
    const tell = callback === undefined ? onGrant : callback.wrap(onGrant);
    const request = new Request(this, set, tell);
    const context = captureContext();
    if (callback !== undefined || onRefused !== undefined || context !== undefined) {
      request.onTerms(callback, onRefused, context);
    }
    return request;
  }

  /** It waits, or is granted. */
  #startCallback(
    request: CallbackRequest,
    placed: HostGrant | number,
    terms: RequestOptions,
  ): void {
    if (typeof placed === 'number') {
      this.#wait(request, terms);
    } else {
      request.tell(placed);
      this.host.delivery.runDirect();
    }
  }

  /** Only for a domain that is not ready; otherwise throws the error. */
  #enqueueAgain(
    error: unknown,
    requested: RequestedSet,
    terms: RequestOptions,
    held: readonly HeldSet[],
    request: CallbackRequest,
  ): void {
    const kept = requested.copy();
    void this.host.whenReady(error, () => {
      if (!request.endDeferral()) return;
      let placed: HostGrant | number;
      try {
        throwIfAborted(terms);
        placed = this.#placeWith(kept, 0, terms, held);
      } catch (reason) {
        request.refuse(reason);
        return;
      }
      if (typeof placed === 'number') request.arrive(placed);
      this.#startCallback(request, placed, terms);
    });
    request.defer();
  }

  /** The observer, or 0 if there is nothing to wait for; otherwise as {@link #place}. */
  #observe(requested: RequestedSet, { timeoutMs }: RequestOptions): number {
    this.#checkOpen();
    const { host } = this;
    host.enter();
    let observer: number;
    try {
      observer = host.observe(host.resources.resolve(requested), this);
      if (host.core.isGranted(observer)) {
        host.end(observer, false);
        observer = 0;
      } else if (timeoutMs === 0) {
        const error = 'not settled now: something that conflicts is live';
        this.#refuse(observer, new WaitTimeoutError(error));
      }
    } catch (error) {
      throw host.undo(error);
    }
    if (observer === 0) host.leave();
    return observer;
  }

  /** From now on the request stands for its set. The operation that placed it ends. */
  #wait(request: HostRequest, terms: RequestOptions): void {
    const { host } = this;
    host.tag(request);
    this.tracked?.add(request);
    if (terms !== noTerms) request.start(terms);
    host.leave();
    if (terms.signal !== undefined) request.follow(terms.signal);
  }

  #steal(resolved: ResolvedSet, label: string | undefined): HostGrant {
    const { host } = this;
    if (resolved.exclusiveCount !== resolved.count) {
      throw stealsShared();
    }
    const set = host.steal(resolved, this, label);
    const grant = host.createGrant(this, set, host.core.state(set), label);
    if (eventFlags.hasSubscribers) host.events.granted(grant);
    return grant;
  }

  /** Ends a waiting set by an error. */
  #refuse(set: number, error: Error): never {
    this.host.drop(set, outcomeOf(error));
    throw error;
  }

  #refuseLocked({ queues, count }: ResolvedSet): void {
    const { core, reader } = this.host;
    const queue = core.firstLocked(queues, count);
    if (queue === 0) return;
    const name = describe(reader.nameOf(queue));
    const owner = describeOwnerOf(reader, core.setOf(core.firstInQueue(queue)));
    throw new LockedError(
      `${name} is used by a synchronous caller: it is ${owner}. Ask with locked: 'wait' instead.`,
    );
  }

  /** What the caller keeps while it waits. */
  #heldBy(holding: RequestOptions['holding']): readonly HeldSet[] {
    const { heldContext } = this.host;
    return holding === undefined && heldContext === undefined
      ? noneHeld
      : this.#listHeld(heldContext?.grants ?? [], holding);
  }

  /** What has been released or lost is kept by nobody, so it cannot close a circle. */
  #listHeld(
    grants: readonly (Grant | undefined)[],
    holding: RequestOptions['holding'],
  ): readonly HeldSet[] {
    const held = new Map<number, HeldSet>();
    for (const grant of [...grants, ...holdingList(holding)]) {
      if (!(grant instanceof HostGrant) || grant.scope.host !== this.host) {
        throw foreignHolding(grant);
      }
      const { set, token } = grant;
      if (this.host.isHeld(set, token)) held.set(set, { set, token });
    }
    return [...held.values()];
  }

  #refuseCircle(set: number, held: readonly HeldSet[], label: string | undefined): void {
    const { host } = this;
    const kept = held.filter(({ set, token }) => host.isHeld(set, token)).map(({ set }) => set);
    const circle = host.core.declareHolding(set, kept);
    if (circle?.length === 0) return;
    if (circle === undefined) this.#refuse(set, host.resources.memoryIsFull());
    const { message, steps } = cycleOf(host.reader, circle, label);
    this.#refuse(set, new DeadlockError(message, steps));
  }

  /** One operation. If the state is out of reach this throws, and nothing is half closed. */
  #close(): void {
    if (!this.#isOpen) return;
    const { host } = this;
    host.delivery.asOne(() => {
      if (this.#parent === undefined) {
        host.close();
        this.#shut();
        return;
      }
      host.enter();
      // Not before: what a set of its own has come to is known from here on.
      host.endAll(this.#shut());
      this.#parent.#children.delete(this);
      host.leave();
    });
  }

  /** The state of this moment. */
  #copy(): LocalReader {
    const { host } = this;
    host.enter();
    const copy = host.reader.copy();
    host.leave();
    return copy;
  }

  /** Its own sessions too, however deep. Returns what went through them and lives. */
  #shut(): readonly (HostRequest | HostGrant)[] {
    const owned: (HostRequest | HostGrant)[] = [];
    const sessions: HostSession[] = [this];
    for (const session of sessions) {
      session.#isOpen = false;
      for (const object of session.tracked ?? []) owned.push(object);
      for (const child of session.#children) sessions.push(child);
    }
    return owned;
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw domainClosed();
  }
}
