/** Replays a traced domain into the oracle, operation by operation. */

import { LimitError } from '../api/errors.ts';
import { namesIn, unitsIn } from '../api/mode.ts';
import { describe } from '../api/sets.ts';
import { Oracle } from '../oracle/oracle.ts';
import type { OracleSet } from '../oracle/sets.ts';
import type { Checker, ReportFault } from './checker.ts';
import type { TracedEvent } from './read-trace.ts';

const liveCountMax = 2000;

interface Replayed {
  readonly set: OracleSet<number>;
  isReported: boolean;
  /** A stealing request revoked it; the event of that loss may come later. */
  isRevoked: boolean;
}

export class Replay implements Checker {
  /** In one event loop all grants are reported before the next operation begins. */
  readonly #isStrict: boolean;
  readonly #older: ReadonlySet<number>;
  readonly #report: ReportFault;
  readonly #oracle = new Oracle<number>();
  readonly #live = new Map<number, Replayed>();
  readonly #tokens = new Set<number>();
  /** Granted by the rule, and not reported yet. */
  readonly #due = new Map<number, Replayed>();
  #tokenLast = 0;
  /** Time of the last end of a set: others with the same time ended in the same operation. */
  #endedUs = Number.NaN;

  constructor(isStrict: boolean, older: ReadonlySet<number>, report: ReportFault) {
    this.#isStrict = isStrict && older.size === 0;
    this.#older = older;
    this.#report = report;
  }

  get olderCount(): number {
    return this.#older.size;
  }

  add(event: TracedEvent): void {
    if (this.#older.has(event.id)) return;
    switch (event.name) {
      case 'kds.request.start':
        this.#expectNothingDue(event);
        this.#start(event);
        break;
      case 'kds.request.grant':
        this.#grant(event);
        break;
      case 'kds.request.end':
        if (event.outcome !== 'granted') this.#end(event);
        break;
      case 'kds.grant.release':
        this.#expectNothingDue(event);
        this.#endGrant(event, event.isAbandoned === true);
        break;
      case 'kds.grant.weaken':
        this.#expectNothingDue(event);
        this.#weaken(event);
        break;
      case 'kds.grant.lost':
        this.#lose(event);
        break;
      default:
    }
  }

  end(): void {
    this.#expectNothingDue(undefined);
  }

  #start(event: TracedEvent): void {
    const { id, set: spec, isSync: sync = false } = event;
    if (this.#live.has(id)) this.#report(event, `request ${id} starts twice`);
    if (this.#oracle.live.length >= liveCountMax) {
      throw new LimitError(`more than ${liveCountMax} sets live at once: too many to check`);
    }
    if (event.steals === true) {
      const { set, lost, granted } = this.#oracle.steal(spec, { sync });
      this.#record(event, set);
      for (const { tag } of lost) this.#revoke(tag as number);
      this.#expect(granted.filter((other) => other !== set));
    } else {
      const locked = event.ignoresLocked === true ? 'ignore' : 'wait';
      const arrival = this.#oracle.arrive(spec, { sync, locked });
      if ('set' in arrival) this.#record(event, arrival.set);
    }
  }

  #record({ id }: TracedEvent, set: OracleSet<number>): void {
    set.tag = id;
    const replayed = { set, isReported: false, isRevoked: false };
    this.#live.set(id, replayed);
    if (set.granted) this.#due.set(id, replayed);
  }

