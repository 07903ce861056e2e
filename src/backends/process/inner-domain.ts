/** The inner domain of a grant of any backend: a domain of one event loop, for nested runs. */

import type { AcceptHandle, PreparedSet, ResourceRef, SetSpec } from '../../api/sets.ts';
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

  constructor(outer: OuterGrant, label: string | undefined, context?: HeldContext) {
    const { operations, queues } = new ProcessBackend(label);
    operations.resources = new InnerResources(operations, queues, outer.accept);
    operations.outer = outer;
    operations.openInner = openInner;
    operations.heldContext = context?.of(operations);
    this.#operations = operations;
    this.#queues = queues;
    // It tracks its grants, so each has the reason of its end.
    this.#scope = SessionScope.ofDomain(operations, label, new Set<OwnObject>());
    this.domain = new LocalSession(new LocalRequests(operations), this.#scope);
  }

  end(reason: unknown, covers?: (set: SetSpec) => boolean): void {
    const operations = this.#operations;
    const ending =
      covers === undefined
        ? this.#scope.close()
        : [...(this.#scope.tracked as Set<OwnObject>)].filter((each) => !this.#isIn(each, covers));
    operations.begin();
    operations.endings.endAll(ending, [], false, reason);
    operations.commit();
  }

  /** Whether what a set has or waits for is covered. */
  #isIn({ set }: OwnObject, covers: (set: SetSpec) => boolean): boolean {
    const { core } = this.#operations;
    for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
      const resource = this.#queues.used.get(core.resourceUserData(core.resourceOf(link)));
      const ref = resource instanceof InnerHandle ? resource.outer : (resource.name as string);
      if (!covers(core.isExclusive(link) ? { exclusive: ref } : { shared: ref })) return false;
    }
    return true;
  }
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
    return super.read({ exclusive: spec.exclusive, shared: spec.shared });
  }
}
