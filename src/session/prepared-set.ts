/** The sets that a domain has prepared. */

import type { PreparedSet, RequestedRefs, ResourceRef } from '../api/sets.ts';

/** Resources without doubles, exclusive ones first. `O`: its owner. `R`: what a name stands for. */
export class OwnPreparedSet<O, R> implements PreparedSet {
  readonly owner: O;
  /** Itself: a proxy of it shows another object here than it is. */
  readonly self: OwnPreparedSet<O, R>;
  readonly refs: readonly ResourceRef[];
  /** What {@link refs} stood for when the set was last used. */
  readonly resources: R[];
  readonly exclusiveCount: number;

  constructor(owner: O, requested: RequestedRefs, find: (ref: ResourceRef) => R) {
    const exclusive = new Map<R, ResourceRef>();
    for (const ref of requested.exclusive) exclusive.set(find(ref), ref);
    const named = new Map(exclusive);
    for (const ref of requested.shared) {
      const resource = find(ref);
      if (!exclusive.has(resource)) named.set(resource, ref);
    }
    this.owner = owner;
    this.self = this;
    this.refs = [...named.values()];
    this.resources = [...named.keys()];
    this.exclusiveCount = exclusive.size;
  }

  get exclusive(): readonly ResourceRef[] {
    return this.refs.slice(0, this.exclusiveCount);
  }

  get shared(): readonly ResourceRef[] {
    return this.refs.slice(this.exclusiveCount);
  }
}
