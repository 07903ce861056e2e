/**
 * The interface of a domain in one event loop. The domain itself is the outermost session; all
 * sessions work on one host.
 */

import { GRANTED, PASS_LOCKED, SYNC } from '../../core/index.ts';
import { Callback } from '../../domain/callback.ts';
import type { Capability, SyncSession } from '../../domain/domain.ts';
import {
  DeadlockError,
  DomainClosedError,
  InvalidSetError,
  LockedError,
  WaitTimeoutError,
} from '../../domain/errors.ts';
import type { Grant, SyncGrant, Waiter } from '../../domain/grant.ts';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkFunction,
  checkIsObject,
  checkLabel,
  checkOptions,
  type EnqueueOptions,
  type SettledOptions,
  throwIfAborted,
} from '../../domain/options.ts';
import { describe, type PreparedSet, type Resource, type SetSpec } from '../../domain/sets.ts';
import type { Snapshot } from '../../domain/snapshot.ts';
import { ProcessGrant } from './grant.ts';
import type { ProcessHost } from './host.ts';
import {
  CallbackRequest,
  DirectRequest,
  ObserverRequest,
  type ProcessRequest,
  PromiseRequest,
  timedOut,
} from './request.ts';
import type { ResolvedSet } from './resources.ts';
import { circleOf, inTheWayOf, ownerOf, snapshotOf } from './snapshot.ts';

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);

const noOptions: AcquireOptions = Object.freeze({});

export class ProcessSession implements SyncSession {
  readonly capabilities = capabilities;
  readonly label: string | undefined;
  /** @internal */
  readonly host: ProcessHost;
  /** @internal What went through it and lives; undefined for the domain, which owns all. */
  readonly tracked: Set<ProcessRequest | ProcessGrant> | undefined;
  readonly #parent: ProcessSession | undefined;
  readonly #children = new Set<ProcessSession>();
  #isOpen = true;

  constructor(host: ProcessHost, parent?: ProcessSession, label?: string) {
    this.host = host;
    this.label = label;
    this.#parent = parent;
    this.tracked = parent === undefined ? undefined : new Set();
  }

