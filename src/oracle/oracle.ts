/**
 * The rule of the domain, written naively, to compare implementations with.
 *
 * One list of live sets in arrival order, and a look at all pairs. A set is granted when no live
 * set ahead of it in the list conflicts with it; a thief is put first; a grant once given stays
 * until the set ends, even where the list says otherwise (resources that were passed over).
 * {@link Oracle.inTheWay} and `#settle` are the whole rule; the rest keeps the list and the marks.
 * It is slow on purpose: nothing here is remembered that could be looked up again.
 */

export type OracleMode = 'exclusive' | 'shared';

export interface OracleSpec {
  readonly exclusive?: readonly string[];
  readonly shared?: readonly string[];
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
    return this.#settle();
  }

  /** A granted set lets go of these resources. */
  releasePart(set: OracleSet<Tag>, part: readonly string[]): readonly OracleSet<Tag>[] {
    this.#leave(set, part, false);
    set.modes = new Map([...set.modes].filter(([name]) => !part.includes(name)));
    return this.#settle();
  }

  /** A set arrives as if it had been the first: granted sets that conflict are lost. */
  steal(spec: OracleSpec, options: OracleOptions<Tag> = {}): OracleTheft<Tag> {
    const set = createSet<Tag>(spec, { isSync: options.sync });
    const names = [...set.modes.keys()];
    const lost = this.live.filter(
      (other) => other.granted && names.some((name) => collide(set, other, name)),
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

  /** Whether a live set ahead of `set` conflicts with it on this resource. */
  isBehind(set: OracleSet<Tag>, name: string): boolean {
    for (const ahead of this.live) {
      if (ahead === set) return false;
      if (collide(ahead, set, name)) return true;
    }
    return false;
  }

  /** What a grant lists as ignored: passed over, and still behind somebody. */
  ignored(set: OracleSet<Tag>): readonly string[] {
    return [...set.passedOver].filter((name) => set.modes.has(name) && this.isBehind(set, name));
  }

  /** The live sets ahead that conflict with `set` on what it has not passed over. */
  inTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    const ahead = this.live.slice(0, this.live.indexOf(set));
    return ahead.filter((other) => conflict(other, set));
  }

  /** Of those in the way, on each resource the nearest: one exclusive, or shared ones. */
  nearestInTheWay(set: OracleSet<Tag>): readonly OracleSet<Tag>[] {
    if (set.granted) return [];
    const ahead = this.live.slice(0, this.live.indexOf(set)).reverse();
    const nearest = new Set<OracleSet<Tag>>();
    for (const name of set.modes.keys()) {
      if (set.passedOver.has(name)) continue;
      const inTheWay = ahead.filter((other) => collide(other, set, name));
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
  { exclusive = [], shared = [] }: OracleSpec,
  { isSync = false, isObserver = false, holding = [] }: NewSet<Tag>,
): OracleSet<Tag> {
  const modes = new Map<string, OracleMode>();
  for (const name of exclusive) modes.set(name, 'exclusive');
  for (const name of shared) if (!modes.has(name)) modes.set(name, 'shared');
  const passedOver = new Set<string>();
  return { modes, passedOver, holding, isSync, isObserver, granted: false, tag: undefined };
}

interface NewSet<Tag> {
  readonly isSync?: boolean | undefined;
  readonly isObserver?: boolean;
  readonly holding?: readonly OracleSet<Tag>[] | undefined;
}

/** Whether `later` has to wait for `earlier`. */
function conflict(earlier: OracleSet, later: OracleSet): boolean {
  for (const name of later.modes.keys()) {
    if (!later.passedOver.has(name) && collide(earlier, later, name)) return true;
  }
  return false;
}

function collide(earlier: OracleSet, later: OracleSet, name: string): boolean {
  const one = earlier.isObserver ? undefined : earlier.modes.get(name);
  const other = later.modes.get(name);
  if (one === undefined || other === undefined) return false;
  return one === 'exclusive' || other === 'exclusive';
}
