/**
 * The events of one set: of its request, and then of its grant. The delivery publishes them, so
 * that a listener runs inside no operation, and under no lock.
 */

import {
  type DomainEvents,
  type EventDomain,
  type EventName,
  type GrantLostEvent,
  type GrantWeakenEvent,
  publish,
  type RequestMissEvent,
  type RequestOutcome,
} from '../api/events.ts';
import type { NamedSet } from '../api/sets.ts';
import { monotonicUs } from '../runtime/clock.ts';
import type { Deliverable } from '../runtime/delivery.ts';

/** What stays the same in all events of a set. */
interface Subject {
  readonly domain: EventDomain;
  readonly id: number;
  readonly label: string | undefined;
  readonly session: string | undefined;
}

type EventUnits = GrantWeakenEvent['units'] | undefined;

function unitsField(units: EventUnits) {
  return units !== undefined && { units };
}

type Details<Name extends EventName> = Omit<DomainEvents[Name], keyof RequestMissEvent>;

export class SetEvents {
  readonly subject: Subject;
  /** What it waits for or holds now. */
  set: NamedSet;
  /** When it was requested, and then when it was granted, µs; undefined if nobody subscribed. */
  sinceUs: number | undefined = undefined;
  /** It was not granted at once. */
  hasWaited = false;
  /** Once it is granted. */
  token: number | undefined = undefined;
  readonly #delivery: { direct(item: Deliverable): void };

  constructor(subject: Subject, set: NamedSet, delivery: { direct(item: Deliverable): void }) {
    this.subject = subject;
    this.set = set;
    this.#delivery = delivery;
  }

  started(details: Details<'kds.request.start'>, timeUs = monotonicUs()): void {
    this.sinceUs = timeUs;
    this.emit('kds.request.start', timeUs, details);
  }

  /** Once: a backend may report it again after a reconnect. */
  missed(timeUs = monotonicUs()): void {
    if (this.hasWaited) return;
    this.hasWaited = true;
    this.emit('kds.request.miss', timeUs, {});
  }

  granted(
    { token, recovered, ignored, units }: Omit<Details<'kds.request.grant'>, 'waitMs'>,
    timeUs = monotonicUs(),
  ): void {
    const waitMs = this.#msUntil(timeUs);
    this.sinceUs = timeUs;
    this.token = token;
    const details = { token, waitMs, recovered, ignored };
    this.emit('kds.request.grant', timeUs, { ...details, ...unitsField(units) });
    if (recovered.length > 0) this.emit('kds.grant.recovered', timeUs, { token, recovered });
    this.emit('kds.request.end', timeUs, { outcome: 'granted', waitMs });
  }

  /** Without a grant. */
  ended(outcome: RequestOutcome, timeUs = monotonicUs()): void {
    this.emit('kds.request.end', timeUs, { outcome, waitMs: this.#msUntil(timeUs) });
  }

  released(token: number, isAbandoned: boolean, timeUs = monotonicUs()): void {
    const heldMs = this.#msUntil(timeUs);
    this.emit('kds.grant.release', timeUs, { token, heldMs, isAbandoned });
  }

  weakened(token: number, units: EventUnits): void {
    this.emit('kds.grant.weaken', monotonicUs(), { token, ...unitsField(units) });
  }

  upgraded(token: number, units: EventUnits): void {
    this.emit('kds.grant.upgrade', monotonicUs(), { token, ...unitsField(units) });
  }

  lost(token: number, cause: GrantLostEvent['cause'], timeUs = monotonicUs()): void {
    this.emit('kds.grant.lost', timeUs, { token, heldMs: this.#msUntil(timeUs), cause });
  }

  emit<Name extends EventName>(name: Name, timeUs: number, details: Details<Name>): void {
    const event = { ...this.subject, set: this.set, timeUs, ...details };
    const deliver = (): void => publish(name, event as unknown as DomainEvents[Name]);
    this.#delivery.direct({ deliver });
  }

  #msUntil(timeUs: number): number {
    return (timeUs - (this.sinceUs ?? timeUs)) / 1000;
  }
}
