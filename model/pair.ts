/**
 * The state machine and the oracle side by side: every operation is done by both, and everything
 * that can be seen of them afterwards must be the same. A difference throws.
 *
 * Operations are plain data and name a live set by its place in the oracle's list, so that a run is
 * a list that can be printed, cut short and repeated. What a freed slot holds is overwritten, so
 * that core cannot live on words it has given back.
 */

import { Oracle, type OracleSet, type OracleSpec } from '../conformance/oracle.ts';
import {
  ALL,
  begin,
  Core,
  commit,
  endOfSlots,
  enqueueFree,
  findFaults,
  GRANTED,
  HAS_DETAILS,
  layJournal,
  Memory,
  type MemorySize,
  numbersIn,
  PASS_LOCKED,
  removeAlone,
  rollBack,
  SYNC,
} from '../src/core/index.ts';
import * as L from '../src/core/layout.ts';

export type Operation =
  | {
      readonly do: 'arrive' | 'try';
      readonly spec: OracleSpec;
      readonly sync?: boolean;
      readonly locked?: 'wait' | 'fail' | 'ignore';
      readonly holding?: readonly number[];
    }
  | { readonly do: 'steal'; readonly spec: OracleSpec; readonly sync?: boolean }
  | { readonly do: 'observe'; readonly spec: OracleSpec }
  | { readonly do: 'remove'; readonly place: number; readonly died: boolean }
  | { readonly do: 'remove all'; readonly places: readonly number[]; readonly died: boolean }
  | {
      readonly do: 'downgrade';
      readonly place: number;
      readonly part?: readonly string[];
      readonly units?: Readonly<Record<string, number>>;
    }
  | { readonly do: 'upgrade'; readonly place: number; readonly part?: readonly string[] }
  | { readonly do: 'resize'; readonly name: string; readonly capacity: number }
  | { readonly do: 'release part'; readonly place: number; readonly part: readonly string[] }
  | { readonly do: 'keep'; readonly name: string; readonly isKept: boolean }
  | { readonly do: 'end'; readonly name: string };

/** What became of an operation: `full` is refused for want of memory, and nothing happened. */
export type Outcome =
  | 'done'
  | 'denied'
  | 'granted'
  | 'waiting'
  | 'locked'
  | 'capacity'
  | 'deadlock'
  | 'full';

/** Core's reference to a set, the host's word for it, and its token once it is granted. */
interface Tag {
  readonly ref: number;
  readonly word: number;
  readonly token: number;
}
type Live = OracleSet<Tag>;

/** Everything needed to go back to a moment. */
export interface PairState {
  readonly words: Int32Array;
  readonly oracle: Oracle<Tag>;
  readonly tokenLast: number;
  readonly ended: readonly Tag[];
}

interface PairOptions {
  readonly endIdle?: boolean;
  readonly undoes?: boolean;
  readonly capacities?: Readonly<Record<string, number>>;
}

/** Neither an index nor a flag that means anything. */
const garbage = 0x5a5a5a5a;

export class Pair {
  readonly memory: Memory;
  readonly core: Core;
  oracle = new Oracle<Tag>();
  #tokenLast = 0;
  /** The grants that ended last. */
  #ended: readonly Tag[] = [];
  readonly #refs = new Map<string, number>();
  readonly #kept = new Set<string>();
  readonly #endIdle: boolean;
  readonly #wordsMax: number;
  #tagLast = 0;
  #copies: readonly [Core, Core] = [createCopy(1024), createCopy(1024)];
  /** Number of short operations that core has done. */
  shortCount = 0;
  /** The words before the operation that is under way, where it is to be undone. */
  #before: Int32Array | undefined = undefined;

