/**
 * Reads the keys of the simulated etcd after each revision and checks them against the rule: a set
 * is granted exactly when its units fit with those of all live sets that arrived earlier, or it has
 * recorded that it was.
 *
 * It uses no code of the backend but the layout of keys: from the values of the keys it takes the
 * live sets and the capacities, and adds up units. It keeps the outcome of each grant, which is the
 * server's word on whose loss excuses what (../checker.ts), and checks the requests to etcd: no
 * client deletes a set of a living other one unless that was stolen; what an expired session held
 * exclusive is flagged as recovered before it is given to another; a guarded write comes while its
 * grant lives.
 */

import type { Grant } from '../../src/api/grant.ts';
import type { Keys } from '../../src/backends/etcd/keys.ts';
import {
  conflict,
  type GrantMonitor,
  type GrantOutcome,
  type GrantSeen,
  type Links,
  type Mode,
} from '../grants.ts';
import { Violation, type World } from '../world.ts';
import type { SimulatedStore, Step } from './store.ts';

/** Tokens of one revision. */
const tokensPerRevision = 1024;

/** The units of an exclusive part, and of a resource without a capacity. */
const all = 2 ** 26 - 1;

interface CapacityValue {
  readonly count: number;
  readonly isAsserted?: true;
  readonly falls?: readonly (readonly [revision: number, count: number])[];
}

/** Data that guarded writes put: the value is the key of the set. */
export const dataPrefix = 'data/';

interface SetSeen {
  readonly key: string;
  readonly session: string;
  readonly links: Links;
  /** What it takes of each: all, or a number. */
  readonly units: ReadonlyMap<string, number>;
  /** Resources of whose capacity it relies on. */
  readonly metered: ReadonlySet<string>;
  /** It has recorded that it is granted. */
  readonly isRecorded: boolean;
  /** Its place in line: a stealing request comes before all that came before it. */
  readonly arrival: number;
  readonly isStealing: boolean;
  readonly createRevision: number;
}

interface EtcdGrantSeen extends GrantSeen {
  readonly revision: number;
  /** The names that its holder must find in `recovered`. */
  readonly recovered: readonly string[];
}

export class EtcdMonitor implements GrantMonitor {
  onTaken: (grant: GrantSeen) => void = () => undefined;
  readonly rolledBackAtMs = Number.NEGATIVE_INFINITY;
  grantCount = 0;
  takenCount = 0;
  reapedCount = 0;
  guardedWriteCount = 0;
  displacedCount = 0;
  /** By session: the revision at which its key was deleted. */
  readonly #sessionEnds = new Map<string, number>();
  readonly #world: World;
  readonly #store: SimulatedStore;
  readonly #layout: Keys;
  #sets: ReadonlyMap<string, SetSeen> = new Map();
  /** By key, for sets that are there: of one that comes again, the later one. */
  readonly #granted = new Map<string, EtcdGrantSeen>();
  /** By key: the last grant that it had. */
  readonly #last = new Map<string, EtcdGrantSeen>();
  /** Keys of sets that were held until a stealing request came, and are there still. */
  readonly #revoked = new Set<string>();

  constructor(world: World, store: SimulatedStore, layout: Keys) {
    this.#world = world;
    this.#store = store;
    this.#layout = layout;
  }

  /** The cluster loses nothing that it has answered. */
  isDownSince(): boolean {
    return false;
  }

