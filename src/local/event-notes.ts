/**
 * Tells of what a host's operations do, while somebody listens.
 *
 * Each step of an operation is noted where it is done, with the time, so events of one domain are
 * in the order of its operations, whichever thread tells of them. They are told by the delivery,
 * once the operation is over: a listener runs inside nobody's call, and under no lock.
 *
 * What is told of a set is kept from its arrival on, as core forgets it when the set ends. Of a set
 * that is older than its listeners it is looked up when something happens to it.
 */

import {
  type DomainEvents,
  type EventDomain,
  type EventName,
  type GrantLostEvent,
  publish,
  type RequestMissEvent,
  type RequestOutcome,
} from '../api/events.ts';
import type { NamedSet } from '../api/sets.ts';
import { PASS_LOCKED, SYNC } from '../core/index.ts';
import { namesOf } from '../report/blockers.ts';
import type { CoreReader } from '../report/core-reader.ts';
import { monotonicUs } from '../runtime/clock.ts';
import type { Deliverable } from '../runtime/delivery.ts';
import type { HostGrant } from './grant.ts';

/** The operations that events are about. */
interface EventSource {
  readonly reader: CoreReader;
  readonly delivery: { direct(item: Deliverable): void };
}

interface Told {
  readonly domain: EventDomain;
  readonly id: number;
  set: NamedSet;
  readonly label: string | undefined;
  readonly session: string | undefined;
  /** When it arrived, and then when it was granted. */
  sinceUs: number;
  /** It was not granted at once. */
  hasWaited: boolean;
  /** Once it is granted: a set that was taken away has no arrival any more. */
  token: number | undefined;
}

const nothing: NamedSet = Object.freeze({ exclusive: [], shared: [] });

export class EventNotes {
  readonly #host: EventSource;
  readonly #domain: EventDomain;
  readonly #live = new Map<number, Told>();
  /** Time of the sets that end together; undefined otherwise. */
  #momentUs: number | undefined = undefined;

  constructor(host: EventSource, domain: EventDomain) {
    this.#host = host;
    this.#domain = domain;
  }

  /** Sets that end together, in one operation, have one time: a trace shows them as one step. */
  atOneMoment(note: () => void): void {
    this.#momentUs = monotonicUs();
    note();
    this.#momentUs = undefined;
  }

  /** The set's object is about to be forgotten, and with it what it is called. */
  remember(set: number): void {
    if (!this.#host.reader.core.isObserver(set)) this.#of(set);
  }

  /** A set has arrived, as a thief or not. */
  arrived(
    set: number,
    bits: number,
    label: string | undefined,
    session: string | undefined,
    steals = false,
  ): void {
    const host = this.#host;
    const timeUs = monotonicUs();
    const id = host.reader.core.arrival(set);
    const names = namesOf(host.reader, set);
    const told = { domain: this.#domain, id, set: names, label, session };
    const live = {
      ...told,
      sinceUs: timeUs,
      hasWaited: !host.reader.core.isGranted(set),
      token: undefined,
    };
    this.#live.set(set, live);
    this.#tell('kds.request.start', live, timeUs, {
      isSync: (bits & SYNC) !== 0,
      ignoresLocked: (bits & PASS_LOCKED) !== 0,
      steals,
    });
    if (live.hasWaited) this.#tell('kds.request.miss', live, timeUs, {});
  }

  granted(grant: HostGrant): void {
    const { set, token, recovered, ignored } = grant;
    const told = this.#of(set, grant);
    const timeUs = told.hasWaited ? monotonicUs() : told.sinceUs;
    const waitMs = (timeUs - told.sinceUs) / 1000;
    told.sinceUs = timeUs;
    told.token = token;
    this.#tell('kds.request.grant', told, timeUs, { token, waitMs, recovered, ignored });
    if (recovered.length > 0) this.#tell('kds.grant.recovered', told, timeUs, { token, recovered });
    this.#tell('kds.request.end', told, timeUs, { outcome: 'granted', waitMs });
  }

  /** A request is about to end, or has ended, without a grant. */
  missed(set: number, outcome: RequestOutcome): void {
    if (this.#host.reader.core.isObserver(set)) return;
    const told = this.#of(set);
    const timeUs = this.#momentUs ?? monotonicUs();
    const waitMs = (timeUs - told.sinceUs) / 1000;
    this.#live.delete(set);
    this.#tell('kds.request.end', told, timeUs, { outcome, waitMs });
  }

  /** A grant is about to end by its holder's will. */
  released(set: number, token: number, isAbandoned: boolean): void {
    const told = this.#of(set);
    const timeUs = this.#momentUs ?? monotonicUs();
    const heldMs = (timeUs - told.sinceUs) / 1000;
    this.#live.delete(set);
    this.#tell('kds.grant.release', told, timeUs, { token, heldMs, isAbandoned });
  }

  /** A grant holds less than before. */
  weakened(set: number, token: number): void {
    const told = this.#of(set);
    told.set = namesOf(this.#host.reader, set);
    this.#tell('kds.grant.weaken', told, monotonicUs(), { token });
  }

  /** A grant has been taken away, or is about to be. */
  lost(set: number, token: number, cause: GrantLostEvent['cause']): void {
    const told = this.#of(set);
    const timeUs = monotonicUs();
    const heldMs = (timeUs - told.sinceUs) / 1000;
    this.#live.delete(set);
    this.#tell('kds.grant.lost', told, timeUs, { token, heldMs, cause });
  }

  heldLong(set: number, token: number, heldMs: number, pendingCount: number): void {
    const details = { token, heldMs, pendingCount };
    this.#tell('kds.grant.held-long', this.#of(set), monotonicUs(), details);
  }

  #of(set: number, grant?: HostGrant): Told {
    const host = this.#host;
    const id = host.reader.core.arrival(set);
    const known = this.#live.get(set);
    // One that ended while nobody listened may have left its place to another.
    const isSame = known?.id === id || known?.token === host.reader.core.token(set);
    if (known !== undefined && isSame) return known;
    const waitedMs = host.reader.clock.now() - host.reader.sinceOf(set);
    const told: Told = {
      domain: this.#domain,
      id,
      set: host.reader.core.firstLink(set) === 0 ? nothing : namesOf(host.reader, set),
      label: grant === undefined ? host.reader.labelOf(set) : grant.label,
      session: grant === undefined ? host.reader.sessionLabelOf(set) : grant.scope.label,
      sinceUs: monotonicUs() - waitedMs * 1000,
      hasWaited: true,
      token: host.reader.core.isGranted(set) ? host.reader.core.token(set) : undefined,
    };
    this.#live.set(set, told);
    return told;
  }

  #tell<Name extends EventName>(
    name: Name,
    { domain, id, set, label, session }: Told,
    timeUs: number,
    details: Omit<DomainEvents[Name], keyof RequestMissEvent>,
  ): void {
    const event = { domain, id, set, label, session, timeUs, ...details };
    this.#host.delivery.direct({
      deliver: () => publish(name, event as unknown as DomainEvents[Name]),
    });
  }
}
