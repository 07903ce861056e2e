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

/**
 * Mode of a resource in a set.
 *
 * @since 0.1.0
 */
export type OracleMode = 'exclusive' | 'shared';

/**
 * Resources of a set, by mode.
 *
 * @since 0.1.0
 */
export interface OracleSpec {
  /** Names that it takes exclusive. Default: none. */
  readonly exclusive?: readonly string[];
  /** Names that it takes shared. Default: none. */
  readonly shared?: readonly string[];
  /**
   * Units that it takes of a resource: from 1 to the capacity, on resources that have a declared
   * one.
   */
  readonly units?: Readonly<Record<string, number>>;
}

/**
 * Options of an arrival.
 *
 * @since 0.1.0
 */
export interface OracleOptions<Tag = unknown> {
  /** Requested by a synchronous caller: its resources count as locked while it lives. */
  readonly sync?: boolean;
  /** For resources of synchronous callers, as the option of `acquire`. Default 'wait'. */
  readonly locked?: 'wait' | 'fail' | 'ignore';
  /** Granted sets that the caller keeps while this one waits. */
  readonly holding?: readonly OracleSet<Tag>[];
}

/**
 * A live set. It is waiting until it is granted.
 *
 * @since 0.1.0
 */
export interface OracleSet<Tag = unknown> {
  /** The modes that it requests or holds; of an observer, those it waits for. In naming order. */
  modes: ReadonlyMap<string, OracleMode>;
  /** Units of resources of which it takes more than one and not all; `shared` in `modes`. */
  units: ReadonlyMap<string, number>;
  /** Resources that it does not wait for. */
  readonly passedOver: ReadonlySet<string>;
  /** Granted sets that its caller keeps while it waits. */
  readonly holding: readonly OracleSet<Tag>[];
  /** Requested by a synchronous caller. */
  readonly isSync: boolean;
  /** It waits, and blocks no set: see {@link Oracle.observe}. */
  readonly isObserver: boolean;
  /** Whether it is granted; an observer, whether it has seen all it waits for end. */
  granted: boolean;
  /** Data of the oracle's user. */
  tag: Tag | undefined;
}

/**
 * The outcome of an arrival. A set that closes a cycle stays in the list, waiting, until it is
 * removed.
 *
 * @since 0.1.0
 */
export type OracleArrival<Tag = unknown> =
  | {
      /** Whether it is granted, waits, or closes a cycle. */
      readonly outcome: 'granted' | 'waiting' | 'deadlock';
      /** The set that has arrived. */
      readonly set: OracleSet<Tag>;
    }
  | { readonly outcome: 'locked' };

/**
 * The outcome of a steal.
 *
 * @since 0.2.0
 */
export interface OracleSteal<Tag = unknown> {
  /** The stealing set. */
  readonly set: OracleSet<Tag>;
  /** Grants that it revoked. */
  readonly lost: readonly OracleSet<Tag>[];
  /** The stealing set itself, and sets that the lost grants blocked. */
  readonly granted: readonly OracleSet<Tag>[];
}

/**
 * The rule of a domain, written naively: one list of live sets in arrival order, and each answer
 * computed anew, slowly. An implementation is compared with it, step by step.
 *
 * @example
 * ```ts
 * import { Oracle } from 'kds/conformance';
 *
 * const oracle = new Oracle();
 * const writer = oracle.arrive({ exclusive: ['a'] });
 * const reader = oracle.arrive({ shared: ['a'] });
 * console.log(writer.outcome, reader.outcome); // granted waiting
 * if (writer.outcome === 'granted') console.log(oracle.remove(writer.set).length); // 1
 * ```
 * @since 0.1.0
 */
export class Oracle<Tag = unknown> {
  /** In arrival order, observers among them. */
  live: readonly OracleSet<Tag>[] = [];
  /** Resources with the recovered flag: their exclusive holder died. */
  readonly recovered = new Set<string>();
  /** Declared capacities. Other resources have more units than shared sets can take. */
  readonly capacities = new Map<string, number>();

  /**
   * Adds a set; no other set is granted by this.
   *
   * @param spec - Its resources.
   * @param options - Its caller.
   * @returns The set, granted or waiting; or 'locked' and no set.
   * @waits Never.
   */
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

