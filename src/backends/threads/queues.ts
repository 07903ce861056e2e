/**
 * Queues of an arena. A queue that was found once is remembered, by each agent for itself, until
 * any queue is dropped, by any agent: then it is found again.
 *
 * Idle ones are kept until there are many. From then on each new one pays for a check of a few
 * slots, and idle ones found there are dropped: so what is kept is bounded, and no operation sweeps
 * at length unless the arena is full.
 */

import { begin, type Core, commit } from '../../core/index.ts';
import { save } from '../../core/journal.ts';
import * as L from '../../core/layout.ts';
import { reserve } from '../../core/slots.ts';
import {
  type LocalResource,
  memoryIsFull,
  type Queues,
  type ResolvedSet,
} from '../../local/resources.ts';
import type { ArenaMemory } from './arena.ts';
import { addName, findName, hashOf, type Key, removeName, slotsOfName } from './names.ts';
import * as R from './root.ts';
import { slotsOfUnitNames, type UnitNames } from './unit-names.ts';

/** Number kept, used or not, before idle ones are searched for. */
const keptCountMax = 1024;
/** Slots checked for each resource beyond that. */
const slotsPerResource = 16;
/** Number of names remembered. */
const rememberedCountMax = 2 ** 16;

type Found = Pick<ResolvedSet, 'queues' | 'count'>;

export class ArenaQueues implements Queues {
  readonly names = new Map<string, LocalResource>();
  /** Changes with each drop that this agent has seen. */
  epoch = 0;
  isUntidy = false;
  #dropsSeen = 0;
  readonly #core: Core;
  readonly #memory: ArenaMemory;
  /** What names are hashed with. */
  readonly #seed: number;
  readonly #unitNames: UnitNames;

  constructor(core: Core, memory: ArenaMemory, seed: number, unitNames: UnitNames) {
    this.#core = core;
    this.#memory = memory;
    this.#seed = seed;
    this.#unitNames = unitNames;
  }

  /** All are kept, so core reports none. */
  idle(): void {}

  /** All idle ones have been dropped by then. */
  reportFull(): void {}

