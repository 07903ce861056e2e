/**
 * A host and the oracle side by side: every operation is done by both, and everything that can be
 * seen of them afterwards must be the same. A difference throws.
 *
 * Operations are plain data and name a live set by its place in the oracle's list, so that a run is
 * a list that can be printed, cut short and repeated.
 */

import type { Domain } from '../src/api/domain.ts';
import type { Snapshot } from '../src/api/snapshot.ts';
import { check, equal, failureOf, isError, reasonOf } from './assertions.ts';
import { Oracle, type OracleSet, type OracleSpec } from './oracle.ts';
import { hadAtOnce, lookingOn, type Standing, standingOf } from './standing.ts';
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
  | { readonly do: 'look on'; readonly by: number; readonly spec: OracleSpec }
  | { readonly do: 'close'; readonly by: number }
  | Change;

/** What is done to a live set. */
type Change =
  | { readonly do: 'cancel'; readonly place: number }
  | { readonly do: 'release'; readonly place: number; readonly isAbandoned: boolean }
  | { readonly do: 'downgrade'; readonly place: number; readonly part?: readonly string[] }
  | { readonly do: 'release part'; readonly place: number; readonly part: readonly string[] };

type Live = OracleSet<Standing>;
type Asking = Extract<Operation, { readonly do: 'ask' }>;

const refusals = {
  locked: 'KDS_LOCKED',
  deadlock: 'KDS_DEADLOCK',
  waiting: 'KDS_WAIT_TIMEOUT',
} as const;

export class Pair {
  readonly oracle = new Oracle<Standing>();
  readonly #world: World;
  readonly #parties: Domain[];
  /** Those who hold, by token. */
  #held: readonly Live[] = [];
  readonly #seen = new WeakSet<Live>();
  #tokenLast = 0;
  #count = 0;

  private constructor(world: World, parties: Domain[]) {
    this.#world = world;
    this.#parties = parties;
  }

  /** Each party is a session; every second one is somebody else's, where there are others. */
  static async open(world: World, partyCount: number): Promise<Pair> {
    const parties: Domain[] = [];
    for (let index = 0; index < partyCount; index++) {
      const client = clientOf(index) === 1 ? await world.party() : world.domain;
      parties.push(client.session());
    }
    return new Pair(world, parties);
  }

  /** Does it to both, and compares. */
  async apply(operation: Operation): Promise<void> {
    const { oracle } = this;
    const before = new Set(oracle.live.filter((set) => set.granted));
    const toldCount = this.#world.told.length;
    const lost = await this.#do(operation);
    for (const party of this.#parties) await party.query();
    const snapshot = await this.#world.domain.query();
    const fresh = oracle.live.filter((set) => set.granted && !before.has(set));
    const grants = fresh.filter((set) => !set.isObserver);
    // A close is many ends, one after another, and nobody says in which order.
    if (operation.do === 'close') sortAs(snapshot, grants);
    this.#held = [...this.#held, ...grants].filter((set) => oracle.live.includes(set));
    // Before what must be told is waited for: what is seen to be wrong need not be.
    this.#seeSame(snapshot);
    for (const set of fresh) await set.tag?.granted();
    for (const set of fresh) if (set.isObserver) oracle.remove(set);
    for (const set of lost) await this.#seeLost(set);
    for (const set of oracle.live) {
      equal(set.tag?.isTold(), set.granted, `whether ${set.tag?.label} is told`);
    }
    this.#seeTokens(snapshot);
    if (operation.do === 'close') return;
    for (const set of grants) this.#seeGrant(set);
    this.#seeOrder(grants, this.#world.told.slice(toldCount));
  }

  /** Ends all that is left, one by one. */
  async end(): Promise<void> {
    while (this.oracle.live.length > 0) {
      const isGranted = this.oracle.live[0]?.granted === true;
      await this.apply(
        isGranted ? { do: 'release', place: 0, isAbandoned: false } : { do: 'cancel', place: 0 },
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
      case 'look on': {
        const { by, spec } = operation;
        const set = this.oracle.observe(spec);
        set.tag = lookingOn(this.#label(), by, this.#party(by), spec);
        return [];
      }
      default:
        await this.#change(operation);
        return [];
    }
  }

  async #change(change: Change): Promise<void> {
    const { oracle } = this;
    const set = oracle.live[change.place] as Live;
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
      case 'release part':
        oracle.releasePart(set, change.part);
        if (set.modes.size === 0) oracle.remove(set);
        await grant().release(change.part);
    }
  }

  async #ask({ way, by, spec, locked, holding }: Asking): Promise<void> {
    const label = this.#label();
    if (way === 'sync' || way === 'try') {
      const set = this.oracle.tryArrive(spec, { sync: way === 'sync' });
      const grant =
        way === 'sync'
          ? this.#world.sync.tryAcquireSync(spec, { label })
          : await this.#party(by).tryAcquire(spec, { label });
      equal(grant !== null, set !== undefined, `whether ${label} is granted`);
      if (grant !== null && set) set.tag = hadAtOnce(label, way === 'sync' ? -1 : by, grant);
      return;
    }
    const kept = holding.map((place) => this.oracle.live[place] as Live);
    const arrival = this.oracle.arrive(spec, { locked, holding: kept });
    const options = {
      locked,
      holding: kept.map((set) => (set.tag as Standing).grant()),
      ...(way === 'now' ? { timeoutMs: 0 } : {}),
    };
    const party = this.#party(by);
    const ask =
      way === 'queued' || way === 'direct'
        ? () => this.#world.enqueue(label, spec, { ...options, delivery: way }, party)
        : () => this.#world.ask(label, spec, options, party);
    const { outcome } = arrival;
    if (outcome === 'granted' || (outcome === 'waiting' && way !== 'now')) {
      arrival.set.tag = standingOf(await ask(), by, way);
      return;
    }
    if (outcome !== 'locked') this.oracle.remove(arrival.set);
    const reason = await failureOf(async () => {
      const request = await ask();
      const { held, pending } = await this.#world.domain.query();
      const isThere = [...held, ...pending].some((entry) => entry.label === label);
      check(!isThere, `${label} is there, and should be refused`);
      throw await request.refusal();
    });
    // Never, and now or never, are both true of a circle that would not be waited in.
    const isNow = way === 'now' && outcome !== 'locked';
    isError(reason, isNow ? refusals.waiting : refusals[outcome], label);
  }

