/**
 * Names and handles, and the queues in core that stand for them while somebody uses them.
 *
 * A resource has a queue only from its first use until some time after it has fallen idle: when, is
 * the host's choice. Beyond that an idle name leaves nothing behind. A handle keeps its object, and
 * no queue either.
 */

import { LimitError, ResourceBusyError } from '../api/errors.ts';
import { closedResource, foreignSet } from '../api/refusals.ts';
import {
  checkName,
  describe,
  type PreparedSet,
  RequestedRefs,
  type Resource,
  type ResourceRef,
  readRefs,
  readSpec,
  type SetSpec,
} from '../api/sets.ts';
import type { Host } from './host.ts';

/** Names of this many resources are kept from one request to the next. */
const refsKept = 64;

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
  readonly #owner: Resources;
  /** What tells it from others without a name. */
  readonly number: number;

  constructor(owner: Resources, name: string | undefined, number: number) {
    this.#owner = owner;
    this.name = name;
    this.number = number;
  }

  /**
   * Whose handle a value is; undefined for any other value. Also for a proxy of a handle, which
   * has no private fields: it would run code of the caller's within operations.
   */
  static ownerOf(value: unknown): Resources | undefined {
    if (typeof value !== 'object' || value === null || !(#owner in value)) return undefined;
    return value.#owner;
  }

  close(): void {
    this.#owner.close(this);
  }

  /** For people. */
  toString(): string {
    return shownName(this);
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
  /** Itself: a proxy of it shows another object here than it is. */
  readonly self: HostPreparedSet;
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
    this.self = this;
    this.refs = [...exclusive.values(), ...shared.values()];
    this.resources = [...exclusive.keys(), ...shared.keys()];
    this.exclusiveCount = exclusive.size;
  }

  /** It never changes, so a request may keep it. */
  copy(): this {
    return this;
  }

  get exclusive(): readonly ResourceRef[] {
    return this.refs.slice(0, this.exclusiveCount);
  }

  get shared(): readonly ResourceRef[] {
    return this.refs.slice(this.exclusiveCount);
  }
}

/** What a caller asks for, once it has been read: nothing of the caller's is left in it. */
export type RequestedSet = RequestedRefs | HostPreparedSet;

export abstract class Resources {
  /** The last names used, and all with an open handle. */
  protected readonly names = new Map<string, HostResource>();
  /** Counts the queues dropped. */
  protected epoch = 0;
  protected readonly host: Host;
  /**
   * Memory for what is read next. A read takes it and {@link resolve} gives it back, so a set that
   * code of the caller's asks for in between has memory of its own.
   */
  #requested = new RequestedRefs();
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
    const requested = this.read(spec);
    if (requested instanceof HostPreparedSet) return requested;
    const exclusive = new Map<HostResource, ResourceRef>();
    const shared = new Map<HostResource, ResourceRef>();
    const fresh = new Map<ResourceRef, HostResource>();
    const find = (ref: ResourceRef): HostResource => {
      const resource = fresh.get(ref) ?? this.#find(ref);
      if (!resource.isOpen) throw closedResource(shownName(resource));
      fresh.set(ref, resource);
      return resource;
    };
    for (const ref of requested.exclusive) exclusive.set(find(ref), ref);
    for (const ref of requested.shared) {
      const resource = find(ref);
      if (!exclusive.has(resource)) shared.set(resource, ref);
    }
    return new HostPreparedSet(this, exclusive, shared);
  }

  /**
   * Reads a set, once and completely. Not within an operation, as it may run code of the caller's.
   *
   * @throws InvalidSetError, LimitError
   */
  read(spec: SetSpec | PreparedSet): RequestedSet {
    if (!(spec instanceof HostPreparedSet) || spec.self !== spec) return this.#readSpec(spec);
    if (spec.owner !== this) throw foreignSet();
    return spec;
  }

  /** Apart from where prepared sets pass, so that {@link read} is inlined there. */
  #readSpec(spec: SetSpec | PreparedSet): RequestedRefs {
    let requested = this.#requested;
    if (requested.isTaken) {
      requested = new RequestedRefs();
      this.#requested = requested;
    }
    requested.isTaken = true;
    readSpec(spec, requested, this.#acceptHandle);
    return requested;
  }

  /** The same for a part of what is held. */
  readPart(part: ResourceRef | readonly ResourceRef[]): RequestedRefs {
    const requested = new RequestedRefs();
    readRefs(part, requested, this.#acceptHandle);
    return requested;
  }

  readonly #acceptHandle = (ref: unknown): ResourceRef => {
    const owner = HostResource.ownerOf(ref);
    if (owner === this) return ref as HostResource;
    if (owner !== undefined) throw foreignSet();
    checkName(ref);
    return ref;
  };

  /** The queues of what is asked for; good until the next call. Within an operation. */
  resolve(requested: RequestedSet): ResolvedSet {
    if (this.isUntidy) this.tidy();
    return requested.epoch === this.epoch ? requested.resolved : this.#resolve(requested);
  }

  #resolve(requested: RequestedSet): ResolvedSet {
    if (requested.resolved !== undefined) return this.#resolvePrepared(requested);
    const { refs, count } = requested;
    const scratch = this.#scratch;
    scratch.count = 0;
    this.resolving = scratch;
    for (let index = 0; index < count; index++) {
      scratch.queues[index] = this.#use(this.#find(refs[index] as ResourceRef));
      scratch.count++;
    }
    scratch.exclusiveCount = requested.exclusiveCount;
    // What names much is kept no longer than its request needs it.
    if (count <= refsKept) requested.isTaken = false;
    return scratch;
  }

  /**
   * The same of resources that are in use: brings nothing into use, and returns undefined if some
   * of them are not.
   */
  resolveExisting(requested: RequestedSet): ResolvedSet | undefined {
    const { refs, exclusiveCount } = requested;
    const scratch = this.#scratch;
    scratch.count = 0;
    const count = requested instanceof HostPreparedSet ? refs.length : requested.count;
    for (let index = 0; index < count; index++) {
      const queue = this.existingQueueOf(this.#find(refs[index] as ResourceRef));
      if (queue === 0) return undefined;
      scratch.queues[scratch.count++] = queue;
    }
    scratch.exclusiveCount = exclusiveCount;
    return scratch;
  }

  /** Whether a set holds a resource or waits for it. */
  isUsed(ref: ResourceRef): boolean {
    const { host } = this;
    const requested = this.readPart(ref);
    host.enter();
    const resolved = this.resolveExisting(requested);
    const isUsed = resolved !== undefined && host.core.isUsed(resolved.queues[0] as number);
    host.leave();
    return isUsed;
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

  #resolvePrepared(set: HostPreparedSet): ResolvedSet {
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
    return resolved;
  }

  #use(resource: HostResource): number {
    if (!resource.isOpen) throw closedResource(shownName(resource));
    return this.queueOf(resource);
  }

  /** Of a name, or of a handle that has been accepted. */
  #find(ref: ResourceRef): HostResource {
    if (typeof ref !== 'string') return ref as HostResource;
    const resource = this.names.get(ref);
    if (resource !== undefined) return resource;
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

/** Not by its own toString(), which a caller may have replaced. */
function shownName({ name, number }: HostResource): string {
  return name ?? `#${number}`;
}

function busy(resource: HostResource): ResourceBusyError {
  return new ResourceBusyError(
    `resource ${describe(shownName(resource))} is held or waited for: release or cancel first`,
  );
}
