/** The sets that a domain has prepared. */

import { listsOf, type OrderedRefs } from '../api/read-set.ts';
import type { PreparedSet, ResourceRef } from '../api/sets.ts';
import type { UnitCount } from '../api/units.ts';

/** Resources without doubles. `O`: its owner. `R`: what a name stands for. */
export class OwnPreparedSet<O, R> implements PreparedSet, OrderedRefs {
  readonly owner: O;
  /** Itself: a proxy of it shows another object here than it is. */
  readonly self: OwnPreparedSet<O, R>;
  readonly refs: readonly ResourceRef[];
  /** What {@link refs} stood for when the set was last used. */
  readonly resources: R[];
  readonly exclusiveCount: number;
  readonly unitsCount: number;
  readonly counts: readonly number[];
  readonly asserted: readonly number[];

  constructor(owner: O, requested: OrderedRefs, find: (ref: ResourceRef) => R) {
    const { refs, count, exclusiveCount, unitsCount, counts, asserted } = requested;
    const unitsEnd = exclusiveCount + unitsCount;
    const named = new Map<R, number>();
    for (let index = 0; index < count; index++) {
      const resource = find(refs[index] as ResourceRef);
      // Named first, it takes the most units.
      if (!named.has(resource)) named.set(resource, index);
    }
    const kept = [...named.values()];
    this.owner = owner;
    this.self = this;
    this.refs = kept.map((index) => refs[index] as ResourceRef);
    this.resources = [...named.keys()];
    this.exclusiveCount = kept.filter((index) => index < exclusiveCount).length;
    this.unitsCount = kept.filter((index) => index < unitsEnd).length - this.exclusiveCount;
    this.counts = unitsCount === 0 ? [] : kept.map((index) => counts[index] as number);
    this.asserted = unitsCount === 0 ? [] : kept.map((index) => asserted[index] as number);
  }

  get count(): number {
    return this.refs.length;
  }

  get exclusive(): readonly ResourceRef[] {
    return listsOf(this).exclusive;
  }

  get shared(): readonly ResourceRef[] {
    return listsOf(this).shared;
  }

  get units(): ReadonlyMap<ResourceRef, UnitCount> {
    return listsOf(this).units ?? new Map();
  }
}
