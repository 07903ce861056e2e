/**
 * The rule of the domain, written naively, to compare implementations with.
 *
 * One list of live sets in arrival order. A set is granted when, on each resource that it names,
 * its units and those of all live sets ahead of it in the list fit the capacity; a set that steals
 * is put first; a grant once given stays until the set ends, even where the list says otherwise
 * (resources that were passed over). {@link Oracle.isBehind} and `#settle` are the whole rule; the
 * rest keeps the list and the recovered flags. It is slow on purpose: it computes each answer anew.
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
  /** Asked for by a synchronous caller: its resources count as locked while it lives. */
  readonly sync?: boolean;
  readonly locked?: 'wait' | 'fail' | 'ignore';
  /** Granted sets that the caller keeps while this one waits. */
  readonly holding?: readonly OracleSet<Tag>[];
}

/** A live set. It is waiting until it is granted. */
export interface OracleSet<Tag = unknown> {
  /** What it wants or holds; of an observer, what it still waits for. In the order of naming. */
  modes: ReadonlyMap<string, OracleMode>;
  /** Where it takes more than one unit and not all, which are `shared` in `modes`. */
  units: ReadonlyMap<string, number>;
  /** Resources that it does not wait for. */
  readonly passedOver: ReadonlySet<string>;
  readonly holding: readonly OracleSet<Tag>[];
  readonly isSync: boolean;
  readonly isObserver: boolean;
  granted: boolean;
  /** Whatever the user of the oracle likes to note. */
  tag: Tag | undefined;
}

/** A set that closes a circle stays in the list, waiting, until it is removed. */
export type OracleArrival<Tag = unknown> =
  | { readonly outcome: 'granted' | 'waiting' | 'deadlock'; readonly set: OracleSet<Tag> }
  | { readonly outcome: 'locked' };

export interface OracleTheft<Tag = unknown> {
  readonly set: OracleSet<Tag>;
  readonly lost: readonly OracleSet<Tag>[];
  /** The thief itself, and those whom the lost ones were in the way of. */
  readonly granted: readonly OracleSet<Tag>[];
}

export class Oracle<Tag = unknown> {
  /** In arrival order, observers among them. */
  live: readonly OracleSet<Tag>[] = [];
  /** Resources that carry the mark of an exclusive holder that died. */
  readonly recovered = new Set<string>();
  /** Declared capacities. Others have more units than can ever be taken as shared. */
  readonly capacities = new Map<string, number>();

  /** A set arrives; nobody else is granted by this. */
  arrive(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleArrival<Tag> {
    const set = createSet<Tag>(spec, { isSync: options.sync, holding: options.holding });
    const locked = [...set.modes.keys()].filter((name) => this.isLocked(name));
    if (options.locked === 'fail' && locked.length > 0) return { outcome: 'locked' };
    const passedOver = set.passedOver as Set<string>;
    this.live = [...this.live, set];
    if (options.locked === 'ignore') {
      for (const name of locked) if (this.isBehind(set, name)) passedOver.add(name);
    }
    this.#settle();
    if (set.granted) return { outcome: 'granted', set };
    return { outcome: this.isInCircle(set) ? 'deadlock' : 'waiting', set };
  }

  /** A set is granted at once, or has never been here. */
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
    return this.#settle();
  }

  /** Sets end at one moment. Returns the newly granted, in arrival order. */
  removeAll(sets: readonly OracleSet<Tag>[], died = false): readonly OracleSet<Tag>[] {
    for (const set of sets) this.#leave(set, [...set.modes.keys()], died);
    this.live = this.live.filter((other) => !sets.includes(other));
    return this.#settle();
  }

  /** A granted set keeps these resources (all, if none are named) shared only. */
  downgrade(set: OracleSet<Tag>, part?: readonly string[]): readonly OracleSet<Tag>[] {
    const names = part ?? [...set.modes.keys()];
    this.#leave(set, names, false);
    set.modes = new Map(
      [...set.modes].map(([name, mode]) => [name, names.includes(name) ? 'shared' : mode]),
    );
    set.units = new Map([...set.units].filter(([name]) => !names.includes(name)));
    return this.#settle();
  }

  /** A granted set lets go of these resources. */
  releasePart(set: OracleSet<Tag>, part: readonly string[]): readonly OracleSet<Tag>[] {
    this.#leave(set, part, false);
    set.modes = new Map([...set.modes].filter(([name]) => !part.includes(name)));
    set.units = new Map([...set.units].filter(([name]) => !part.includes(name)));
    return this.#settle();
  }

