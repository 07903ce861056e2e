/**
 * A backend and the oracle side by side: every operation is done by both, and everything that can
 * be seen of them afterwards must be the same. A difference throws.
 *
 * Operations are plain data and name a live set by its index in the oracle's list, so that a run is
 * a list that can be printed, cut short and repeated.
 */

import type { Domain } from '../src/api/domain.ts';
import type { Snapshot } from '../src/api/snapshot.ts';
import { check, equal, failureOf, isError, reasonOf } from './assertions.ts';
import { Oracle, type OracleSet, type OracleSpec } from './oracle.ts';
import { grantedAtOnce, observing, type Standing, standingOf } from './standing.ts';
import type { World } from './world.ts';

/** How a set is asked for: with a promise or a callback, or now or never in one of three ways. */
export type Way = 'promise' | 'queued' | 'direct' | 'try' | 'now' | 'sync';

export type Operation =
  | {
      readonly do: 'ask';
      readonly way: Way;
      readonly by: number;
      readonly spec: OracleSpec;
      readonly locked: 'wait' | 'fail' | 'ignore';
      readonly holding: readonly number[];
    }
  | { readonly do: 'steal'; readonly by: number; readonly spec: OracleSpec }
  | { readonly do: 'observe'; readonly by: number; readonly spec: OracleSpec }
  | { readonly do: 'close'; readonly by: number }
  | {
      readonly do: 'resize';
      readonly by: number;
      readonly name: string;
      readonly capacity: number;
    }
  | Change;

/** What is done to a live set. */
type Change =
  | { readonly do: 'cancel'; readonly index: number }
  | { readonly do: 'release'; readonly index: number; readonly isAbandoned: boolean }
  | { readonly do: 'downgrade'; readonly index: number; readonly part?: readonly string[] }
  | {
      readonly do: 'downgrade units';
      readonly index: number;
      readonly units: Readonly<Record<string, number>>;
    }
  | { readonly do: 'upgrade'; readonly index: number; readonly part?: readonly string[] }
  | { readonly do: 'release part'; readonly index: number; readonly part: readonly string[] };

type Live = OracleSet<Standing>;
type Asking = Extract<Operation, { readonly do: 'ask' }>;

const refusals = {
  locked: 'KDS_LOCKED',
  deadlock: 'KDS_DEADLOCK',
  waiting: 'KDS_WAIT_TIMEOUT',
  capacity: 'KDS_CAPACITY',
} as const;

export class Pair {
  readonly oracle = new Oracle<Standing>();
  readonly #world: World;
  readonly #participants: Domain[];
  /** Those who hold, by token. */
  #held: readonly Live[] = [];
  readonly #seen = new WeakSet<Live>();
  /**
   * Resources that were in use when they got a capacity: sets that are older have no units, but on
   * etcd those that waited have some, and so the next ones have others.
   */
  readonly #unnumbered = new Set<string>();
  #tokenLast = 0;
  #count = 0;

  private constructor(world: World, participants: Domain[]) {
    this.#world = world;
    this.#participants = participants;
  }

  /** Each participant is a session; every second one is somebody else's, where there are others. */
  static async open(world: World, participantCount: number): Promise<Pair> {
    const participants: Domain[] = [];
    for (let index = 0; index < participantCount; index++) {
      const client = clientOf(index) === 1 ? await world.participant() : world.domain;
      participants.push(client.session());
    }
    return new Pair(world, participants);
  }

