/**
 * The operations on a domain whose state this thread can reach: core, and the objects of this
 * thread that stand for its sets.
 *
 * An operation runs between {@link Operations.begin} and {@link Operations.commit}: it changes
 * core, reports what core has granted or taken back, and only then does code of a user run. If it
 * fails, {@link Operations.abort} undoes it. The {@link Port} is all that a local backend varies.
 */

import type { Capability } from '../api/domain.ts';
import { type EventDomain, eventFlags, type RequestOutcome } from '../api/events.ts';
import type { AcquireSyncOptions } from '../api/options.ts';
import { unitsAt } from '../api/read-set.ts';
import { stealsShared } from '../api/refusals.ts';
import type { ReadCapacity } from '../api/units.ts';
import { type Core, enqueueFree, GRANTED, removeAlone } from '../core/index.ts';
import { waitTimeout } from '../report/blockers.ts';
import type { LocalReader } from '../report/core-reader.ts';
import { AbortListeners } from '../runtime/abort-listeners.ts';
import { Delivery } from '../runtime/delivery.ts';
import { TimeLimits } from '../runtime/time-limits.ts';
import { Capacities } from './capacities.ts';
import { Endings } from './endings.ts';
import { LocalEvents } from './events.ts';
import { type GrantScope, LocalGrant, type OpenInner } from './grant.ts';
import type { HeldContext } from './held-context.ts';
import { Notices } from './notices.ts';
import type { Owners } from './owners.ts';
import type { LocalRequest, RequestScope } from './request.ts';
import {
  isPair,
  memoryIsFull,
  type Queues,
  type RequestedSet,
  type ResolvedSet,
  Resources,
} from './resources.ts';

/**
 * All that a local backend varies: how operations of several callers come into one order, and where
 * user data of sets and names of resources lead. "Locked": runs while the operation has the
 * backend's lock, if it has one. "Consistent": core is between two changes, so it can be read.
 *
 *                       locked          may throw            core is consistent
 *     begin             takes the lock  yes: nothing began   when it returns
 *     commit            releases it     no                   when it is called
 *     commitUncontended releases it     no                   when it is called
 *     beginPlain        takes the lock  no                   when it returns true
 *     commitPlain       releases it     no                   when it is called
 *     rollBack          releases it     no                   when it returns true
 *     block             releases it     yes: the wait failed when it is called
 *     close             takes it        as begin             takes part in nothing afterwards
 *     owners, queues    within an operation only             see {@link Owners}, {@link Queues}
 *     retries           not locked      the given error      not known
 */
export interface Port {
  readonly capabilities: ReadonlySet<Capability>;
  readonly clock: { now(): number };
  readonly reader: LocalReader;
  readonly owners: Owners;
  readonly queues: Queues;
  readonly retries: Retries;
  /** Called once, when a channel has its first subscriber. */
  eventDomain(): EventDomain;
  /** Begins an operation, or one within it. @throws UnavailableError */
  begin(): void;
  /** User data of a set that has no object and no label. */
  readonly plainUserData: number;
  /** Begins an operation in which only such a set comes or goes; false if anything else is due. */
  beginPlain(): boolean;
  /** Ends it: a set has come, or gone, or neither. */
  commitPlain(change: 1 | -1 | 0): void;
  /** Ends an operation whose notices have been reported, and runs the direct deliveries. */
  commit(): void;
  /** Ends an operation that did nothing but grant a set to its caller. */
  commitUncontended(): void;
  /**
   * Takes back what the operation did, and ends it. False if the backend cannot: then the operation
   * is to be committed, since a refused one has changed nothing, or has ended its own set.
   */
  rollBack(): boolean;
  /**
   * Waits, as a synchronous caller, until a set that has just arrived is granted. Ends the
   * operation that it arrived in.
   */
  block(scope: RequestScope, set: number, options: AcquireSyncOptions): LocalGrant;
  /** Ends all that was requested here, at one moment. */
  close(): void;
}

/** What to do when an operation could not begin. */
export interface Retries {
  /** For a task that must be done: does it later, if that can help; otherwise throws the error. */
  later(error: unknown, task: () => void): void;
  /** For an awaited result: requests it again, if that can help; otherwise rejects. */
  again<T>(error: unknown, request: () => Promise<T>): Promise<T>;
  /**
   * Requests it again, in order, once the domain is ready. Throws the error if the operation failed
   * for another reason.
   */
  whenReady<T>(error: unknown, request: () => T): Promise<Awaited<T>>;
}

