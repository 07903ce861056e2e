/**
 * Resources of one event loop. The queues of the last few that fell idle are kept, as what was used
 * will be used again.
 */

import type { LimitError } from '../../api/errors.ts';
import { type HostResource, Resources } from '../../local/resources.ts';
import { Fifo } from '../../runtime/fifo.ts';
import { Registry } from './registry.ts';

/** So many idle queues are kept. */
const idleCountMax = 1024;

export class ProcessResources extends Resources {
  /** By the tags of their queues. */
  readonly used = new Registry<HostResource>();
  /** Those that are idle, or will be if no set enters their queue; dropped in turn. */
  readonly #maybeIdle = new Fifo<HostResource>();
  #isFull = false;
  #numberLast = 0;

  idle(queue: number): void {
    this.#list(this.#of(queue));
  }

  /** What is idle goes before the next request. */
  override memoryIsFull(): LimitError {
    this.#isFull = true;
    this.isUntidy = true;
    return super.memoryIsFull();
  }

  /** Lets go of the longest idle ones beyond the limit; of all, once memory has run out. */
  trim(countMax = this.#isFull ? 0 : idleCountMax): void {
    this.#isFull = false;
    this.isUntidy = false;
    while (this.#maybeIdle.size > countMax) {
      const resource = this.#maybeIdle.shift() as HostResource;
      resource.isListed = false;
      if (resource.queue === 0) continue;
      const { core } = this.host;
      core.keep(resource.queue, false);
      if (!core.isUsed(resource.queue) && !core.isMarked(resource.queue)) this.drop(resource);
    }
  }

  /** Lets go of all that is idle; true if then no resource has a queue at all. */
  dropIdle(): boolean {
    this.trim(0);
    if (this.used.count > 0) return false;
    this.used.clear();
    return true;
  }

  protected override tidy(): void {
    this.trim();
  }

  protected override nextNumber(): number {
    return ++this.#numberLast;
  }

  protected override existingQueueOf(resource: HostResource): number {
    return resource.queue;
  }

  protected override queueOf(resource: HostResource): number {
    return resource.queue === 0 ? this.#open(resource) : resource.queue;
  }

  protected override drop(resource: HostResource): void {
    this.used.delete(this.host.core.resourceTag(resource.queue));
    this.host.core.destroyResource(resource.queue);
    resource.queue = 0;
    this.epoch++;
    if (resource.name !== undefined && !resource.isHandle) this.names.delete(resource.name);
  }

  /** Gives a resource a queue, and a name its place among the names. */
  #open(resource: HostResource): number {
    const tag = this.used.add(resource);
    const queue = this.host.core.createResource(tag);
    if (queue === 0) {
      this.used.delete(tag);
      throw this.memoryIsFull();
    }
    resource.queue = queue;
    if (resource.name !== undefined) this.names.set(resource.name, resource);
    this.#list(resource);
    return queue;
  }

  #of(queue: number): HostResource {
    return this.used.get(this.host.core.resourceTag(queue));
  }

  #list(resource: HostResource): void {
    this.host.core.keep(resource.queue, true);
    if (resource.isListed) return;
    resource.isListed = true;
    this.#maybeIdle.push(resource);
    this.isUntidy = this.#isFull || this.#maybeIdle.size > idleCountMax;
  }
}