  /** Does it to both, and compares. */
  async apply(operation: Operation): Promise<void> {
    const { oracle } = this;
    const before = new Set(oracle.live.filter((set) => set.granted));
    const reportedCount = this.#world.reported.length;
    const lost = await this.#do(operation);
    for (const participant of this.#participants) await participant.query();
    const snapshot = await this.#world.domain.query();
    const fresh = oracle.live.filter((set) => set.granted && !before.has(set));
    const grants = fresh.filter((set) => !set.isObserver);
    // A close is many ends, one after another, in an unknown order.
    if (operation.do === 'close') sortAs(snapshot, grants);
    this.#held = [...this.#held, ...grants].filter((set) => oracle.live.includes(set));
    // Checked before reports are awaited: a wrong state needs no wait.
    this.#seeSame(snapshot);
    for (const set of fresh) await set.tag?.granted();
    for (const set of fresh) if (set.isObserver) oracle.remove(set);
    for (const set of lost) await this.#seeLost(set);
    for (const set of oracle.live) {
      equal(set.tag?.isReported(), set.granted, `whether ${set.tag?.label} is reported`);
    }
    this.#seeTokens(snapshot);
    if (operation.do === 'close') return;
    for (const set of grants) this.#seeGrant(set);
    this.#seeOrder(grants, this.#world.reported.slice(reportedCount));
  }

  /** Ends all that is left, one by one. */
  async end(): Promise<void> {
    while (this.oracle.live.length > 0) {
      const isGranted = this.oracle.live[0]?.granted === true;
      await this.apply(
        isGranted ? { do: 'release', index: 0, isAbandoned: false } : { do: 'cancel', index: 0 },
      );
    }
  }

  /** Returns those whose grants were taken away. */
  async #do(operation: Operation): Promise<readonly Live[]> {
    switch (operation.do) {
      case 'ask':
        await this.#ask(operation);
        return [];
      case 'steal':
        return this.#steal(operation.by, operation.spec);
      case 'close':
        return this.#close(operation.by);
      case 'resize': {
        const { name, capacity } = operation;
        const isOlder = this.oracle.isUsed(name) && !this.oracle.capacities.has(name);
        if (isOlder) this.#unnumbered.add(name);
        const { refused } = this.oracle.setCapacity(name, capacity);
        await this.#participant(operation.by).setCapacity(name, capacity);
        for (const { tag } of refused) isError(await tag?.refusal(), 'KDS_CAPACITY', tag?.label);
        return [];
      }
      case 'observe': {
        const { by, spec } = operation;
        const set = this.oracle.observe(spec);
        set.tag = observing(this.#label(), by, this.#participant(by), spec);
        return [];
      }
      default:
        await this.#change(operation);
        return [];
    }
  }

  async #change(change: Change): Promise<void> {
    const { oracle } = this;
    const set = oracle.live[change.index] as Live;
    const { grant, cancel } = set.tag as Standing;
    switch (change.do) {
      case 'cancel':
        oracle.remove(set);
        await cancel();
        break;
      case 'release':
        oracle.remove(set, change.isAbandoned);
        await (change.isAbandoned ? grant().abandon() : grant().release());
        await grant().release();
        break;
      case 'downgrade':
        oracle.downgrade(set, change.part);
        await grant().downgrade(change.part);
        break;
      case 'downgrade units':
        oracle.downgrade(set, Object.keys(change.units), change.units);
        await grant().downgrade({ units: change.units });
        break;
      case 'upgrade': {
        const isUpgraded = oracle.tryUpgrade(set, change.part);
        const label = set.tag?.label;
        equal(await grant().tryUpgrade(change.part), isUpgraded, `whether ${label} is upgraded`);
        break;
      }
      case 'release part':
        oracle.releasePart(set, change.part);
        if (set.modes.size === 0) oracle.remove(set);
        await grant().release(change.part);
    }
  }

