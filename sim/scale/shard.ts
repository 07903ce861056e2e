/**
 * A shard: the queues of its resources, in a core of its own. It is a function of the log, and of
 * nothing else.
 *
 * It enters the part of each set that is its own, in the order of the log, and takes it out where
 * the log says so. A part is triggered when core grants it. As all shards enter all parts in one
 * order, it is as if all links of a set entered at one moment (I1): a set is granted when all of
 * its parts are triggered, and what is granted so is what one core with all resources would grant.
 */

import { createHash } from 'node:crypto';
import { Core, Memory } from '../../src/core/index.ts';
import { CANCEL, ENTRY_WORDS, EXPIRE, REQUEST } from './log.ts';

/** Called for each part that is now triggered. */
export type OnTriggered = (client: number, number: number) => void;

/** What a set has exclusive here: places of resources. */
interface Owned {
  readonly number: number;
  readonly arrival: number;
  readonly places: readonly number[];
}

export class Shard {
  readonly memory = new Memory();
  readonly #core = new Core(this.memory);
  readonly #index: number;
  readonly #shardCount: number;
  readonly #onTriggered: OnTriggered;
  /** By resource, of those that are its own: core's reference, or 0. */
  readonly #resources: Int32Array;
  /**
   * By resource: the arrival of its last exclusive holder, if that one died, or 0. Core cannot keep
   * these marks here, as it takes a part that is triggered for a set that is granted, and would let
   * one set or clear a mark that was waiting elsewhere.
   */
  readonly #marks: Float64Array;
  /** By client: core's reference to its set, or 0, and the number of that set. */
  readonly #sets: Int32Array;
  readonly #numbers: Int32Array;
  /** By client: a set that has been taken out ahead of its entry. */
  readonly #endedAhead = new Map<number, Owned>();
  readonly #refs: number[] = [];

  constructor(
    index: number,
    size: { shardCount: number; clientCount: number; resourceCount: number },
    onTriggered: OnTriggered,
  ) {
    this.#index = index;
    this.#shardCount = size.shardCount;
    this.#onTriggered = onTriggered;
    this.#resources = new Int32Array(Math.ceil(size.resourceCount / size.shardCount));
    this.#marks = new Float64Array(this.#resources.length);
    this.#sets = new Int32Array(size.clientCount);
    this.#numbers = new Int32Array(size.clientCount);
  }

  /** Whether nobody holds or waits for anything here. */
  get isEmpty(): boolean {
    return this.#sets.every((set) => set === 0);
  }

  /** The number of the set that a client has here, or had last. */
  numberOf(client: number): number {
    return this.#numbers[client] as number;
  }

  /** Applies the entry at that place; returns how many links it entered or took out. */
  apply(words: Int32Array, offset: number): number {
    const kind = words[offset] as number;
    const client = words[offset + 1] as number;
    const number = words[offset + 2] as number;
    if (kind !== REQUEST) return this.end(client, number, kind);
    return this.enter(client, number, words, offset + ENTRY_WORDS, words[offset + 3] as number);
  }

