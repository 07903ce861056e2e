/**
 * What a thread knows of a domain whose words it can reach: core, and the objects of this thread
 * that stand for sets.
 *
 * An operation stands between {@link Host.enter} and {@link Host.leave}: it works on core, then
 * what core says has come of it is handed on, and only then does anything of a user's run. If it
 * fails, {@link Host.undo} sees to it that nothing is left half done. How the operations of several
 * callers come into one order is what a host adds.
 */

import type { Capability } from '../api/domain.ts';
import { type EventDomain, eventFlags, outcomeOf, type RequestOutcome } from '../api/events.ts';
import type { AcquireSyncOptions } from '../api/options.ts';
import { closedWhileWaiting } from '../api/refusals.ts';
import { Core, GRANTED, type Memory, UNUSUAL } from '../core/index.ts';
import { waitTimeout } from '../report/blockers.ts';
import type { LocalReader, NotedClock } from '../report/core-reader.ts';
import { AbortListeners } from '../runtime/abort-listeners.ts';
import { Delivery } from '../runtime/delivery.ts';
import { TimeLimits } from '../runtime/time-limits.ts';
import { EventNotes } from './event-notes.ts';
import { HostGrant } from './grant.ts';
import type { HeldContext } from './held-context.ts';
import type { HoldWatchdog } from './hold-watchdog.ts';
import { endWaiting, type HostRequest } from './request.ts';
import type { RequestedSet, ResolvedSet, Resources } from './resources.ts';
import type { LocalScope } from './scope.ts';

export abstract class Host {
  readonly core: Core;
  abstract readonly capabilities: ReadonlySet<Capability>;
  abstract readonly resources: Resources;
  abstract readonly clock: NotedClock;
  abstract readonly reader: LocalReader;
  readonly delivery = new Delivery();
  readonly signals = new AbortListeners<HostRequest>((requests, reason) => {
    this.refuseInTime(requests, () => reason);
  });
  /** Limits that are over at the same time end their requests in one operation. */
  readonly timeLimits = new TimeLimits<HostRequest>((due) => {
    const limits = new Map(due.map((limit) => [limit.item, limit.timeoutMs]));
    this.refuseInTime(limits.keys(), (request) => {
      return waitTimeout(this.reader, request.set, limits.get(request) as number);
    });
  });
  heldContext: HeldContext | undefined = undefined;
  watchdog: HoldWatchdog | undefined = undefined;
  #events: EventNotes | undefined = undefined;
  /** Told of what went through no session. */
  readonly label: string | undefined;
  /** How many sets of this host's wait, are held, or have been taken away and not been told of. */
  protected setCount = 0;

  constructor(label: string | undefined, memory: Memory) {
    this.label = label;
    this.core = new Core(memory);
  }

  /** For those who watch: asked for only while somebody does. */
  get events(): EventNotes {
    this.#events ??= new EventNotes(this, this.eventDomain());
    return this.#events;
  }

  protected abstract eventDomain(): EventDomain;

  /** An operation begins. Operations of one thread may stand within each other. */
  abstract enter(): void;
  /** It ends: what has come of it is handed on. */
  abstract leave(): void;
  /** It ends, and nothing has come of it but its caller's own grant. */
  abstract leaveGranted(): void;
  /** It ends, and has failed. Returns the error. */
  abstract undo(error: unknown): unknown;

  /**
   * Waits, as a synchronous caller, until a set that has just arrived is granted. Ends the
   * operation that it arrived in.
   */
  abstract block(scope: LocalScope, set: number, options: AcquireSyncOptions): HostGrant;

  /**
   * What must be done sooner or later has failed: does it later, if that can help; otherwise throws
   * the error.
   */
  owe(error: unknown, _: () => void): void {
    throw error;
  }

  /** What is awaited has failed: asks once more, if that can help; otherwise rejects. */
  askAgain<T>(error: unknown, _: () => Promise<T>): Promise<T> {
    return Promise.reject(error);
  }

  /**
   * No operation can begin yet, and nothing was done: asks once more as soon as one can. Throws the
   * error if that is not why it has failed. What is asked for through this comes in order.
   */
  whenReady<T>(error: unknown, _: () => T): Promise<Awaited<T>> {
    throw error;
  }