  /**
   * With `endIdle`, resources come into being on first use and end when core reports them idle.
   * With `undoes`, memory does not grow, and each operation is undone once, to see whether it can
   * be. `capacities` are declared of resources that stay.
   */
  constructor(
    names: readonly string[],
    size: MemorySize,
    { endIdle = false, undoes = false, capacities = {} }: PairOptions = {},
  ) {
    this.memory = new Memory(size);
    this.core = new Core(this.memory);
    this.#endIdle = endIdle;
    if (undoes) {
      this.memory.end = endOfSlots(this.memory.words.length);
      layJournal(this.memory.words, this.memory.end);
      this.#before = new Int32Array(0);
    }
    this.#wordsMax = size.wordsMax ?? Number.POSITIVE_INFINITY;
    if (endIdle) return;
    for (const name of names) this.#refs.set(name, this.core.createResource(this.#refs.size));
    for (const [name, capacity] of Object.entries(capacities)) {
      this.oracle.capacities.set(name, capacity);
      same('declared', this.core.setCapacity(this.#refs.get(name) ?? 0, capacity), true);
    }
  }

  /** Only of a pair whose resources stay. */
  save(): PairState {
    const words = this.memory.words.slice(0, this.memory.words[L.TOP]);
    return { words, oracle: this.oracle.copy(), tokenLast: this.#tokenLast, ended: this.#ended };
  }

  /** Memory as it was, on top of garbage. */
  restore(state: PairState): void {
    this.memory.words.fill(garbage, state.words.length);
    this.memory.words.set(state.words);
    this.oracle = state.oracle.copy();
    this.#tokenLast = state.tokenLast;
    this.#ended = state.ended;
  }

  /** Does it on both sides and compares. */
  apply(operation: Operation): Outcome {
    const { words } = this.memory;
    if (this.#before !== undefined) {
      this.#before = words.slice(0, words[L.TOP]);
      begin(words);
    }
    const outcome = this.#do(operation);
    if (this.#before !== undefined) this.#undoOnce(this.#before);
    spoilFreeSlots(this.memory.words);
    return outcome;
  }

  #do(operation: Operation): Outcome {
    switch (operation.do) {
      case 'arrive':
      case 'try':
        return this.#arrive(operation);
      case 'steal':
        return this.#steal(operation);
      case 'observe':
        return this.#observe(operation);
      case 'remove':
        this.#remove(this.#at(operation.place), operation.died);
        return 'done';
      case 'remove all':
        this.#removeAll(
          operation.places.map((place) => this.#at(place)),
          operation.died,
        );
        return 'done';
      case 'keep':
        this.#keep(operation.name, operation.isKept);
        return 'done';
      case 'end':
        this.#end(operation.name);
        return 'done';
      case 'resize':
        return this.#resize(operation);
      default:
        return this.#change(operation);
    }
  }

  #arrive(operation: Operation & { readonly do: 'arrive' | 'try' }): Outcome {
    const { spec, sync = false, locked = 'wait' } = operation;
    const holding = (operation.holding ?? []).map((place) => this.#at(place));
    const refs = this.#refsOf(spec);
    if (refs === undefined) return 'full';
    if (locked === 'fail') {
      const isLocked = this.core.firstLocked(refs, refs.length) !== L.NOBODY;
      if (isLocked) {
        same('outcome', this.oracle.arrive(spec, { sync, locked }).outcome, 'locked');
        this.#endUnused(refs);
        return this.#compare('locked');
      }
    }
    const declared = this.#declareFor(spec);
    if (declared !== undefined) {
      if (declared === 'capacity') {
        same('outcome', this.oracle.arrive(spec, { sync, locked }).outcome, declared);
      }
      for (const each of refs) this.core.dropAsserted(each);
      this.#endUnused(refs);
      return this.#compare(declared);
    }
    const bits = (sync ? SYNC : 0) | (locked === 'ignore' ? PASS_LOCKED : 0);
    this.#compareEnqueueFree(refs, spec, bits);
    const ref = this.#orFull(refs, () =>
      this.core.enqueue(
        refs,
        countExclusive(spec),
        refs.length,
        bits,
        ++this.#tagLast,
        this.#tagLast,
        unitsOf(spec),
      ),
    );
    if (ref === L.NOBODY) return 'full';
    if (operation.do === 'try' && !this.core.isGranted(ref)) {
      same('granted', this.oracle.tryArrive(spec, { sync, locked }), undefined);
      this.core.remove(ref, false);
      return this.#settle([], [], namesOf(spec));
    }
    const arrival = this.oracle.arrive(spec, { sync, locked, holding });
    if (!('set' in arrival)) throw new Error('core let a set in that had to be refused');
    if (this.core.isGranted(ref)) same('note', this.core.grantedAt(ref), this.#tagLast);
    this.#note(arrival.set, ref);
    if (this.core.isGranted(ref)) {
      same('outcome', arrival.outcome, 'granted');
      this.#noteGrant(arrival.set);
      return this.#settle([], [], [], 'granted');
    }
    if (holding.length === 0) {
      same('outcome', arrival.outcome, 'waiting');
      return this.#settle([], [], [], 'waiting');
    }
    return this.#declare(arrival.set, holding, arrival.outcome);
  }

  #declare(set: Live, holding: readonly Live[], outcome: 'granted' | 'waiting' | 'deadlock') {
    const before = this.memory.words.slice();
    const circle = this.core.declareHolding(refOf(set), holding.map(refOf));
    if (circle === undefined) {
      same('words', this.memory.words, before);
      this.#assertFull(holding.length);
      this.#remove(set, false);
      return 'full';
    }
    same('outcome', outcome, circle.length > 0 ? 'deadlock' : 'waiting');
    if (circle.length === 0) return this.#settle([], [], [], 'waiting');
    const sets = circle.map((ref) => this.oracle.live.find((live) => refOf(live) === ref));
    same('beginning of the cycle', sets[0], set);
    same('sets of the cycle that appear once', new Set(sets).size, sets.length);
    for (const [index, from] of sets.entries()) {
      const to = sets[(index + 1) % sets.length];
      if (from === undefined || to === undefined) throw new Error('the circle has a dead set');
      same('link of the cycle', this.oracle.waitsOrIsKeptFor(from).includes(to), true);
    }
    this.#remove(set, false);
    return 'deadlock';
  }

  #steal({ spec, sync = false }: Operation & { readonly do: 'steal' }): Outcome {
    const refs = this.#refsOf(spec);
    if (refs === undefined) return 'full';
    const ref = this.#orFull(refs, () =>
      this.core.steal(refs, refs.length, sync ? SYNC : 0, ++this.#tagLast),
    );
    if (ref === L.NOBODY) return 'full';
    const touched = this.#usedNames();
    const { set, lost, granted } = this.oracle.steal(spec, { sync });
    this.#note(set, ref);
    same('granted', [this.core.isGranted(ref), granted[0] === set], [true, true]);
    this.#noteGrant(set);
    return this.#settle(granted.slice(1), lost, touched, 'granted');
  }

  #observe({ spec }: Operation & { readonly do: 'observe' }): Outcome {
    const refs = this.#refsOf(spec);
    if (refs === undefined) return 'full';
    const annexCount = this.#countAnnexesMissing(refs);
    const ref = this.#orFull(
      refs,
      () => {
        const exclusiveCount = countExclusive(spec);
        return this.core.observe(refs, exclusiveCount, refs.length, ++this.#tagLast, unitsOf(spec));
      },
      annexCount,
    );
    if (ref === L.NOBODY) return 'full';
    const set = this.oracle.observe(spec);
    this.#note(set, ref);
    same('granted', this.core.isGranted(ref), set.granted);
    if (set.granted) this.#noteGrant(set);
    this.#endUnused(refs);
    return this.#settle([], [], [], set.granted ? 'granted' : 'waiting');
  }

