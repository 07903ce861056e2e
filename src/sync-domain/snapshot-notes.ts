/**
 * A snapshot in two steps. First the state of one moment is noted, in columns of numbers and of
 * texts that are there already: that stops the domain for some 0.1 µs a set and link. Then entries
 * are made of it, which takes longer, and need not be done at once, as nothing changes any more.
 */

import type { Core } from '../core/index.ts';
import type { Snapshot, SnapshotEntry } from '../domain/snapshot.ts';
import type { SetsInView } from './sets-in-view.ts';

/** After so many steps the work may be interrupted. */
const stepCount = 200;

export class SnapshotNotes {
  // Of each set.
  readonly #setCount: number;
  readonly #ids: Float64Array;
  /** 0: it waits. */
  readonly #tokens: Float64Array;
  readonly #since: Float64Array;
  readonly #labels: (string | undefined)[];
  readonly #sessions: (string | undefined)[];
  /** Where its links begin; those of the next one are their end. */
  readonly #firstLinks: Int32Array;
  // Of each link, set by set.
  #linkCount = 0;
  readonly #linkQueues: Int32Array;
  readonly #linkModes: Uint8Array;
  // Of each resource, in the order in which they came up.
  readonly #names: string[] = [];
  readonly #firstPlaces: number[] = [];
  // Of each place in a queue, queue by queue: whose it is, whether exclusive, whether it waits.
  #placeCount = 0;
  readonly #placeSets: Int32Array;
  readonly #placeModes: Uint8Array;
  readonly #placeWaits: Uint8Array;

  /** Notes the state. Within an operation. */
  constructor(host: SetsInView) {
    const { core } = host;
    const sets = core.sets();
    const setCount = sets.length;
    this.#setCount = setCount;
    this.#ids = new Float64Array(setCount);
    this.#tokens = new Float64Array(setCount);
    this.#since = new Float64Array(setCount);
    this.#labels = new Array(setCount);
    this.#sessions = new Array(setCount);
    this.#firstLinks = new Int32Array(setCount + 1);
    // A slot is eight words long, and each link has one of its own.
    const slotCount = core.memory.words.length >> 3;
    this.#linkQueues = new Int32Array(slotCount);
    this.#linkModes = new Uint8Array(slotCount);
    this.#placeSets = new Int32Array(slotCount);
    this.#placeModes = new Uint8Array(slotCount);
    this.#placeWaits = new Uint8Array(slotCount);
    const setAt = new Int32Array(slotCount);
    const queueAt = new Int32Array(slotCount);
    const queues: number[] = [];
    for (let at = 0; at < setCount; at++) {
      const set = sets[at] as number;
      setAt[set >> 3] = at;
      this.#noteSet(host, set, at);
      this.#noteLinks(host, set, queueAt, queues);
    }
    this.#firstLinks[setCount] = this.#linkCount;
    for (const queue of queues) this.#noteQueue(core, queue, setAt);
    this.#firstPlaces.push(this.#placeCount);
  }

  #noteSet(host: SetsInView, set: number, at: number): void {
    const { core, clock } = host;
    this.#ids[at] = host.idOf(set);
    this.#tokens[at] = core.isGranted(set) ? host.tokenOf(set) : 0;
    this.#since[at] = clock.toEpochMs(host.sinceOf(set));
    this.#labels[at] = host.labelOf(set);
    this.#sessions[at] = host.sessionLabelOf(set);
    this.#firstLinks[at] = this.#linkCount;
  }

  #noteLinks(
    { core, resources }: SetsInView,
    set: number,
    queueAt: Int32Array,
    queues: number[],
  ): void {
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      const queue = core.resourceOf(link);
      // Counted from 1: 0 is one that has not come up yet.
      if (queueAt[queue >> 3] === 0) {
        queueAt[queue >> 3] = queues.push(queue);
        this.#names.push(resources.nameOf(queue));
      }
      this.#linkQueues[this.#linkCount] = (queueAt[queue >> 3] as number) - 1;
      this.#linkModes[this.#linkCount] = core.isExclusive(link) ? 1 : 0;
      this.#linkCount++;
    }
  }

  #noteQueue(core: Core, queue: number, setAt: Int32Array): void {
    this.#firstPlaces.push(this.#placeCount);
    for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
      const set = core.setOf(link);
      const place = this.#placeCount++;
      this.#placeSets[place] = setAt[set >> 3] as number;
      this.#placeModes[place] = core.isExclusive(link) ? 1 : 0;
      this.#placeWaits[place] = !core.isGranted(set) && !core.isIgnored(link) ? 1 : 0;
    }
  }

  /** Makes the entries. Yields where it may be interrupted. */
  *entries(): Generator<void, Snapshot> {
    const blockers = yield* this.#blockers();
    const held = new Map<number, SnapshotEntry>();
    const pending = new Map<number, SnapshotEntry>();
    for (let at = 0; at < this.#setCount; at++) {
      const entry = this.#entryOf(at, blockers[at]);
      if (entry.token === undefined) pending.set(entry.id, entry);
      else held.set(entry.token, entry);
      if (at % stepCount === 0) yield;
    }
    return { held: yield* inOrder(held), pending: yield* inOrder(pending) };
  }

  #entryOf(at: number, blockers: readonly number[] = []): SnapshotEntry {
    const exclusive: string[] = [];
    const shared: string[] = [];
    const end = this.#firstLinks[at + 1] as number;
    for (let link = this.#firstLinks[at] as number; link < end; link++) {
      const names = this.#linkModes[link] === 1 ? exclusive : shared;
      names.push(this.#names[this.#linkQueues[link] as number] as string);
    }
    return {
      id: this.#ids[at] as number,
      set: { exclusive, shared },
      label: this.#labels[at],
      session: this.#sessions[at],
      token: this.#tokens[at] || undefined,
      since: this.#since[at] as number,
      waitingFor: blockers.length < 2 ? blockers : [...new Set(blockers)].sort((a, b) => a - b),
    };
  }

  /** For each waiting set the ids of the nearest ones in its way. One walk through each queue. */
  *#blockers(): Generator<void, (readonly number[] | undefined)[]> {
    const blockers: (readonly number[] | undefined)[] = new Array(this.#setCount);
    for (let queue = 0; queue < this.#names.length; queue++) {
      let lastExclusive: readonly number[] = [];
      let sharedSince: number[] = [];
      const end = this.#firstPlaces[queue + 1] as number;
      for (let place = this.#firstPlaces[queue] as number; place < end; place++) {
        const at = this.#placeSets[place] as number;
        const isExclusive = this.#placeModes[place] === 1;
        if (this.#placeWaits[place] === 1) {
          const nearest = isExclusive && sharedSince.length > 0 ? sharedSince : lastExclusive;
          // Neither of the two changes any more.
          blockers[at] = blockers[at] === undefined ? nearest : [...blockers[at], ...nearest];
        }
        if (isExclusive) {
          lastExclusive = [this.#ids[at] as number];
          sharedSince = [];
        } else {
          sharedSince.push(this.#ids[at] as number);
        }
        if (place % stepCount === 0) yield;
      }
    }
    return blockers;
  }
}

/** Sorted as numbers are, which is quick; a comparison of entries would stop all for long. */
function* inOrder(byNumber: ReadonlyMap<number, SnapshotEntry>): Generator<void, SnapshotEntry[]> {
  const numbers = Float64Array.from(byNumber.keys()).sort();
  yield;
  const entries: SnapshotEntry[] = [];
  for (const number of numbers) {
    entries.push(byNumber.get(number) as SnapshotEntry);
    if (entries.length % stepCount === 0) yield;
  }
  return entries;
}
