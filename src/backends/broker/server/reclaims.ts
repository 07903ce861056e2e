/**
 * The grants that are reclaimed in the time of grace. A client that was cut off just before the
 * last broker died may reclaim a set that had been granted to another client since. Tokens grow
 * with each grant, so of two grants in conflict the one with the greater token is the rightful
 * one, whichever is reclaimed first.
 */

import { isKdsError } from '../../../api/errors.ts';
import type { SyncGrant } from '../../../api/grant.ts';
import type { ResourceRef } from '../../../api/sets.ts';
import type { LiveRequest } from './live-request.ts';

interface ReclaimedSet {
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
}

export class Reclaims {
  /** Those that are held, by resource. */
  readonly #holders = new Map<ResourceRef, Set<LiveRequest>>();
  readonly #sets = new Map<LiveRequest, ReclaimedSet>();

  /**
   * Grants a set with the token of its request, and takes away the grants in conflict. The freed
   * resources cannot be granted to a waiter, as grace defers all of those.
   *
   * @throws WaitTimeoutError if a grant in conflict has a greater token, or the same: then nothing
   * has changed. What the domain refuses the set with.
   */
  grant(
    request: LiveRequest,
    set: ReclaimedSet,
    label: string | undefined,
    onGranted: (grant: SyncGrant) => void,
  ): void {
    const { session } = request.served;
    const options = { delivery: 'direct', timeoutMs: 0, label } as const;
    try {
      session.enqueue(set, onGranted, options);
    } catch (error) {
      if (!isKdsError(error, 'KDS_WAIT_TIMEOUT')) throw error;
      const conflicting = this.#inConflictWith(set);
      for (const { token } of conflicting) if (token >= request.token) throw error;
      for (const each of conflicting) {
        each.owner.lose(each);
        each.grant?.abandon();
      }
      session.enqueue(set, onGranted, options);
    }
    this.#add(request, set);
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

  #add(request: LiveRequest, set: ReclaimedSet): void {
    this.#sets.set(request, set);
    for (const ref of refsOf(set)) {
      const holders = this.#holders.get(ref);
      if (holders === undefined) this.#holders.set(ref, new Set([request]));
      else holders.add(request);
    }
  }

  /** Parts may have been released or downgraded since, so what each grant covers is checked. */
  #inConflictWith({ exclusive, shared }: ReclaimedSet): ReadonlySet<LiveRequest> {
    const found = new Set<LiveRequest>();
    const add = (ref: ResourceRef, part: Partial<ReclaimedSet>): void => {
      for (const holder of this.#holders.get(ref) ?? []) {
        if (holder.grant?.covers(part) === true) found.add(holder);
      }
    };
    for (const ref of exclusive) add(ref, { shared: [ref] });
    for (const ref of shared) add(ref, { exclusive: [ref] });
    return found;
  }
}

function refsOf({ exclusive, shared }: ReclaimedSet): readonly ResourceRef[] {
  return [...exclusive, ...shared];
}
