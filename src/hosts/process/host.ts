/**
 * One event loop's state: the words of core, and the objects that they stand for.
 *
 * The event loop itself puts operations in one order. Each one works on core, then hands on what
 * core says has come of it ({@link ProcessHost.afterwards}): nothing of a user's runs before the
 * state is consistent.
 *
 * A set that waits is tagged with its request. A grant needs no tag unless it has something to be
 * told: it knows its set, and core knows by the token whether that is still held.
 */

import { Core, Memory, NOT_HELD, RELEASED_WITH_NEWS, UNUSUAL } from '../../core/index.ts';
import { DomainClosedError } from '../../domain/errors.ts';
import { CoarseClock } from './clock.ts';
import { Delivery } from './delivery.ts';
import { ProcessGrant } from './grant.ts';
import type { HoldWatchdog } from './hold-watchdog.ts';
import type { CarriedHolding } from './holding.ts';
import { Registry } from './registry.ts';
import { ObserverRequest, ProcessRequest } from './request.ts';
import { type ResolvedSet, Resources } from './resources.ts';
import type { ProcessSession } from './session.ts';
import { Signals } from './signals.ts';

/** Beyond so many words, what a burst leaves behind is given back when the last set ends. */
const wordsKept = 2 ** 16;

export class ProcessHost {
  readonly core: Core;
  readonly resources: Resources;
  /** What the tags of sets stand for; 0 is nobody's. */
  readonly tagged = new Registry<ProcessRequest | ProcessGrant>();
  readonly delivery = new Delivery();
  readonly clock = new CoarseClock();
  readonly signals = new Signals<ProcessRequest>((requests, reason) => {
    this.refuse(requests, reason);
  });
  carried: CarriedHolding | undefined = undefined;
  watchdog: HoldWatchdog | undefined = undefined;
  /** How many sets wait or are held. */
  #setCount = 0;

  /** Told of what went through no session. */
  readonly label: string | undefined;

  constructor(label?: string, memory = new Memory()) {
    this.label = label;
    this.core = new Core(memory);
    this.resources = new Resources(this.core);
  }

  /** A set arrives: it is granted or waits. */
  enqueue({ queues, exclusiveCount, count }: ResolvedSet, bits: number): number {
    return this.#created(this.core.enqueue(queues, exclusiveCount, count, bits, 0));
  }

  /** A set is taken from whoever holds it. */
  steal({ queues, count }: ResolvedSet): number {
    return this.#created(this.core.steal(queues, count, 0, 0));
  }

  /** What conflicts with a set is watched. */
  observe({ queues, exclusiveCount, count }: ResolvedSet): number {
    return this.#created(this.core.observe(queues, exclusiveCount, count, 0));
  }

  /** The grant of a set that has been granted, and is in this state. */
  createGrant(
    scope: ProcessSession,
    set: number,
    state: number,
    label: string | undefined,
  ): ProcessGrant {
    const grant = new ProcessGrant(scope, set, this.core.takeNote(set, this.clock.now()));
    if (label !== undefined) grant.details().label = label;
    if ((state & UNUSUAL) !== 0) this.#tellUnusual(grant);
    if (scope.tracked !== undefined) {
      scope.tracked.add(grant);
      // Tagged, so that its session is known to whoever asks, and hears of its end.
      grant.details();
    }
    if (this.watchdog !== undefined) this.watchdog.watch();
    return grant;
  }

  /** The set's end, or a question about it, must find this object. */
  tag(object: ProcessRequest | ProcessGrant): void {
    this.core.setTag(object.set, this.tagged.add(object));
  }

