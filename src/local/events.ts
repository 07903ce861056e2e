/**
 * Events of a backend's operations, while a channel has subscribers.
 *
 * Each step of an operation is recorded where it is done, with the time, so events of one domain
 * are in the order of its operations, in whichever thread they are emitted. They are emitted by the
 * delivery, once the operation is over: a listener runs inside no call, and under no lock.
 *
 * The details of a set are kept from its arrival on, as core forgets them when the set ends. Those
 * of a set that is older than its listeners are read when something happens to it.
 */

import type { EventDomain, GrantLostEvent, RequestOutcome } from '../api/events.ts';
import { namedSetOf } from '../api/mode.ts';
import { unitsListedMax } from '../api/units.ts';
import { PASS_LOCKED, SYNC } from '../core/index.ts';
import { namesOf } from '../report/blockers.ts';
import { unitsOfGrant } from '../report/capacities.ts';
import type { CoreReader } from '../report/core-reader.ts';
import { monotonicUs } from '../runtime/clock.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import { SetEvents } from '../session/set-events.ts';
import type { LocalGrant } from './grant.ts';

/** The operations that events are about. */
interface EventSource {
  readonly reader: CoreReader;
  readonly delivery: { direct(item: Deliverable): void };
}

export class LocalEvents {
  readonly #source: EventSource;
  readonly #domain: EventDomain;
  readonly #known = new Map<number, SetEvents>();
  /** Time of the sets that end together; undefined otherwise. */
  #momentUs: number | undefined = undefined;

  constructor(source: EventSource, domain: EventDomain) {
    this.#source = source;
    this.#domain = domain;
  }

  /** Sets that end together, in one operation, have one time: a trace shows them as one step. */
  atOneMoment(emit: () => void): void {
    this.#momentUs = monotonicUs();
    emit();
    this.#momentUs = undefined;
  }

  /** The set's object is about to be forgotten, and with it its labels. */
  remember(set: number): void {
    if (!this.#source.reader.core.isObserver(set)) this.#of(set);
  }

  /** A set has arrived, by stealing or not. */
  arrived(
    set: number,
    bits: number,
    label: string | undefined,
    session: string | undefined,
    steals = false,
  ): void {
    const timeUs = monotonicUs();
    const events = this.#add(set, label, session);
    const isSync = (bits & SYNC) !== 0;
    events.started({ isSync, ignoresLocked: (bits & PASS_LOCKED) !== 0, steals }, timeUs);
    if (!this.#source.reader.core.isGranted(set)) events.missed(timeUs);
  }

  granted(grant: LocalGrant): void {
    const events = this.#of(grant.set);
    // A nested grant has the token of the grant around it; this domain knows it by its own one.
    const { ownToken: token, recovered, ignored } = grant;
    const details = { token, recovered, ignored, ...this.#unitsOf(grant.set) };
    events.granted(details, events.hasWaited ? undefined : events.sinceUs);
  }

  /** A request is about to end, or has ended, without a grant. */
  missed(set: number, outcome: RequestOutcome): void {
    if (!this.#source.reader.core.isObserver(set)) this.#take(set).ended(outcome, this.#momentUs);
  }

  /** A grant is about to end by its holder's will. */
  released(set: number, token: number, isAbandoned: boolean): void {
    this.#take(set).released(token, isAbandoned, this.#momentUs);
  }

  /** A grant holds less than before. */
  weakened(set: number, token: number): void {
    const events = this.#of(set);
    events.set = namesOf(this.#source.reader, set);
    events.weakened(token, this.#unitsOf(set)?.units);
  }

  /** A grant holds more than before. */
  upgraded(set: number, token: number): void {
    const events = this.#of(set);
    events.set = namesOf(this.#source.reader, set);
    events.upgraded(token, this.#unitsOf(set)?.units);
  }

  /** A capacity was declared, or asserted by a set that is about to arrive. */
  resized(queue: number, capacity: number, isAsserted: boolean): void {
    const { reader, delivery } = this.#source;
    const resource = reader.nameOf(queue);
    const set = namedSetOf([{ resource, units: capacity, of: 0 }]);
    const subject = { domain: this.#domain, id: 0, label: undefined, session: undefined };
    const names = reader.unitNamesOf(queue);
    const details = { resource, capacity, isAsserted, ...(names !== undefined && { names }) };
    new SetEvents(subject, set, delivery).emit('kds.resource.capacity', monotonicUs(), details);
  }

  /** A grant has been taken away, or is about to be. */
  lost(set: number, token: number, cause: GrantLostEvent['cause']): void {
    this.#take(set).lost(token, cause);
  }

  heldLong(set: number, token: number, heldMs: number, pendingCount: number): void {
    const details = { token, heldMs, pendingCount };
    this.#of(set).emit('kds.grant.held-long', monotonicUs(), details);
  }

  #unitsOf(set: number) {
    const units = unitsOfGrant(this.#source.reader, set, unitsListedMax);
    return units && { units };
  }

  /** Of a set that ends. */
  #take(set: number): SetEvents {
    const events = this.#of(set);
    this.#known.delete(set);
    return events;
  }

  #of(set: number): SetEvents {
    const { reader } = this.#source;
    const { core } = reader;
    const known = this.#known.get(set);
    // One that ended while there was no listener may have left its slot to another. A set that was
    // taken away has no arrival any more.
    if (known?.subject.id === core.arrival(set) || known?.token === core.token(set)) return known;
    const waitedMs = reader.clock.now() - reader.sinceOf(set);
    const events = this.#add(set, reader.labelOf(set), reader.sessionLabelOf(set));
    events.sinceUs = monotonicUs() - waitedMs * 1000;
    events.hasWaited = true;
    if (core.isGranted(set)) events.token = core.token(set);
    return events;
  }

  #add(set: number, label: string | undefined, session: string | undefined): SetEvents {
    const { reader, delivery } = this.#source;
    const subject = { domain: this.#domain, id: reader.idOf(set), label, session };
    const events = new SetEvents(subject, namesOf(reader, set), delivery);
    this.#known.set(set, events);
    return events;
  }
}