  /** A set arrives as if it had been the first: granted sets that conflict are lost. */
  steal(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleTheft<Tag> {
    const set = createSet<Tag>(spec, { isSync: options.sync });
    const names = [...set.modes.keys()];
    const lost = this.live.filter(
      (other) => other.granted && names.some((name) => this.#collide(set, other, name)),
    );
    for (const other of lost) this.#leave(other, [...other.modes.keys()], true);
    this.live = [set, ...this.live.filter((other) => !lost.includes(other))];
    return { set, lost, granted: this.#settle() };
  }

  /**
   * An observer takes its place in the list and is in nobody's way. On each resource it waits
   * until nothing ahead conflicts there, once; it is granted when that is so for all of them.
   */
  observe(spec: OracleSpec): OracleSet<Tag> {
    const set = createSet<Tag>(spec, { isObserver: true });
    this.live = [...this.live, set];
    this.#settle();
    return set;
  }

  /** Whether a synchronous caller holds it or has queued on it. */
  isLocked(name: string): boolean {
    return this.live.some((set) => set.isSync && set.modes.has(name));
  }

  /** Whether any set holds it or waits for it. */
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
    // An exclusive part is all there is: it fits an idle resource of any capacity.
    return units > 0 && used > 0 && used + units > (this.capacities.get(name) ?? all);
  }

  /** What a set takes of a resource. */
  units(set: OracleSet<Tag>, name: string): number {
    const mode = set.modes.get(name);
    if (mode === undefined) return 0;
    return mode === 'exclusive' ? all : (set.units.get(name) ?? 1);
  }

  /** Whether the sum of two sets is why one waits: alone, or where a capacity is declared. */
  #collide(earlier: OracleSet, later: OracleSet, name: string): boolean {
    if (earlier.isObserver) return false;
    const modes = [earlier.modes.get(name), later.modes.get(name)];
    if (modes.includes(undefined)) return false;
    return modes.includes('exclusive') || this.capacities.has(name);
  }

  /** What a grant lists as ignored: passed over, and still behind somebody. */
  ignored(set: OracleSet<Tag>): readonly string[] {
    return [...set.passedOver].filter((name) => set.modes.has(name) && this.isBehind(set, name));
  }

  /** The live sets ahead that conflict with `set` on what it has not passed over. */
  inTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    const ahead = this.live.slice(0, this.live.indexOf(set));
    const names = [...set.modes.keys()].filter(
      (name) => !set.passedOver.has(name) && this.isBehind(set, name),
    );
    return ahead.filter((other) => names.some((name) => this.#collide(other, set, name)));
  }

  /** Of those in the way, on each resource the nearest: one exclusive, or shared ones. */
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

  /** A waiting set waits for those in the way; a granted one is kept by those that hold it. */
  waitsOrIsKeptFor(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    if (!set.granted) return this.inTheWay(set);
    return this.live.filter((other) => !other.granted && other.holding.includes(set));
  }

  /** Whether `set` waits, by way of others, for itself. */
  isInCircle(set: OracleSet<Tag>): boolean {
    const reached = new Set(this.waitsOrIsKeptFor(set));
    for (const other of reached) {
      for (const next of this.waitsOrIsKeptFor(other)) reached.add(next);
    }
    return reached.has(set);
  }

  /** An oracle in the same state that shares nothing with this one but the tags. */
  copy(): Oracle<Tag> {
    const oracle = new Oracle<Tag>();
    const copies: OracleSet<Tag>[] = [];
    for (const set of this.live) {
      // Whoever is held has come earlier, or is gone.
      const holding = set.holding.flatMap((held) => copies[this.live.indexOf(held)] ?? []);
      copies.push({ ...set, holding });
    }
    oracle.live = copies;
    for (const name of this.recovered) oracle.recovered.add(name);
    for (const [name, capacity] of this.capacities) oracle.capacities.set(name, capacity);
    return oracle;
  }

  /** Grants whom nobody is in the way of. */
  #settle(): readonly OracleSet<Tag>[] {
    for (const set of this.live) {
      if (!set.isObserver) continue;
      set.modes = new Map([...set.modes].filter(([name]) => this.isBehind(set, name)));
    }
    const granted = this.live.filter((set) => !set.granted && this.inTheWay(set).length === 0);
    for (const set of granted) set.granted = true;
    return granted;
  }

  /** An exclusive holder leaves: by death it marks; normally it clears, if it truly owned. */
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
