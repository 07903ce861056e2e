/**
 * The grants that are reclaimed in the time of grace. A client that was cut off just before the
 * last broker died may reclaim a set that had been granted to another client since. Tokens grow
 * with each grant, so of two grants in conflict the one with the greater token is the rightful
 * one, whichever is reclaimed first.
 */

import type { SyncGrant } from '../../../api/grant.ts';
import type { ReadSet } from '../../../api/read-set.ts';
import type { ResourceRef } from '../../../api/sets.ts';
import type { UnitRange } from '../../../api/units.ts';
import { lostError } from '../../../remote/lost-error.ts';
import type { HeldUnits } from '../../process/domain.ts';
import type { LiveRequest } from './live-request.ts';

/** `units`: those that the grant had. */
interface ReclaimedSet {
  readonly set: ReadSet;
  readonly units: readonly HeldUnits[];
}

export class Reclaims {
  /** Those that are held, by resource. */
  readonly #holders = new Map<ResourceRef, Set<LiveRequest>>();
  readonly #sets = new Map<LiveRequest, ReadSet>();

  /**
   * Grants a set with the token of its request, and takes away the grants in conflict. The freed
   * resources cannot be granted to a waiter, as grace defers all of those.
   *
   * @throws GrantLostError if a grant in conflict has a greater token, or the same: then nothing
   * has changed. What the domain refuses the set with.
   */
  grant(request: LiveRequest, claimed: ReclaimedSet, label: string | undefined): SyncGrant {
    const { session } = request.served;
    const { set, units } = claimed;
    let grant = session.claim(set, units, label);
    if (grant === null) {
      const conflicting = this.#inConflictWith(claimed);
      for (const { token } of conflicting) {
        if (token >= request.token) throw lostError(request.token);
      }
      for (const each of conflicting) {
        each.owner.lose(each);
        each.grant?.abandon();
      }
      grant = session.claim(set, units, label);
      if (grant === null) throw lostError(request.token);
    }
    this.#add(request, set);
    return grant;
  }

  /** A request that has ended. */
  remove(request: LiveRequest): void {
    const set = this.#sets.get(request);
    if (set === undefined) return;
    this.#sets.delete(request);
    for (const ref of refsOf(set)) this.#holders.get(ref)?.delete(request);
  }

  /** The time of grace is over. */
  clear(): void {
    this.#holders.clear();
    this.#sets.clear();
  }

  #add(request: LiveRequest, set: ReadSet): void {
    this.#sets.set(request, set);
    for (const ref of refsOf(set)) {
      const holders = this.#holders.get(ref);
      if (holders === undefined) this.#holders.set(ref, new Set([request]));
      else holders.add(request);
    }
  }

  /** Parts may have been released or downgraded since, so what each grant covers is checked. */
  #inConflictWith({ set, units }: ReclaimedSet): ReadonlySet<LiveRequest> {
    const found = new Set<LiveRequest>();
    const add = (ref: ResourceRef, isInConflict: (holder: LiveRequest) => boolean): void => {
      for (const holder of this.#holders.get(ref) ?? []) {
        if (isInConflict(holder)) found.add(holder);
      }
    };
    for (const ref of set.exclusive) {
      add(ref, ({ grant }) => grant?.covers({ shared: [ref] }) === true);
    }
    for (const ref of [...set.shared, ...(set.units?.keys() ?? [])]) {
      add(ref, ({ grant }) => grant?.covers({ exclusive: [ref] }) === true);
    }
    for (const { resource, ranges } of units) {
      add(resource, (holder) => overlap(ranges, rangesOf(holder, resource)));
    }
    return found;
  }
}

function rangesOf({ grant, served }: LiveRequest, resource: ResourceRef): readonly UnitRange[] {
  const held = grant === undefined ? [] : served.session.heldUnits(grant);
  return held.find((each) => each.resource === resource)?.ranges ?? [];
}

/** Whether two ascending lists have a number in common. */
function overlap(ranges: readonly UnitRange[], others: readonly UnitRange[]): boolean {
  let at = 0;
  for (const [from, count] of ranges) {
    while (at < others.length && endOf(others[at] as UnitRange) <= from) at++;
    const other = others[at];
    if (other !== undefined && other[0] < from + count) return true;
  }
  return false;
}

function endOf([from, count]: UnitRange): number {
  return from + count;
}

function refsOf({ exclusive, shared, units }: ReadSet): readonly ResourceRef[] {
  return [...exclusive, ...shared, ...(units?.keys() ?? [])];
}
