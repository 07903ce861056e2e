/**
 * Executes the requests of a local domain's sessions, each in one operation on core.
 *
 * An operation in which a set arrives ends at once if the set is granted. If it waits, the
 * operation goes on until its request stands for it ({@link LocalRequests.wait}).
 */

import type { Capability } from '../api/domain.ts';
import { DeadlockError, WaitTimeoutError } from '../api/errors.ts';
import { eventFlags, outcomeOf } from '../api/events.ts';
import type { Waiter } from '../api/grant.ts';
import type { AcquireSyncOptions, RequestOptions } from '../api/options.ts';
import { throwIfAborted } from '../api/options.ts';
import type { ResourceRef } from '../api/sets.ts';
import type { Snapshot } from '../api/snapshot.ts';
import type { Capacity, ReadCapacity } from '../api/units.ts';
import { PASS_LOCKED, SYNC } from '../core/index.ts';
import { cycleOf, usedSynchronously, waitTimeout } from '../report/blockers.ts';
import { capacityIn } from '../report/capacities.ts';
import { atOnce, inSlices } from '../runtime/slices.ts';
import { type CallbackTerms, CallbackTermsReader } from '../session/callback-report.ts';
import type { RequestPort } from '../session/request-port.ts';
import { noneHeld, noTerms } from '../session/request-terms.ts';
import { LocalGrant } from './grant.ts';
import type { HeldContext } from './held-context.ts';
import type { Operations } from './operations.ts';
import {
  CallbackRequest,
  followSignal,
  type LocalRequest,
  PromiseRequest,
  startTimeLimit,
} from './request.ts';
import { memoryIsFull, type RequestedSet, type ResolvedSet, type Resources } from './resources.ts';
import type { LocalScope } from './scope.ts';
import { takeSnapshot } from './snapshot.ts';

type OnGrant = (grant: LocalGrant) => void;
type Resolve = (grant: LocalGrant | Promise<never>) => void;

const nothing = (): void => undefined;

/** Of a promise just made: an executor with a closure would take memory for each request. */
let resolve: Resolve = nothing;
let reject: (reason: unknown) => void = nothing;

function keepResolvers(resolveMade: Resolve, rejectMade: (reason: unknown) => void): void {
  resolve = resolveMade;
  reject = rejectMade;
}

export class LocalRequests implements RequestPort<LocalGrant, RequestedSet, LocalScope, Snapshot> {
  readonly operations: Operations;
  readonly capabilities: ReadonlySet<Capability>;
  readonly resources: Resources;
  readonly callbacks: CallbackTermsReader;
  readonly heldContext: HeldContext | undefined;

  constructor(operations: Operations) {
    this.operations = operations;
    this.capabilities = operations.port.capabilities;
    this.resources = operations.resources;
    this.callbacks = new CallbackTermsReader(operations.delivery);
    this.heldContext = operations.heldContext;
  }

  isOwn(grant: unknown): grant is LocalGrant {
    return grant instanceof LocalGrant && grant.scope.backend === this.operations;
  }

  acquire(
    scope: LocalScope,
    requested: RequestedSet,
    terms: RequestOptions,
    held: readonly LocalGrant[],
  ): Promise<LocalGrant> {
    let arrived: LocalGrant | number;
    try {
      arrived = this.requestWith(scope, requested, 0, terms, held);
    } catch (error) {
      return this.#acquireAgain(error, scope, requested, terms, held);
    }
    return typeof arrived === 'number'
      ? this.promise(scope, arrived, terms)
      : Promise.resolve(arrived);
  }

  tryAcquire(
    scope: LocalScope,
    requested: RequestedSet,
    label: string | undefined,
  ): Promise<LocalGrant | null> {
    try {
      return Promise.resolve(this.try(scope, requested, 0, label));
    } catch (error) {
      return this.#tryAgain(error, scope, requested, label);
    }
  }

  enqueue(
    scope: LocalScope,
    requested: RequestedSet,
    terms: RequestOptions,
    held: readonly LocalGrant[],
    callback: CallbackTerms,
    onGrant: OnGrant,
  ): Waiter {
    let arrived: LocalGrant | number;
    try {
      arrived = this.requestWith(scope, requested, 0, terms, held);
    } catch (error) {
      const request = new CallbackRequest(scope, terms, callback, onGrant);
      return this.#enqueueAgain(error, scope, requested, held, request);
    }
    const request = new CallbackRequest(scope, terms, callback, onGrant);
    this.startCallback(request, arrived);
    return request;
  }

  settled(scope: LocalScope, requested: RequestedSet, terms: RequestOptions): Promise<void> {
    try {
      const observer = this.#observe(scope, requested, terms);
      if (observer === 0) return Promise.resolve();
      return this.promise(scope, observer, terms) as Promise<unknown> as Promise<void>;
    } catch (error) {
      const kept = requested.copy();
      return this.operations.port.retries.again(error, async () => {
        throwIfAborted(terms);
        return this.settled(scope, kept, terms);
      });
    }
  }