  async #steal(by: number, spec: OracleSpec): Promise<readonly Live[]> {
    const { set, lost } = this.oracle.steal(spec);
    const ask = await this.#world.ask(this.#label(), spec, { steal: true }, this.#party(by));
    // Answered rather than told: its call may first tell those who profit by the theft.
    set.tag = { ...standingOf(ask, by, 'promise'), ear: undefined };
    return lost;
  }

  /** The session of a party ends, and it goes on with another. */
  async #close(by: number): Promise<readonly Live[]> {
    const own = this.oracle.live.filter((set) => set.tag?.by === by);
    const held = own.filter((set) => set.granted);
    const waiting = own.filter((set) => !set.granted);
    // The last ones first, so that none of its own is granted what another one leaves.
    for (const set of [...waiting.reverse(), ...held]) this.oracle.remove(set);
    await this.#party(by).close();
    for (const set of waiting) isError(await set.tag?.refusal(), 'KDS_DOMAIN_CLOSED');
    const client = clientOf(by) === 1 ? await this.#world.party() : this.#world.domain;
    this.#parties[by] = client.session();
    return held;
  }

  async #seeLost(set: Live): Promise<void> {
    const { label, grant } = set.tag as Standing;
    isError(await reasonOf(grant().signal, label), 'KDS_GRANT_LOST', label);
  }

  /** Each grant has the token that is told, and a greater one than all before. */
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
    const marked = [...set.modes.keys()].filter((name) => this.oracle.recovered.has(name));
    equal([...recovered].sort(), marked.sort(), `recovered by ${label}`);
    equal([...ignored].sort(), [...this.oracle.ignored(set)].sort(), `ignored by ${label}`);
  }

  /** Those who hear of it in one place hear in arrival order. */
  #seeOrder(granted: readonly Live[], told: readonly string[]): void {
    for (const ear of new Set(granted.flatMap(({ tag }) => tag?.ear ?? []))) {
      const together = granted.filter(({ tag }) => tag?.ear === ear).map(({ tag }) => tag?.label);
      const heard = told.filter((each) => together.includes(each));
      equal(heard, together, `what is told to the ${ear}`);
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
      const namesIn = (mode: string) =>
        [...set.modes].flatMap(([name, each]) => (each === mode ? [name] : [])).sort();
      const { exclusive = [], shared = [] } = entry?.set ?? {};
      equal([...exclusive].sort(), namesIn('exclusive'), `exclusive of ${label}`);
      equal([...shared].sort(), namesIn('shared'), `shared of ${label}`);
      equal(entry?.token !== undefined, set.granted, `whether ${label} has a token`);
      const blockers = this.oracle.nearestInTheWay(set).map((other) => ids.get(other));
      equal(entry?.waitingFor, blockers.sort(byNumber), `whom ${label} waits for`);
    }
  }

  #party(by: number): Domain {
    return this.#parties[by] as Domain;
  }

  #label(): string {
    this.#count++;
    return `#${this.#count}`;
  }
}

/** 1 is somebody else, where there are others; the domain itself is party -1, and client 0. */
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
