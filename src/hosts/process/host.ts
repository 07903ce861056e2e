/**
 * One event loop's state: the words of core, and the objects that they stand for.
 *
 * The event loop itself puts operations in one order. Each one works on core, then hands on what
 * core says has come of it ({@link ProcessHost.afterwards}): nothing of a user's runs before the
 * state is consistent.
 */

import { Core, Memory } from '../../core/index.ts';
import { GrantLostError } from '../../domain/errors.ts';
import { CoarseClock } from './clock.ts';
import { Delivery } from './delivery.ts';
import { ProcessGrant } from './grant.ts';
import type { HoldWatchdog } from './hold-watchdog.ts';
import type { CarriedHolding } from './holding.ts';
import { Registry } from './registry.ts';
import { ObserverRequest, type ProcessRequest } from './request.ts';
import { memoryIsFull, Resources } from './resources.ts';
import type { ProcessSession } from './session.ts';
import { Signals } from './signals.ts';

/** Beyond this many sets at once, what they leave behind is given back when the last one ends. */
const setCountKept = 4096;

export class ProcessHost {
  readonly core: Core;
  readonly resources: Resources;
  /** Every live set: the request that waits, or the grant. */
  readonly live = new Registry<ProcessRequest | ProcessGrant>();
  readonly delivery = new Delivery();
  readonly clock = new CoarseClock();
  readonly signals = new Signals();
  carried: CarriedHolding | undefined;
  watchdog: HoldWatchdog | undefined;

  constructor(memory = new Memory()) {
    this.core = new Core(memory);
    this.resources = new Resources(this.core);
  }

  /** A set of what `resources` resolved last arrives: it is granted or waits. */
  enqueue(bits: number): number {
    const { queues, exclusiveCount, count } = this.resources;
    return this.#created(this.core.enqueue(queues, exclusiveCount, count, bits, 0));
  }

  /** What `resources` resolved last is taken from whoever holds it. */
  steal(): number {
    const { queues, count } = this.resources;
    return this.#created(this.core.steal(queues, count, 0, 0));
  }

  /** What conflicts with what `resources` resolved last is watched. */
  observe(): number {
    const { queues, exclusiveCount, count } = this.resources;
    return this.#created(this.core.observe(queues, exclusiveCount, count, 0));
  }

  /** The grant of a set that was granted as it arrived. */
  createGrant(scope: ProcessSession, set: number, label: string | undefined): ProcessGrant {
    const grant = this.#makeGrant(scope, set, label);
    this.core.setTag(set, this.live.add(grant));
    scope.tracked?.add(grant);
    return grant;
  }

  /** A request begins to wait. */
  addRequest(request: ProcessRequest): void {
    this.core.setTag(request.set, this.live.add(request));
    request.scope.tracked?.add(request);
  }

  /** A live set ends, and with it the part of the object that stands for it. */
  end(object: ProcessRequest | ProcessGrant, died: boolean): void {
    const { set } = object;
    object.set = 0;
    this.live.delete(this.core.tag(set));
    object.scope.tracked?.delete(object);
    this.core.remove(set, died);
    this.afterwards();
  }

  /** A set ends that no object stands for yet. */
  endUntold(set: number): void {
    this.core.remove(set, false);
    this.afterwards();
  }

  /** Hands on what an operation has brought about. Ends every operation that may free something. */
  afterwards(): void {
    const { core } = this;
    const observers: number[] = [];
    for (let set = core.takeGranted(); set !== 0; set = core.takeGranted()) {
      if (core.isObserver(set)) observers.push(set);
      this.#granted(set);
    }
    for (const set of observers) core.remove(set, false);
    for (let set = core.takeLost(); set !== 0; set = core.takeLost()) this.#lost(set);
    for (let queue = core.takeIdle(); queue !== 0; queue = core.takeIdle()) {
      this.resources.idle(queue);
    }
    this.resources.trim();
    if (this.live.count === 0 && this.live.capacity > setCountKept) this.#giveBack();
    this.delivery.runDirect();
  }

  #created(set: number): number {
    if (set !== 0) return set;
    this.resources.trim();
    throw memoryIsFull();
  }

  #makeGrant(scope: ProcessSession, set: number, label: string | undefined): ProcessGrant {
    const { core } = this;
    const grant = new ProcessGrant(scope, set, core.token(set), this.clock.now());
    if (label !== undefined) grant.details().label = label;
    if (core.hasMarked || core.ignores(set)) this.#tellUnusual(grant);
    this.watchdog?.watch();
    return grant;
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

  #granted(set: number): void {
    const tag = this.core.tag(set);
    const request = this.live.get(tag) as ProcessRequest;
    request.stopWaiting();
    request.set = 0;
    request.scope.tracked?.delete(request);
    if (request instanceof ObserverRequest) {
      this.live.delete(tag);
      request.tellDone();
      return;
    }
    const grant = this.#makeGrant(request.scope, set, request.label);
    this.live.replace(tag, grant);
    request.scope.tracked?.add(grant);
    request.tell(grant);
  }

  #lost(set: number): void {
    const tag = this.core.tag(set);
    const grant = this.live.get(tag) as ProcessGrant;
    this.live.delete(tag);
    grant.scope.tracked?.delete(grant);
    this.core.forget(set);
    grant.set = 0;
    const error = new GrantLostError(
      `grant ${grant.token} was taken away by a request with 'steal': stop what it protects`,
    );
    this.delivery.direct({ deliver: () => grant.lose(error) });
  }

  #giveBack(): void {
    this.live.clear();
    if (this.resources.dropIdle()) this.core.reset();
  }
}