  /** The grant, or null if the set is not free. */
  try(
    scope: LocalScope,
    requested: RequestedSet,
    bits: number,
    label: string | undefined,
  ): LocalGrant | null {
    const { operations } = this;
    scope.checkOpen();
    const instrumented = eventFlags.hasSubscribers;
    operations.begin();
    let grant: LocalGrant | null;
    try {
      const resolved = operations.resources.resolve(requested);
      const arrived = operations.arrive(resolved, bits, scope, label, 0);
      if (typeof arrived === 'number') operations.drop(arrived, 'denied');
      grant = typeof arrived === 'number' ? null : arrived;
    } catch (error) {
      throw operations.abort(error);
    }
    if (instrumented || grant === null) operations.commit();
    else operations.commitUncontended();
    return grant;
  }

  acquireSync(
    scope: LocalScope,
    requested: RequestedSet,
    terms: RequestOptions,
    options: AcquireSyncOptions,
  ): LocalGrant {
    const held = this.heldContext?.grants ?? noneHeld;
    const arrived = this.requestWith(scope, requested, SYNC, terms, held);
    return typeof arrived === 'number'
      ? this.operations.port.block(scope, arrived, options)
      : arrived;
  }

  async query(): Promise<Snapshot> {
    try {
      return inSlices(takeSnapshot(this.operations));
    } catch (error) {
      return this.operations.port.retries.again(error, () => this.query());
    }
  }

  querySync(): Snapshot {
    return atOnce(takeSnapshot(this.operations));
  }

  setCapacity(scope: LocalScope, ref: ResourceRef, capacity: ReadCapacity): void {
    scope.checkOpen();
    this.declareCapacity(ref, capacity);
  }

  /** Also of an inner domain, whatever its sessions are. */
  declareCapacity(ref: ResourceRef, capacity: ReadCapacity): void {
    const { operations, resources } = this;
    const requested = resources.readPart(ref);
    operations.begin();
    try {
      const [queue] = resources.resolve(requested).queues;
      operations.setCapacity(queue as number, capacity);
    } catch (error) {
      throw operations.abort(error);
    }
    operations.commit();
  }

  capacity(ref: ResourceRef): Capacity | undefined {
    const { operations, resources } = this;
    const requested = resources.readPart(ref);
    operations.begin();
    const queue = resources.resolveExisting(requested)?.queues[0];
    const capacity = queue === undefined ? undefined : capacityIn(operations.reader, queue);
    operations.commit();
    return capacity;
  }

  async close(scope: LocalScope): Promise<void> {
    try {
      this.#close(scope);
    } catch (error) {
      return this.operations.port.retries.again(error, () => this.close(scope));
    }
  }

  /** The grant, or the set that now waits. */
  private request(scope: LocalScope, requested: RequestedSet, bits: number): LocalGrant | number {
    scope.checkOpen();
    const { operations } = this;
    const instrumented = eventFlags.hasSubscribers;
    operations.begin();
    let arrived: LocalGrant | number;
    try {
      const resolved = operations.resources.resolve(requested);
      arrived = operations.arrive(resolved, bits, scope, undefined, 0);
    } catch (error) {
      throw operations.abort(error);
    }
    if (typeof arrived === 'number') return arrived;
    if (instrumented) operations.commit();
    else operations.commitUncontended();
    return arrived;
  }

  private requestWith(
    scope: LocalScope,
    requested: RequestedSet,
    bits: number,
    terms: RequestOptions,
    held: readonly LocalGrant[],
  ): LocalGrant | number {
    if (terms === noTerms && held.length === 0) return this.request(scope, requested, bits);
    scope.checkOpen();
    const { operations } = this;
    const kept = held.length === 0 ? held : held.filter(({ isHeld }) => isHeld);
    operations.begin();
    let arrived: LocalGrant | number;
    try {
      arrived = this.arriveWith(scope, operations.resources.resolve(requested), bits, terms, kept);
    } catch (error) {
      throw operations.abort(error);
    }
    if (typeof arrived !== 'number') operations.commit();
    return arrived;
  }

  private promise(scope: LocalScope, arrived: number, terms: RequestOptions): Promise<LocalGrant> {
    const promise = new Promise<LocalGrant>(keepResolvers);
    const request = new PromiseRequest(scope, arrived, terms, resolve, reject);
    keepResolvers(nothing, nothing);
    this.wait(request);
    return promise;
  }