  /**
   * Adds a set if it is granted at once; otherwise it leaves no trace.
   *
   * @param spec - Its resources.
   * @param options - Its caller.
   * @returns The granted set, or undefined.
   * @waits Never.
   */
  tryArrive(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleSet<Tag> | undefined {
    const arrival = this.arrive(spec, options);
    if (arrival.outcome === 'granted') return arrival.set;
    if (arrival.outcome !== 'locked') this.remove(arrival.set);
    return undefined;
  }

  /**
   * Ends a set: by release, cancel, time-out or loss.
   *
   * @param set - The set.
   * @param died - Whether its exclusive resources get the recovered flag. Default false.
   * @returns The newly granted sets, in arrival order.
   * @waits Never.
   */
  remove(set: OracleSet<Tag>, died = false): readonly OracleSet<Tag>[] {
    this.#leave(set, [...set.modes.keys()], died);
    this.live = this.live.filter((other) => other !== set);
    return this.#grantAll();
  }

  /**
   * Ends several sets in one operation.
   *
   * @param sets - The sets.
   * @param died - Whether their exclusive resources get the recovered flag. Default false.
   * @returns The newly granted sets, in arrival order.
   * @waits Never.
   * @since 0.2.0
   */
  removeAll(sets: readonly OracleSet<Tag>[], died = false): readonly OracleSet<Tag>[] {
    for (const set of sets) this.#leave(set, [...set.modes.keys()], died);
    this.live = this.live.filter((other) => !sets.includes(other));
    return this.#grantAll();
  }

  /**
   * Makes resources of a granted set shared.
   *
   * @param set - The set.
   * @param part - The resources. Default: all of the set.
   * @returns The newly granted sets, in arrival order.
   * @waits Never.
   */
  downgrade(set: OracleSet<Tag>, part?: readonly string[]): readonly OracleSet<Tag>[] {
    const names = part ?? [...set.modes.keys()];
    this.#leave(set, names, false);
    set.modes = new Map(
      [...set.modes].map(([name, mode]) => [name, names.includes(name) ? 'shared' : mode]),
    );
    set.units = new Map([...set.units].filter(([name]) => !names.includes(name)));
    return this.#grantAll();
  }

  /**
   * Releases a part of a granted set.
   *
   * @param set - The set.
   * @param part - The resources.
   * @returns The newly granted sets, in arrival order.
   * @waits Never.
   */
  releasePart(set: OracleSet<Tag>, part: readonly string[]): readonly OracleSet<Tag>[] {
    this.#leave(set, part, false);
    set.modes = new Map([...set.modes].filter(([name]) => !part.includes(name)));
    set.units = new Map([...set.units].filter(([name]) => !part.includes(name)));
    return this.#grantAll();
  }

  /**
   * Adds a set at the head of the list: granted sets that conflict are lost.
   *
   * @param spec - Its resources.
   * @param options - Its caller.
   * @waits Never.
   */
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
   * Adds an observer, which blocks no set. On each resource it waits once until no set ahead
   * conflicts there; it is granted when that was so on all of them.
   *
   * @param spec - The resources, with the modes that conflict.
   * @waits Never.
   */
  observe(spec: OracleSpec): OracleSet<Tag> {
    const set = createSet<Tag>(spec, { isObserver: true });
    this.live = [...this.live, set];
    this.#grantAll();
    return set;
  }

  /**
   * Checks whether a synchronous caller holds a resource or waits for it.
   *
   * @param name - The resource.
   * @waits Never.
   */
  isLocked(name: string): boolean {
    return this.live.some((set) => set.isSync && set.modes.has(name));
  }

  /**
   * Checks whether any set holds a resource or waits for it.
   *
   * @param name - The resource.
   * @waits Never.
   */
  isUsed(name: string): boolean {
    return this.live.some((set) => !set.isObserver && set.modes.has(name));
  }

  /**
   * Checks the rule: whether the units of `set` and of all live sets ahead do not fit this
   * resource.
   *
   * @param set - The set.
   * @param name - The resource.
   * @waits Never.
   */
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

  /**
   * Counts the units of a resource that a set takes; 0 if it does not name it.
   *
   * @param set - The set.
   * @param name - The resource.
   * @waits Never.
   * @since 0.2.0
   */
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

  /**
   * Lists the `ignored` names of a grant: passed over, and still behind another set.
   *
   * @param set - The set.
   * @waits Never.
   */
  ignored(set: OracleSet<Tag>): readonly string[] {
    return [...set.passedOver].filter((name) => set.modes.has(name) && this.isBehind(set, name));
  }

  /**
   * Lists the live sets ahead that conflict with `set` on resources that it has not passed over.
   *
   * @param set - The set.
   * @waits Never.
   */
  inTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    const ahead = this.live.slice(0, this.live.indexOf(set));
    const names = [...set.modes.keys()].filter(
      (name) => !set.passedOver.has(name) && this.isBehind(set, name),
    );
    return ahead.filter((other) => names.some((name) => this.#collide(other, set, name)));
  }

  /**
   * Lists the nearest blockers on each resource: one exclusive, or shared ones.
   *
   * @param set - The set.
   * @waits Never.
   */
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

  /**
   * Lists the sets that a waiting set waits for, its blockers; of a granted one, the nested
   * requests of its holder.
   *
   * @param set - The set.
   * @waits Never.
   */
  waitsOrIsKeptFor(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    if (!set.granted) return this.inTheWay(set);
    return this.live.filter((other) => !other.granted && other.holding.includes(set));
  }

  /**
   * Checks whether `set` waits, through others, for itself.
   *
   * @param set - The set.
   * @waits Never.
   */
  isInCycle(set: OracleSet<Tag>): boolean {
    const reached = new Set(this.waitsOrIsKeptFor(set));
    for (const other of reached) {
      for (const next of this.waitsOrIsKeptFor(other)) reached.add(next);
    }
    return reached.has(set);
  }

  /**
   * Makes an oracle in the same state that shares only the tags with this one.
   *
   * @waits Never.
   */
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
