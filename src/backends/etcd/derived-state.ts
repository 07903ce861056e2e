/**
 * Core, run over the live sets: the grants, as a function of the live sets, their order and the
 * capacities alone.
 *
 * Sets arrive, weaken and end one by one, and core keeps up. Where a set comes that is not the last
 * in line (a stealing request), a capacity changes, or the log could not be followed, the state is
 * built anew from the live sets: by the rule (I2) that comes to the same, as no grant depends on
 * the path to the state. What would depend on it is recorded in the set: that it is granted,
 * although the capacity has fallen since, and the numbers of its units (decision 25).
 */

import { LimitError } from '../../api/errors.ts';
import { ALL, modeOf, takesAll } from '../../api/mode.ts';
import type { Capacity } from '../../api/units.ts';
import { Core, Memory, PASS_LOCKED, SYNC } from '../../core/index.ts';
import { nameOf, type RemoteRef, type RemoteSet } from '../../remote/resources.ts';
import { listOf } from '../../remote/units.ts';
import { describeOwnerOf, describeShortage } from '../../report/blockers.ts';
import { capacityIn } from '../../report/capacities.ts';
import type { CoreReader } from '../../report/core-reader.ts';
import type { Clock } from '../../runtime/clock.ts';
import { quote } from '../../runtime/escape.ts';
import { Capacities, isExceeded } from './capacities.ts';
import { ordinalsMax, type SetEntry, strange } from './entries.ts';
import { encodeResource } from './keys.ts';
import { byArrival, haveCommon, type LiveSet } from './live-set.ts';

export class DerivedState implements CoreReader {
  core = new Core(new Memory());
  readonly clock: CoreReader['clock'];
  readonly capacities = new Capacities();
  /** Core has not kept up: the state must be built anew. */
  isStale = false;
  readonly #time: Clock;
  #queues = new Map<string, number>();
  #names = new Map<number, { readonly id: string; readonly ref: RemoteRef }>();
  #live = new Map<number, LiveSet>();

  constructor(time: Clock) {
    this.#time = time;
    this.clock = { now: () => time.epochMs(), toEpochMs: (timeMs) => timeMs };
  }

  /** Adds the set that came last. */
  add(live: LiveSet): void {
    live.isRefused = this.#isRefused(live);
    if (live.isRefused) return;
    for (const id of this.capacities.rely(live)) this.#assert(id, live);
    if (live.entry.held !== undefined) this.isStale = true;
    if (!this.isStale) this.#enqueue(live, false);
  }