  acquire(set: SetSpec | PreparedSet, options: AcquireOptions = noOptions): Promise<SyncGrant> {
    try {
      const placed = this.#place(set, 0, options);
      if (typeof placed !== 'number') return Promise.resolve(placed);
      return new Promise((resolve, reject) => {
        this.#wait(new PromiseRequest(this, placed, resolve, reject), options);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  tryAcquire(set: SetSpec | PreparedSet, options?: { label?: string }): Promise<SyncGrant | null> {
    try {
      return Promise.resolve(this.#try(set, 0, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async run<R>(
    set: SetSpec | PreparedSet,
    optionsOrFn: AcquireOptions | ((grant: SyncGrant) => R | Promise<R>),
    maybeFn?: (grant: SyncGrant) => R | Promise<R>,
  ): Promise<R> {
    const [options, fn] =
      typeof optionsOrFn === 'function' ? [noOptions, optionsOrFn] : [optionsOrFn, maybeFn];
    if (typeof fn !== 'function') throw new TypeError(`run needs a function, not ${describe(fn)}`);
    const grant = (await this.acquire(set, options)) as ProcessGrant;
    const { carried } = this.host;
    // The session may have been closed since the grant: then it is somebody else's by now.
    if (!grant.isHeld) throw grant.signal.reason;
    try {
      return await (carried === undefined ? fn(grant) : carried.run(grant, () => fn(grant)));
    } finally {
      grant.release();
    }
  }

  enqueue(
    set: SetSpec | PreparedSet,
    onGrant: (grant: SyncGrant) => void,
    options: EnqueueOptions = noOptions,
  ): Waiter {
    checkFunction(onGrant, 'onGrant');
    checkIsObject(options);
    const { onRefused } = options;
    if (onRefused !== undefined) checkFunction(onRefused, 'onRefused');
    const callback = options.delivery instanceof Callback ? options.delivery : undefined;
    const delivery = callback === undefined ? options.delivery : callback.delivery;
    if (delivery !== undefined && delivery !== 'queued' && delivery !== 'direct') {
      throw new TypeError(
        `delivery is 'queued', 'direct' or a Callback, not ${describe(delivery)}`,
      );
    }
    if (callback?.isOpen === false) throw new DomainClosedError('the callback is closed');
    const placed = this.#place(set, 0, options);
    const Request = delivery === 'direct' ? DirectRequest : CallbackRequest;
    const tell = this.#bind(callback === undefined ? onGrant : callback.wrap(onGrant));
    const request = new Request(this, typeof placed === 'number' ? placed : 0, tell);
    if (callback !== undefined || onRefused !== undefined) {
      request.onTerms(callback, onRefused && this.#bind(onRefused));
    }
    if (typeof placed === 'number') {
      this.#wait(request, options);
    } else {
      request.tell(placed);
      this.host.delivery.runDirect();
    }
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

  session(options: { label?: string } = noOptions as object): SyncSession {
    this.#checkOpen();
    checkIsObject(options);
    const { label } = options;
    if (label !== undefined) checkLabel(label);
    const session = new ProcessSession(this.host, this, label);
    this.#children.add(session);
    return session;
  }

  settled(set: SetSpec | PreparedSet, options: SettledOptions = noOptions): Promise<void> {
    try {
      this.#checkOpen();
      checkOptions(options);
      const resolved = this.host.resources.resolve(set);
      throwIfAborted(options);
      const observer = this.host.observe(resolved);
      if (this.host.core.isGranted(observer)) {
        this.host.end(observer, false);
        return Promise.resolve();
      }
      if (options.timeoutMs === 0) {
        this.host.end(observer, false);
        throw new WaitTimeoutError('not settled now: something that conflicts is live');
      }
      return new Promise((resolve, reject) => {
        this.#wait(new ObserverRequest(this, observer, resolve, reject), options);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  tryAcquireSync(set: SetSpec | PreparedSet, options?: { label?: string }): SyncGrant | null {
    return this.#try(set, SYNC, options);
  }

  acquireSync(set: SetSpec | PreparedSet, options: AcquireSyncOptions = noOptions): SyncGrant {
    checkIsObject(options);
    const { timeoutMs, label } = options;
    const placed = this.#place(set, SYNC, { timeoutMs, label });
    if (typeof placed !== 'number') return placed;
    const inTheWay = inTheWayOf(this.host, placed);
    this.host.end(placed, false);
    throw new WaitTimeoutError(
      `not granted at once, and one event loop cannot wait for itself: ${inTheWay}. ` +
        'Use acquire() or enqueue().',
    );
  }

  async query(): Promise<Snapshot> {
    return this.querySync();
  }

  querySync(): Snapshot {
    return snapshotOf(this.host);
  }

  async close(): Promise<void> {
    this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The grant, or the set that now waits in core and has no object yet. */
  #place(
    spec: SetSpec | PreparedSet,
    bits: number,
    options: AcquireOptions,
  ): ProcessGrant | number {
    this.#checkOpen();
    const { host } = this;
    if (options === noOptions && host.carried === undefined) {
      const set = host.enqueue(host.resources.resolve(spec), bits);
      const state = host.core.state(set);
      return (state & GRANTED) !== 0 ? host.createGrant(this, set, state, undefined) : set;
    }
    checkOptions(options);
    const held = this.#heldBy(options);
    const resolved = host.resources.resolve(spec);
    // Last of all that may run code of the caller's (getters): from here on nothing changes.
    throwIfAborted(options);
    if (options.steal === true) return this.#steal(resolved, options);
    if (options.locked === 'fail') this.#refuseLocked(resolved);
    const set = host.enqueue(resolved, options.locked === 'ignore' ? bits | PASS_LOCKED : bits);
    const state = host.core.state(set);
    if ((state & GRANTED) !== 0) return host.createGrant(this, set, state, options.label);
    if (options.timeoutMs === 0) {
      const error = timedOut(this, set, 0);
      host.end(set, false);
      throw error;
    }
    if (held.length > 0) this.#refuseCircle(set, held, options.label);
    return set;
  }

  #try(
    spec: SetSpec | PreparedSet,
    bits: number,
    options: { label?: string } | undefined,
  ): ProcessGrant | null {
    this.#checkOpen();
    if (options !== undefined) checkOptions(options);
    const label = options?.label;
    const set = this.host.enqueue(this.host.resources.resolve(spec), bits);
    const state = this.host.core.state(set);
    if ((state & GRANTED) !== 0) return this.host.createGrant(this, set, state, label);
    this.host.end(set, false);
    return null;
  }

  #wait(request: ProcessRequest, options: AcquireOptions): void {
    this.host.tag(request);
    this.tracked?.add(request);
    if (options === noOptions) return;
    try {
      request.start(options);
    } catch (error) {
      // Whatever throws here is the caller's: a getter, or a signal that takes no listener.
      request.leave();
      throw error;
    }
  }

  #bind<A>(fn: (argument: A) => void): (argument: A) => void {
    const { carried } = this.host;
    return carried === undefined ? fn : carried.bind(fn);
  }

  #steal(resolved: ResolvedSet, options: AcquireOptions): ProcessGrant {
    const { host } = this;
    if (resolved.exclusiveCount !== resolved.count) {
      throw new InvalidSetError('steal takes exclusive resources only');
    }
    const set = host.steal(resolved);
    const grant = host.createGrant(this, set, host.core.state(set), options.label);
    host.afterwards();
    return grant;
  }

  #refuseLocked({ queues, count }: ResolvedSet): void {
    const { core, resources } = this.host;
    const queue = core.firstLocked(queues, count);
    if (queue === 0) return;
    const name = describe(String(resources.of(queue)));
    const owner = ownerOf(this.host, core.setOf(core.firstInQueue(queue)));
    throw new LockedError(
      `${name} is used by a synchronous caller: it is ${owner}. Ask with locked: 'wait' instead.`,
    );
  }

  #heldBy({ holding }: AcquireOptions): readonly ProcessGrant[] {
    const carried = this.host.carried?.grants.filter(({ isHeld }) => isHeld) ?? [];
    if (holding === undefined) return carried;
    const declared = (Array.isArray(holding) ? holding : [holding]) as readonly Grant[];
    const held = new Set(carried);
    for (const grant of declared) {
      if (!(grant instanceof ProcessGrant) || grant.scope.host !== this.host) {
        throw new TypeError(`holding is a grant of this domain, not ${describe(grant)}`);
      }
      // What has been released or lost is kept by nobody, so it cannot close a circle.
      if (grant.isHeld) held.add(grant);
    }
    return [...held];
  }

  #refuseCircle(set: number, held: readonly ProcessGrant[], label: string | undefined): void {
    const { host } = this;
    const circle = host.core.declareHolding(
      set,
      held.filter(({ isHeld }) => isHeld).map(({ set }) => set),
    );
    if (circle?.length === 0) return;
    const told = circle === undefined ? undefined : circleOf(host, circle, label);
    host.end(set, false);
    throw told === undefined
      ? host.resources.memoryIsFull()
      : new DeadlockError(told.message, told.steps);
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#parent === undefined) {
      this.host.close();
      return;
    }
    this.#parent.#children.delete(this);
    this.host.endAll(this.#owned());
  }

  /** What went through it and lives, its own sessions included. */
  #owned(): readonly (ProcessRequest | ProcessGrant)[] {
    const children = [...this.#children];
    return [...(this.tracked ?? []), ...children.flatMap((child) => child.#owned())];
  }

  #checkOpen(): void {
    for (let at: ProcessSession | undefined = this; at !== undefined; at = at.#parent) {
      if (!at.#isOpen) throw new DomainClosedError('the domain or session is closed');
    }
  }
}