/** The scope of a session. */
interface PlainScope extends GrantScope {
  /** Whether it is a domain's own, and open. */
  readonly isPlain: boolean;
}

export class Operations {
  readonly core: Core;
  readonly port: Port;
  readonly reader: LocalReader;
  resources: Resources;
  readonly delivery = new Delivery();
  readonly notices: Notices;
  readonly endings: Endings;
  readonly capacities: Capacities;
  readonly signals = new AbortListeners<LocalRequest>((requests, reason) => {
    this.endings.refuseInTime(requests, () => reason);
  });
  /** Limits that are over at the same time end their requests in one operation. */
  readonly timeLimits = new TimeLimits<LocalRequest>((due) => {
    const limits = new Map(due.map((limit) => [limit.item, limit.timeoutMs]));
    this.endings.refuseInTime(limits.keys(), (request) => {
      return waitTimeout(this.reader, request.set, limits.get(request) as number);
    });
  });
  heldContext: HeldContext | undefined = undefined;
  /** The grant that this is the inner domain of. */
  outer: { readonly token: number } | undefined = undefined;
  openInner: OpenInner | undefined = undefined;
  /** Members in the path of every request are not `#private`: that takes bytes of inlining. */
  private readonly owners: Owners;
  #events: LocalEvents | undefined = undefined;

  constructor(core: Core, port: Port) {
    this.core = core;
    this.port = port;
    this.owners = port.owners;
    this.reader = port.reader;
    this.resources = new Resources(this, port.queues);
    this.notices = new Notices(this);
    this.endings = new Endings(this);
    this.capacities = new Capacities(this);
  }

  /** Used only while a channel has subscribers. */
  get events(): LocalEvents {
    this.#events ??= new LocalEvents(this, this.#eventDomain());
    return this.#events;
  }

  /** Begins an operation. Operations of one thread may nest. @throws UnavailableError */
  begin(): void {
    this.port.begin();
  }

  /** Ends an operation: reports its notices. */
  commit(): void {
    if (this.core.hasNotifications) this.report();
    this.port.commit();
  }

  /** Ends an operation that did nothing but grant a set to its caller. */
  commitUncontended(): void {
    this.port.commitUncontended();
  }

  /** Ends an operation that has failed. Returns the error. */
  abort(error: unknown): unknown {
    if (!this.port.rollBack()) this.commit();
    return error;
  }

  /**
   * The whole operation of a set that is free, of one or two resources that are known, if nothing
   * of it is to be reported. Undefined otherwise, and then nothing has changed.
   */
  takeFree(scope: PlainScope, requested: RequestedSet, bits: number): LocalGrant | undefined {
    const { core, port, resources } = this;
    const isReported = eventFlags.hasSubscribers || this.notices.watchdog !== undefined;
    if (isReported || !scope.isPlain || !isPair(requested) || !port.beginPlain()) return undefined;
    let set = 0;
    if (resources.findPair(requested) && this.capacities.fitPair(requested, resources)) {
      const { first, second } = resources;
      const now = port.clock.now();
      set = enqueueFree(
        core.memory,
        first,
        second,
        unitsAt(requested, 0),
        unitsAt(requested, 1),
        bits,
        port.plainUserData,
        now,
      );
    }
    const grant = set === 0 ? undefined : new LocalGrant(scope, set, core.token(set));
    if (set !== 0 && requested.resolved === undefined) requested.isTaken = false;
    port.commitPlain(set === 0 ? 0 : 1);
    return grant;
  }

  /** The whole operation of a release, if it is as simple; otherwise false. */
  releaseAlone(set: number, token: number): boolean {
    const { core, port } = this;
    if (eventFlags.hasSubscribers || !port.beginPlain()) return false;
    const isReleased = removeAlone(core.memory, set, token, port.plainUserData);
    port.commitPlain(isReleased ? -1 : 0);
    return isReleased;
  }

  /**
   * A set arrives through a session, and is to have this many holdings declared. Returns its grant;
   * or the set, if it waits.
   */
  arrive(
    resolved: ResolvedSet,
    bits: number,
    scope: RequestScope,
    label: string | undefined,
    holdingCount: number,
  ): LocalGrant | number {
    if (resolved.unitsCount !== 0) {
      return this.#arriveWithUnits(resolved, bits, scope, label, holdingCount);
    }
    const { core } = this;
    const userData = this.owners.userDataFor(resolved, label, scope.label, holdingCount);
    const { queues, exclusiveCount, count } = resolved;
    const now = this.port.clock.now();
    const set = core.enqueue(queues, exclusiveCount, count, bits, userData, now);
    if (set === 0) throw this.#memoryIsFull(userData);
    const state = core.state(set);
    if (eventFlags.hasSubscribers) return this.#emitArrival(scope, set, state, bits, label, false);
    return (state & GRANTED) === 0 ? set : this.notices.createGrant(scope, set, state, label);
  }

