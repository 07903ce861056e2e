/**
 * Names and handles, and the queues in core that stand for them while somebody uses them.
 *
 * A resource has a queue only from its first use until it falls idle. The queues of the last few
 * idle ones are kept, as what was used will be used again; beyond that an idle name leaves nothing
 * behind. A handle keeps its object, and no queue either.
 */

import type { Core } from '../../core/index.ts';
import { InvalidSetError, LimitError, ResourceBusyError } from '../../domain/errors.ts';
import { setSizeMax } from '../../domain/limits.ts';
import {
  checkName,
  checkSpec,
  describe,
  type PreparedSet,
  type Resource,
  type ResourceRef,
  type SetSpec,
} from '../../domain/sets.ts';
import { Fifo } from './fifo.ts';
import { Registry } from './registry.ts';

/** So many idle queues are kept. */
const idleCountMax = 1024;

export class ProcessResource implements Resource {
  readonly name: string | undefined;
  /** Its queue in core; 0 when it has none. */
  queue = 0;
  /** A handle has been given out, so the name keeps its object until it is closed. */
  isHandle = false;
  isOpen = true;
  /** In the list of those that may be idle. */
  isListed = false;
  readonly owner: Resources;
  readonly #number: number;

  constructor(owner: Resources, name: string | undefined, number: number) {
    this.owner = owner;
    this.name = name;
    this.#number = number;
  }

  close(): void {
    this.owner.close(this);
  }

  /** For people. */
  toString(): string {
    return this.name ?? `#${this.#number}`;
  }
}

/** Queues in core, as they are asked for: `count` of them, exclusive ones first. */
export class ResolvedSet {
  readonly queues: number[] = [];
  count = 0;
  exclusiveCount = 0;
}

/** Resources without doubles, exclusive ones first. */
export class ProcessPreparedSet implements PreparedSet {
  readonly owner: Resources;
  readonly resolved = new ResolvedSet();
  /** While this is the owner's, no queue has been dropped, so `resolved` is right. */
  epoch = -1;
  /** What the caller named, and what that was when it was last used. */
  readonly refs: readonly ResourceRef[];
  readonly resources: ProcessResource[];
  readonly exclusiveCount: number;

  constructor(
    owner: Resources,
    exclusive: ReadonlyMap<ProcessResource, ResourceRef>,
    shared: ReadonlyMap<ProcessResource, ResourceRef>,
  ) {
    this.owner = owner;
    this.refs = [...exclusive.values(), ...shared.values()];
    this.resources = [...exclusive.keys(), ...shared.keys()];
    this.exclusiveCount = exclusive.size;
  }

  get exclusive(): readonly ResourceRef[] {
    return this.refs.slice(0, this.exclusiveCount);
  }

  get shared(): readonly ResourceRef[] {
    return this.refs.slice(this.exclusiveCount);
  }
}

export class Resources {
  /** What was named last, unless it was a prepared set. */
  readonly #scratch = new ResolvedSet();
  /** Counts the queues dropped. */
  #epoch = 0;

  readonly #core: Core;
  readonly #names = new Map<string, ProcessResource>();
  readonly #used = new Registry<ProcessResource>();
  readonly #maybeIdle = new Fifo<ProcessResource>();
  #isCrowded = false;
  #isFull = false;
  #numberLast = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The resource whose queue this is. */
  of(queue: number): ProcessResource {
    return this.#used.get(this.#core.resourceTag(queue));
  }

  handle(name: string | undefined): ProcessResource {
    if (name === undefined) return this.#create(undefined, true);
    checkName(name);
    const resource = this.#names.get(name) ?? this.#create(name, true);
    resource.isHandle = true;
    return resource;
  }

