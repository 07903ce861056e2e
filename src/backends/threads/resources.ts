/**
 * Resources of an arena. What was found once is remembered, by each agent for itself, until any
 * resource is dropped, by whomever: then it is looked for again.
 *
 * Idle ones are kept until there are many. From then on each new one pays for a look at a few
 * slots, and idle ones found there are dropped: so what is kept is bounded, and no operation sweeps
 * at length unless the arena is full.
 */

import { save } from '../../core/journal.ts';
import * as L from '../../core/layout.ts';
import { type HostResource, type ResolvedSet, Resources } from '../../local/resources.ts';
import { SEED } from './control.ts';
import type { ThreadsHost } from './host.ts';
import { addName, findName, hashOf, type Key, removeName, slotsOfName } from './names.ts';
import * as R from './root.ts';

/** So many are kept, used or not, before idle ones are looked for. */
const keptCountMax = 1024;
/** So many slots are looked at for each resource beyond that. */
const slotsPerResource = 16;
/** So many names are remembered. */
const rememberedCountMax = 2 ** 16;

export class ThreadsResources extends Resources {
  declare protected readonly host: ThreadsHost;
  #dropsSeen = 0;

  /** All are kept, so core tells of none. */
  idle(): void {}

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
  }

  /** Drops all that is idle, but what the operation has found; false if nothing was. */
  sweepAll({ queues, count }: ResolvedSet): boolean {
    const dropsBefore = this.#dropsSeen;
    const spared = new Set(queues.slice(0, count));
    this.#sweep((this.#words[L.TOP] - R.ROOT) / L.SLOT_WORDS, spared);
    return this.#dropsSeen !== dropsBefore;
  }

  protected override tidy(): void {
    this.isUntidy = false;
    this.#sweep(this.#words[R.ROOT | R.TO_SWEEP]);
  }

  protected override nextNumber(): number {
    this.host.enter();
    const number = R.change(this.#words, R.NUMBER_LAST, 1);
    this.host.leave();
    return number;
  }

  protected override existingQueueOf(resource: HostResource): number {
    if (resource.epoch !== this.epoch) {
      const key = keyFor(resource);
      resource.queue = findName(this.#words, R.ROOT | R.NAMES, key, this.#hash(key));
      resource.epoch = this.epoch;
    }
    return resource.queue;
  }

  protected override queueOf(resource: HostResource): number {
    if (resource.epoch === this.epoch && resource.queue !== 0) return resource.queue;
    return this.existingQueueOf(resource) || this.#open(resource);
  }

  protected override drop(resource: HostResource): void {
    this.#drop(resource.queue);
    this.follow();
  }

  get #words(): Int32Array {
    return this.host.memory.words;
  }

  #open(resource: HostResource): number {
    const key = keyFor(resource);
    const { core } = this.host;
    this.host.makeRoom(1 + slotsOfName(key), this.resolving);
    const w = this.#words;
    const queue = core.createResource(0);
    const node = addName(w, R.ROOT | R.NAMES, key, this.#hash(key), queue);
    core.setResourceTag(queue, node);
    core.keep(queue, true);
    const count = R.change(w, R.RESOURCE_COUNT, 1);
    if (count > keptCountMax) R.change(w, R.TO_SWEEP, slotsPerResource);
    resource.queue = queue;
    resource.epoch = this.epoch;
    if (resource.name !== undefined) this.names.set(resource.name, resource);
    return queue;
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
    const { core } = this.host;
    const flags = this.#words[slot | L.FLAGS];
    const isUnwatched = (flags & (L.KIND | L.RESOURCE_WATCHED)) === L.RESOURCE;
    return isUnwatched && !core.isUsed(slot) && !core.isMarked(slot);
  }

  #drop(queue: number): void {
    const w = this.#words;
    removeName(w, R.ROOT | R.NAMES, this.host.core.resourceTag(queue));
    this.host.core.destroyResource(queue);
    R.change(w, R.RESOURCE_COUNT, -1);
    R.change(w, R.DROPS, 1);
  }

  #hash({ text }: Key): number {
    return hashOf(text, this.host.control[SEED]);
  }

  #forgetNames(): void {
    for (const [name, { isHandle }] of this.names) if (!isHandle) this.names.delete(name);
  }
}

function keyFor({ name, number }: HostResource): Key {
  return name === undefined
    ? { text: String(number), isNameless: true }
    : { text: name, isNameless: false };
}
