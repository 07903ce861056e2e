/**
 * Queues of one event loop. The last few that fell idle are kept, as what was used will be used
 * again.
 */

import type { Core } from '../../core/index.ts';
import { LocalResource, memoryIsFull, type Queues } from '../../local/resources.ts';
import { Fifo } from '../../runtime/fifo.ts';
import { Registry } from './registry.ts';

/** Number of idle queues kept. */
const idleCountMax = 1024;

export class ProcessQueues implements Queues {
  readonly names = new Map<string, LocalResource>();
  /** Number of queues dropped. */
  epoch = 0;
  isUntidy = false;
  /** By the user data of their queues. */
  readonly used = new Registry<LocalResource>();
  /** Those that are idle, or will be if no set arrives in their queue; dropped in turn. */
  readonly #maybeIdle = new Fifo<LocalResource>();
  #isFull = false;
  #numberLast = 0;
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  idle(queue: number): void {
    this.#list(this.#of(queue));
    // Once memory has run out all idle ones go, as the next request begins.
    if (!this.#isFull) this.#trim();
  }

  reportFull(): void {
    this.#isFull = true;
    this.isUntidy = true;
  }

  /** Drops the longest idle ones beyond the limit; all, once memory has run out. */
  tidy(): void {
    this.#trim();
  }

  /** Drops all that are idle; true if then no resource has a queue at all. */
  dropIdle(): boolean {
    this.#trim(0);
    if (this.used.count > 0) return false;
    this.used.clear();
    return true;
  }

  nextNumber(): number {
    return ++this.#numberLast;
  }

  existingQueueOf(resource: LocalResource): number {
    return resource.queue;
  }

  queueOf(resource: LocalResource): number {
    return resource.queue === 0 ? this.#open(resource) : resource.queue;
  }

  /** Memory that cannot be had is noticed as it is used. */
  reserveCapacity(): void {}

  reserveDowngrade(): void {}

  unitNamesOf(queue: number): readonly string[] | undefined {
    return this.#of(queue).unitNames;
  }

  setUnitNames(queue: number, names: readonly string[] | undefined): void {
    this.#of(queue).unitNames = names;
  }

  detach(resource: LocalResource): void {
    const { name, queue, owner } = resource;
    const successor = new LocalResource(owner, name, 0);
    successor.queue = queue;
    successor.unitNames = resource.unitNames;
    resource.queue = 0;
    this.epoch++;
    this.used.replace(this.#core.resourceUserData(queue), successor);
    this.names.set(name as string, successor);
    this.#list(successor);
  }

  drop(resource: LocalResource): void {
    this.used.delete(this.#core.resourceUserData(resource.queue));
    this.#core.destroyResource(resource.queue);
    resource.queue = 0;
    resource.unitNames = undefined;
    this.epoch++;
    if (resource.name !== undefined && !resource.isHandle) this.names.delete(resource.name);
  }

  /** Gives a resource a queue, and a name its entry among the names. */
  #open(resource: LocalResource): number {
    const userData = this.used.add(resource);
    const queue = this.#core.createResource(userData);
    if (queue === 0) {
      this.used.delete(userData);
      throw memoryIsFull(this);
    }
    resource.queue = queue;
    if (resource.name !== undefined) this.names.set(resource.name, resource);
    this.#list(resource);
    return queue;
  }

  #trim(countMax = this.#isFull ? 0 : idleCountMax): void {
    this.#isFull = false;
    this.isUntidy = false;
    while (this.#maybeIdle.size > countMax) {
      const resource = this.#maybeIdle.shift() as LocalResource;
      resource.isListed = false;
      if (resource.queue === 0) continue;
      const core = this.#core;
      core.keep(resource.queue, false);
      if (core.isUsed(resource.queue) || core.isRecovered(resource.queue)) continue;
      if (!core.isDeclared(resource.queue)) this.drop(resource);
    }
  }

  #of(queue: number): LocalResource {
    return this.used.get(this.#core.resourceUserData(queue));
  }

  #list(resource: LocalResource): void {
    this.#core.keep(resource.queue, true);
    if (resource.isListed) return;
    resource.isListed = true;
    this.#maybeIdle.push(resource);
    this.isUntidy = this.#isFull || this.#maybeIdle.size > idleCountMax;
  }
}