  /**
   * The server's word on a grant that a client has. A copy that was read anew may know the revision
   * of the grant too late, and never too early.
   */
  seenOf(key: string, { token, recovered }: Grant): GrantSeen | undefined {
    const seen = this.#last.get(key);
    if (seen === undefined) return undefined;
    const revision = Math.floor(token / tokensPerRevision);
    this.#check(revision >= seen.revision, () => {
      return `${key} was granted at ${seen.revision}, and reported with token ${token}`;
    });
    const names = [...recovered].sort();
    this.#check(revision > seen.revision || String(names) === String(seen.recovered), () => {
      return `${key} was reported to recover {${names}} in place of {${seen.recovered}}`;
    });
    return seen;
  }

  /** Live grants of sessions whose names begin so. */
  liveGrantsOf(start: string): readonly GrantSeen[] {
    return [...this.#granted.values()].filter(({ session }) => session.startsWith(start));
  }

  /** The live sets, for people. */
  describe(): string {
    return [...this.#sets.values()]
      .map((set) => `${describe(set)}${this.#granted.has(set.key) ? ' (held)' : ''}`)
      .join(', ');
  }

  after({ revision, events, client }: Step): void {
    this.#world.log(() => {
      const what = events.map(({ key, now }) => `${now === undefined ? '-' : '+'}${key}`);
      return `etcd ${revision}, by ${client ?? 'itself'}: ${what.join(' ')}`;
    });
    const sessionsEnded = new Set<string>();
    for (const { key, now } of events) {
      const { sessions } = this.#layout;
      if (now !== undefined || !key.startsWith(sessions)) continue;
      sessionsEnded.add(key.slice(sessions.length));
      this.#sessionEnds.set(key.slice(sessions.length), revision);
    }
    for (const { key, now } of events) {
      if (key.startsWith(dataPrefix) && now !== undefined) this.#checkWrite(now.value);
    }
    const before = this.#sets;
    this.#sets = this.#read();
    const granted = this.#grantedNow();
    const arrived = [...this.#sets.values()].filter((set) => isNew(set, before));
    const stealing = arrived.filter(({ isStealing }) => isStealing);
    for (const set of before.values()) {
      const now = this.#sets.get(set.key);
      if (now === undefined || isNew(now, before)) this.#gone(set, stealing, client);
    }
    const isResized = events.some(({ key }) => key.startsWith(this.#layout.capacities));
    for (const [key, grant] of this.#granted) {
      if (granted.has(key)) continue;
      if (isResized && stealing.length === 0) {
        // Its client cannot know of it yet: it records its units first.
        this.#check(this.#sets.get(key)?.isRecorded === false, () => `${key} has lost its units`);
        this.#granted.delete(key);
        this.displacedCount++;
        continue;
      }
      this.#check(stealing.length > 0, () => `${key} was held, and waits again`);
      this.#revoked.add(key);
      this.#took(key, grant, 'revoked');
    }
    for (const key of granted) {
      if (!this.#granted.has(key)) this.#grant(this.#sets.get(key) as SetSeen, revision);
    }
    for (const [key, grant] of this.#granted) {
      if (sessionsEnded.has(grant.session)) this.#took(key, grant, 'expired', true);
    }
  }

  #read(): ReadonlyMap<string, SetSeen> {
    const sets = new Map<string, SetSeen>();
    for (const { key, value, createRevision } of this.#store.keys.values()) {
      const parts = this.#layout.partsOfSet(key);
      if (parts === undefined) continue;
      const {
        parts: taken,
        at,
        steal,
        held,
        metered = [],
      } = JSON.parse(value) as {
        readonly parts: readonly (readonly [name: string, units: number | 'all', of?: number])[];
        readonly at: number;
        readonly steal?: true;
        readonly held?: readonly unknown[];
        readonly metered?: readonly string[];
      };
      const links = new Map<string, Mode>();
      for (const [name, units] of taken) links.set(name, units === 'all' ? 'x' : 's');
      const units = new Map(taken.map(([name, n]) => [name, n === 'all' ? all : n]));
      const relied = taken.filter(([name, , of]) => of !== undefined || metered.includes(name));
      const id = createRevision * tokensPerRevision + at;
      sets.set(key, {
        ...{ key, session: parts.session, links, createRevision, units },
        ...{ isRecorded: held !== undefined, metered: new Set(relied.map(([name]) => name)) },
        ...{ isStealing: steal === true, arrival: steal === true ? -id : id },
      });
    }
    return sets;
  }

  /** The rule, by the sum of each resource. */
  #grantedNow(): ReadonlySet<string> {
    const sets = [...this.#sets.values()]
      .filter((set) => !this.#isRefused(set))
      .sort((one, other) => one.arrival - other.arrival);
    const granted = sets.filter((set, place) => {
      const isStolen = sets.some((other) => {
        const isLater = other.isStealing && Math.abs(other.arrival) > Math.abs(set.arrival);
        return isLater && [...other.links.keys()].some((name) => set.links.has(name));
      });
      if (set.isRecorded && !isStolen) return true;
      return [...set.units].every(([name, units]) => {
        let used = 0;
        for (const ahead of sets.slice(0, place)) used += ahead.units.get(name) ?? 0;
        return used === 0 || used + units <= this.#capacityOf(name, sets);
      });
    });
    return new Set(granted.map(({ key }) => key));
  }

  #capacityOf(name: string, sets: readonly SetSeen[]): number {
    const stored = this.#store.keys.get(this.#layout.capacity(name));
    if (stored === undefined) return all;
    const { count, isAsserted } = JSON.parse(stored.value) as CapacityValue;
    return isAsserted !== true || sets.some(({ metered }) => metered.has(name)) ? count : all;
  }

  /** Whether it has waited for more units than there were at some time. */
  #isRefused({ units, metered, isRecorded, createRevision }: SetSeen): boolean {
    if (isRecorded) return false;
    return [...units].some(([name, taken]) => {
      const stored = this.#store.keys.get(this.#layout.capacity(name));
      if (stored === undefined || taken === all || !metered.has(name)) return false;
      const { count, falls = [] } = JSON.parse(stored.value) as CapacityValue;
      const since = [...falls, [stored.modRevision, count] as const];
      return since.some(([revision, less]) => revision > createRevision && taken > less);
    });
  }

  #grant({ key, session, links, isStealing }: SetSeen, revision: number): void {
    const flagged = [...links.keys()].filter((name) => {
      return (
        this.#store.keys.has(this.#layout.flag(name)) || (isStealing && this.#isTaken(name, key))
      );
    });
    const grant: EtcdGrantSeen = {
      ...{ token: revision * tokensPerRevision, session, order: this.grantCount++ },
      ...{ grantedAtMs: this.#world.nowMs, outcome: 'live', wasTaken: false, wasEnded: false },
      ...{ revision, recovered: flagged.sort() },
    };
    this.#granted.set(key, grant);
    this.#last.set(key, grant);
    this.#world.log(() => `  ${key} is granted`);
    if (!this.#store.keys.has(this.#layout.session(session)))
      this.#took(key, grant, 'expired', true);
  }

  /** Whether an exclusive holder other than that set has to give way to a stealing request. */
  #isTaken(name: string, but: string): boolean {
    return [...this.#revoked].some(
      (key) => key !== but && this.#isWhole(name, this.#sets.get(key)),
    );
  }

  #isWhole(name: string, set: SetSeen | undefined): boolean {
    const units = set?.units.get(name);
    return units !== undefined && units >= this.#capacityOf(name, [...this.#sets.values()]);
  }

  #gone(set: SetSeen, stealing: readonly SetSeen[], client: string | undefined): void {
    const { key, session, links } = set;
    const grant = this.#granted.get(key);
    const isExpired = !this.#store.keys.has(this.#layout.session(session));
    const isStolen =
      this.#revoked.delete(key) || stealing.some((other) => conflict(other.links, links));
    const isOwn = client !== undefined && clientOf(session) === client;
    this.#check(isExpired || isStolen || isOwn, () => `${client} has deleted ${describe(set)}`);
    if (isExpired && !isOwn) this.reapedCount++;
    // One that was granted only after its session had ended was never held.
    const endRevision = this.#sessionEnds.get(session) ?? Number.POSITIVE_INFINITY;
    const wasHeld = grant !== undefined && grant.revision <= endRevision;
    if (wasHeld && isExpired && !isOwn) this.#checkFlags(set);
    if (grant === undefined) return;
    this.#granted.delete(key);
    if (isStolen) this.#took(key, grant, 'revoked');
    else if (grant.outcome === 'live') {
      grant.outcome = 'ended';
      grant.wasEnded = true;
    }
  }

  #checkFlags({ key, links }: SetSeen): void {
    for (const [name, mode] of links) {
      this.#check(mode === 's' || this.#store.keys.has(this.#layout.flag(name)), () => {
        return `${name}, which ${key} held, is given to others without a flag`;
      });
    }
  }

  #checkWrite(key: string): void {
    const grant = this.#granted.get(key);
    this.#check(grant?.outcome === 'live', () => `a guarded write came under ${key}, not held`);
    this.guardedWriteCount++;
  }

  #took(key: string, grant: EtcdGrantSeen, outcome: GrantOutcome, stays = false): void {
    if (!stays) this.#granted.delete(key);
    if (grant.wasTaken) return;
    grant.outcome = outcome;
    grant.wasTaken = true;
    this.takenCount++;
    this.#world.log(() => `  the grant of ${key} is ${outcome}`);
    this.onTaken(grant);
  }

  #check(isTrue: boolean, what: () => string): void {
    if (!isTrue) this.#world.fail(new Violation(`in etcd: ${what()}`));
  }
}

/** Sessions are named for their clients: see host.ts. */
function clientOf(session: string): string {
  return `client-${Number.parseInt(session.slice(0, 4), 16)}`;
}

function isNew({ key, createRevision }: SetSeen, before: ReadonlyMap<string, SetSeen>): boolean {
  return before.get(key)?.createRevision !== createRevision;
}

function describe({ key, links }: SetSeen): string {
  return `${key} {${[...links].map(([name, mode]) => mode + name).join(' ')}}`;
}