  /** From now on this object stands for its set. */
  abstract tag(object: HostRequest | HostGrant): void;
  /** Nothing stands for the set any more. Returns what did. */
  protected abstract untag(set: number): HostRequest | HostGrant | undefined;
  /** All that stands for any set here. */
  protected abstract objects(): readonly (HostRequest | HostGrant)[];
  /** The sets that were asked for through this host, observers not among them. */
  abstract ownSets(): readonly number[];

  /** What core is to keep with a set from its beginning to its end. */
  protected abstract wordFor(scope: LocalScope, label: string | undefined): number;
  /** The set is about to end. */
  protected abstract forgetWord(set: number): void;

  /** A set arrives through a session. Returns its grant; or the set, if it waits. */
  arrive(
    resolved: ResolvedSet,
    bits: number,
    scope: LocalScope,
    label: string | undefined,
  ): HostGrant | number {
    const set = this.enqueue(resolved, bits, scope, label);
    const state = this.core.state(set);
    return (state & GRANTED) !== 0 ? this.createGrant(scope, set, state, label) : set;
  }

  /** The same while a channel has subscribers. */
  arriveInstrumented(
    resolved: ResolvedSet,
    bits: number,
    scope: LocalScope,
    label: string | undefined,
  ): HostGrant | number {
    const set = this.enqueue(resolved, bits, scope, label);
    this.events.arrived(set, bits, label, scope.label);
    const state = this.core.state(set);
    if ((state & GRANTED) === 0) return set;
    const grant = this.createGrant(scope, set, state, label);
    this.events.granted(grant);
    return grant;
  }

  /** A set arrives: it is granted or waits. */
  enqueue(set: ResolvedSet, bits: number, scope: LocalScope, label: string | undefined): number {
    const word = this.wordFor(scope, label);
    const { queues, exclusiveCount, count } = set;
    const now = this.clock.now();
    return this.#created(this.core.enqueue(queues, exclusiveCount, count, bits, word, now));
  }

  /** A set is taken from whoever holds it. */
  steal({ queues, count }: ResolvedSet, scope: LocalScope, label: string | undefined): number {
    const set = this.#created(this.core.steal(queues, count, 0, this.wordFor(scope, label)));
    this.core.setNote(set, this.clock.now());
    if (eventFlags.hasSubscribers) this.events.arrived(set, 0, label, scope.label, true);
    return set;
  }

  /** What conflicts with a set is watched. */
  observe({ queues, exclusiveCount, count }: ResolvedSet, scope: LocalScope): number {
    const word = this.wordFor(scope, undefined);
    return this.#created(this.core.observe(queues, exclusiveCount, count, word));
  }

  /** A set is about to arrive, and so many grants are to be declared as held for it. */
  expect(
    _set: ResolvedSet,
    _heldCount: number,
    _scope: LocalScope,
    _label: string | undefined,
  ): void {}

  /** The grant of a set that has been granted, is noted, and is in this state. */
  createGrant(scope: LocalScope, set: number, state: number, label: string | undefined): HostGrant {
    const grant = new HostGrant(scope, set, this.core.token(set));
    const isUsual = label === undefined && (state & UNUSUAL) === 0 && scope.tracked === undefined;
    if (!isUsual) this.#complete(grant, state, label);
    if (this.watchdog !== undefined) this.watchdog.watch();
    return grant;
  }

