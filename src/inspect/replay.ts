/** Replays a traced domain into the oracle, operation by operation. */

import { LimitError } from '../api/errors.ts';
import { ALL, namesIn, unitsIn } from '../api/mode.ts';
import { describe } from '../api/sets.ts';
import { type Unit, unitsListedMax } from '../api/units.ts';
import { Oracle } from '../oracle/oracle.ts';
import type { OracleSet } from '../oracle/sets.ts';
import type { Checker, ReportFault } from './checker.ts';
import type { TracedEvent } from './read-trace.ts';
import { TracedUnits } from './traced-units.ts';

const liveCountMax = 2000;
/** The oracle lists the units of each resource anew for each grant. */
const numberedCapacityMax = 4096;

interface Replayed {
  readonly set: OracleSet<number>;
  isReported: boolean;
  /** A stealing request revoked it; the event of that loss may come later. */
  isRevoked: boolean;
  /** A reduced capacity refused it; the event of its end comes later. */
  isRefused: boolean;
}

export class Replay implements Checker {
  /** In one event loop all grants are reported before the next operation begins. */
  #isStrict: boolean;
  readonly #older: ReadonlySet<number>;
  readonly #report: ReportFault;
  readonly #oracle = new Oracle<number>();
  readonly #live = new Map<number, Replayed>();
  readonly #tokens = new Set<number>();
  /** Granted by the rule, and not reported yet. */
  readonly #due = new Map<number, Replayed>();
  /** Refused by the rule, and not reported yet. */
  readonly #refused = new Set<number>();
  readonly #units = new TracedUnits();
  readonly #unitNames = new Map<string, readonly Unit[] | undefined>();
  readonly #olderCapacities = new Set<string>();
  #tokenLast = 0;
  /** Time of the last end of a set: others with the same time ended in the same operation. */
  #endedUs = Number.NaN;

  constructor(isStrict: boolean, older: ReadonlySet<number>, report: ReportFault) {
    this.#isStrict = isStrict && older.size === 0;
    this.#older = older;
    this.#report = report;
    this.#oracle.numberedCapacityMax = numberedCapacityMax;
  }

  get olderCapacityCount(): number {
    return this.#olderCapacities.size;
  }

  get olderCount(): number {
    return this.#older.size;
  }

  add(event: TracedEvent): void {
    if (event.name === 'kds.resource.capacity') {
      this.#expectNothingDue(event);
      this.#resize(event);
      return;
    }
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
      case 'kds.grant.upgrade':
        this.#expectNothingDue(event);
        this.#upgrade(event);
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

  #resize(event: TracedEvent): void {
    const { resource = '', capacity = 0 } = event;
    this.#unitNames.set(resource, event.names);
    if (event.isAsserted === true) {
      const before = this.#oracle.capacities.get(resource);
      const isFree = before === undefined && !this.#oracle.isUsed(resource);
      if (!isFree) this.#report(event, `a set asserts ${capacity} units of what is in use`);
      this.#oracle.capacities.set(resource, capacity);
      this.#oracle.asserted.add(resource);
      return;
    }
    const { refused, granted } = this.#oracle.setCapacity(resource, capacity);
    for (const { tag } of refused) {
      const replayed = this.#live.get(tag as number);
      if (replayed === undefined) continue;
      replayed.isRefused = true;
      this.#refused.add(tag as number);
    }
    this.#expect(granted);
  }

  /**
   * Those of resources whose capacity was declared before the trace. As it is not known, all units
   * fit, and what should be granted is not known either.
   */
  #addOlderCapacities({ set: { units = {} } }: TracedEvent): void {
    for (const name of Object.keys(units)) {
      if (this.#oracle.capacities.has(name)) continue;
      this.#olderCapacities.add(name);
      this.#oracle.capacities.set(name, ALL);
      this.#isStrict = false;
    }
  }

