/** The inner domain of a grant of any backend: a domain of one event loop, for nested runs. */

import { ALL } from '../../api/mode.ts';
import { listsOf, type ReadSet } from '../../api/read-set.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../../api/sets.ts';
import { takenOf, type Unit, type UnitRange } from '../../api/units.ts';
import { numbersIn } from '../../core/index.ts';
import type { HeldContext } from '../../local/held-context.ts';
import type { Operations } from '../../local/operations.ts';
import type { OwnObject } from '../../local/owners.ts';
import { LocalRequests } from '../../local/requests.ts';
import { LocalResource, type RequestedSet, Resources } from '../../local/resources.ts';
import type { LocalScope } from '../../local/scope.ts';
import { LocalSession } from '../../local/session.ts';
import type { InnerDomain, OuterGrant, OuterUnits } from '../../session/inner-domain.ts';
import { OwnPreparedSet } from '../../session/prepared-set.ts';
import { SessionScope } from '../../session/session-tree.ts';
import { ProcessBackend } from './backend.ts';

/**
 * Opens the inner domain of a grant. `label`: of its session. `context`: where the outer domain
 * passes on what its runs hold.
 */
export function openInner(
  outer: OuterGrant,
  label: string | undefined,
  context?: HeldContext,
): ProcessInnerDomain {
  return new ProcessInnerDomain(outer, label, context);
}

class ProcessInnerDomain implements InnerDomain {
  readonly domain: LocalSession;
  readonly #operations: Operations;
  readonly #queues: ProcessBackend['queues'];
  readonly #scope: LocalScope;
  readonly #outer: OuterGrant;
  readonly #pools = new Map<ResourceRef, Pool>();

  constructor(outer: OuterGrant, label: string | undefined, context?: HeldContext) {
    const { operations, queues } = new ProcessBackend(label);
    operations.resources = new InnerResources(operations, queues, outer.accept);
    operations.outer = outer;
    operations.openInner = openInner;
    operations.heldContext = context?.of(operations);
    this.#operations = operations;
    this.#outer = outer;
    this.#queues = queues;
    // It tracks its grants, so each has the reason of its end.
    this.#scope = SessionScope.ofDomain(operations, label, new Set<OwnObject>());
    this.domain = new LocalSession(new LocalRequests(operations), this.#scope);
  }

  end(reason: unknown): void {
    this.#endAll(this.#scope.close(), reason);
  }

  follow(reason: unknown): void {
    const pools = [...this.#pools.values()];
    const tracked = [...(this.#scope.tracked as Set<OwnObject>)];
    this.#endAll(
      tracked.filter((each) => !this.#isCovered(each)),
      reason,
    );
    for (const pool of pools) this.#resize(pool, reason);
  }

  meter({ exclusive, shared, units }: ReadSet): void {
    for (const ref of exclusive) this.#meter(ref, ALL);
    for (const [ref, count] of units ?? []) this.#meter(ref, takenOf(count));
    for (const ref of shared) this.#meter(ref, 1);
  }

  /** An exclusive grant has more units once the capacity has grown. */
  #meter(ref: ResourceRef, count: number): void {
    const key = this.#outer.accept(ref);
    const pool = this.#pools.get(key);
    if (pool !== undefined && count <= countOf(pool.units)) return;
    const own = this.#outer.unitsOf(key);
    if (own === undefined) return;
    if (pool === undefined) this.#declare({ ref: key, units: poolOf(own) });
    else if (countOfOuter(own) > countOf(pool.units)) this.#resize(pool, undefined);
  }

  #endAll(ending: readonly OwnObject[], reason: unknown): void {
    const operations = this.#operations;
    operations.begin();
    operations.endings.endAll(ending, [], false, reason);
    operations.commit();
  }

  /**
   * Units keep their numbers while some of them are in use. Those that the grant has given back
   * were the last; only if that is not so, as it had been upgraded before, everything that uses
   * units ends.
   */
  #resize({ ref, units: before }: Pool, reason: unknown): void {
    const units = poolOf(this.#outer.unitsOf(ref) ?? []);
    const count = countOf(units);
    if (count === 0) return;
    if (typeof before === 'number' && typeof units === 'number') {
      this.#endAll(this.#usersOf(ref, count), reason);
      this.#declare({ ref, units });
      return;
    }
    const had = listOf(before);
    const has = listOf(units);
    const own = new Set(has);
    const kept = had.filter((unit) => own.has(unit));
    const isContinued = kept.every((unit, index) => unit === had[index]);
    this.#endAll(this.#usersOf(ref, isContinued ? kept.length : 0), reason);
    const isUsed = this.#usersOf(ref, 0).length > 0;
    this.#declare({ ref, units: isUsed ? [...new Set([...kept, ...has])] : units });
  }

  #declare(pool: Pool): void {
    const { ref, units } = pool;
    this.#pools.set(ref, pool);
    // Numbers of the outer domain are names here.
    const names = typeof units === 'number' ? undefined : (units as readonly string[]);
    this.domain.requests.declareCapacity(ref, { count: countOf(units), names });
  }

  /** The sets that have a unit from this number on; from 0 also those that wait for some. */
  #usersOf(ref: ResourceRef, from: number): readonly OwnObject[] {
    const { core } = this.#operations;
    const tracked = [...(this.#scope.tracked as Set<OwnObject>)];
    return tracked.filter(({ set }) => {
      for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
        if (this.#refOf(link) !== ref) continue;
        return from === 0 || core.ranges(link).some(([first, count]) => first + count > from);
      }
      return false;
    });
  }

  /** Whether the grant covers what a set has or waits for. */
  #isCovered({ set }: OwnObject): boolean {
    const { core } = this.#operations;
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      const ref = this.#refOf(link);
      const units = core.units(link);
      const isCovered = core.isExclusive(link)
        ? this.#outer.covers({ exclusive: ref })
        : this.#outer.covers(units === 1 ? { shared: ref } : { units: new Map([[ref, units]]) });
      if (!isCovered) return false;
    }
    return true;
  }