  async #ask({ way, by, spec, locked, holding }: Asking): Promise<void> {
    const label = this.#label();
    if (way === 'sync' || way === 'try') {
      const arrival = this.oracle.arrive(spec, { sync: way === 'sync' });
      const set = arrival.outcome === 'granted' ? arrival.set : undefined;
      if ('set' in arrival && set === undefined) this.oracle.remove(arrival.set);
      const request = async () =>
        way === 'sync'
          ? this.#world.sync.tryAcquireSync(spec, { label })
          : this.#participant(by).tryAcquire(spec, { label });
      if (arrival.outcome === 'capacity') {
        isError(await failureOf(request), 'KDS_CAPACITY', label);
        return;
      }
      const grant = await request();
      equal(grant !== null, set !== undefined, `whether ${label} is granted`);
      if (grant !== null && set) set.tag = grantedAtOnce(label, way === 'sync' ? -1 : by, grant);
      return;
    }
    const kept = holding.map((index) => this.oracle.live[index] as Live);
    const arrival = this.oracle.arrive(spec, { locked, holding: kept });
    const options = {
      locked,
      holding: kept.map((set) => (set.tag as Standing).grant()),
      ...(way === 'now' ? { timeoutMs: 0 } : {}),
    };
    const participant = this.#participant(by);
    const ask =
      way === 'queued' || way === 'direct'
        ? () => this.#world.enqueue(label, spec, { ...options, delivery: way }, participant)
        : () => this.#world.ask(label, spec, options, participant);
    const { outcome } = arrival;
    if ('set' in arrival) {
      if (outcome === 'granted' || (outcome === 'waiting' && way !== 'now')) {
        arrival.set.tag = standingOf(await ask(), by, way);
        return;
      }
      this.oracle.remove(arrival.set);
    }
    const reason = await failureOf(async () => {
      const request = await ask();
      const { held, pending } = await this.#world.domain.query();
      const isThere = [...held, ...pending].some((entry) => entry.label === label);
      check(!isThere, `${label} is there, and should be refused`);
      throw await request.refusal();
    });
    // For a deadlock without a wait both errors are right: a deadlock, and a time-out.
    const isNow = way === 'now' && outcome !== 'locked' && outcome !== 'capacity';
    const refusal = outcome === 'granted' ? 'waiting' : outcome;
    isError(reason, refusals[isNow ? 'waiting' : refusal], label);
  }

  async #steal(by: number, spec: OracleSpec): Promise<readonly Live[]> {
    const { set, lost } = this.oracle.steal(spec);
    const ask = await this.#world.ask(this.#label(), spec, { steal: true }, this.#participant(by));
    // The call's result, not a report: the call may first report grants that the steal causes.
    set.tag = { ...standingOf(ask, by, 'promise'), recorder: undefined };
    return lost;
  }

  /** The session of a participant ends, and it goes on with another. */
  async #close(by: number): Promise<readonly Live[]> {
    const own = this.oracle.live.filter((set) => set.tag?.by === by);
    const held = own.filter((set) => set.granted);
    const waiting = own.filter((set) => !set.granted);
    // At one moment, so that none of its own is granted what another one leaves.
    this.oracle.removeAll([...waiting, ...held]);
    await this.#participant(by).close();
    for (const set of waiting) isError(await set.tag?.refusal(), 'KDS_DOMAIN_CLOSED');
    const client = clientOf(by) === 1 ? await this.#world.participant() : this.#world.domain;
    this.#participants[by] = client.session();
    return held;
  }

  async #seeLost(set: Live): Promise<void> {
    const { label, grant } = set.tag as Standing;
    isError(await reasonOf(grant().signal, label), 'KDS_GRANT_LOST', label);
  }

  /** Each grant has the reported token, and a greater one than all before. */
  #seeTokens({ held }: Snapshot): void {
    for (const [index, set] of this.#held.entries()) {
      const { label, grant } = set.tag as Standing;
      const { token } = grant();
      equal(held[index]?.token, token, `the token of ${label}`);
      if (this.#seen.has(set)) continue;
      this.#seen.add(set);
      check(token > this.#tokenLast, `${label} has token ${token} after ${this.#tokenLast}`);
      this.#tokenLast = token;
    }
  }

  #seeGrant(set: Live): void {
    const { label, grant } = set.tag as Standing;
    const { recovered, ignored } = grant();
    this.#seeUnits(set, grant().units);
    const marked = [...set.modes.keys()].filter((name) => this.oracle.recovered.has(name));
    equal([...recovered].sort(), marked.sort(), `recovered by ${label}`);
    equal([...ignored].sort(), [...this.oracle.ignored(set)].sort(), `ignored by ${label}`);
  }

  /** Each recorder receives its reports in arrival order. */
  #seeOrder(granted: readonly Live[], reported: readonly string[]): void {
    for (const recorder of new Set(granted.flatMap(({ tag }) => tag?.recorder ?? []))) {
      const together = granted
        .filter(({ tag }) => tag?.recorder === recorder)
        .map(({ tag }) => tag?.label);
      const received = reported.filter((each) => together.includes(each));
      equal(received, together, `reports to the ${recorder}`);
    }
  }

  #seeSame({ held, pending }: Snapshot): void {
    const waiting = this.oracle.live.filter((set) => !set.granted && !set.isObserver);
    const labelsOf = (sets: readonly Live[]) => sets.map(({ tag }) => tag?.label);
    equal(
      held.map(({ label }) => label),
      labelsOf(this.#held),
      'held, by token',
    );
    equal(
      pending.map(({ label }) => label),
      labelsOf(waiting),
      'pending, in arrival order',
    );
    const sets = [...this.#held, ...waiting];
    const entries = [...held, ...pending];
    const ids = new Map(sets.map((set, index) => [set, entries[index]?.id]));
    for (const [index, set] of sets.entries()) {
      const entry = entries[index];
      const { label } = set.tag as Standing;
      const { exclusive = [], shared = [], units = {} } = entry?.set ?? {};
      const expected = this.#listsOf(set);
      equal([...exclusive].sort(), expected.exclusive, `exclusive of ${label}`);
      equal([...shared].sort(), expected.shared, `shared of ${label}`);
      equal(units, expected.units, `the numbers of units of ${label}`);
      // A client of etcd records them after the grant.
      if (entry?.units !== undefined) this.#seeUnits(set, entry.units);
      equal(entry?.token !== undefined, set.granted, `whether ${label} has a token`);
      const blockers = this.oracle.nearestInTheWay(set).map((other) => ids.get(other));
      equal(entry?.waitingFor, blockers.sort(byNumber), `whom ${label} waits for`);
    }
  }

  /** Its resources, as a snapshot has them. */
  #listsOf(set: Live) {
    const { oracle } = this;
    const names = [...set.modes.keys()].sort();
    const isExclusive = (name: string) => set.modes.get(name) === 'exclusive';
    const isOfUnits = (name: string) => !isExclusive(name) && oracle.capacities.has(name);
    const units = names.filter(isOfUnits).map((name) => [name, oracle.units(set, name)]);
    return {
      exclusive: names.filter(isExclusive),
      shared: names.filter((name) => !isExclusive(name) && !isOfUnits(name)),
      units: Object.fromEntries(units) as Readonly<Record<string, number>>,
    };
  }

  #seeUnits(set: Live, units: Readonly<Record<string, readonly unknown[]>>): void {
    const expected = this.#numbersOf(set);
    const isKnown = ([name]: readonly [string, unknown]) => !this.#unnumbered.has(name);
    const seen = Object.fromEntries(Object.entries(units).filter(isKnown));
    const known = Object.fromEntries(Object.entries(expected).filter(isKnown));
    equal(seen, known, `the units of ${set.tag?.label}`);
  }

  /** The units that it has, by resource. */
  #numbersOf(set: Live): Readonly<Record<string, readonly number[]>> {
    if (!set.granted) return {};
    const names = [...set.modes.keys()].filter((name) => this.oracle.capacities.has(name));
    const numbers = names.map((name) => [name, this.oracle.numbers(set, name)] as const);
    return Object.fromEntries(numbers.filter(([, own]) => own.length > 0));
  }

  #participant(by: number): Domain {
    return this.#participants[by] as Domain;
  }

  #label(): string {
    this.#count++;
    return `#${this.#count}`;
  }
}

/**
 * 1 is somebody else, where there are others; the domain itself is participant -1, and client 0.
 */
export function clientOf(by = -1): 0 | 1 {
  return by > 0 && by % 2 === 1 ? 1 : 0;
}

/** Puts those newly granted in the order of their tokens. */
function sortAs({ held }: Snapshot, grants: Live[]): void {
  const at = ({ tag }: Live) => held.findIndex(({ label }) => label === tag?.label);
  grants.sort((one, other) => at(one) - at(other));
}

function byNumber(one = 0, other = 0): number {
  return one - other;
}