  #revoke(id: number): void {
    const revoked = this.#live.get(id);
    if (revoked !== undefined) revoked.isRevoked = true;
    this.#due.delete(id);
  }

  #grant(event: TracedEvent): void {
    const { id, token = 0 } = event;
    const replayed = this.#known(event);
    if (replayed === undefined) return;
    if (replayed.isReported) this.#report(event, `request ${id} is granted twice`);
    replayed.isReported = true;
    this.#due.delete(id);
    if (!replayed.set.granted && !replayed.isRevoked) {
      const [first] = this.#oracle.inTheWay(replayed.set);
      this.#report(
        event,
        `request ${id} is granted, though ${first?.tag} came earlier and is live`,
      );
    }
    if (this.#tokens.has(token)) this.#report(event, `token ${token} is given twice`);
    this.#tokens.add(token);
    if (!this.#isStrict) return;
    if (token <= this.#tokenLast) this.#report(event, `token ${token} is not greater than before`);
    this.#tokenLast = Math.max(this.#tokenLast, token);
    const recovered = [...replayed.set.modes.keys()].filter((name) =>
      this.#oracle.recovered.has(name),
    );
    this.#compare(event, 'recovered', recovered, event.recovered);
    this.#compare(event, 'ignored', this.#oracle.ignored(replayed.set), event.ignored);
  }

  #compare(
    event: TracedEvent,
    what: string,
    expected: readonly string[],
    traced: readonly string[] = [],
  ): void {
    const one = JSON.stringify(expected.toSorted());
    const other = JSON.stringify(traced.toSorted());
    if (one !== other) this.#report(event, `${what} is ${describe(other)}, not ${describe(one)}`);
  }

  /** A request ends without a grant. */
  #end(event: TracedEvent): void {
    const replayed = this.#known(event);
    if (replayed === undefined) return;
    const { id, outcome } = event;
    if (replayed.isReported)
      this.#report(event, `request ${id} ends as ${outcome}, after its grant`);
    if (this.#isStrict && replayed.set.granted && !replayed.isRevoked) {
      this.#report(event, `request ${id} ends as ${outcome}, though its set was grantable`);
    }
    this.#remove(event, replayed, outcome === 'lost');
  }

  #endGrant(event: TracedEvent, died: boolean): void {
    const replayed = this.#known(event);
    if (replayed === undefined) return;
    if (!replayed.isReported) this.#report(event, `request ${event.id} was not granted before`);
    this.#remove(event, replayed, died);
  }

  #lose(event: TracedEvent): void {
    const replayed = this.#known(event);
    if (replayed === undefined) return;
    if (event.cause === 'stolen' && !replayed.isRevoked) {
      this.#report(event, `grant ${event.token} is lost as stolen, though no request stole it`);
    }
    this.#remove(event, replayed, event.cause === 'died');
  }

  #remove({ id, timeUs }: TracedEvent, replayed: Replayed, died: boolean): void {
    this.#endedUs = timeUs;
    this.#live.delete(id);
    this.#due.delete(id);
    if (!replayed.isRevoked) this.#expect(this.#oracle.remove(replayed.set, died));
  }

  #weaken(event: TracedEvent): void {
    const replayed = this.#known(event);
    if (replayed === undefined || replayed.isRevoked) return;
    const { set } = replayed;
    const names = [...set.modes.keys()];
    if (namesIn(event.set).some((name) => !set.modes.has(name))) {
      this.#report(event, `request ${event.id} holds more than before`);
    }
    const released = names.filter((name) => unitsIn(event.set, name) === 0);
    const isWeaker = (name: string): boolean =>
      set.modes.get(name) === 'exclusive' && unitsIn(event.set, name) === 1;
    if (released.length > 0) this.#expect(this.#oracle.releasePart(set, released));
    const weaker = names.filter(isWeaker);
    if (weaker.length > 0) this.#expect(this.#oracle.downgrade(set, weaker));
  }

  #expect(granted: readonly OracleSet<number>[]): void {
    for (const { tag } of granted) {
      const replayed = this.#live.get(tag as number);
      if (replayed !== undefined && !replayed.isReported) this.#due.set(tag as number, replayed);
    }
  }

  #expectNothingDue(event: TracedEvent | undefined): void {
    const isSameStep = event !== undefined && event.timeUs === this.#endedUs;
    if (!this.#isStrict || isSameStep) return;
    for (const id of this.#due.keys()) {
      this.#report(event, `request ${id} should have been granted before`);
    }
    this.#due.clear();
  }

  #known(event: TracedEvent): Replayed | undefined {
    const replayed = this.#live.get(event.id);
    if (replayed === undefined) this.#report(event, `request ${event.id} is not live`);
    return replayed;
  }
}
