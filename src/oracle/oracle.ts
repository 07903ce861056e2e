/**
 * The rule of the domain, written naively, to compare implementations with.
 *
 * One list of live sets in arrival order. A set is granted when, on each resource that it names,
 * its units and those of all live sets ahead of it in the list fit the capacity; a set that steals
 * is put first; a grant lasts until the set ends, even where the list would not grant it now
 * (resources that were passed over). {@link Oracle.isBehind} and `#grantAll` are the whole rule;
 * the rest keeps the list and the recovered flags. It is slow on purpose: it computes each answer
 * anew.
 */

/** The units of an exclusive part, and the capacity of a resource without a declared one. */
const all = 2 ** 26 - 1;

export type OracleMode = 'exclusive' | 'shared';

export interface OracleSpec {
  readonly exclusive?: readonly string[];
  readonly shared?: readonly string[];
  /** From 1 to the capacity, on resources that have a declared one. */
  readonly units?: Readonly<Record<string, number>>;
}

export interface OracleOptions<Tag = unknown> {
  /** Requested by a synchronous caller: its resources count as locked while it lives. */
  readonly sync?: boolean;
  readonly locked?: 'wait' | 'fail' | 'ignore';
  /** Granted sets that the caller keeps while this one waits. */
  readonly holding?: readonly OracleSet<Tag>[];
}

/** A live set. It is waiting until it is granted. */
export interface OracleSet<Tag = unknown> {
  /** The modes that it requests or holds; of an observer, those it waits for. In naming order. */
  modes: ReadonlyMap<string, OracleMode>;
  /** Units of resources of which it takes more than one and not all; `shared` in `modes`. */
  units: ReadonlyMap<string, number>;
  /** Resources that it does not wait for. */
  readonly passedOver: ReadonlySet<string>;
  readonly holding: readonly OracleSet<Tag>[];
  readonly isSync: boolean;
  readonly isObserver: boolean;
  granted: boolean;
  /** Data of the oracle's user. */
  tag: Tag | undefined;
}

/** A set that closes a cycle stays in the list, waiting, until it is removed. */
export type OracleArrival<Tag = unknown> =
  | { readonly outcome: 'granted' | 'waiting' | 'deadlock'; readonly set: OracleSet<Tag> }
  | { readonly outcome: 'locked' };

export interface OracleSteal<Tag = unknown> {
  readonly set: OracleSet<Tag>;
  readonly lost: readonly OracleSet<Tag>[];
  /** The stealing set itself, and sets that the lost grants blocked. */
  readonly granted: readonly OracleSet<Tag>[];
}

export class Oracle<Tag = unknown> {
  /** In arrival order, observers among them. */
  live: readonly OracleSet<Tag>[] = [];
  /** Resources with the recovered flag: their exclusive holder died. */
  readonly recovered = new Set<string>();
  /** Declared capacities. Other resources have more units than shared sets can take. */
  readonly capacities = new Map<string, number>();

