/**
 * Names and handles, and the queues in core that stand for them while they are used.
 *
 * A resource has a queue only from its first use until some time after it has fallen idle: the
 * backend's {@link Queues} decide when. Beyond that nothing is kept of an idle name. A handle
 * keeps its object, and no queue either.
 */

import { LimitError, ResourceBusyError } from '../api/errors.ts';
import type { UnitsLeft } from '../api/grant.ts';
import {
  type OrderedRefs,
  RequestedRefs,
  readRefs,
  readSpec,
  readUnitsLeft,
} from '../api/read-set.ts';
import { closedResource, foreignSet } from '../api/refusals.ts';
import {
  type AcceptHandle,
  checkName,
  describe,
  type PreparedSet,
  type ResourceRef,
  type SetSpec,
} from '../api/sets.ts';
import type { Core } from '../core/index.ts';
import { printableName, ResourceHandle } from '../session/handle.ts';
import { OwnPreparedSet } from '../session/prepared-set.ts';

const none: readonly number[] = Object.freeze([]);

/** Names of this many resources are kept from one request to the next. */
const refsKept = 64;

export class LocalResource extends ResourceHandle {
  /** Its queue in core, if it has one and by {@link epoch} it still has; else 0. */
  queue = 0;
  /** Of the host: when the queue was found. */
  epoch = -1;
  /** A handle has been given out, so the name keeps its object until it is closed. */
  isHandle = false;
  /** In the list of those that may be idle. */
  isListed = false;
  /** For a backend that keeps them here: the names of its units. */
  unitNames: readonly string[] | undefined = undefined;
}

/** Queues in core, as they are asked for: `count` of them, exclusive ones first. */
export class ResolvedSet {
  readonly queues: number[] = [];
  count = 0;
  exclusiveCount = 0;
  /** Number of those of which units are taken. If there are some, as of {@link OrderedRefs}: */
  unitsCount = 0;
  counts: readonly number[] = none;
  asserted: readonly number[] = none;
}

export class LocalPreparedSet extends OwnPreparedSet<Resources, LocalResource> {
  readonly resolved = new ResolvedSet();
  /** While this is the owner's, no queue has been dropped, so `resolved` is right. */
  epoch = -1;

  /** It never changes, so a request may keep it. */
  copy(): this {
    return this;
  }
}

/** What a caller asks for, once it has been read: nothing of the caller's is left in it. */
export type RequestedSet = RequestedRefs | LocalPreparedSet;

/**
 * The queues of resources, as a backend keeps them. All functions run within an operation, on a
 * consistent core; only those that need memory throw.
 */
export interface Queues {
  /** The last names used, and all with an open handle. */
  readonly names: Map<string, LocalResource>;
  /** Changes when a queue that was found may have been dropped. */
  readonly epoch: number;
  /** {@link Queues.tidy} has something to do. */
  readonly isUntidy: boolean;
  /**
   * The queue of a resource, which gets one if it has none. The `found` queues stay.
   *
   * @throws LimitError
   */
  queueOf(resource: LocalResource, found: ResolvedSet): number;
  /** The queue of a resource, or 0. */
  existingQueueOf(resource: LocalResource): number;
  /**
   * Memory for a capacity that is about to be declared, and for the names of its units.
   *
   * @throws LimitError
   */
  reserveCapacity(queue: number, names: readonly string[] | undefined): void;
  /** Memory for a downgrade of a granted set. @throws LimitError */
  reserveDowngrade(set: number): void;
  /** The names of a resource's units; undefined if its capacity is a plain number. */
  unitNamesOf(queue: number): readonly string[] | undefined;
  /** Once {@link reserveCapacity} has made sure of memory. */
  setUnitNames(queue: number, names: readonly string[] | undefined): void;
  /** Ends the queue of an unused resource. */
  drop(resource: LocalResource): void;
  /** A handle of a name is closed; the queue, whose capacity was declared, stays. */
  detach(resource: LocalResource): void;
  /** Drops queues that earlier sets left unused, before an operation finds any. */
  tidy(): void;
  /** A queue has fallen idle. */
  idle(queue: number): void;
  /** Memory has run out: idle queues are to go before the next request. */
  reportFull(): void;
  /** For a resource without a name. */
  nextNumber(): number;
}

/** The error of a request that finds no memory. */
export function memoryIsFull(queues: Queues): LimitError {
  queues.reportFull();
  return new LimitError('no memory is left for more sets: too many are held or wait');
}

/** Whether a set has one or two resources. */
export function isPair({ count }: RequestedSet): boolean {
  return count === 1 || count === 2;
}

/** What a name stands for; its queue is 0 once it stands for another object. */
interface RecentResource {
  ref: ResourceRef;
  resource: LocalResource;
}

