/** A set that arrives, and is built link by link. */

import { setGranted } from './granted.ts';
import * as L from './layout.ts';
import { bringSpares, takeNumbers } from './numbers.ts';
import { allocate, type Refs } from './slots.ts';

export function createSet(w: Int32Array, flags: number, userData: number): number {
  const set = allocate(w);
  w[set | L.FLAGS] = flags;
  w[set | L.SET_USER_DATA] = userData | 0;
  w[set | L.SET_EDGES] = L.NOBODY;
  return set;
}

/**
 * A set granted as it is built is reported by the operation's result, not through the list. Its
 * arrival is its token then: nothing has ticked since.
 */
export function finishBuilding(
  w: Int32Array,
  d: Float64Array,
  set: number,
  pending: number,
  stamp: number,
): void {
  w[set | L.SET_PENDING] = pending;
  const isMetered = (w[set | L.FLAGS] & L.SET_METERED) !== 0;
  if (pending === 0) {
    setGranted(w, set);
    if (isMetered) takeNumbers(w, set);
  } else if (isMetered) {
    bringSpares(w, set);
  }
  d[(set | L.SET_STAMP) >> 1] = stamp;
}

/** Whether the set goes without waiting for this link, as a synchronous caller is ahead of it. */
export function passLocked(w: Int32Array, set: number, resource: number, link: number): boolean {
  if (w[resource | L.FLAGS] >>> L.RESOURCE_SYNC_SHIFT === 0) return false;
  w[link | L.FLAGS] |= L.LINK_IGNORED;
  w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;
  w[set | L.FLAGS] |= L.SET_HAS_DETAILS;
  return true;
}

/** The units of the resource at `index`: see {@link Core.enqueue}. */
export function unitsAt(index: number, exclusiveCount: number, units: Refs | undefined): number {
  if (units !== undefined) return units[index] as number;
  return index < exclusiveCount ? L.ALL : 1;
}