  #remove(set: Live, died: boolean): void {
    const touched = [...set.modes.keys()];
    const ref = refOf(set);
    const isObserver = set.isObserver;
    if (set.granted) {
      same('held by another', this.core.isHeld(ref, this.core.token(ref) + 1), false);
      this.#noteEnd([set]);
    }
    this.#compareRemoveAlone(ref);
    this.core.remove(ref, died);
    this.#settle(this.oracle.remove(set, died), [], isObserver ? [] : touched);
  }

  /** Compares {@link enqueueFree} with {@link Core.enqueue}, word for word, in this state. */
  #compareEnqueueFree(refs: readonly number[], spec: OracleSpec, bits: number): void {
    const [first, second = first] = refs;
    if (first === undefined || refs.length > 2) return;
    const exclusiveCount = countExclusive(spec);
    const units = unitsOf(spec) ?? refs.map((_, index) => (index < exclusiveCount ? ALL : 1));
    const [firstUnits = 0, secondUnits = 0] = units;
    const [usual, short] = this.#twoCopies(refs);
    const set = enqueueFree(
      short.memory,
      first,
      second as number,
      firstUnits,
      secondUnits,
      bits,
      5,
      6,
    );
    if (set !== L.NOBODY) {
      const expected = usual.enqueue(refs, exclusiveCount, refs.length, bits, 5, 6, units);
      same('set of the short operation', set, expected);
      this.shortCount++;
    }
    this.#sameWords(short, usual);
  }

  /** The same of {@link removeAlone}, of resources that the backend keeps. */
  #compareRemoveAlone(ref: number): void {
    const refs: number[] = [];
    for (let link = this.core.firstLink(ref); link !== 0; link = this.core.nextLink(link)) {
      refs.push(this.core.resourceOf(link));
    }
    const [usual, short] = this.#twoCopies(refs);
    const [token, userData] = [short.token(ref), short.userData(ref)];
    same('ended by another token', removeAlone(short.memory, ref, token + 1, userData), false);
    same('ended by other user data', removeAlone(short.memory, ref, token, userData + 1), false);
    if (removeAlone(short.memory, ref, token, userData)) {
      usual.remove(ref, false);
      this.shortCount++;
    }
    this.#sameWords(short, usual);
  }

  /** This state without a journal, twice, good until the next call; its resources are kept. */
  #twoCopies(kept: readonly number[]): readonly [Core, Core] {
    const { words } = this.memory;
    const top = words[L.TOP] as number;
    // Room for the slots that the usual operation reserves and does not use.
    const size = top + 8 * L.SLOT_WORDS;
    if (this.#copies[0].memory.end < size)
      this.#copies = [createCopy(2 * size), createCopy(2 * size)];
    for (const core of this.#copies) {
      core.memory.words.set(words.subarray(0, top));
      core.memory.words.fill(0, L.JOURNAL, L.JOURNAL_OPERATION);
      for (const ref of kept) core.keep(ref, true);
    }
    return this.#copies;
  }

  #sameWords(short: Core, usual: Core): void {
    const top = usual.memory.words[L.TOP];
    same('words', short.memory.words.subarray(0, top), usual.memory.words.subarray(0, top));
  }

  #removeAll(sets: readonly Live[], died: boolean): void {
    this.#noteEnd(sets.filter(({ granted }) => granted));
    const touched = sets.flatMap(({ isObserver, modes }) => (isObserver ? [] : [...modes.keys()]));
    this.core.removeAll(sets.map(refOf), died);
    this.#settle(this.oracle.removeAll(sets, died), [], touched);
  }

  #change(
    operation: Operation & { readonly do: 'downgrade' | 'upgrade' | 'release part' },
  ): Outcome {
    const set = this.#at(operation.place);
    const ref = refOf(set);
    const part = operation.part?.map((name) => this.#refs.get(name) ?? L.NOBODY);
    if (part !== undefined) {
      // A part that is not all of the set's own marks nothing: the next one must not see it.
      const foreign = [...this.#refs].find(([name]) => !set.modes.has(name));
      if (foreign !== undefined) {
        const more = [...part, foreign[1]];
        same('choice', this.core.choose(ref, more, more.length), false);
      }
      same('choice', this.core.choose(ref, part, part.length), true);
    }
    if (operation.do === 'downgrade') {
      const { units = {} } = operation;
      const unitsByRef = new Map(
        Object.entries(units).map(([name, count]) => [this.#refs.get(name), count]),
      );
      const before = this.memory.words.slice();
      const unitsFor = (resource: number) => unitsByRef.get(resource) ?? 1;
      if (!this.core.downgrade(ref, part !== undefined, unitsFor)) {
        if (part === undefined) same('words', this.memory.words, before);
        this.#assertFull(set.numbers.size);
        return this.#compare('full');
      }
      return this.#settle(this.oracle.downgrade(set, operation.part, units), [], []);
    }
    if (operation.do === 'upgrade') {
      const isDone = this.core.tryUpgrade(ref, part !== undefined);
      same('upgrade', isDone, this.oracle.tryUpgrade(set, operation.part));
      return this.#settle([], [], [], isDone ? 'done' : 'denied');
    }
    this.core.removeChosen(ref);
    return this.#settle(this.oracle.releasePart(set, operation.part), [], operation.part);
  }

  #resize({ name, capacity }: Operation & { readonly do: 'resize' }): Outcome {
    const refs = this.#refsOf({ shared: [name] });
    const ref = refs?.[0];
    if (refs === undefined || ref === undefined) return 'full';
    const annexCount = this.#countAnnexesMissing(refs);
    const before = this.memory.words.slice();
    if (!this.core.setCapacity(ref, capacity)) {
      same('words', this.memory.words, before);
      this.#assertFull(annexCount + (this.core.isMetered(ref) ? 0 : 1));
      this.#endUnused(refs);
      return this.#compare('full');
    }
    const touched = this.#usedNames();
    const { refused, granted } = this.oracle.setCapacity(name, capacity);
    return this.#settle(granted, refused, touched);
  }

  /** Asserts the capacities that a request needs; returns why it is refused, if it is. */
  #declareFor({ exclusive = [], units = {} }: OracleSpec): 'capacity' | 'full' | undefined {
    // A resource that is named exclusive, too, is exclusive, whatever its units assert.
    const more = Object.entries(units).filter(([name]) => !exclusive.includes(name));
    const wanted = more.map(([name, each]) => {
      const { take, of } = typeof each === 'number' ? { take: each, of: undefined } : each;
      return { ref: this.#refs.get(name) as number, take, of };
    });
    for (const { ref, take, of } of wanted) {
      const isMetered = this.core.isMetered(ref);
      const unmetered = this.core.isUsed(ref) ? undefined : of;
      const capacity = isMetered ? this.core.capacity(ref) : unmetered;
      const isMet = capacity !== undefined && take <= capacity && (of ?? capacity) === capacity;
      if (!isMet) return 'capacity';
    }
    for (const { ref, of } of wanted) {
      if (of === undefined || this.core.isMetered(ref)) continue;
      if (this.core.assertCapacity(ref, of)) continue;
      this.#assertFull(2);
      return 'full';
    }
    return undefined;
  }

  /** Of a kept resource it is not told that it fell idle. */
  #keep(name: string, isKept: boolean): void {
    const ref = this.#refs.get(name);
    if (ref === undefined) return;
    this.core.keep(ref, isKept);
    if (isKept) this.#kept.add(name);
    else this.#kept.delete(name);
    this.#endUnused([ref]);
    this.#compare('done');
  }

  /** Ends a resource that nobody uses, and the mark that it may carry with it. */
  #end(name: string): void {
    const ref = this.#refs.get(name);
    if (ref === undefined || this.core.isUsed(ref)) return;
    this.core.destroyResource(ref);
    this.#refs.delete(name);
    this.#kept.delete(name);
    this.oracle.recovered.delete(name);
    this.oracle.capacities.delete(name);
    this.#compare('done');
  }

  /** Takes the three lists as a host does, and compares them and all that can be seen. */
  #settle(
    granted: readonly Live[],
    lost: readonly Live[],
    touched: readonly string[],
    outcome: Outcome = 'done',
  ): Outcome {
    const { core } = this;
    same(
      'granted, in order',
      drain(() => core.takeGranted()),
      granted.map(refOf),
    );
    for (const set of granted) this.#noteGrant(set);

    const lostRefs = drain(() => core.takeLost());
    same('lost', sorted(lostRefs), sorted(lost.map(refOf)));
    for (const set of lost) same('lost grant', core.isGranted(refOf(set)), set.granted);
    for (const ref of lostRefs) core.forget(ref);
    this.#noteEnd(lost.filter(({ granted }) => granted));

    const idle = [...new Set(touched)].filter(
      (name) =>
        !this.oracle.isUsed(name) &&
        !this.oracle.recovered.has(name) &&
        !this.#isDeclared(name) &&
        !this.#kept.has(name),
    );
    const idleRefs = drain(() => core.takeIdle());
    same('idle', sorted(idleRefs), sorted(idle.map((name) => this.#refs.get(name) ?? L.NOBODY)));
    same('news', core.hasNotifications, false);
    if (this.#endIdle) this.#endUnused(idleRefs);
    return this.#compare(outcome);
  }

  #compare(outcome: Outcome): Outcome {
    const { core, oracle, memory } = this;
    const faults = findFaults(memory);
    if (faults.length > 0) throw new Error(`the words are not in order: ${faults.join('; ')}`);
    for (const [name, ref] of this.#refs) {
      same('mark', core.isRecovered(ref), oracle.recovered.has(name));
      same('use', core.isUsed(ref), oracle.isUsed(name));
      same('capacity', core.capacity(ref), oracle.capacities.get(name) ?? ALL);
      same('metered', core.isMetered(ref), oracle.capacities.has(name));
      same('declared', core.isDeclared(ref), this.#isDeclared(name));
      same('lock', core.firstLocked([ref], 1) !== L.NOBODY, oracle.isLocked(name));
      this.#compareQueue(name, ref);
    }
    for (const { ref, token } of this.#ended) same('held', core.isHeld(ref, token), false);
    for (const set of oracle.live) this.#compareSet(set);
    const setsThere = oracle.live.filter(({ isObserver }) => !isObserver).map(refOf);
    same('sets', sorted(core.sets()), sorted(setsThere));
    this.#compareArrivals();
    return outcome;
  }

  /** Takes everything back, sees that it is as it was, and puts the outcome there again. */
  #undoOnce(before: Int32Array): void {
    const { words } = this.memory;
    const after = words.slice(0, words[L.TOP]);
    rollBack(words);
    // But for the number of the operation, which goes on.
    before[L.JOURNAL_OPERATION] = words[L.JOURNAL_OPERATION];
    same('undone words', words.subarray(0, before.length), before);
    words.set(after);
    commit(words);
  }

  #compareQueue(name: string, ref: number): void {
    let link = this.core.firstInQueue(ref);
    for (const set of this.oracle.live) {
      if (set.isObserver || !set.modes.has(name)) continue;
      const at = link === L.NOBODY ? L.NOBODY : this.core.setOf(link);
      if (at !== refOf(set)) same(`queue of ${name}`, at, refOf(set));
      link = this.core.nextInQueue(link);
    }
    if (link !== L.NOBODY) same(`end of the queue of ${name}`, link, L.NOBODY);
  }

  #compareSet(set: Live): void {
    const { core, oracle } = this;
    const ref = refOf(set);
    same('granted', core.isGranted(ref), set.granted);
    same('state', (core.state(ref) & GRANTED) !== 0, set.granted);
    same('tag', core.userData(ref), set.tag?.word);
    same('observer', core.isObserver(ref), set.isObserver);
    same('held', core.isHeld(ref, core.token(ref)), set.granted);
    if (set.granted) {
      same('token', core.token(ref), set.tag?.token);
      same('note', core.grantedAt(ref), set.tag?.word);
    }
    if (set.isObserver) return;
    let link = core.firstLink(ref);
    for (const [name, mode] of set.modes) {
      const isBehind = oracle.isBehind(set, name);
      const isIgnored = isBehind && set.passedOver.has(name);
      const isSame =
        link !== L.NOBODY &&
        core.resourceOf(link) === this.#refs.get(name) &&
        core.setOf(link) === ref &&
        core.isExclusive(link) === (mode === 'exclusive') &&
        core.units(link) === oracle.units(set, name) &&
        core.isTriggered(link) !== isBehind &&
        core.isIgnored(link) === isIgnored &&
        numbersIn(core.ranges(link)).join() === oracle.numbers(set, name).join();
      if (!isSame) throw new Error(`${name} in set ${ref} is not as the oracle has it`);
      link = core.nextLink(link);
    }
    same('end of the links', link, L.NOBODY);
  }

  /** Arrivals tell sets apart and are in the order of the list. */
  #compareArrivals(): void {
    let last = Number.NEGATIVE_INFINITY;
    for (const set of this.oracle.live) {
      if (this.core.firstLink(refOf(set)) === L.NOBODY) continue;
      const arrival = this.core.arrival(refOf(set));
      if (!(arrival > last)) throw new Error(`arrival ${arrival} after ${last}`);
      last = arrival;
    }
  }

  /** Who has arrived is known by core's reference and has a word of its own. */
  #note(set: Live, ref: number): void {
    set.tag = { ref, word: this.#tagLast, token: 0 };
    same('tag', this.core.userData(ref), this.#tagLast);
    this.core.setUserData(ref, -this.#tagLast);
    set.tag = { ref, word: -this.#tagLast, token: 0 };
  }

  /** A set has just been granted: it has a new token, and tells of what is not as usual. */
  #noteGrant(set: Live): void {
    const { core, oracle } = this;
    const ref = refOf(set);
    const token = core.token(ref);
    if (!(token > this.#tokenLast)) throw new Error(`token ${token} after ${this.#tokenLast}`);
    this.#tokenLast = token;
    set.tag = { ref, word: set.tag?.word ?? 0, token };
    core.setGrantedAt(ref, set.tag.word);
    same('token', core.token(ref), token);
    const hasDetails =
      oracle.ignored(set).length > 0 ||
      [...set.modes.keys()].some((name) => oracle.recovered.has(name));
    if (hasDetails) same('unusual', (core.state(ref) & HAS_DETAILS) !== 0, true);
  }

  #noteEnd(sets: readonly Live[]): void {
    if (sets.length === 0) return;
    this.#ended = [...sets.flatMap(({ tag }) => tag ?? []), ...this.#ended].slice(0, 8);
  }

  #at(place: number): Live {
    const set = this.oracle.live[place];
    if (set === undefined) throw new Error(`nobody at place ${place}`);
    return set;
  }

  #isDeclared(name: string): boolean {
    return this.oracle.capacities.has(name) && !this.oracle.asserted.has(name);
  }

  #usedNames(): readonly string[] {
    return [...this.#refs.keys()].filter((name) => this.oracle.isUsed(name));
  }

  /** References to exclusive, then shared ones; those not there yet come into being, or none. */
  #refsOf(spec: OracleSpec): readonly number[] | undefined {
    const refs: number[] = [];
    for (const name of namesOf(spec)) {
      const ref = this.#refs.get(name) ?? this.core.createResource(this.#refs.size);
      if (ref === L.NOBODY) {
        this.#assertFull(1);
        this.#endUnused(refs);
        this.#compare('full');
        return undefined;
      }
      this.#refs.set(name, ref);
      refs.push(ref);
    }
    return refs;
  }

  #countAnnexesMissing(refs: readonly number[]): number {
    const { words } = this.memory;
    return refs.filter((ref) => words[ref | L.RESOURCE_ANNEX] === L.NOBODY).length;
  }

  /** One for each that has a capacity, and one for a link that is alone in such a queue. */
  #countNumberSlots(refs: readonly number[]): number {
    const { core } = this;
    const metered = refs.filter((ref) => core.isMetered(ref));
    const alone = metered.filter((ref) => {
      const link = core.firstInQueue(ref);
      return link !== L.NOBODY && core.nextInQueue(link) === L.NOBODY;
    });
    return metered.length + alone.length;
  }

  /** What `enqueue` returns; if that is nobody, memory must be full and no word different. */
  #orFull(refs: readonly number[], enqueue: () => number, annexCount = 0): number {
    const before = this.memory.words.slice();
    const ref = enqueue();
    if (ref !== L.NOBODY) return ref;
    same('words', this.memory.words, before);
    const numberSlots = annexCount === 0 ? this.#countNumberSlots(refs) : 0;
    this.#assertFull(1 + refs.length + annexCount + numberSlots);
    for (const each of refs) this.core.dropAsserted(each);
    this.#endUnused(refs);
    this.#compare('full');
    return ref;
  }

  #assertFull(countNeeded: number): void {
    const { words } = this.memory;
    let count = (this.#wordsMax - words[L.TOP]) / L.SLOT_WORDS;
    for (let slot = words[L.FREE]; slot !== L.NOBODY; slot = words[slot + L.CHAIN]) count++;
    if (count >= countNeeded) throw new Error(`refused ${countNeeded} slots with ${count} free`);
  }

  #endUnused(refs: readonly number[]): void {
    if (!this.#endIdle) return;
    for (const [name, ref] of this.#refs) {
      if (!refs.includes(ref) || this.#kept.has(name)) continue;
      if (this.core.isUsed(ref) || this.core.isRecovered(ref)) continue;
      if (this.core.isDeclared(ref)) continue;
      this.core.destroyResource(ref);
      this.#refs.delete(name);
    }
  }
}

