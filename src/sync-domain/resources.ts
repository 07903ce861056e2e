/**
 * Names and handles, and the queues in core that stand for them while somebody uses them.
 *
 * A resource has a queue only from its first use until some time after it has fallen idle: when, is
 * the host's choice. Beyond that an idle name leaves nothing behind. A handle keeps its object, and
 * no queue either.
 */

import { LimitError, ResourceBusyError } from '../domain/errors.ts';
import {
  checkName,
  checkSetSize,
  checkSpec,
  closedResource,
  describe,
  foreignSet,
  isRefList,
  listOf,
  type PreparedSet,
  type Resource,
  type ResourceRef,
  type SetSpec,
} from '../domain/sets.ts';
import type { Host } from './host.ts';

export class HostResource implements Resource {
  readonly name: string | undefined;
  /** Its queue in core, if it has one and {@link epoch} says that it still does; else 0. */
  queue = 0;
  /** Of the host: when the queue was found. */
  epoch = -1;
  /** A handle has been given out, so the name keeps its object until it is closed. */
  isHandle = false;
  isOpen = true;
  /** In the list of those that may be idle. */
  isListed = false;
  readonly owner: Resources;
  /** What tells it from others without a name. */
  readonly number: number;

  constructor(owner: Resources, name: string | undefined, number: number) {
    this.owner = owner;
    this.name = name;
    this.number = number;
  }

  close(): void {
    this.owner.close(this);
  }

  /** For people. */
  toString(): string {
    return this.name ?? `#${this.number}`;
  }
}

/** Queues in core, as they are asked for: `count` of them, exclusive ones first. */
export class ResolvedSet {
  readonly queues: number[] = [];
  count = 0;
  exclusiveCount = 0;
}

/** Resources without doubles, exclusive ones first. */
export class HostPreparedSet implements PreparedSet {
  readonly owner: Resources;
  readonly resolved = new ResolvedSet();
  /** While this is the owner's, no queue has been dropped, so `resolved` is right. */
  epoch = -1;
  /** What the caller named, and what that was when it was last used. */
  readonly refs: readonly ResourceRef[];
  readonly resources: HostResource[];
  readonly exclusiveCount: number;