  /** By which the outer domain knows the resource of a link. */
  #refOf(link: number): ResourceRef {
    const { core } = this.#operations;
    const resource = this.#queues.used.get(core.resourceUserData(core.resourceOf(link)));
    return resource instanceof InnerHandle ? resource.outer : (resource.name as string);
  }
}

/** The units that the grant around a domain has of a resource. */
interface Pool {
  readonly ref: ResourceRef;
  readonly units: PoolUnits;
}

/** One by one, in the order of their numbers here; or how many there are: 0, 1, and so on. */
type PoolUnits = readonly Unit[] | number;

/** A list of all numbers of a great capacity would take a second, and hundreds of megabytes. */
function poolOf(units: OuterUnits): PoolUnits {
  const [first] = units;
  if (typeof first !== 'object') return units as readonly Unit[];
  const ranges = units as readonly UnitRange[];
  return ranges.length === 1 && first[0] === 0 ? first[1] : numbersIn(ranges);
}

function countOfOuter(units: OuterUnits): number {
  let count = 0;
  for (const each of units) count += typeof each === 'object' ? each[1] : 1;
  return count;
}

function countOf(units: PoolUnits): number {
  return typeof units === 'number' ? units : units.length;
}

function listOf(units: PoolUnits): readonly Unit[] {
  return typeof units === 'number' ? numbersIn([[0, units]]) : units;
}

/** Stands for a handle without a name of the outer domain. */
class InnerHandle extends LocalResource {
  readonly outer: ResourceRef;

  constructor(resources: Resources, outer: Exclude<ResourceRef, string>, number: number) {
    super(resources, undefined, number);
    this.outer = outer;
    this.isHandle = true;
  }
}

/** Accepts the handles and prepared sets that the outer domain accepts. */
class InnerResources extends Resources {
  readonly #handles = new WeakMap<object, InnerHandle>();

  constructor(operations: Operations, queues: ProcessBackend['queues'], outer: AcceptHandle) {
    super(operations, queues);
    this.accept = (ref) => {
      if (ref instanceof InnerHandle && this.#handles.get(ref.outer as object) === ref) return ref;
      const handle = outer(ref);
      if (typeof handle === 'string') return handle;
      if (handle.name !== undefined) return handle.name;
      const inner = this.#handles.get(handle) ?? new InnerHandle(this, handle, queues.nextNumber());
      this.#handles.set(handle, inner);
      return inner;
    };
  }

  override read(spec: SetSpec | PreparedSet): RequestedSet {
    if (!(spec instanceof OwnPreparedSet) || spec.self !== spec) return super.read(spec);
    return super.read(listsOf(spec));
  }
}