  /** A grant ends by its holder; false if it had ended before. */
  release(grant: ProcessGrant, died: boolean): boolean {
    const { set } = grant;
    const tag = grant.isTagged ? this.core.tag(set) : 0;
    const result = this.core.release(set, grant.token, died);
    if (result === NOT_HELD) return false;
    if (tag !== 0) this.tagged.delete(tag);
    this.#setCount--;
    if (result === RELEASED_WITH_NEWS || this.#mayGiveBack) this.afterwards();
    return true;
  }

  /** A set ends, and what stands for it is forgotten. */
  end(set: number, died: boolean): void {
    const tag = this.core.tag(set);
    if (tag !== 0) this.tagged.delete(tag);
    this.core.remove(set, died);
    this.#setCount--;
    if (this.core.hasNews || this.#mayGiveBack) this.afterwards();
  }

  /** Hands on what an operation has brought about. Ends every operation that may free something. */
  afterwards(): void {
    if (this.core.hasNews) this.#takeNews();
    if (this.#mayGiveBack) this.#giveBack();
    this.delivery.runDirect();
  }

  /** What stands for a set: its request, or its grant if that has anything to be told. */
  objectOf(set: number): ProcessRequest | ProcessGrant | undefined {
    const tag = this.core.tag(set);
    return tag === 0 ? undefined : this.tagged.get(tag);
  }

  /** Requests end at one moment, and none is granted because another one goes. */
  refuse(requests: Iterable<ProcessRequest>, reason: unknown): void {
    const waiting = [...requests].filter(({ set }) => set !== 0);
    waiting.sort((a, b) => this.core.arrival(a.set) - this.core.arrival(b.set));
    this.delivery.asOne(() => {
      // The latest first: a set is in the way of later ones only.
      for (let index = waiting.length - 1; index >= 0; index--) waiting[index]?.leave();
      for (const request of waiting) request.refuse(reason);
    });
  }

  /** Ends these at one moment, so that nothing that is held goes to one that waits. */
  endAll(objects: readonly (ProcessRequest | ProcessGrant)[]): void {
    const requests = objects.filter((object) => object instanceof ProcessRequest);
    this.delivery.asOne(() => {
      if (requests.length > 0) this.refuse(requests, closedMeanwhile());
      for (const object of objects) if (object instanceof ProcessGrant) object.close();
    });
  }

  /** Ends everything. */
  close(): void {
    this.delivery.asOne(() => {
      this.endAll(this.tagged.values());
      for (const set of this.core.sets()) this.end(set, false);
    });
    this.watchdog?.stop();
  }

  get #mayGiveBack(): boolean {
    return this.#setCount === 0 && this.core.memory.words.length > wordsKept;
  }

  #created(set: number): number {
    if (set === 0) throw this.resources.memoryIsFull();
    this.#setCount++;
    return set;
  }

  /** Resources that a holder left half done, and those that the grant goes without. */
  #tellUnusual(grant: ProcessGrant): void {
    const { core } = this;
    const recovered: string[] = [];
    const ignored: string[] = [];
    for (let link = core.firstLink(grant.set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      if (core.isMarked(queue)) recovered.push(String(this.resources.of(queue)));
      if (core.isIgnored(link)) ignored.push(String(this.resources.of(queue)));
    }
    if (recovered.length > 0) grant.details().recovered = recovered;
    if (ignored.length > 0) grant.details().ignored = ignored;
  }

  #takeNews(): void {
    const { core, resources } = this;
    // Who lost something is told before those who gain it.
    for (let set = core.takeLost(); set !== 0; set = core.takeLost()) {
      const grant = this.#untag(set);
      core.forget(set);
      this.#setCount--;
      if (grant instanceof ProcessGrant) this.delivery.direct(grant);
    }
    const observers: number[] = [];
    for (let set = core.takeGranted(); set !== 0; set = core.takeGranted()) {
      const request = this.#untag(set) as ProcessRequest;
      request.stopWaiting();
      request.set = 0;
      if (request instanceof ObserverRequest) {
        observers.push(set);
        request.tellDone();
      } else {
        request.tell(this.createGrant(request.scope, set, core.state(set), request.label));
      }
    }
    for (const set of observers) {
      core.remove(set, false);
      this.#setCount--;
    }
    for (let queue = core.takeIdle(); queue !== 0; queue = core.takeIdle()) resources.idle(queue);
    resources.trim();
  }

  #untag(set: number): ProcessRequest | ProcessGrant | undefined {
    const object = this.objectOf(set);
    if (object === undefined) return undefined;
    this.tagged.delete(this.core.tag(set));
    this.core.setTag(set, 0);
    object.scope.tracked?.delete(object);
    return object;
  }

  #giveBack(): void {
    this.tagged.clear();
    if (this.resources.dropIdle()) this.core.reset();
  }
}

function closedMeanwhile(): DomainClosedError {
  return new DomainClosedError('the domain or session was closed while the request waited');
}
