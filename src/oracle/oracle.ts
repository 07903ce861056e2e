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

import {
  createSet,
  type OracleArrival,
  type OracleOptions,
  type OracleResize,
  type OracleSet,
  type OracleSpec,
  type OracleSteal,
  termsOf,
} from './sets.ts';

/** The units of an exclusive part, and the capacity of a resource without a declared one. */
const all = 2 ** 26 - 1;
/** An exclusive set has all free numbers, also those that are no units: at least so far. */
const numberCountMin = 64;

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
  /** Capacities in force. Other resources have more units than shared sets can take. */
  readonly capacities = new Map<string, number>();
  /** Resources whose capacity came with a request, and is forgotten with the last set. */
  readonly asserted = new Set<string>();
  /** Resources with a greater capacity have no numbers, which are listed one by one. */
  numberedCapacityMax = all;

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
    if (!this.#declareFor(spec)) return { outcome: 'capacity' };
    const passedOver = set.passedOver as Set<string>;
    this.#enter(set);
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
    if ('set' in arrival) this.remove(arrival.set);
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
   * Makes resources of a granted set shared, or lets it keep this many units of them.
   *
   * @param set - The set.
   * @param part - The resources. Default: all of the set.
   * @param units - Units that are left of each; at least 1, at most as many as before. Default: 1.
   * @returns The newly granted sets, in arrival order.
   * @waits Never.
   */
  downgrade(
    set: OracleSet<Tag>,
    part?: readonly string[],
    units: Readonly<Record<string, number>> = {},
  ): readonly OracleSet<Tag>[] {
    const names = part ?? [...set.modes.keys()];
    // With as many units as before, it has not changed.
    const fewer = names.filter((name) => this.units(set, name) !== (units[name] ?? 1));
    this.#leave(set, fewer, false);
    set.modes = new Map(
      [...set.modes].map(([name, mode]) => [name, names.includes(name) ? 'shared' : mode]),
    );
    const kept = [...set.units].filter(([name]) => !names.includes(name));
    const left = names.map((name) => [name, units[name] ?? 1] as const);
    set.units = new Map([...kept, ...left.filter(([, count]) => count > 1)]);
    this.#renumber(set, names);
    return this.#grantAll();
  }

  /**
   * Makes resources of a granted set exclusive, if each is triggered for no other set and held by
   * none. Otherwise nothing changes.
   *
   * @param set - The set.
   * @param part - The resources. Default: all of the set.
   * @returns Whether they are exclusive now.
   * @waits Never.
   */
  tryUpgrade(set: OracleSet<Tag>, part: readonly string[] = [...set.modes.keys()]): boolean {
    const isFree = part.every((name) => {
      const others = this.live.filter(
        (other) => other !== set && !other.isObserver && other.modes.has(name),
      );
      const isHeld = others.some((other) => other.granted || !this.isBehind(other, name));
      return !isHeld && !this.isBehind(set, name);
    });
    if (!isFree) return false;
    set.modes = new Map(
      [...set.modes].map(([name, mode]) => [name, part.includes(name) ? 'exclusive' : mode]),
    );
    set.units = new Map([...set.units].filter(([name]) => !part.includes(name)));
    this.#renumber(set, part);
    return true;
  }

  /**
   * Declares a capacity, or changes it. Takes no grant back, and refuses waiting sets that want
   * more units than there are now.
   *
   * @param name - The resource.
   * @param capacity - Its units, from 1 on.
   * @returns The sets that this refuses, and those that it grants.
   * @waits Never.
   */
  setCapacity(name: string, capacity: number): OracleResize<Tag> {
    this.capacities.set(name, capacity);
    this.asserted.delete(name);
    const refused = this.live.filter((set) => {
      const units = this.units(set, name);
      return !set.granted && !set.isObserver && units !== all && units > capacity;
    });
    // A holder that does not fit any more goes on, as if it ignored the resource.
    for (const set of this.live) {
      if (set.granted && this.isBehind(set, name)) (set.passedOver as Set<string>).add(name);
    }
    this.live = this.live.filter((set) => !refused.includes(set));
    return { refused, granted: this.#grantAll() };
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
    set.numbers = new Map([...set.numbers].filter(([name]) => !part.includes(name)));
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
    this.#enter(set);
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

  /**
   * Lists the numbers of the units of a granted set: none if it was granted without its turn, or if
   * the resource had no capacity as it arrived.
   *
   * @param set - The set.
   * @param name - The resource.
   * @returns The numbers, from 0 on, ascending.
   * @waits Never.
   */
  numbers(set: OracleSet<Tag>, name: string): readonly number[] {
    const numbers = set.numbers.get(name) ?? [];
    if (set.modes.get(name) !== 'exclusive') return numbers;
    const capacity = this.capacities.get(name) ?? 0;
    return numbers.filter((each) => each < capacity);
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
   * Lists the nearest blockers on each resource: one exclusive, or shared ones; with a capacity,
   * the next one ahead in line, or all that hold units or are due to them.
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
      if (this.capacities.has(name)) {
        if (!this.isBehind(set, name)) continue;
        const isInLine = (other: OracleSet<Tag>): boolean =>
          !other.granted && this.isBehind(other, name);
        const next = inTheWay.find(isInLine);
        for (const other of next === undefined ? inTheWay : [next]) nearest.add(other);
        continue;
      }
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
   * Checks whether `set` waits, through others, for itself, and still does when all holders that
   * keep their grants for no waiting set have ended: a set that waits for units needs only enough
   * of those ahead to end.
   *
   * @param set - The set.
   * @waits Never.
   */
  isInCycle(set: OracleSet<Tag>): boolean {
    if (!this.#reachesItself(set)) return false;
    const oracle = this.copy();
    const itself = oracle.live[this.live.indexOf(set)] as OracleSet<Tag>;
    const isKept = (held: OracleSet<Tag>): boolean =>
      oracle.live.some((other) => !other.granted && other.holding.includes(held));
    for (;;) {
      const ending = oracle.live.find((held) => held.granted && !isKept(held));
      if (ending === undefined) break;
      oracle.remove(ending);
    }
    return !itself.granted && oracle.#reachesItself(itself);
  }

  #reachesItself(set: OracleSet<Tag>): boolean {
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
      copies.push({ ...set, holding, passedOver: new Set(set.passedOver) });
    }
    oracle.live = copies;
    oracle.numberedCapacityMax = this.numberedCapacityMax;
    for (const name of this.recovered) oracle.recovered.add(name);
    for (const [name, capacity] of this.capacities) oracle.capacities.set(name, capacity);
    for (const name of this.asserted) oracle.asserted.add(name);
    return oracle;
  }

  /**
   * Whether the capacities that a request needs are in force. Asserted ones come into force where a
   * resource is unused and has none.
   */
  #declareFor({ exclusive = [], units = {} }: OracleSpec): boolean {
    const wanted = Object.entries(units)
      .filter(([name]) => !exclusive.includes(name))
      .map(([name, each]) => ({ name, ...termsOf(each) }));
    const isMet = wanted.every(({ name, take, of }) => {
      const capacity = this.capacities.get(name) ?? (this.isUsed(name) ? undefined : of);
      return capacity !== undefined && take <= capacity && (of ?? capacity) === capacity;
    });
    if (!isMet) return false;
    for (const { name, of } of wanted) {
      if (of === undefined || this.capacities.has(name)) continue;
      this.capacities.set(name, of);
      this.asserted.add(name);
    }
    return true;
  }

  /** Units of these resources have numbers for this set. */
  #enter(set: OracleSet<Tag>): void {
    const names = [...set.modes.keys()].filter((name) => {
      const capacity = this.capacities.get(name);
      return capacity !== undefined && capacity <= this.numberedCapacityMax;
    });
    set.numbers = new Map(names.map((name) => [name, []]));
  }

  /** A granted set has another number of units of these resources. */
  #renumber(set: OracleSet<Tag>, part: readonly string[]): void {
    for (const name of part) {
      const numbers = set.numbers.get(name);
      // Where it was granted without its turn, it has none.
      if (numbers === undefined || numbers.length === 0) continue;
      const units = this.units(set, name);
      const more = units === all ? this.#freeNumbers(name) : [];
      const own = ascending([...numbers, ...more]).slice(0, units);
      set.numbers = new Map([...set.numbers, [name, own]]);
    }
  }

  /** The numbers that no set has, the lowest first: as many as any set may need. */
  #freeNumbers(name: string): readonly number[] {
    const taken = new Set(this.live.flatMap((set) => set.numbers.get(name) ?? []));
    const count = Math.max(numberCountMin, this.capacities.get(name) ?? 0);
    return Array.from({ length: count }, (_, number) => number).filter((each) => !taken.has(each));
  }

  /** Grants the sets that no other set blocks. */
  #grantAll(): readonly OracleSet<Tag>[] {
    for (const set of this.live) {
      if (!set.isObserver) continue;
      set.modes = new Map([...set.modes].filter(([name]) => this.isBehind(set, name)));
    }
    const granted = this.live.filter((set) => !set.granted && this.inTheWay(set).length === 0);
    for (const set of granted) {
      set.granted = true;
      for (const name of set.numbers.keys()) {
        if (this.isBehind(set, name)) continue;
        const units = this.units(set, name);
        const numbers = this.#freeNumbers(name).slice(0, units);
        set.numbers = new Map([...set.numbers, [name, numbers]]);
      }
    }
    for (const name of this.asserted) {
      if (this.isUsed(name)) continue;
      this.capacities.delete(name);
      this.asserted.delete(name);
    }
    return granted;
  }

  /** An exclusive holder's death sets the recovered flag; its release clears it if it owned. */
  #leave(set: OracleSet<Tag>, names: readonly string[], died: boolean): void {
    if (!set.granted) return;
    for (const name of names) {
      if (!set.modes.has(name) || this.units(set, name) < (this.capacities.get(name) ?? all))
        continue;
      if (died) this.recovered.add(name);
      else if (!this.isBehind(set, name)) this.recovered.delete(name);
    }
  }
}

function ascending(numbers: readonly number[]): readonly number[] {
  return numbers.toSorted((one, other) => one - other);
}