/** An error of a run, with the operations that led to it, one a line. */
export function toldWith(operations: readonly Operation[], cause: unknown): Error {
  const what = cause instanceof Error ? cause.message : String(cause);
  const lines = operations.map((operation) => JSON.stringify(operation));
  return new Error(`${what}, after\n${lines.join('\n')}`, { cause });
}

function createCopy(words: number): Core {
  return new Core(new Memory({ wordsMin: words, wordsMax: words }));
}

function refOf(set: Live): number {
  return set.tag?.ref ?? L.NOBODY;
}

/** From the most units to the least, as core wants them. */
function namesOf({ exclusive = [], shared = [], units = {} }: OracleSpec): readonly string[] {
  return [...exclusive, ...Object.keys(units), ...shared];
}

/** The units of each of {@link namesOf}, where any are named; core derives them otherwise. */
function unitsOf({
  exclusive = [],
  shared = [],
  units,
}: OracleSpec): readonly number[] | undefined {
  if (units === undefined) return undefined;
  const counts = Object.values(units).map((each) => (typeof each === 'number' ? each : each.take));
  return [...exclusive.map(() => ALL), ...counts, ...shared.map(() => 1)];
}

function countExclusive({ exclusive = [] }: OracleSpec): number {
  return exclusive.length;
}

function drain(take: () => number): readonly number[] {
  const taken: number[] = [];
  for (let ref = take(); ref !== L.NOBODY; ref = take()) taken.push(ref);
  return taken;
}

function sorted(refs: readonly number[]): readonly number[] {
  return refs.length < 2 ? refs : [...refs].sort((a, b) => a - b);
}

/** All of a free slot but its kind, which tells a set that has ended, and its place in the list. */
function spoilFreeSlots(w: Int32Array): void {
  for (let slot = w[L.FREE]; slot !== L.NOBODY; slot = w[slot + L.CHAIN]) {
    w.fill(garbage, slot + L.CHAIN + 1, slot + L.SLOT_WORDS);
  }
}

function same(what: string, actual: unknown, expected: unknown): void {
  if (Object.is(actual, expected)) return;
  if (isList(actual) && isList(expected) && actual.length === expected.length) {
    let index = 0;
    while (index < actual.length && Object.is(actual[index], expected[index])) index++;
    if (index === actual.length) return;
  }
  throw new Error(`${what}: core has ${actual}, the oracle ${expected}`);
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || value instanceof Int32Array;
}