  /** Apart from where most sets pass, so that {@link arrive} is inlined there. */
  #arriveWithUnits(
    resolved: ResolvedSet,
    bits: number,
    scope: RequestScope,
    label: string | undefined,
    holdingCount: number,
  ): LocalGrant | number {
    const { core } = this;
    const userData = this.capacities.prepare(resolved, label, scope.label, holdingCount);
    const { queues, exclusiveCount, count, counts } = resolved;
    const now = this.port.clock.now();
    const set = core.enqueue(queues, exclusiveCount, count, bits, userData, now, counts);
    if (set === 0) throw this.#memoryIsFull(userData, resolved);
    const state = core.state(set);
    if (eventFlags.hasSubscribers) return this.#emitArrival(scope, set, state, bits, label, false);
    return (state & GRANTED) === 0 ? set : this.notices.createGrant(scope, set, state, label);
  }

  /** A set takes its resources from their holders. */
  steal(resolved: ResolvedSet, scope: RequestScope, label: string | undefined): LocalGrant {
    const { queues, exclusiveCount, count } = resolved;
    if (exclusiveCount !== count) throw stealsShared();
    const { core } = this;
    const userData = this.owners.userDataFor(resolved, label, scope.label, 0);
    const set = core.steal(queues, count, 0, userData);
    if (set === 0) throw this.#memoryIsFull(userData);
    core.setGrantedAt(set, this.port.clock.now());
    const state = core.state(set);
    return eventFlags.hasSubscribers
      ? (this.#emitArrival(scope, set, state, 0, label, true) as LocalGrant)
      : this.notices.createGrant(scope, set, state, label);
  }

  /** Observes what conflicts with a set. Returns the observer, or 0 if nothing does. */
  observe(resolved: ResolvedSet, scope: RequestScope): number {
    const { queues, exclusiveCount, count } = resolved;
    const { core } = this;
    const counts = resolved.unitsCount === 0 ? undefined : resolved.counts;
    if (counts !== undefined) this.capacities.check(resolved);
    const userData = this.owners.userDataFor(resolved, undefined, scope.label, count);
    const observer = core.observe(queues, exclusiveCount, count, userData, counts);
    if (observer === 0) throw this.#memoryIsFull(userData);
    if (!core.isGranted(observer)) return observer;
    this.end(observer, false);
    return 0;
  }

  #eventDomain(): EventDomain {
    const domain = this.port.eventDomain();
    return this.outer === undefined ? domain : { ...domain, isInner: true };
  }

  /** Declares a capacity; waiting sets that take more are refused, others granted. */
  setCapacity(queue: number, capacity: ReadCapacity): void {
    this.capacities.declare(queue, capacity, () => {
      if (eventFlags.hasSubscribers) this.events.resized(queue, capacity.count, false);
      this.report();
    });
  }

  /** Ends the set of a grant; false if it had ended before. Within an operation. */
  release(set: number, token: number, died: boolean): boolean {
    if (!this.core.isHeld(set, token)) return false;
    if (eventFlags.hasSubscribers) this.events.released(set, token, died);
    this.end(set, died);
    return true;
  }

  /** Ends a waiting set, ungranted. Within an operation. */
  drop(set: number, outcome: RequestOutcome): void {
    if (eventFlags.hasSubscribers) this.events.missed(set, outcome);
    this.end(set, false);
  }

  /** What {@link arrive} does next while a channel has subscribers. */
  #emitArrival(
    scope: RequestScope,
    set: number,
    state: number,
    bits: number,
    label: string | undefined,
    steals: boolean,
  ): LocalGrant | number {
    this.events.arrived(set, bits, label, scope.label, steals);
    if ((state & GRANTED) === 0) return set;
    const grant = this.notices.createGrant(scope, set, state, label);
    this.events.granted(grant);
    return grant;
  }

  private end(set: number, died: boolean): void {
    this.owners.end(set);
    this.core.remove(set, died);
  }

  private report(): void {
    try {
      this.notices.report();
    } catch (error) {
      this.port.rollBack();
      throw error;
    }
  }

  #memoryIsFull(userData: number, resolved?: ResolvedSet): Error {
    this.owners.freeUserData(userData);
    if (resolved !== undefined) this.capacities.dropAsserted(resolved);
    return memoryIsFull(this.port.queues);
  }
}