  /** A set arrives; no other set is granted by this. */
  arrive(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleArrival<Tag> {
    const set = createSet<Tag>(spec, { isSync: options.sync, holding: options.holding });
    const locked = [...set.modes.keys()].filter((name) => this.isLocked(name));
    if (options.locked === 'fail' && locked.length > 0) return { outcome: 'locked' };
    const passedOver = set.passedOver as Set<string>;
    this.live = [...this.live, set];
    if (options.locked === 'ignore') {
      for (const name of locked) if (this.isBehind(set, name)) passedOver.add(name);
    }
    this.#grantAll();
    if (set.granted) return { outcome: 'granted', set };
    return { outcome: this.isInCycle(set) ? 'deadlock' : 'waiting', set };
  }

  /** A set is granted at once, or leaves no trace. */
  tryArrive(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleSet<Tag> | undefined {
    const arrival = this.arrive(spec, options);
    if (arrival.outcome === 'granted') return arrival.set;
    if (arrival.outcome !== 'locked') this.remove(arrival.set);
    return undefined;
  }

  /** Release, cancel, time-out, loss: a set ends. Returns the newly granted, in arrival order. */
  remove(set: OracleSet<Tag>, died = false): readonly OracleSet<Tag>[] {
    this.#leave(set, [...set.modes.keys()], died);
    this.live = this.live.filter((other) => other !== set);
    return this.#grantAll();
  }

  /** Several sets end in one operation. Returns the newly granted, in arrival order. */
  removeAll(sets: readonly OracleSet<Tag>[], died = false): readonly OracleSet<Tag>[] {
    for (const set of sets) this.#leave(set, [...set.modes.keys()], died);
    this.live = this.live.filter((other) => !sets.includes(other));
    return this.#grantAll();
  }

  /** A granted set keeps these resources (default: all) as shared. */
  downgrade(set: OracleSet<Tag>, part?: readonly string[]): readonly OracleSet<Tag>[] {
    const names = part ?? [...set.modes.keys()];
    this.#leave(set, names, false);
    set.modes = new Map(
      [...set.modes].map(([name, mode]) => [name, names.includes(name) ? 'shared' : mode]),
    );
    set.units = new Map([...set.units].filter(([name]) => !names.includes(name)));
    return this.#grantAll();
  }

  /** A granted set releases these resources. */
  releasePart(set: OracleSet<Tag>, part: readonly string[]): readonly OracleSet<Tag>[] {
    this.#leave(set, part, false);
    set.modes = new Map([...set.modes].filter(([name]) => !part.includes(name)));
    set.units = new Map([...set.units].filter(([name]) => !part.includes(name)));
    return this.#grantAll();
  }

  /** A set arrives at the head of the list: granted sets that conflict are lost. */
  steal(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleSteal<Tag> {
    const set = createSet<Tag>(spec, { isSync: options.sync });
    const names = [...set.modes.keys()];
    const lost = this.live.filter(
      (other) => other.granted && names.some((name) => this.#collide(set, other, name)),
    );
    for (const other of lost) this.#leave(other, [...other.modes.keys()], true);
    this.live = [set, ...this.live.filter((other) => !lost.includes(other))];
    return { set, lost, granted: this.#grantAll() };
  }

  /**
   * An observer joins the list and blocks no set. On each resource it waits once until no set ahead
   * conflicts there; it is granted when that was so on all of them.
   */
  observe(spec: OracleSpec): OracleSet<Tag> {
    const set = createSet<Tag>(spec, { isObserver: true });
    this.live = [...this.live, set];
    this.#grantAll();
    return set;
  }

  /** Whether a synchronous caller holds a resource or waits for it. */
  isLocked(name: string): boolean {
    return this.live.some((set) => set.isSync && set.modes.has(name));
  }

  /** Whether any set holds a resource or waits for it. */
  isUsed(name: string): boolean {
    return this.live.some((set) => !set.isObserver && set.modes.has(name));
  }

  /** The rule: whether the units of `set` and of all live sets ahead do not fit this resource. */
  isBehind(set: OracleSet<Tag>, name: string): boolean {
    let used = 0;
    for (const ahead of this.live) {
      if (ahead === set) break;
      if (!ahead.isObserver) used += this.units(ahead, name);
    }
    const units = this.units(set, name);
    // An exclusive part takes all units: it fits an idle resource of any capacity.
    return units > 0 && used > 0 && used + units > (this.capacities.get(name) ?? all);
  }

  /** The units of a resource that a set takes. */
  units(set: OracleSet<Tag>, name: string): number {
    const mode = set.modes.get(name);
    if (mode === undefined) return 0;
    return mode === 'exclusive' ? all : (set.units.get(name) ?? 1);
  }

  /** Whether the later set may wait for the earlier one on this resource. */
  #collide(earlier: OracleSet, later: OracleSet, name: string): boolean {
    if (earlier.isObserver) return false;
    const modes = [earlier.modes.get(name), later.modes.get(name)];
    if (modes.includes(undefined)) return false;
    return modes.includes('exclusive') || this.capacities.has(name);
  }

  /** The `ignored` names of a grant: passed over, and still behind another set. */
  ignored(set: OracleSet<Tag>): readonly string[] {
    return [...set.passedOver].filter((name) => set.modes.has(name) && this.isBehind(set, name));
  }

  /** The live sets ahead that conflict with `set` on resources that it has not passed over. */
  inTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    const ahead = this.live.slice(0, this.live.indexOf(set));
    const names = [...set.modes.keys()].filter(
      (name) => !set.passedOver.has(name) && this.isBehind(set, name),
    );
    return ahead.filter((other) => names.some((name) => this.#collide(other, set, name)));
  }

  /** The nearest blockers on each resource: one exclusive, or shared ones. */
  nearestInTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    if (set.granted) return [];
    const ahead = this.live.slice(0, this.live.indexOf(set)).reverse();
    const nearest = new Set<OracleSet<Tag>>();
    for (const name of set.modes.keys()) {
      if (set.passedOver.has(name)) continue;
      const inTheWay = ahead.filter((other) => this.#collide(other, set, name));
      const sharedCount = inTheWay.findIndex(({ modes }) => modes.get(name) === 'exclusive');
      const count = sharedCount < 0 ? inTheWay.length : Math.max(1, sharedCount);
      for (const other of inTheWay.slice(0, count)) nearest.add(other);
    }
    return [...nearest];
  }

  /** A waiting set waits for its blockers; a granted one for the nested requests of its holder. */
  waitsOrIsKeptFor(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    if (!set.granted) return this.inTheWay(set);
    return this.live.filter((other) => !other.granted && other.holding.includes(set));
  }

  /** Whether `set` waits, through others, for itself. */
  isInCycle(set: OracleSet<Tag>): boolean {
    const reached = new Set(this.waitsOrIsKeptFor(set));
    for (const other of reached) {
      for (const next of this.waitsOrIsKeptFor(other)) reached.add(next);
    }
    return reached.has(set);
  }

  /** An oracle in the same state that shares only the tags with this one. */
  copy(): Oracle<Tag> {
    const oracle = new Oracle<Tag>();
    const copies: OracleSet<Tag>[] = [];
    for (const set of this.live) {
      // A held set has arrived earlier, or has ended.
      const holding = set.holding.flatMap((held) => copies[this.live.indexOf(held)] ?? []);
      copies.push({ ...set, holding });
    }
    oracle.live = copies;
    for (const name of this.recovered) oracle.recovered.add(name);
    for (const [name, capacity] of this.capacities) oracle.capacities.set(name, capacity);
    return oracle;
  }

  /** Grants the sets that no other set blocks. */
  #grantAll(): readonly OracleSet<Tag>[] {
    for (const set of this.live) {
      if (!set.isObserver) continue;
      set.modes = new Map([...set.modes].filter(([name]) => this.isBehind(set, name)));
    }
    const granted = this.live.filter((set) => !set.granted && this.inTheWay(set).length === 0);
    for (const set of granted) set.granted = true;
    return granted;
  }

  /** An exclusive holder's death sets the recovered flag; its release clears it if it owned. */
  #leave(set: OracleSet<Tag>, names: readonly string[], died: boolean): void {
    if (!set.granted) return;
    for (const name of names) {
      if (set.modes.get(name) !== 'exclusive') continue;
      if (died) this.recovered.add(name);
      else if (!this.isBehind(set, name)) this.recovered.delete(name);
    }
  }
}

function createSet<Tag>(
  { exclusive = [], shared = [], units = {} }: OracleSpec,
  { isSync = false, isObserver = false, holding = [] }: NewSet<Tag>,
): OracleSet<Tag> {
  const modes = new Map<string, OracleMode>();
  for (const name of exclusive) modes.set(name, 'exclusive');
  const more = Object.entries(units).filter(([name]) => !modes.has(name));
  for (const [name] of more) modes.set(name, 'shared');
  for (const name of shared) if (!modes.has(name)) modes.set(name, 'shared');
  const passedOver = new Set<string>();
  return {
    modes,
    units: new Map(more),
    passedOver,
    holding,
    isSync,
    isObserver,
    granted: false,
    tag: undefined,
  };
}

interface NewSet<Tag> {
  readonly isSync?: boolean | undefined;
  readonly isObserver?: boolean;
  readonly holding?: readonly OracleSet<Tag>[] | undefined;
}