  #start(event: TracedEvent): void {
    const { id, set: spec, isSync: sync = false } = event;
    this.#addOlderCapacities(event);
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
      else this.#report(event, `request ${id} takes more units than there are`);
    }
  }

  #record({ id }: TracedEvent, set: OracleSet<number>): void {
    set.tag = id;
    const replayed = { set, isReported: false, isRevoked: false, isRefused: false };
    this.#live.set(id, replayed);
    if (set.granted) this.#due.set(id, replayed);
  }

  #revoke(id: number): void {
    const revoked = this.#live.get(id);
    if (revoked !== undefined) revoked.isRevoked = true;
    this.#due.delete(id);
    this.#units.release(id);
  }

  #grant(event: TracedEvent): void {
    const { id, token = 0 } = event;
    const replayed = this.#known(event);
    if (replayed === undefined) return;
    if (replayed.isReported) this.#report(event, `request ${id} is granted twice`);
    replayed.isReported = true;
    this.#due.delete(id);
    if (replayed.isRefused) {
      this.#report(event, `request ${id} is granted, though there are fewer units now`);
    } else if (!replayed.set.granted && !replayed.isRevoked) {
      const [first] = this.#oracle.inTheWay(replayed.set);
      this.#report(
        event,
        `request ${id} is granted, though ${first?.tag} came earlier and is live`,
      );
    }
    this.#checkUnits(event, replayed);
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

  /** Each unit is in one grant; and as the rule gives the lowest free ones, they are known. */
  #checkUnits(event: TracedEvent, { set, isRevoked }: Replayed): void {
    if (isRevoked) return;
    const traced = Object.entries(event.units ?? {}).map(([name, units]) => {
      return [name, units.map((unit) => this.#numberOf(name, unit))] as const;
    });
    const twice = this.#units.hold(event.id, Object.fromEntries(traced));
    if (twice !== undefined) {
      const { name, unit, other } = twice;
      const what = `unit ${unit} of ${describe(name)}`;
      this.#report(event, `${what} is in the grants of requests ${other} and ${event.id}`);
    }
    if (!this.#isStrict) return;
    const numbers = new Map(traced);
    for (const name of set.numbers.keys()) {
      const expected = this.#oracle.numbers(set, name);
      if (expected.length > unitsListedMax) continue;
      const text = JSON.stringify(numbers.get(name) ?? []);
      if (text === JSON.stringify(expected)) continue;
      const what = `the units of ${describe(name)} of request ${event.id}`;
      this.#report(event, `${what} are ${text}, not ${JSON.stringify(expected)}`);
    }
  }

  /** A unit that is beyond the names has its number. */
  #numberOf(name: string, unit: Unit): Unit {
    const at = this.#unitNames.get(name)?.indexOf(unit) ?? -1;
    return at < 0 ? unit : at;
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
    this.#refused.delete(id);
    this.#units.release(id);
    if (!replayed.isRevoked) this.#expect(this.#oracle.remove(replayed.set, died));
  }

  #weaken(event: TracedEvent): void {
    const replayed = this.#known(event);
    if (replayed === undefined || replayed.isRevoked) return;
    const { set } = replayed;
    const names = [...set.modes.keys()];
    const unitsLeft = (name: string): number => unitsIn(event.set, name);
    if (namesIn(event.set).some((name) => unitsLeft(name) > this.#oracle.units(set, name))) {
      this.#report(event, `request ${event.id} holds more than before`);
    }
    const released = names.filter((name) => unitsLeft(name) === 0);
    const weaker = names.filter((name) => {
      return unitsLeft(name) > 0 && unitsLeft(name) < this.#oracle.units(set, name);
    });
    if (released.length > 0) this.#expect(this.#oracle.releasePart(set, released));
    const left = Object.fromEntries(weaker.map((name) => [name, unitsLeft(name)]));
    if (weaker.length > 0) this.#expect(this.#oracle.downgrade(set, weaker, left));
    this.#checkUnits(event, replayed);
  }

  #upgrade(event: TracedEvent): void {
    const replayed = this.#known(event);
    if (replayed === undefined || replayed.isRevoked) return;
    const { set } = replayed;
    const stronger = event.set.exclusive.filter((name) => set.modes.get(name) !== 'exclusive');
    if (!this.#oracle.tryUpgrade(set, stronger)) {
      this.#report(event, `request ${event.id} is upgraded, though another set is in the way`);
    }
    this.#checkUnits(event, replayed);
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
    for (const id of this.#refused) {
      this.#report(event, `request ${id} should have been refused before`);
    }
    this.#refused.clear();
  }

  #known(event: TracedEvent): Replayed | undefined {
    const replayed = this.#live.get(event.id);
    if (replayed === undefined) this.#report(event, `request ${event.id} is not live`);
    return replayed;
  }
}