  /** Enters the part of a set that is this shard's; returns its number of links. */
  enter(client: number, number: number, words: Int32Array, first: number, count: number): number {
    if (this.#sets[client] !== 0) throw new Error(`client ${client} has two sets at once`);
    const refs = this.#refs;
    refs.length = 0;
    this.#addRefs(words, first, count, 1);
    const exclusiveCount = refs.length;
    this.#addRefs(words, first, count, 0);
    const set = this.#core.enqueue(refs, exclusiveCount, refs.length, 0, client, 0);
    if (set === 0) throw new Error('the memory of a shard is full');
    this.#sets[client] = set;
    this.#numbers[client] = number;
    if (this.#core.isGranted(set)) this.#onTriggered(client, number);
    return refs.length;
  }

  /** Ends a set as an entry of that kind says. Returns its number of links. */
  end(client: number, number: number, kind: number): number {
    const ahead = this.#endedAhead.get(client);
    if (ahead?.number === number) {
      this.#endedAhead.delete(client);
      this.#mark(kind, ahead);
      return 0;
    }
    const set = this.#sets[client] as number;
    if (set === 0 || this.#numbers[client] !== number) return 0;
    this.#mark(kind, this.#ownedBy(set, number));
    return this.#remove(client, set);
  }

  /**
   * A set has been released, and the entry that says so will come. It is taken out of the queues
   * now; marks wait for the entry, as it may turn out that nobody but this shard has heard of it.
   */
  endAhead(client: number, number: number): number {
    const set = this.#sets[client] as number;
    if (set === 0 || this.#numbers[client] !== number) return 0;
    this.#endedAhead.set(client, this.#ownedBy(set, number));
    return this.#remove(client, set);
  }

  #remove(client: number, set: number): number {
    const core = this.#core;
    let linkCount = 0;
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) linkCount++;
    this.#sets[client] = 0;
    core.remove(set, false);
    for (let ref = core.takeIdle(); ref !== 0; ref = core.takeIdle()) {
      this.#resources[core.resourceUserData(ref)] = 0;
      core.destroyResource(ref);
    }
    for (let next = core.takeGranted(); next !== 0; next = core.takeGranted()) {
      const owner = core.userData(next);
      this.#onTriggered(owner, this.#numbers[owner] as number);
    }
    return linkCount;
  }

  #ownedBy(set: number, number: number): Owned {
    const core = this.#core;
    const places: number[] = [];
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      if (core.isExclusive(link)) places.push(core.resourceUserData(core.resourceOf(link)));
    }
    return { number, arrival: core.arrival(set), places };
  }

  /** An entry of one who came earlier may be later, if his release was sent ahead. */
  #mark(kind: number, { arrival, places }: Owned): void {
    for (const place of places) {
      if (kind === EXPIRE) this.#marks[place] = Math.max(arrival, this.#marks[place] as number);
      else if (kind !== CANCEL && arrival > (this.#marks[place] as number)) this.#marks[place] = 0;
    }
  }

  /** The resources here whose last exclusive holder died. */
  get marked(): readonly number[] {
    const marked: number[] = [];
    for (const [place, mark] of this.#marks.entries()) {
      if (mark !== 0) marked.push(place * this.#shardCount + this.#index);
    }
    return marked;
  }

  /** Reports all parts that are triggered and have not ended. */
  reportAll(report: OnTriggered): void {
    for (const [client, set] of this.#sets.entries()) {
      if (set !== 0 && this.#core.isGranted(set)) report(client, this.#numbers[client] as number);
    }
  }

  /**
   * All that can be told apart about the state of the resources for which `isOf` holds, whatever
   * core's memory looks like: marks, queues, whose links, in which mode, triggered or not.
   */
  digest(isOf: (resource: number) => boolean = () => true): string {
    const core = this.#core;
    const hash = createHash('sha256');
    for (const [place, ref] of this.#resources.entries()) {
      const resource = place * this.#shardCount + this.#index;
      const isMarked = this.#marks[place] !== 0;
      if ((ref === 0 && !isMarked) || !isOf(resource)) continue;
      hash.update(`\n${resource} ${isMarked}`);
      if (ref === 0) continue;
      for (let link = core.firstInQueue(ref); link !== 0; link = core.nextInQueue(link)) {
        const client = core.userData(core.setOf(link));
        hash.update(` ${client}.${this.#numbers[client]}`);
        hash.update(` ${core.isExclusive(link)} ${core.isTriggered(link)}`);
      }
    }
    return hash.digest('hex');
  }

  /** References to the wishes of that mode, in the order in which they stand. */
  #addRefs(words: Int32Array, first: number, count: number, mode: number): void {
    for (let index = first; index < first + count; index++) {
      const wish = words[index] as number;
      const resource = wish >> 1;
      if ((wish & 1) !== mode || resource % this.#shardCount !== this.#index) continue;
      const place = Math.floor(resource / this.#shardCount);
      let ref = this.#resources[place] as number;
      if (ref === 0) {
        ref = this.#core.createResource(place);
        this.#resources[place] = ref;
      }
      this.#refs.push(ref);
    }
  }
}