  constructor(
    owner: Resources,
    exclusive: ReadonlyMap<HostResource, ResourceRef>,
    shared: ReadonlyMap<HostResource, ResourceRef>,
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

export abstract class Resources {
  /** The last names used, and all with an open handle. */
  protected readonly names = new Map<string, HostResource>();
  /** Counts the queues dropped. */
  protected epoch = 0;
  protected readonly host: Host;
  /** What was named last, unless it was a prepared set. */
  readonly #scratch = new ResolvedSet();
  /** What {@link resolve} has found so far, while it looks. */
  protected resolving = this.#scratch;

  constructor(host: Host) {
    this.host = host;
  }

  /** The queue of a resource, which gets one if it has none. */
  protected abstract queueOf(resource: HostResource): number;
  /** The queue of a resource, or 0. */
  protected abstract existingQueueOf(resource: HostResource): number;
  /** Nobody uses it: its queue goes. */
  protected abstract drop(resource: HostResource): void;
  /** For a resource without a name. */
  protected abstract nextNumber(): number;
  /** What earlier sets left unused can go, if there is much; what is found from now on must not. */
  protected abstract tidy(): void;
  protected isUntidy = false;
  /** A queue has fallen idle. */
  abstract idle(queue: number): void;

  /** The error of a request that finds no memory. */
  memoryIsFull(): LimitError {
    return new LimitError('no memory is left for more sets: too many are held or wait');
  }

  handle(name: string | undefined): HostResource {
    if (name === undefined) return this.#create(undefined, true);
    checkName(name);
    const resource = this.names.get(name) ?? this.#create(name, true);
    resource.isHandle = true;
    return resource;
  }

  prepare(spec: SetSpec): HostPreparedSet {
    if (spec instanceof HostPreparedSet) {
      if (spec.owner === this) return spec;
      throw foreignSet();
    }
    checkSpec(spec);
    const exclusive = new Map<HostResource, ResourceRef>();
    const shared = new Map<HostResource, ResourceRef>();
    const fresh = new Map<ResourceRef, HostResource>();
    const find = (ref: ResourceRef): HostResource => {
      const resource = fresh.get(ref) ?? this.#find(ref);
      if (!resource.isOpen) throw closedResource(resource);
      fresh.set(ref, resource);
      return resource;
    };
    const [exclusiveRefs, sharedRefs] = [listOf(spec.exclusive), listOf(spec.shared)];
    checkSetSize(exclusiveRefs.length + sharedRefs.length);
    for (const ref of exclusiveRefs) exclusive.set(find(ref), ref);
    for (const ref of sharedRefs) {
      const resource = find(ref);
      if (!exclusive.has(resource)) shared.set(resource, ref);
    }
    return new HostPreparedSet(this, exclusive, shared);
  }

  /** What a set asks for; good until the next call. Within an operation. */
  resolve(spec: SetSpec | PreparedSet): ResolvedSet {
    if (this.isUntidy) this.tidy();
    const isReady = spec instanceof HostPreparedSet && spec.owner === this;
    if (isReady && spec.epoch === this.epoch) return spec.resolved;
    return this.#resolve(spec);
  }

  #resolve(spec: SetSpec | PreparedSet): ResolvedSet {
    if (spec instanceof HostPreparedSet) {
      if (spec.owner !== this) throw foreignSet();
      this.#resolvePrepared(spec);
      return spec.resolved;
    }
    checkSpec(spec);
    const { exclusive, shared } = spec;
    const scratch = this.#scratch;
    scratch.count = 0;
    this.resolving = scratch;
    this.#resolveList(exclusive);
    scratch.exclusiveCount = scratch.count;
    this.#resolveList(shared);
    return scratch;
  }

  /** A part of a set that is held; undefined if some of it is not even in use. */
  resolvePart(part: ResourceRef | readonly ResourceRef[]): ResolvedSet | undefined {
    const scratch = this.#scratch;
    scratch.count = 0;
    return this.#addExisting(listOf(part)) ? scratch : undefined;
  }

  /** The same of a set with its modes, which brings nothing into use. */
  resolveExisting(spec: SetSpec | PreparedSet): ResolvedSet | undefined {
    if (!(spec instanceof HostPreparedSet)) checkSpec(spec);
    else if (spec.owner !== this) throw foreignSet();
    const { exclusive, shared } = spec;
    const scratch = this.#scratch;
    scratch.count = 0;
    if (!this.#addExisting(listOf(exclusive))) return undefined;
    scratch.exclusiveCount = scratch.count;
    return this.#addExisting(listOf(shared)) ? scratch : undefined;
  }

  /** False if one of them is not in use. */
  #addExisting(refs: readonly ResourceRef[]): boolean {
    const scratch = this.#scratch;
    checkSetSize(scratch.count + refs.length);
    for (const ref of refs) {
      const queue = this.existingQueueOf(this.#find(ref));
      if (queue === 0) return false;
      scratch.queues[scratch.count++] = queue;
    }
    return true;
  }

  close(resource: HostResource): void {
    if (!resource.isOpen) return;
    const { host } = this;
    host.enter();
    try {
      const queue = this.existingQueueOf(resource);
      if (queue !== 0) {
        if (host.core.isUsed(queue)) throw busy(resource);
        this.drop(resource);
      }
    } catch (error) {
      throw host.undo(error);
    }
    resource.isOpen = false;
    if (resource.name !== undefined) this.names.delete(resource.name);
    host.leave();
  }

  #resolvePrepared(set: HostPreparedSet): void {
    const { resources, resolved } = set;
    resolved.count = 0;
    this.resolving = resolved;
    for (let index = 0; index < resources.length; index++) {
      let resource = resources[index] as HostResource;
      if (this.existingQueueOf(resource) === 0) {
        // A name that fell idle may have come back as another object meanwhile.
        resource = this.#find(set.refs[index] as ResourceRef);
        resources[index] = resource;
      }
      resolved.queues[index] = this.#use(resource);
      resolved.count++;
    }
    resolved.exclusiveCount = set.exclusiveCount;
    set.epoch = this.epoch;
  }

  #resolveList(refs: ResourceRef | readonly ResourceRef[] | undefined): void {
    if (refs === undefined) return;
    if (!isRefList(refs)) {
      checkSetSize(this.#scratch.count + 1);
      this.#resolveOne(refs);
      return;
    }
    checkSetSize(this.#scratch.count + refs.length);
    for (let index = 0; index < refs.length; index++) this.#resolveOne(refs[index] as ResourceRef);
  }

  #resolveOne(ref: ResourceRef): void {
    const scratch = this.#scratch;
    scratch.queues[scratch.count] = this.#use(this.#find(ref));
    scratch.count++;
  }

  #use(resource: HostResource): number {
    if (!resource.isOpen) throw closedResource(resource);
    return this.queueOf(resource);
  }

  #find(ref: ResourceRef): HostResource {
    if (typeof ref === 'string') {
      const resource = this.names.get(ref);
      if (resource !== undefined) return resource;
    } else if (ref instanceof HostResource) {
      if (ref.owner !== this) throw foreignSet();
      return ref;
    }
    checkName(ref);
    return this.#create(ref, false);
  }

  #create(name: string | undefined, isHandle: boolean): HostResource {
    const resource = new HostResource(this, name, name === undefined ? this.nextNumber() : 0);
    resource.isHandle = isHandle;
    if (isHandle && name !== undefined) this.names.set(name, resource);
    return resource;
  }
}

function busy(resource: HostResource): ResourceBusyError {
  return new ResourceBusyError(
    `resource ${describe(String(resource))} is held or waited for: release or cancel first`,
  );
}