/** What resources need of the operations on them. */
interface ResourceSource {
  readonly core: Core;
  begin(): void;
  commit(): void;
  abort(error: unknown): unknown;
}

export class Resources {
  private readonly source: ResourceSource;
  private readonly queues: Queues;
  /**
   * Memory for what is read next. A read takes it and {@link resolve} gives it back, so a set that
   * code of the caller's asks for in between has memory of its own.
   */
  #requested = new RequestedRefs();
  /** @internal Handles that sets of this domain may name. */
  accept: AcceptHandle = ResourceHandle.acceptOf(this);
  /** The queues that {@link findPair} has found. */
  first = 0;
  second = 0;
  private readonly recentFirst: RecentResource = {
    ref: '',
    resource: new LocalResource(this, '', 0),
  };
  private readonly recentSecond: RecentResource = {
    ref: '',
    resource: new LocalResource(this, '', 0),
  };
  /** What was named last, unless it was a prepared set. */
  readonly #scratch = new ResolvedSet();

  constructor(source: ResourceSource, queues: Queues) {
    this.source = source;
    this.queues = queues;
  }

  handle(name: string | undefined): LocalResource {
    if (name === undefined) return this.#createNameless();
    checkName(name);
    const resource = this.#find(name);
    resource.isHandle = true;
    this.queues.names.set(name, resource);
    return resource;
  }

  prepare(spec: SetSpec): LocalPreparedSet {
    const requested = this.read(spec);
    if (requested instanceof LocalPreparedSet) return requested;
    const found = new Map<ResourceRef, LocalResource>();
    return new LocalPreparedSet(this, requested, (ref) => {
      const resource = found.get(ref) ?? this.#find(ref);
      resource.checkOpen();
      found.set(ref, resource);
      return resource;
    });
  }

  /**
   * Reads a set, once and completely. Not within an operation, as it may run code of the caller's.
   *
   * @throws InvalidSetError, LimitError
   */
  read(spec: SetSpec | PreparedSet): RequestedSet {
    if (!(spec instanceof LocalPreparedSet) || spec.self !== spec) return this.#readSpec(spec);
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
    readSpec(spec, requested, this.accept);
    return requested;
  }

  /** The same for a part of what is held. */
  readPart(part: ResourceRef | readonly ResourceRef[]): RequestedRefs {
    const requested = new RequestedRefs();
    readRefs(part, requested, this.accept);
    return requested;
  }

  /** The same for a downgrade to units: `left` are those that are left of each resource. */
  readUnitsLeft(part: UnitsLeft): { requested: RequestedRefs; left: readonly number[] } {
    const requested = new RequestedRefs();
    return { requested, left: readUnitsLeft(part, requested, this.accept) };
  }

  /** The queues of what is asked for; good until the next call. Within an operation. */
  resolve(requested: RequestedSet): ResolvedSet {
    const queues = this.queues;
    if (queues.isUntidy) queues.tidy();
    return requested.epoch === queues.epoch ? requested.resolved : this.resolveAnew(requested);
  }

  /**
   * Finds the queues of a set that {@link isPair}, if they are there:
   * {@link first} and {@link second}, which is the same if there is one. Within an operation.
   */
  findPair(requested: RequestedSet): boolean {
    const { queues } = this;
    const { count, resolved, refs } = requested;
    if (queues.isUntidy) return false;
    if (resolved === undefined) {
      const first = this.findQueue(refs[0] as ResourceRef, this.recentFirst);
      this.first = first;
      this.second = count === 1 ? first : this.findQueue(refs[1] as ResourceRef, this.recentSecond);
      return first !== 0 && this.second !== 0;
    }
    this.first = resolved.queues[0] as number;
    this.second = resolved.queues[count - 1] as number;
    return requested.epoch === queues.epoch;
  }

  /** Of a name or a handle, which mostly is the one that was found last. */
  private findQueue(ref: ResourceRef, recent: RecentResource): number {
    if (ref !== recent.ref || recent.resource.queue === 0) {
      const found = typeof ref === 'string' ? this.queues.names.get(ref) : (ref as LocalResource);
      if (found === undefined) return 0;
      recent.ref = ref;
      recent.resource = found;
    }
    const { resource } = recent;
    return resource.isOpen ? this.queues.existingQueueOf(resource) : 0;
  }

  private resolveAnew(requested: RequestedSet): ResolvedSet {
    if (requested.resolved !== undefined) return this.#resolvePrepared(requested);
    const { refs, count } = requested;
    const scratch = this.#scratch;
    scratch.count = 0;
    for (let index = 0; index < count; index++) {
      scratch.queues[index] = this.#use(this.#find(refs[index] as ResourceRef), scratch);
      scratch.count++;
    }
    scratch.exclusiveCount = requested.exclusiveCount;
    copyUnits(scratch, requested);
    if (scratch.unitsCount > 0 && count > 1) dropRepeated(scratch);
    // What names much is kept no longer than its request needs it.
    if (count <= refsKept) requested.isTaken = false;
    return scratch;
  }