  /** An asserted capacity comes into force. */
  #assert(id: string, live: LiveSet): void {
    const capacity = this.capacities.get(id);
    if (capacity === undefined || this.isStale) return;
    const queue = this.#queueOf(capacity.entry.resource, live.session);
    if (this.core.isUsed(queue)) this.isStale = true;
    else this.#assertIn(queue, capacity.entry.count);
  }

  #assertIn(queue: number, count: number): void {
    if (!this.core.assertCapacity(queue, count)) throw tooMuch();
  }

  /** `isKept`: it is granted, whatever the capacity. */
  #enqueue(live: LiveSet, isKept: boolean): void {
    // Exclusive ones first.
    const parts = [...live.entry.parts].sort((one, other) => other.units - one.units);
    const refs = parts.map(({ resource }) => this.#queueOf(resource, live.session));
    const units = parts.map((part) => part.units);
    // As all are synchronous callers to core, one that passes locked resources waits for nothing.
    // The tag is not used: a map finds the set, which has more than a word has room for.
    const bits = SYNC | (isKept ? PASS_LOCKED : 0);
    live.set = this.core.enqueue(refs, 0, refs.length, bits, 0, 0, units);
    if (live.set === 0) throw tooMuch();
    this.#live.set(live.set, live);
  }

  /** Ends sets at one moment, so that the grants which follow are in arrival order (I6). */
  removeAll(ended: readonly LiveSet[]): void {
    const queued = ended.filter(({ set }) => set !== 0);
    this.core.removeAll(
      queued.map(({ set }) => set),
      false,
    );
    for (const live of queued) {
      this.#live.delete(live.set);
      live.set = 0;
      this.#leave(live);
    }
  }

  /** An asserted capacity is not in force any more, once no set relies on it. */
  #leave(live: Pick<LiveSet, 'entry' | 'session'>): void {
    for (const id of this.capacities.leave(live)) {
      const queue = this.#queues.get(id);
      if (queue !== undefined && this.core.isUsed(queue)) this.isStale = true;
    }
  }

  /**
   * A set wants or holds less than before, or all of a resource, or has recorded that it is
   * granted.
   *
   * @throws ProtocolError if it is neither
   */
  update(live: LiveSet, entry: SetEntry): void {
    const before = unitsByRef(live.entry.parts);
    const after = unitsByRef(entry.parts);
    const isRight = [...after].every(([ref, units]) => {
      const unitsBefore = before.get(ref);
      return unitsBefore !== undefined && (units <= unitsBefore || takesAll(units));
    });
    if (!isRight) throw strange(live.key);
    const isChanged =
      after.size < before.size || [...after].some(([ref, n]) => before.get(ref) !== n);
    const isRecorded = entry.held !== live.entry.held;
    const isStealing = entry.steal === true && isChanged;
    if (isStealing || (!this.isGranted(live) && (isChanged || isRecorded))) this.isStale = true;
    this.#recount(live, entry);
    if (isChanged && !this.isStale) this.#change(live, before, after);
  }

  #recount(live: LiveSet, entry: SetEntry): void {
    if (live.isRefused) {
      live.entry = entry;
      return;
    }
    const { session } = live;
    const old = { entry: live.entry, session };
    live.entry = entry;
    if (this.capacities.rely(live).length > 0) this.isStale = true;
    this.#leave(old);
  }

  #change(
    live: LiveSet,
    before: ReadonlyMap<RemoteRef, number>,
    after: ReadonlyMap<RemoteRef, number>,
  ): void {
    const queueOf = (ref: RemoteRef): number => this.#queueOf(ref, live.session);
    const refs = [...before.keys()];
    const isAs = (ref: RemoteRef, sign: number): boolean => {
      const units = after.get(ref);
      return units !== undefined && Math.sign(units - (before.get(ref) as number)) === sign;
    };
    const [more, less] = [1, -1].map((sign) => refs.filter((ref) => isAs(ref, sign)).map(queueOf));
    const released = refs.filter((ref) => !after.has(ref)).map(queueOf);
    if (more !== undefined && more.length > 0) {
      this.core.choose(live.set, more, more.length);
      if (!this.core.tryUpgrade(live.set, true)) this.isStale = true;
    }
    if (less !== undefined && less.length > 0) {
      const units = new Map([...after].map(([ref, count]) => [queueOf(ref), count]));
      this.core.choose(live.set, less, less.length);
      this.core.downgrade(live.set, true, (queue) => units.get(queue) ?? 1);
    }
    if (released.length > 0) {
      this.core.choose(live.set, released, released.length);
      this.core.removeChosen(live.set);
    }
  }

  /** Begins anew with these. Reports no grant: see {@link isGranted}. */
  rebuild(sets: Iterable<LiveSet>): void {
    this.core = new Core(new Memory());
    this.#queues = new Map();
    this.#names = new Map();
    this.#live = new Map();
    this.isStale = false;
    const sorted = [...sets].sort(byArrival);
    for (const live of sorted) {
      live.set = 0;
      live.isRefused = this.#isRefused(live);
    }
    const queued = sorted.filter(({ isRefused }) => !isRefused);
    this.capacities.relyAnew(queued);
    for (const [id, { entry }] of this.capacities.inForce()) {
      const queue = this.#queueById(id, entry.resource);
      if (entry.isAsserted === true) this.#assertIn(queue, entry.count);
      else if (!this.core.setCapacity(queue, entry.count)) throw tooMuch();
    }
    const stealing = queued.filter(({ entry }) => entry.steal === true);
    for (const live of queued) {
      this.#enqueue(live, live.entry.held !== undefined && !isStolen(live, stealing));
    }
  }

  /** It waited for more units than there have been since it came. */
  #isRefused({ createRevision, entry, session }: LiveSet): boolean {
    if (entry.held !== undefined) return false;
    return entry.parts.some(({ resource, units, of }) => {
      if (of === undefined || takesAll(units)) return false;
      const capacity = this.capacities.get(encodeResource(resource, session));
      return capacity !== undefined && isExceeded(capacity, units, createRevision);
    });
  }

  /**
   * Notes what the client of a waiting set keeps meanwhile. Returns the cycle that this closes, as
   * core's sets, or none.
   */
  declareHolding(live: LiveSet, held: readonly LiveSet[]): readonly number[] {
    const granted = held.filter((each) => this.isGranted(each)).map(({ set }) => set);
    if (granted.length === 0 || live.set === 0 || this.isGranted(live)) return [];
    const cycle = this.core.declareHolding(live.set, granted);
    if (cycle === undefined) throw tooMuch();
    return cycle;
  }

  isGranted({ set }: LiveSet): boolean {
    return set !== 0 && this.core.isGranted(set);
  }

  /** Those that waited and have been granted since the last call, in arrival order. */
  takeGranted(): readonly LiveSet[] {
    const granted: LiveSet[] = [];
    for (let set = this.core.takeGranted(); set !== 0; set = this.core.takeGranted()) {
      granted.push(this.liveOf(set));
    }
    return granted;
  }

  /** Resources that nobody uses are forgotten. Called when nothing is to be taken any more. */
  dropIdle(): void {
    for (let queue = this.core.takeIdle(); queue !== 0; queue = this.core.takeIdle()) {
      // It may have been wanted again since it fell idle.
      if (this.core.isUsed(queue)) continue;
      this.#queues.delete(this.#names.get(queue)?.id ?? '');
      this.#names.delete(queue);
      this.core.destroyResource(queue);
    }
  }

  /** The live sets that have a resource in common with one that would come now, in no order. */
  inTheWay(set: RemoteSet, session: string): ReadonlySet<LiveSet> {
    const found = new Set<LiveSet>();
    for (const { resource } of set) {
      for (const { live } of this.#linksOf(resource, session)) found.add(live);
    }
    return found;
  }

  /** Whether a part of a set that would come now has to wait for sets, all or those `among`. */
  isBlocked(
    { resource, units }: RemoteSet[number],
    session: string,
    among?: ReadonlySet<LiveSet>,
  ): boolean {
    const queue = this.#queues.get(encodeResource(resource, session));
    if (queue === undefined) return false;
    const capacity = this.core.capacity(queue);
    let used = 0;
    for (const { live, units: others } of this.#linksOf(resource, session)) {
      if (among !== undefined && !among.has(live)) continue;
      used += others;
      if (used + units > capacity) return true;
    }
    return false;
  }

  /** Describes the first set that a new one would wait for. */
  describeInTheWay(set: RemoteSet, session: string): string {
    for (const part of set) {
      if (!this.isBlocked(part, session)) continue;
      const queue = this.#queues.get(encodeResource(part.resource, session)) as number;
      if (this.core.isMetered(queue)) {
        const shortage = describeShortage(this, queue, part.units);
        return `${shortage}. Wait longer; query() shows the holders and the queue.`;
      }
      for (const { live, units } of this.#linksOf(part.resource, session)) {
        if (part.units + units <= ALL) continue;
        const what = `${modeOf(part)} ${quote(nameOf(part.resource))}`;
        return `${what} is ${describeOwnerOf(this, live.set)}`;
      }
    }
    return 'nothing has been received from etcd';
  }

  *#linksOf(ref: RemoteRef, session: string) {
    const { core } = this;
    const queue = this.#queues.get(encodeResource(ref, session));
    if (queue === undefined) return;
    for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
      const live = this.#live.get(core.setOf(link)) as LiveSet;
      yield { link, live, units: core.units(link) };
    }
  }

  /** Whether a granted set can take all units of these resources: no other set may hold any. */
  isAlone(live: LiveSet, refs: readonly RemoteRef[]): boolean {
    return refs.every((ref) => {
      for (const { link, live: other } of this.#linksOf(ref, live.session)) {
        const isTriggered = this.core.isTriggered(link);
        if (other === live ? !isTriggered : isTriggered || this.mayHold(other)) return false;
      }
      return true;
    });
  }

  /**
   * Whether the client of a set may believe that it is granted: so it was before a capacity was
   * declared, and its client has not recorded that yet.
   */
  mayHold(live: LiveSet): boolean {
    const { core } = this;
    if (live.set === 0 || live.entry.held !== undefined) return this.isGranted(live);
    for (let link = core.firstLink(live.set); link !== 0; link = core.nextLink(link)) {
      if (core.isTriggered(link)) continue;
      const { id } = this.#names.get(core.resourceOf(link)) ?? { id: '' };
      const capacity = this.capacities.get(id);
      if (capacity === undefined || live.createRevision > capacity.modRevision) return false;
    }
    return this.isGranted(live) || live.entry.parts.every(({ of }) => of === undefined);
  }

  /** Whether a resource has a set that waits for it or holds it. */
  isUsed(ref: RemoteRef, session: string): boolean {
    const queue = this.#queues.get(encodeResource(ref, session));
    return queue !== undefined && this.core.isUsed(queue);
  }

  /** The capacity in force of a resource; undefined if it has none. */
  countOf(ref: RemoteRef, session: string): number | undefined {
    return this.capacities.getInForce(encodeResource(ref, session))?.entry.count;
  }

  capacityOf(ref: RemoteRef, session: string): Capacity | undefined {
    const queue = this.#queues.get(encodeResource(ref, session));
    return queue === undefined ? undefined : capacityIn(this, queue);
  }

  /** Resources of a set of which it takes all units there are. */
  wholesOf(parts: RemoteSet, session: string): readonly RemoteRef[] {
    const wholes = parts.filter(({ resource, units }) => {
      return takesAll(units) || units >= (this.countOf(resource, session) ?? ALL);
    });
    return wholes.map(({ resource }) => resource);
  }

  /** Resources of a set of which it needs numbers of units. */
  numberedOf({ entry, session }: LiveSet): RemoteSet {
    return entry.parts.filter(({ resource, units }) => {
      return !takesAll(units) && this.countOf(resource, session) !== undefined;
    });
  }

  /** Recorded numbers of units of a resource, ascending, in no order of their sets. */
  numbersTaken(ref: RemoteRef, session: string) {
    const links = [...this.#linksOf(ref, session)];
    return links.flatMap(({ live }) => live.numbersOf(ref));
  }

  /**
   * The grants before this one that are yet to record their numbers, in grant order, and their
   * units. One that is older than the capacity has none.
   */
  unrecordedBefore(live: LiveSet, ref: RemoteRef) {
    const id = encodeResource(ref, live.session);
    const first = (this.capacities.get(id)?.modRevision ?? 0) * ordinalsMax;
    const earlier = [...this.#linksOf(ref, live.session)].filter(({ live: other, units }) => {
      const isUnrecorded = other.isGranted && other.entry.held === undefined && !takesAll(units);
      return isUnrecorded && other.token >= first && other.token < live.token;
    });
    return earlier.sort((one, other) => one.live.token - other.live.token);
  }

  liveOf(set: number): LiveSet {
    return this.#live.get(set) as LiveSet;
  }

  idOf(set: number): number {
    return this.liveOf(set).id;
  }

  tokenOf(set: number): number {
    return this.liveOf(set).token;
  }

  labelOf(set: number): string | undefined {
    return this.liveOf(set).entry.label;
  }

  sessionLabelOf(set: number): string | undefined {
    return this.liveOf(set).entry.session;
  }

  sinceOf(set: number): number {
    const { since, entry } = this.liveOf(set);
    // A copy has sets that have been granted since it was made.
    return this.core.isGranted(set) ? since : entry.since;
  }

  nameOf(queue: number): string {
    const known = this.#names.get(queue);
    return known === undefined ? '' : nameOf(known.ref);
  }

  unitNamesOf(queue: number): readonly string[] | undefined {
    return this.capacities.get(this.#names.get(queue)?.id ?? '')?.entry.names;
  }

  numbersOf(link: number): readonly number[] {
    const { core } = this;
    const known = this.#names.get(core.resourceOf(link));
    if (known === undefined) return [];
    const own = core.isExclusive(link)
      ? [[0, core.capacity(core.resourceOf(link))] as const]
      : this.liveOf(core.setOf(link)).numbersOf(known.ref);
    return listOf(own) as readonly number[];
  }

  /** For reading only: it does not find the queues of new sets. */
  copy(): DerivedState {
    const copy = new DerivedState(this.#time);
    copy.core = this.core.copy();
    copy.#names = new Map(this.#names);
    copy.#live = new Map(this.#live);
    copy.capacities.copyFrom(this.capacities);
    return copy;
  }

  #queueOf(ref: RemoteRef, session: string): number {
    return this.#queueById(encodeResource(ref, session), ref);
  }

  #queueById(id: string, ref: RemoteRef): number {
    const known = this.#queues.get(id);
    if (known !== undefined) return known;
    const queue = this.core.createResource(0);
    if (queue === 0) throw new LimitError('the names of this domain take too much memory');
    this.#queues.set(id, queue);
    this.#names.set(queue, { id, ref });
    return queue;
  }
}

/** Whether a stealing request that came later has taken a resource of a set. */
export function isStolen(live: LiveSet, stealing: readonly LiveSet[]): boolean {
  return stealing.some((other) => other.id > live.id && haveCommon(other, live));
}

function unitsByRef(parts: RemoteSet): ReadonlyMap<RemoteRef, number> {
  return new Map(parts.map(({ resource, units }) => [resource, units]));
}

function tooMuch(): LimitError {
  return new LimitError('the sets of this domain take too much memory');
}
