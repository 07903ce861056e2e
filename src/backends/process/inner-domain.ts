/** The inner domain of a grant of any backend: a domain of one event loop, for nested runs. */

import { listsOf, type ReadSet } from '../../api/read-set.ts';
import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../../api/sets.ts';
import type { Unit } from '../../api/units.ts';
import type { HeldContext } from '../../local/held-context.ts';
import type { Operations } from '../../local/operations.ts';
import type { OwnObject } from '../../local/owners.ts';
import { LocalRequests } from '../../local/requests.ts';
import { LocalResource, type RequestedSet, Resources } from '../../local/resources.ts';
import type { LocalScope } from '../../local/scope.ts';
import { LocalSession } from '../../local/session.ts';
import type { InnerDomain, OuterGrant } from '../../session/inner-domain.ts';
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
    for (const ref of [...exclusive, ...(units?.keys() ?? []), ...shared]) {
      const key = this.#outer.accept(ref);
      if (this.#pools.has(key)) continue;
      const own = this.#outer.unitsOf(ref);
      if (own !== undefined) this.#declare({ ref: key, units: own });
    }
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
  #resize(pool: Pool, reason: unknown): void {
    const { ref } = pool;
    const units = this.#outer.unitsOf(ref) ?? [];
    if (units.length === 0) return;
    const kept = pool.units.filter((unit) => units.includes(unit));
    const isContinued = kept.every((unit, index) => unit === pool.units[index]);
    const ending = this.#usersOf(ref, isContinued ? kept.length : 0);
    this.#endAll(ending, reason);
    this.#declare({ ref, units: [...kept, ...units.filter((unit) => !kept.includes(unit))] });
  }

  #declare(pool: Pool): void {
    this.#pools.set(pool.ref, pool);
    // Numbers of the outer domain are names here.
    const names = pool.units as readonly string[];
    this.domain.requests.declareCapacity(pool.ref, { count: names.length, names });
  }

  /** The sets that have a unit from this number on; from 0 also those that wait for some. */
  #usersOf(ref: ResourceRef, from: number): readonly OwnObject[] {
    const { core } = this.#operations;
    const tracked = [...(this.#scope.tracked as Set<OwnObject>)];
    return tracked.filter(({ set }) => {
      for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
        if (this.#refOf(link) !== ref) continue;
        return from === 0 || core.numbers(link).some((number) => number >= from);
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
  readonly units: readonly Unit[];
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