  /**
   * Reserves slots. What the operation has done before stays done, whatever becomes of it. Of the
   * idle queues, `found` stay: the operation is about to use them.
   *
   * @throws LimitError if the arena is full.
   */
  makeRoom(slotCount: number, found: Found): void {
    const memory = this.#memory;
    while (!reserve(memory, slotCount)) {
      // Where the journal is now there will be slots.
      commit(memory.words);
      const isLarger = memory.enlarge();
      begin(memory.words);
      if (!isLarger && !this.#sweepAll(found)) throw memoryIsFull(this);
    }
  }

  /** Whether {@link follow} has nothing to do. */
  get isFollowed(): boolean {
    const w = this.#words;
    return w[R.ROOT | R.TO_SWEEP] === 0 && w[R.ROOT | R.DROPS] === this.#dropsSeen;
  }

  /** Others may have dropped what is remembered. */
  follow(): void {
    if (this.#words[R.ROOT | R.TO_SWEEP] > 0) this.isUntidy = true;
    const drops = this.#words[R.ROOT | R.DROPS];
    if (drops === this.#dropsSeen) return;
    this.#dropsSeen = drops;
    this.epoch++;
    if (this.names.size > rememberedCountMax) this.#forgetNames();
  }

  /** What an operation found that has been undone may not be there. */
  forgetQueues(): void {
    this.epoch++;
    this.#unitNames.forget();
  }

  tidy(): void {
    this.isUntidy = false;
    this.#sweep(this.#words[R.ROOT | R.TO_SWEEP]);
  }

  nextNumber(): number {
    return R.change(this.#words, R.NUMBER_LAST, 1);
  }

  existingQueueOf(resource: LocalResource): number {
    if (resource.epoch !== this.epoch) {
      const key = keyFor(resource);
      resource.queue = findName(this.#words, R.ROOT | R.NAMES, key, this.#hash(key));
      resource.epoch = this.epoch;
    }
    return resource.queue;
  }

  queueOf(resource: LocalResource, found: ResolvedSet): number {
    if (resource.epoch === this.epoch && resource.queue !== 0) return resource.queue;
    return this.existingQueueOf(resource) || this.#open(resource, found);
  }

  reserveCapacity(queue: number, names: readonly string[] | undefined): void {
    const slotCount = this.#core.slotsOfCapacity(queue) + slotsOfUnitNames(names);
    this.makeRoom(slotCount, { queues: [queue], count: 1 });
  }

  reserveDowngrade(set: number): void {
    const core = this.#core;
    const held: number[] = [];
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      held.push(core.resourceOf(link));
    }
    const slotCount = core.slotsOfNumbers(held, held.length);
    if (slotCount > 0) this.makeRoom(slotCount, { queues: held, count: held.length });
  }

  unitNamesOf(queue: number): readonly string[] | undefined {
    return this.#unitNames.of(queue);
  }

  setUnitNames(queue: number, names: readonly string[] | undefined): void {
    this.#unitNames.set(queue, names);
  }

  /** Its name stays in the arena. Prepared sets with the handle are resolved again, and refused. */
  detach(): void {
    this.epoch++;
  }

  drop(resource: LocalResource): void {
    this.#drop(resource.queue);
    this.follow();
  }

  get #words(): Int32Array {
    return this.#memory.words;
  }

  #open(resource: LocalResource, found: ResolvedSet): number {
    const key = keyFor(resource);
    const core = this.#core;
    this.makeRoom(1 + slotsOfName(key), found);
    const w = this.#words;
    const queue = core.createResource(0);
    const node = addName(w, R.ROOT | R.NAMES, key, this.#hash(key), queue);
    core.setResourceUserData(queue, node);
    core.keep(queue, true);
    const count = R.change(w, R.RESOURCE_COUNT, 1);
    if (count > keptCountMax) R.change(w, R.TO_SWEEP, slotsPerResource);
    resource.queue = queue;
    resource.epoch = this.epoch;
    if (resource.name !== undefined) this.names.set(resource.name, resource);
    return queue;
  }

  /** Drops all that is idle, but what the operation has found; false if nothing was. */
  #sweepAll({ queues, count }: Found): boolean {
    const dropsBefore = this.#dropsSeen;
    const spared = new Set(queues.slice(0, count));
    this.#sweep((this.#words[L.TOP] - R.ROOT) / L.SLOT_WORDS, spared);
    return this.#dropsSeen !== dropsBefore;
  }

  #sweep(slotCount: number, spared?: ReadonlySet<number>): void {
    const w = this.#words;
    save(w, R.ROOT);
    const end = w[L.TOP];
    let slot = w[R.ROOT | R.HAND];
    for (let count = 0; count < slotCount; count++) {
      slot = slot + L.SLOT_WORDS < end ? slot + L.SLOT_WORDS : R.ROOT;
      if (this.#isIdle(slot) && spared?.has(slot) !== true) this.#drop(slot);
    }
    w[R.ROOT | R.HAND] = slot;
    w[R.ROOT | R.TO_SWEEP] = 0;
    this.follow();
  }

  #isIdle(slot: number): boolean {
    const core = this.#core;
    const flags = this.#words[slot | L.FLAGS];
    const isUnobserved = (flags & (L.KIND | L.RESOURCE_OBSERVED)) === L.RESOURCE;
    if (!isUnobserved || core.isUsed(slot) || core.isRecovered(slot)) return false;
    return !core.isDeclared(slot);
  }

  #drop(queue: number): void {
    const w = this.#words;
    this.#unitNames.set(queue, undefined);
    removeName(w, R.ROOT | R.NAMES, this.#core.resourceUserData(queue));
    this.#core.destroyResource(queue);
    R.change(w, R.RESOURCE_COUNT, -1);
    R.change(w, R.DROPS, 1);
  }

  #hash({ text }: Key): number {
    return hashOf(text, this.#seed);
  }

  #forgetNames(): void {
    for (const [name, { isHandle }] of this.names) if (!isHandle) this.names.delete(name);
  }
}

function keyFor({ name, number }: LocalResource): Key {
  return name === undefined
    ? { text: String(number), isNameless: true }
    : { text: name, isNameless: false };
}
