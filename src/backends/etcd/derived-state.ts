/**
 * Core, run over the live sets: the grants, as a function of the sets and of their order alone.
 *
 * Sets arrive, weaken and end one by one, and core keeps up. Where a set comes that is not the last
 * in line (a stealing request), or the log could not be followed, the state is built anew from the
 * live sets: by the rule (I2) that comes to the same, as no grant depends on the path to the state.
 */

import { LimitError } from '../../api/errors.ts';
import { ALL, conflict, modeOf, wholesIn } from '../../api/mode.ts';
import { Core, Memory } from '../../core/index.ts';
import { nameOf, type RemoteRef, type RemoteSet } from '../../remote/resources.ts';
import { describeOwnerOf } from '../../report/blockers.ts';
import type { CoreReader } from '../../report/core-reader.ts';
import type { Clock } from '../../runtime/clock.ts';
import { quote } from '../../runtime/escape.ts';
import { type SetEntry, strange } from './entries.ts';
import { encodeResource } from './keys.ts';
import { byArrival, type LiveSet } from './live-set.ts';

export class DerivedState implements CoreReader {
  core = new Core(new Memory());
  readonly clock: CoreReader['clock'];
  readonly #time: Clock;
  #queues = new Map<string, number>();
  #names = new Map<number, { readonly id: string; readonly name: string }>();
  #live = new Map<number, LiveSet>();

  constructor(time: Clock) {
    this.#time = time;
    this.clock = { now: () => time.epochMs(), toEpochMs: (timeMs) => timeMs };
  }

  /** Adds the set that came last. */
  add(live: LiveSet): void {
    // Exclusive ones first.
    const parts = [...live.entry.parts].sort((one, other) => other.units - one.units);
    const refs = parts.map(({ resource }) => this.#queueOf(resource, live.session));
    const exclusiveCount = wholesIn(parts).length;
    // The tag is not used: a map finds the set, which has more than a word has room for.
    live.set = this.core.enqueue(refs, exclusiveCount, refs.length, 0, 0, 0);
    if (live.set === 0) throw new LimitError('the sets of this domain take too much memory');
    this.#live.set(live.set, live);
  }

  /** Ends sets at one moment, so that the grants which follow are in arrival order (I6). */
  removeAll(ended: readonly LiveSet[]): void {
    this.core.removeAll(
      ended.map(({ set }) => set),
      false,
    );
    for (const live of ended) {
      this.#live.delete(live.set);
      live.set = 0;
    }
  }

  /** Less is wanted or held than before. @throws ProtocolError if it is not less. */
  weaken(live: LiveSet, entry: SetEntry): void {
    const before = unitsByRef(live.entry.parts);
    const after = unitsByRef(entry.parts);
    const isLess = [...after].every(([ref, units]) => units <= (before.get(ref) ?? 0));
    if (!isLess) throw strange(live.key);
    const refs = [...before.keys()];
    const released = refs.filter((ref) => !after.has(ref));
    const shared = refs.filter((ref) => (after.get(ref) ?? ALL) < (before.get(ref) as number));
    const queues = (some: readonly RemoteRef[]): readonly number[] =>
      some.map((ref) => this.#queueOf(ref, live.session));
    if (shared.length > 0) {
      this.core.choose(live.set, queues(shared), shared.length);
      this.core.downgrade(live.set, true);
    }
    if (released.length > 0) {
      this.core.choose(live.set, queues(released), released.length);
      this.core.removeChosen(live.set);
    }
  }

  /** Begins anew with these. Reports no grant: see {@link isGranted}. */
  rebuild(sets: Iterable<LiveSet>): void {
    this.core = new Core(new Memory());
    this.#queues = new Map();
    this.#names = new Map();
    this.#live = new Map();
    for (const live of [...sets].sort(byArrival)) this.add(live);
  }

  /**
   * Notes what the client of a waiting set keeps meanwhile. Returns the cycle that this closes, as
   * core's sets, or none.
   */
  declareHolding(live: LiveSet, held: readonly LiveSet[]): readonly number[] {
    const granted = held.filter((each) => this.isGranted(each)).map(({ set }) => set);
    if (granted.length === 0 || this.isGranted(live)) return [];
    const cycle = this.core.declareHolding(live.set, granted);
    if (cycle === undefined) throw new LimitError('the sets of this domain take too much memory');
    return cycle;
  }

  isGranted({ set }: LiveSet): boolean {
    return set !== 0 && this.core.isGranted(set);
  }

  /** Those that waited and have been granted since the last call, in arrival order. */
  takeGranted(): readonly LiveSet[] {
    const granted: LiveSet[] = [];
    for (let set = this.core.takeGranted(); set !== 0; set = this.core.takeGranted()) {
      granted.push(this.#live.get(set) as LiveSet);
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

  /** The live sets that conflict with one that would come now, in no order. */
  inTheWay(set: RemoteSet, session: string): ReadonlySet<LiveSet> {
    const found = new Set<LiveSet>();
    for (const { resource, units } of set) {
      const queue = this.#queues.get(encodeResource(resource, session));
      if (queue === undefined) continue;
      let link = this.core.firstInQueue(queue);
      for (; link !== 0; link = this.core.nextInQueue(link)) {
        if (!conflict(units, this.core.units(link))) continue;
        found.add(this.#live.get(this.core.setOf(link)) as LiveSet);
      }
    }
    return found;
  }

  /** Describes the first set that a new one would wait for. */
  describeInTheWay(set: RemoteSet, session: string): string {
    for (const part of set) {
      for (const live of this.inTheWay([part], session)) {
        const what = `${modeOf(part)} ${quote(nameOf(part.resource))}`;
        return `${what} is ${describeOwnerOf(this, live.set)}`;
      }
    }
    return 'nothing has been received from etcd';
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
    return this.#names.get(queue)?.name ?? '';
  }

  unitNamesOf(_: number): undefined {}

  /** For reading only: it does not find the queues of new sets. */
  copy(): DerivedState {
    const copy = new DerivedState(this.#time);
    copy.core = this.core.copy();
    copy.#names = new Map(this.#names);
    copy.#live = new Map(this.#live);
    return copy;
  }

  #queueOf(ref: RemoteRef, session: string): number {
    const id = encodeResource(ref, session);
    const known = this.#queues.get(id);
    if (known !== undefined) return known;
    const queue = this.core.createResource(0);
    if (queue === 0) throw new LimitError('the names of this domain take too much memory');
    this.#queues.set(id, queue);
    this.#names.set(queue, { id, name: nameOf(ref) });
    return queue;
  }
}

function unitsByRef(parts: RemoteSet): ReadonlyMap<RemoteRef, number> {
  return new Map(parts.map(({ resource, units }) => [resource, units]));
}
