/** Reports what core has granted or taken back to the objects that stand for the sets. */

import { eventFlags } from '../api/events.ts';
import { type Core, HAS_DETAILS } from '../core/index.ts';
import type { CoreReader } from '../report/core-reader.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import type { LocalEvents } from './events.ts';
import { type GrantScope, LocalGrant } from './grant.ts';
import type { HoldWatchdog } from './hold-watchdog.ts';
import type { Owners, OwnObject } from './owners.ts';
import { endWaiting, type LocalRequest } from './request.ts';
import type { Queues } from './resources.ts';

/** What notices need of the operations that they belong to. */
interface NoticeSource {
  readonly core: Core;
  readonly reader: Pick<CoreReader, 'nameOf'>;
  readonly delivery: { direct(item: Deliverable): void };
  readonly events: LocalEvents;
  readonly capacities: { readonly reason: Error };
  readonly port: {
    readonly clock: { now(): number };
    readonly owners: Owners;
    readonly queues: Queues;
  };
}

/** Within an operation. */
export class Notices {
  watchdog: HoldWatchdog | undefined = undefined;
  private readonly core: Core;
  readonly #source: NoticeSource;

  constructor(source: NoticeSource) {
    this.core = source.core;
    this.#source = source;
  }

  /** Takes all notices from core. */
  report(): void {
    const core = this.core;
    const { owners, queues } = this.#source.port;
    // Sets that lost their grants first: their successors are reported later.
    for (let set = core.takeLost(); set !== 0; set = core.takeLost()) {
      if (!owners.forwardLost(set)) this.lost(set);
    }
    for (let set = core.takeGranted(); set !== 0; set = core.takeGranted()) {
      if (!owners.forwardGranted(set)) this.granted(set);
    }
    for (let queue = core.takeIdle(); queue !== 0; queue = core.takeIdle()) queues.idle(queue);
  }

  /** A set of this thread that waited has been granted. */
  granted(set: number): void {
    const core = this.core;
    const { clock, owners } = this.#source.port;
    const request = owners.take(set) as LocalRequest;
    endWaiting(request);
    if (core.isObserver(set)) {
      owners.end(set);
      core.remove(set, false);
      request.settled();
    } else {
      core.setGrantedAt(set, clock.now());
      const grant = this.createGrant(request.scope, set, core.state(set), request.terms.label);
      if (eventFlags.hasSubscribers) this.#source.events.granted(grant);
      request.granted(grant);
    }
  }

  /** A grant of this thread has been taken back, perhaps before its request received it. */
  lost(set: number): void {
    const core = this.core;
    const { delivery, port } = this.#source;
    if (!core.isGranted(set)) {
      this.#refuse(set);
      return;
    }
    const token = core.token(set);
    if (eventFlags.hasSubscribers) this.#source.events.remember(set);
    const object = port.owners.end(set);
    if (eventFlags.hasSubscribers) this.#emitLost(set, token, object);
    core.forget(set);
    if (object instanceof LocalGrant) {
      object.scope.tracked?.delete(object);
      delivery.direct(object);
    } else if (object !== undefined) {
      endWaiting(object);
      object.granted(new LocalGrant(object.scope, set, token));
    }
  }

  /** A smaller capacity than it takes was declared while it waited. */
  #refuse(set: number): void {
    const { events, port, capacities } = this.#source;
    if (eventFlags.hasSubscribers) events.missed(set, 'refused');
    const request = port.owners.end(set) as LocalRequest;
    this.core.forget(set);
    endWaiting(request);
    request.refused(capacities.reason, true);
  }

  /** The grant of a set that core has granted, and that is in this state. */
  createGrant(
    scope: GrantScope,
    set: number,
    state: number,
    label: string | undefined,
  ): LocalGrant {
    const grant = new LocalGrant(scope, set, this.core.token(set));
    const isUsual =
      label === undefined && (state & HAS_DETAILS) === 0 && scope.tracked === undefined;
    if (!isUsual) this.#complete(grant, state, label);
    if (this.watchdog !== undefined) this.watchdog.start();
    return grant;
  }

  #emitLost(set: number, token: number, object: OwnObject | undefined): void {
    const { events } = this.#source;
    // A request never received the grant.
    if (object !== undefined && !(object instanceof LocalGrant)) events.missed(set, 'lost');
    else events.lost(set, token, 'stolen');
  }

  /** Gives a grant what few have. */
  #complete(grant: LocalGrant, state: number, label: string | undefined): void {
    const { tracked } = grant.scope;
    if (label !== undefined) grant.details().label = label;
    if ((state & HAS_DETAILS) !== 0) this.#describe(grant);
    if (tracked === undefined) return;
    tracked.add(grant);
    // Attached, so that readers find its session, and it receives the session's end.
    grant.details();
  }

  /** Resources that a holder left half done, and those that the grant goes without. */
  #describe(grant: LocalGrant): void {
    const core = this.core;
    const { reader } = this.#source;
    const recovered: string[] = [];
    const ignored: string[] = [];
    for (let link = core.firstLink(grant.set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      if (core.isRecovered(queue)) recovered.push(reader.nameOf(queue));
      if (core.isIgnored(link)) ignored.push(reader.nameOf(queue));
    }
    if (recovered.length > 0) grant.details().recovered = recovered;
    if (ignored.length > 0) grant.details().ignored = ignored;
  }
}