  /**
   * The same of resources that are in use: brings nothing into use, and returns undefined if some
   * of them are not.
   */
  resolveExisting(requested: RequestedSet): ResolvedSet | undefined {
    const { refs, count, exclusiveCount } = requested;
    const scratch = this.#scratch;
    scratch.count = 0;
    for (let index = 0; index < count; index++) {
      const queue = this.queues.existingQueueOf(this.#find(refs[index] as ResourceRef));
      if (queue === 0) return undefined;
      scratch.queues[scratch.count++] = queue;
    }
    scratch.exclusiveCount = exclusiveCount;
    copyUnits(scratch, requested);
    return scratch;
  }

  /** Whether a set holds a resource or waits for it. */
  isUsed(ref: ResourceRef): boolean {
    const source = this.source;
    const requested = this.readPart(ref);
    source.begin();
    const resolved = this.resolveExisting(requested);
    const isUsed = resolved !== undefined && source.core.isUsed(resolved.queues[0] as number);
    source.commit();
    return isUsed;
  }

  close(resource: LocalResource): void {
    if (!resource.isOpen) return;
    const source = this.source;
    const queues = this.queues;
    source.begin();
    try {
      const queue = queues.existingQueueOf(resource);
      if (queue !== 0) {
        if (source.core.isUsed(queue)) throw busy(resource);
        if (resource.name !== undefined && source.core.isDeclared(queue)) queues.detach(resource);
        else queues.drop(resource);
      }
    } catch (error) {
      throw source.abort(error);
    }
    resource.isOpen = false;
    if (resource.name !== undefined && queues.names.get(resource.name) === resource) {
      queues.names.delete(resource.name);
    }
    source.commit();
  }

  #resolvePrepared(set: LocalPreparedSet): ResolvedSet {
    const { resources, resolved } = set;
    resolved.count = 0;
    for (let index = 0; index < resources.length; index++) {
      let resource = resources[index] as LocalResource;
      if (this.queues.existingQueueOf(resource) === 0) {
        // A name that fell idle may have come back as another object meanwhile.
        resource = this.#find(set.refs[index] as ResourceRef);
        resources[index] = resource;
      }
      resolved.queues[index] = this.#use(resource, resolved);
      resolved.count++;
    }
    resolved.exclusiveCount = set.exclusiveCount;
    copyUnits(resolved, set);
    set.epoch = this.queues.epoch;
    return resolved;
  }

  #use(resource: LocalResource, found: ResolvedSet): number {
    if (!resource.isOpen) throw closedResource(printableName(resource));
    return this.queues.queueOf(resource, found);
  }

  /** Of a name, or of a handle that has been accepted. */
  #find(ref: ResourceRef): LocalResource {
    if (typeof ref !== 'string') return ref as LocalResource;
    const resource = this.queues.names.get(ref);
    if (resource !== undefined) return resource;
    checkName(ref);
    return new LocalResource(this, ref, 0);
  }

  #createNameless(): LocalResource {
    this.source.begin();
    const resource = new LocalResource(this, undefined, this.queues.nextNumber());
    this.source.commit();
    resource.isHandle = true;
    return resource;
  }
}

function copyUnits(to: ResolvedSet, { unitsCount, counts, asserted }: OrderedRefs): void {
  to.unitsCount = unitsCount;
  if (unitsCount === 0) return;
  to.counts = counts;
  to.asserted = asserted;
}

/**
 * A resource of which units are taken, and that was named before with more of them, counts as it
 * was named first: what it asserts beside that is nothing.
 */
function dropRepeated(set: ResolvedSet): void {
  const { queues, exclusiveCount, unitsCount, count } = set;
  const seen = new Set(queues.slice(0, exclusiveCount));
  const unitsEnd = exclusiveCount + unitsCount;
  const kept: number[] = [];
  for (let index = 0; index < count; index++) {
    const isOfUnits = index >= exclusiveCount && index < unitsEnd;
    if (isOfUnits && seen.has(queues[index] as number)) set.unitsCount--;
    else kept.push(index);
    if (isOfUnits) seen.add(queues[index] as number);
  }
  if (kept.length === count) return;
  const { counts, asserted } = set;
  set.counts = kept.map((index) => counts[index] as number);
  set.asserted = kept.map((index) => asserted[index] as number);
  for (const [at, index] of kept.entries()) queues[at] = queues[index] as number;
  set.count = kept.length;
}

function busy(resource: LocalResource): ResourceBusyError {
  return new ResourceBusyError(
    `resource ${describe(printableName(resource))} is held or waited for: release or cancel first`,
  );
}
