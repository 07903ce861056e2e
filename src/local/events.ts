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
import type { LocalGrant } from './grant.ts';

/** The operations that events are about. */
interface EventSource {
  readonly reader: CoreReader;
  readonly delivery: { direct(item: Deliverable): void };
}

interface KnownSet {
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

export class LocalEvents {
  readonly #source: EventSource;
  readonly #domain: EventDomain;
  readonly #live = new Map<number, KnownSet>();
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
    const source = this.#source;
    const timeUs = monotonicUs();
    const id = source.reader.core.arrival(set);
    const names = namesOf(source.reader, set);
    const known = { domain: this.#domain, id, set: names, label, session };
    const live = {
      ...known,
      sinceUs: timeUs,
      hasWaited: !source.reader.core.isGranted(set),
      token: undefined,
    };
    this.#live.set(set, live);
    this.#emit('kds.request.start', live, timeUs, {
      isSync: (bits & SYNC) !== 0,
      ignoresLocked: (bits & PASS_LOCKED) !== 0,
      steals,
    });
    if (live.hasWaited) this.#emit('kds.request.miss', live, timeUs, {});
  }

  granted(grant: LocalGrant): void {
    const { set, token, recovered, ignored } = grant;
    const known = this.#of(set, grant);
    const timeUs = known.hasWaited ? monotonicUs() : known.sinceUs;
    const waitMs = (timeUs - known.sinceUs) / 1000;
    known.sinceUs = timeUs;
    known.token = token;
    this.#emit('kds.request.grant', known, timeUs, { token, waitMs, recovered, ignored });
    if (recovered.length > 0)
      this.#emit('kds.grant.recovered', known, timeUs, { token, recovered });
    this.#emit('kds.request.end', known, timeUs, { outcome: 'granted', waitMs });
  }

  /** A request is about to end, or has ended, without a grant. */
  missed(set: number, outcome: RequestOutcome): void {
    if (this.#source.reader.core.isObserver(set)) return;
    const known = this.#of(set);
    const timeUs = this.#momentUs ?? monotonicUs();
    const waitMs = (timeUs - known.sinceUs) / 1000;
    this.#live.delete(set);
    this.#emit('kds.request.end', known, timeUs, { outcome, waitMs });
  }

  /** A grant is about to end by its holder's will. */
  released(set: number, token: number, isAbandoned: boolean): void {
    const known = this.#of(set);
    const timeUs = this.#momentUs ?? monotonicUs();
    const heldMs = (timeUs - known.sinceUs) / 1000;
    this.#live.delete(set);
    this.#emit('kds.grant.release', known, timeUs, { token, heldMs, isAbandoned });
  }

  /** A grant holds less than before. */
  weakened(set: number, token: number): void {
    const known = this.#of(set);
    known.set = namesOf(this.#source.reader, set);
    this.#emit('kds.grant.weaken', known, monotonicUs(), { token });
  }

  /** A grant has been taken away, or is about to be. */
  lost(set: number, token: number, cause: GrantLostEvent['cause']): void {
    const known = this.#of(set);
    const timeUs = monotonicUs();
    const heldMs = (timeUs - known.sinceUs) / 1000;
    this.#live.delete(set);
    this.#emit('kds.grant.lost', known, timeUs, { token, heldMs, cause });
  }

  heldLong(set: number, token: number, heldMs: number, pendingCount: number): void {
    const details = { token, heldMs, pendingCount };
    this.#emit('kds.grant.held-long', this.#of(set), monotonicUs(), details);
  }

  #of(set: number, grant?: LocalGrant): KnownSet {
    const source = this.#source;
    const id = source.reader.core.arrival(set);
    const live = this.#live.get(set);
    // One that ended while there was no listener may have left its slot to another.
    const isSame = live?.id === id || live?.token === source.reader.core.token(set);
    if (live !== undefined && isSame) return live;
    const waitedMs = source.reader.clock.now() - source.reader.sinceOf(set);
    const known: KnownSet = {
      domain: this.#domain,
      id,
      set: source.reader.core.firstLink(set) === 0 ? nothing : namesOf(source.reader, set),
      label: grant === undefined ? source.reader.labelOf(set) : grant.label,
      session: grant === undefined ? source.reader.sessionLabelOf(set) : grant.scope.label,
      sinceUs: monotonicUs() - waitedMs * 1000,
      hasWaited: true,
      token: source.reader.core.isGranted(set) ? source.reader.core.token(set) : undefined,
    };
    this.#live.set(set, known);
    return known;
  }

  #emit<Name extends EventName>(
    name: Name,
    { domain, id, set, label, session }: KnownSet,
    timeUs: number,
    details: Omit<DomainEvents[Name], keyof RequestMissEvent>,
  ): void {
    const event = { domain, id, set, label, session, timeUs, ...details };
    this.#source.delivery.direct({
      deliver: () => publish(name, event as unknown as DomainEvents[Name]),
    });
  }
}