  prepare(spec: SetSpec): ProcessPreparedSet {
    if (spec instanceof ProcessPreparedSet) {
      if (spec.owner === this) return spec;
      throw foreign();
    }
    checkSpec(spec);
    const exclusive = new Map<ProcessResource, ResourceRef>();
    const shared = new Map<ProcessResource, ResourceRef>();
    const fresh = new Map<ResourceRef, ProcessResource>();
    const find = (ref: ResourceRef): ProcessResource => {
      const resource = fresh.get(ref) ?? this.#find(ref);
      if (!resource.isOpen) throw closed(resource);
      fresh.set(ref, resource);
      return resource;
    };
    const [exclusiveRefs, sharedRefs] = [listOf(spec.exclusive), listOf(spec.shared)];
    checkSize(exclusiveRefs.length + sharedRefs.length);
    for (const ref of exclusiveRefs) exclusive.set(find(ref), ref);
    for (const ref of sharedRefs) {
      const resource = find(ref);
      if (!exclusive.has(resource)) shared.set(resource, ref);
    }
    return new ProcessPreparedSet(this, exclusive, shared);
  }

  /** What a set asks for; good until the next call. */
  resolve(spec: SetSpec | PreparedSet): ResolvedSet {
    // Before, not after: what an earlier set left unused can go, what this one needs must not.
    if (this.#isCrowded || this.#isFull) this.trim();
    if (spec instanceof ProcessPreparedSet) {
      if (spec.owner !== this) throw foreign();
      if (spec.epoch !== this.#epoch) this.#resolvePrepared(spec);
      return spec.resolved;
    }
    checkSpec(spec);
    const { exclusive, shared } = spec;
    const scratch = this.#scratch;
    scratch.count = 0;
    this.#resolveList(exclusive);
    scratch.exclusiveCount = scratch.count;
    this.#resolveList(shared);
    return scratch;
  }

  /** A part of a set that is held; undefined if some of it is not even in use. */
  resolvePart(part: ResourceRef | readonly ResourceRef[]): ResolvedSet | undefined {
    const scratch = this.#scratch;
    scratch.count = 0;
    const refs = listOf(part);
    checkSize(refs.length);
    for (const ref of refs) {
      const { queue } = this.#find(ref);
      if (queue === 0) return undefined;
      scratch.queues[scratch.count++] = queue;
    }
    return scratch;
  }

  /** A queue has fallen idle: it is kept for a while. */
  idle(queue: number): void {
    this.#list(this.of(queue));
  }

  /** Lets go of the longest idle ones beyond the limit; of all, once memory has run out. */
  trim(countMax = this.#isFull ? 0 : idleCountMax): void {
    this.#isCrowded = false;
    this.#isFull = false;
    while (this.#maybeIdle.size > countMax) {
      const resource = this.#maybeIdle.shift() as ProcessResource;
      resource.isListed = false;
      if (resource.queue === 0) continue;
      this.#core.keep(resource.queue, false);
      if (this.#mayDrop(resource.queue)) this.#drop(resource);
    }
  }

  /** The error of a request that finds no memory. What is idle goes before the next one. */
  memoryIsFull(): LimitError {
    this.#isFull = true;
    return new LimitError('no memory is left for more sets: too many are held or wait');
  }

  /** Lets go of all that is idle; true if then no resource has a queue at all. */
  dropIdle(): boolean {
    this.trim(0);
    if (this.#used.count > 0) return false;
    this.#used.clear();
    return true;
  }

  close(resource: ProcessResource): void {
    if (!resource.isOpen) return;
    if (resource.queue !== 0) {
      if (this.#core.isUsed(resource.queue)) {
        throw new ResourceBusyError(
          `resource ${describe(String(resource))} is held or waited for: release or cancel first`,
        );
      }
      this.#drop(resource);
    }
    resource.isOpen = false;
    if (resource.name !== undefined) this.#names.delete(resource.name);
  }

  #resolvePrepared(set: ProcessPreparedSet): void {
    const { resources, resolved } = set;
    for (let index = 0; index < resources.length; index++) {
      let queue = (resources[index] as ProcessResource).queue;
      if (queue === 0) {
        // A name that fell idle may have come back as another object meanwhile.
        const resource = this.#find(set.refs[index] as ResourceRef);
        resources[index] = resource;
        queue = resource.queue === 0 ? this.#use(resource) : resource.queue;
      }
      resolved.queues[index] = queue;
    }
    resolved.count = resources.length;
    resolved.exclusiveCount = set.exclusiveCount;
    set.epoch = this.#epoch;
  }

  #resolveList(refs: ResourceRef | readonly ResourceRef[] | undefined): void {
    if (refs === undefined) return;
    if (!isList(refs)) {
      checkSize(this.#scratch.count + 1);
      this.#resolveOne(refs);
      return;
    }
    checkSize(this.#scratch.count + refs.length);
    for (let index = 0; index < refs.length; index++) this.#resolveOne(refs[index] as ResourceRef);
  }

  #resolveOne(ref: ResourceRef): void {
    const resource = this.#find(ref);
    const scratch = this.#scratch;
    const queue = resource.queue === 0 ? this.#use(resource) : resource.queue;
    scratch.queues[scratch.count++] = queue;
  }

  #find(ref: ResourceRef): ProcessResource {
    if (typeof ref === 'string') {
      const resource = this.#names.get(ref);
      if (resource !== undefined) return resource;
    } else if (ref instanceof ProcessResource) {
      if (ref.owner !== this) throw foreign();
      return ref;
    }
    checkName(ref);
    return this.#create(ref, false);
  }

  #create(name: string | undefined, isHandle: boolean): ProcessResource {
    const resource = new ProcessResource(this, name, ++this.#numberLast);
    resource.isHandle = isHandle;
    if (isHandle && name !== undefined) this.#names.set(name, resource);
    return resource;
  }

  /** Gives a resource a queue, and a name its place among the names. */
  #use(resource: ProcessResource): number {
    if (!resource.isOpen) throw closed(resource);
    const tag = this.#used.add(resource);
    const queue = this.#core.createResource(tag);
    if (queue === 0) {
      this.#used.delete(tag);
      throw this.memoryIsFull();
    }
    resource.queue = queue;
    if (resource.name !== undefined) this.#names.set(resource.name, resource);
    this.#list(resource);
    return queue;
  }

  /** Lists a resource that is idle, or will be if no set enters its queue: dropped in turn. */
  #list(resource: ProcessResource): void {
    this.#core.keep(resource.queue, true);
    if (resource.isListed) return;
    resource.isListed = true;
    this.#maybeIdle.push(resource);
    this.#isCrowded = this.#maybeIdle.size > idleCountMax;
  }

  #mayDrop(queue: number): boolean {
    return !this.#core.isUsed(queue) && !this.#core.isMarked(queue);
  }

  #drop(resource: ProcessResource): void {
    this.#used.delete(this.#core.resourceTag(resource.queue));
    this.#core.destroyResource(resource.queue);
    resource.queue = 0;
    this.#epoch++;
    if (resource.name !== undefined && !resource.isHandle) this.#names.delete(resource.name);
  }
}

function isList(refs: ResourceRef | readonly ResourceRef[]): refs is readonly ResourceRef[] {
  return Array.isArray(refs);
}

function listOf(refs: ResourceRef | readonly ResourceRef[] | undefined): readonly ResourceRef[] {
  if (refs === undefined) return [];
  return isList(refs) ? refs : [refs];
}

function checkSize(size: number): void {
  if (size > setSizeMax) {
    throw new LimitError(`a set of ${size} resources is over the limit of ${setSizeMax}`);
  }
}

function closed(resource: ProcessResource): InvalidSetError {
  return new InvalidSetError(
    `resource ${describe(String(resource))} is closed: make a new handle with resource()`,
  );
}

function foreign(): InvalidSetError {
  return new InvalidSetError('the resource or prepared set belongs to another domain');
}