  /** Apart from where all pass: a function with a closure in it makes room for that each time. */
  #acquireAgain(
    error: unknown,
    scope: LocalScope,
    requested: RequestedSet,
    terms: RequestOptions,
    held: readonly LocalGrant[],
  ): Promise<LocalGrant> {
    const kept = requested.copy();
    return this.operations.port.retries.again(error, async () => {
      throwIfAborted(terms);
      return this.acquire(scope, kept, terms, held);
    });
  }

  private arriveWith(
    scope: LocalScope,
    resolved: ResolvedSet,
    bits: number,
    { steal, locked, timeoutMs, label }: RequestOptions,
    held: readonly LocalGrant[],
  ): LocalGrant | number {
    if (steal === true) return this.operations.steal(resolved, scope, label);
    if (locked === 'fail') this.#refuseLocked(resolved);
    const allBits = locked === 'ignore' ? bits | PASS_LOCKED : bits;
    const arrived = this.operations.arrive(resolved, allBits, scope, label, held.length);
    if (typeof arrived !== 'number') return arrived;
    if (timeoutMs === 0) this.#refuse(arrived, waitTimeout(this.operations.reader, arrived, 0));
    if (held.length > 0) this.#refuseCycle(arrived, held, label);
    return arrived;
  }

  /** Only for a domain that is not ready: a try is not repeated for any other reason. */
  #tryAgain(
    error: unknown,
    scope: LocalScope,
    requested: RequestedSet,
    label: string | undefined,
  ): Promise<LocalGrant | null> {
    const kept = requested.copy();
    try {
      return this.operations.port.retries.whenReady(error, () => this.try(scope, kept, 0, label));
    } catch {
      return Promise.reject(error);
    }
  }

  /** It waits, or is granted. */
  private startCallback(request: CallbackRequest, arrived: LocalGrant | number): void {
    if (typeof arrived === 'number') {
      request.set = arrived;
      request.startWaiting();
      this.wait(request);
    } else {
      request.granted(arrived);
      this.operations.delivery.runDirect();
    }
  }

  /** Only for a domain that is not ready: the set arrives later. Otherwise throws the error. */
  #enqueueAgain(
    error: unknown,
    scope: LocalScope,
    requested: RequestedSet,
    held: readonly LocalGrant[],
    request: CallbackRequest,
  ): Waiter {
    const { terms } = request;
    const kept = requested.copy();
    let isDeferred = true;
    const endDeferral = (): boolean => {
      if (!isDeferred) return false;
      isDeferred = false;
      request.endWaiting();
      return true;
    };
    void this.operations.port.retries.whenReady(error, () => {
      if (!endDeferral()) return;
      let arrived: LocalGrant | number;
      try {
        throwIfAborted(terms);
        arrived = this.requestWith(scope, kept, 0, terms, held);
      } catch (reason) {
        request.refused(reason);
        return;
      }
      this.startCallback(request, arrived);
    });
    request.startWaiting();
    return { cancel: () => endDeferral() || request.cancel() };
  }

  /** The observer, or 0 if nothing conflicts; otherwise as {@link LocalRequests.request}. */
  #observe(scope: LocalScope, requested: RequestedSet, { timeoutMs }: RequestOptions): number {
    scope.checkOpen();
    const { operations } = this;
    operations.begin();
    let observer: number;
    try {
      observer = operations.observe(operations.resources.resolve(requested), scope);
      if (observer !== 0 && timeoutMs === 0) {
        const error = 'not settled now: something that conflicts is live';
        this.#refuse(observer, new WaitTimeoutError(error));
      }
    } catch (error) {
      throw operations.abort(error);
    }
    if (observer === 0) operations.commit();
    return observer;
  }

  /** From now on the request stands for its set. The operation in which it arrived ends. */
  private wait(request: LocalRequest): void {
    const { operations } = this;
    const { scope, terms } = request;
    operations.port.owners.attach(request);
    scope.tracked?.add(request);
    if (terms !== noTerms) startTimeLimit(request);
    operations.commit();
    if (terms.signal !== undefined) followSignal(request, terms.signal);
  }

  /** Ends a waiting set by an error. */
  #refuse(set: number, error: Error): never {
    this.operations.drop(set, outcomeOf(error));
    throw error;
  }

  #refuseLocked({ queues, count }: ResolvedSet): void {
    const { core, reader } = this.operations;
    const queue = core.firstLocked(queues, count);
    if (queue !== 0) throw usedSynchronously(reader, queue);
  }

  #refuseCycle(set: number, held: readonly LocalGrant[], label: string | undefined): void {
    const { operations } = this;
    const kept = held.filter(({ isHeld }) => isHeld).map((grant) => grant.set);
    const cycle = operations.core.declareHolding(set, [...new Set(kept)]);
    if (cycle?.length === 0) return;
    if (cycle === undefined) this.#refuse(set, memoryIsFull(operations.port.queues));
    const { message, steps } = cycleOf(operations.reader, cycle, label);
    this.#refuse(set, new DeadlockError(message, steps));
  }

  /** One operation. If the state is out of reach this throws, and nothing is half closed. */
  #close(scope: LocalScope): void {
    if (!scope.isOpen) return;
    const { operations } = this;
    operations.delivery.asOne(() => {
      if (scope.parent === undefined) {
        operations.port.close();
        scope.close();
        return;
      }
      operations.begin();
      // Not before: what a set of its own has come to is known from here on.
      operations.endings.endAll(scope.close());
      operations.commit();
    });
  }
}