  /** Whether a granted set owns all of another, or more. Within an operation. */
  coversSet(set: number, wanted: RequestedSet): boolean {
    const part = this.resources.resolveExisting(wanted);
    if (part === undefined) return false;
    const { queues, exclusiveCount, count } = part;
    for (let index = 0; index < count; index++) {
      if (!this.#owns(set, queues[index] as number, index < exclusiveCount)) return false;
    }
    return true;
  }

  #owns(set: number, queue: number, isExclusive: boolean): boolean {
    const { core } = this;
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      if (core.resourceOf(link) !== queue) continue;
      return !core.isIgnored(link) && (core.isExclusive(link) || !isExclusive);
    }
    return false;
  }

  /** Whether a grant, by its set and token, is held: false for 0, which is no set. */
  isHeld(set: number, token: number): boolean {
    return set !== 0 && this.core.isHeld(set, token);
  }

  /** Ends the set of a grant; false if it had ended before. Within an operation. */
  release(set: number, token: number, died: boolean): boolean {
    if (!this.core.isHeld(set, token)) return false;
    if (eventFlags.hasSubscribers) this.events.released(set, token, died);
    this.end(set, died);
    return true;
  }

  /** A waiting set ends, ungranted. Within an operation. */
  drop(set: number, outcome: RequestOutcome): void {
    if (eventFlags.hasSubscribers) this.events.missed(set, outcome);
    this.end(set, false);
  }

  /** A set ends, and what stands for it is forgotten. Within an operation. */
  end(set: number, died: boolean): void {
    this.untag(set);
    this.forgetWord(set);
    this.core.remove(set, died);
    this.setCount--;
  }

  /** Requests end at one moment, each for its own reason. Within an operation. */
  refuse(requests: Iterable<HostRequest>, reasonOf: (request: HostRequest) => unknown): void {
    const waiting = this.#waitingOf(requests);
    // While all of them are there: a reason tells who is in the way.
    const reasons = waiting.map(reasonOf);
    if (waiting.length === 0) return;
    if (eventFlags.hasSubscribers) this.#noteMissed(waiting, outcomeOf(reasons[0]));
    this.#endTogether(waiting, [], false);
    for (const [index, request] of waiting.entries()) request.refused(reasons[index]);
  }

  /** Now, or all of them as soon as the state can be reached. */
  refuseInTime(requests: Iterable<HostRequest>, reasonOf: (request: HostRequest) => unknown): void {
    const all = [...requests];
    try {
      this.enter();
    } catch (error) {
      this.owe(error, () => this.refuseInTime(all, reasonOf));
      return;
    }
    this.refuse(all, reasonOf);
    this.leave();
  }

  /** Ends these as their session or domain ends. Within an operation. */
  endAll(
    objects: readonly (HostRequest | HostGrant)[],
    others: readonly number[] = [],
    died = false,
  ): void {
    const waiting = this.#waitingOf(objects.filter(isRequest));
    const grants = objects.filter((object) => object instanceof HostGrant && object.isHeld);
    const held = new Set([...grants.map(({ set }) => set), ...others]);
    for (const { set } of waiting) held.delete(set);
    if (waiting.length + held.size === 0) return;
    const reason = closedWhileWaiting();
    const outcome = outcomeOf(reason);
    if (eventFlags.hasSubscribers) {
      this.#noteMissed(waiting, outcome);
      const cause = died ? 'died' : 'closed';
      for (const set of held) this.events.lost(set, this.core.token(set), cause);
    }
    this.#endTogether(waiting, [...held], died);
    for (const request of waiting) request.refused(reason);
    for (const grant of grants as readonly HostGrant[]) {
      grant.scope.tracked?.delete(grant);
      // Before its successors are: what is direct is told as the operation ends.
      this.delivery.direct(grant);
    }
  }

  /** Ends what its owner wants no more, or has `died` with. Within an operation. */
  endUnwanted(ended: readonly (HostRequest | HostGrant)[], died: boolean): void {
    const waiting = this.#waitingOf(ended.filter(isRequest));
    const grants = ended.filter((each) => each instanceof HostGrant);
    const held: number[] = [];
    const ending = new Set(grants.filter(({ isHeld }) => isHeld));
    if (eventFlags.hasSubscribers) {
      this.events.atOneMoment(() => {
        this.#noteMissed(waiting, 'cancelled');
        for (const { set, token } of ending) this.events.released(set, token, died);
      });
    }
    for (const grant of ending) {
      held.push(grant.set);
      grant.forgetSet();
      if (died) this.delivery.direct(grant);
    }
    this.#endTogether(waiting, held, died);
  }

  /**
   * Sets end at one moment: nothing that one of them leaves goes to another, and those that are
   * granted are reported in one arrival order as the operation ends (I6).
   */
  #endTogether(waiting: readonly HostRequest[], held: readonly number[], died: boolean): void {
    const sets = [...held];
    for (const request of waiting) {
      sets.push(request.set);
      endWaiting(request);
    }
    for (const set of sets) {
      this.untag(set);
      this.forgetWord(set);
    }
    this.core.removeAll(sets, died);
    this.setCount -= sets.length;
  }

  /** The latest first, as core ends them: what is in the way of a request is earlier. */
  #noteMissed(waiting: readonly HostRequest[], outcome: RequestOutcome): void {
    for (const { set } of waiting.toReversed()) this.events.missed(set, outcome);
  }

  /** Those that wait, in arrival order. */
  #waitingOf(requests: Iterable<HostRequest>): readonly HostRequest[] {
    const waiting = [...requests].filter(({ set }) => set !== 0);
    return waiting.sort((a, b) => this.core.arrival(a.set) - this.core.arrival(b.set));
  }

  /** Ends all that went through this host, at one moment; `died`: as left by a dead holder. */
  close(died = false): void {
    this.enter();
    this.endAll(this.objects(), this.ownSets(), died);
    this.leave();
    this.watchdog?.stop();
  }

  /** Hands on what core has to tell. Within an operation, at its end. */
  protected takeNews(): void {
    const { core, resources } = this;
    // Who lost something is told before those who gain it.
    for (let set = core.takeLost(); set !== 0; set = core.takeLost()) this.hearLost(set);
    for (let set = core.takeGranted(); set !== 0; set = core.takeGranted()) this.hearGranted(set);
    for (let queue = core.takeIdle(); queue !== 0; queue = core.takeIdle()) resources.idle(queue);
  }

  /** A set that waited has been granted. */
  protected hearGranted(set: number): void {
    const { core } = this;
    const request = this.untag(set) as HostRequest;
    endWaiting(request);
    if (core.isObserver(set)) {
      this.forgetWord(set);
      core.remove(set, false);
      this.setCount--;
      request.settled();
    } else {
      core.setNote(set, this.clock.now());
      const grant = this.createGrant(request.scope, set, core.state(set), request.terms.label);
      if (eventFlags.hasSubscribers) this.events.granted(grant);
      request.granted(grant);
    }
  }

  /** A grant has been taken away, perhaps before its request was told of it. */
  protected hearLost(set: number): void {
    const token = this.core.token(set);
    if (eventFlags.hasSubscribers) this.events.remember(set);
    const object = this.untag(set);
    if (eventFlags.hasSubscribers) this.#noteLost(set, token, object);
    this.forgetWord(set);
    this.core.forget(set);
    this.setCount--;
    if (object instanceof HostGrant) {
      object.scope.tracked?.delete(object);
      this.delivery.direct(object);
    } else if (object !== undefined) {
      endWaiting(object);
      object.granted(new HostGrant(object.scope, set, token));
    }
  }

  #noteLost(set: number, token: number, object: HostRequest | HostGrant | undefined): void {
    // A request was never told of the grant.
    if (object !== undefined && !(object instanceof HostGrant)) this.events.missed(set, 'lost');
    else this.events.lost(set, token, 'stolen');
  }

  #created(set: number): number {
    if (set === 0) throw this.resources.memoryIsFull();
    this.setCount++;
    return set;
  }

  /** Gives a grant what few have. */
  #complete(grant: HostGrant, state: number, label: string | undefined): void {
    const { tracked } = grant.scope;
    if (label !== undefined) grant.details().label = label;
    if ((state & UNUSUAL) !== 0) this.#tellUnusual(grant);
    if (tracked === undefined) return;
    tracked.add(grant);
    // Tagged, so that its session is known to whoever asks, and hears of its end.
    grant.details();
  }

  /** Resources that a holder left half done, and those that the grant goes without. */
  #tellUnusual(grant: HostGrant): void {
    const { core } = this;
    const recovered: string[] = [];
    const ignored: string[] = [];
    for (let link = core.firstLink(grant.set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      if (core.isMarked(queue)) recovered.push(this.reader.nameOf(queue));
      if (core.isIgnored(link)) ignored.push(this.reader.nameOf(queue));
    }
    if (recovered.length > 0) grant.details().recovered = recovered;
    if (ignored.length > 0) grant.details().ignored = ignored;
  }
}

function isRequest(object: HostRequest | HostGrant): object is HostRequest {
  return !(object instanceof HostGrant);
}
