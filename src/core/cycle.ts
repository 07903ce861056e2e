/**
 * Holding while waiting: is there a cycle of sets, each waiting for, or kept by, the next?
 *
 * A waiting set waits for the older sets that conflict with it. Why a set is kept, besides, is
 * decided by the caller: a granted one until those waiting sets whose callers declared to hold it
 * are through ({@link declaredFor}). Only a new set can close such a cycle, and only if it declares
 * a grant, so that search runs for such requests alone. It walks each queue position at most once
 * as shared and once as exclusive: O(sets and links that can be reached). Its bookkeeping lives in
 * ordinary objects and is gone when it returns.
 */

import * as L from './layout.ts';
import { unitsOf } from './rule.ts';

/** The sets that a set is kept for: it ends only when they are through. */
export type KeptFor = (set: number) => readonly number[];

/** The sets of the cycle, beginning with `set`, or none. */
export function findCycle(w: Int32Array, set: number, keptFor: KeptFor): readonly number[] {
  const reachedFrom = new Map<number, number>();
  const passed = new Set<number>();
  const open = [set];
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    for (const to of [...inTheWay(w, from, passed), ...keptFor(from)]) {
      if (to === set) return pathTo(from, reachedFrom);
      if (reachedFrom.has(to)) continue;
      reachedFrom.set(to, from);
      open.push(to);
    }
  }
  return [];
}

/** The waiting sets whose callers declared that they keep this grant. */
export function declaredFor(w: Int32Array, set: number): readonly number[] {
  const sets: number[] = [];
  if ((w[set | L.FLAGS] & L.SET_GRANTED) === 0) return sets;
  let edge = w[set | L.SET_EDGES];
  for (; edge !== L.NOBODY; edge = w[edge | L.EDGE_NEXT_OF_HELD])
    sets.push(w[edge | L.EDGE_WAITER]);
  return sets;
}

function pathTo(last: number, reachedFrom: ReadonlyMap<number, number>): readonly number[] {
  const path: number[] = [];
  for (let at: number | undefined = last; at !== undefined; at = reachedFrom.get(at)) path.push(at);
  return path.reverse();
}

function inTheWay(w: Int32Array, set: number, passed: Set<number>): readonly number[] {
  const sets: number[] = [];
  if ((w[set | L.FLAGS] & L.SET_GRANTED) !== 0) return sets;
  let link = w[set | L.CHAIN];
  for (; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if ((w[link | L.FLAGS] & (L.LINK_TRIGGERED | L.LINK_IGNORED)) === 0) {
      aheadOf(w, link, passed, sets);
    }
  }
  return sets;
}

/**
 * Those ahead of a link that conflict with it, as far as an exclusive one that itself waits for all
 * ahead of *it* (an ignored link does not). A shared link that was passed leads there already.
 */
function aheadOf(w: Int32Array, link: number, passed: Set<number>, sets: number[]): void {
  const isExclusive = unitsOf(w, link) === L.ALL;
  let ahead = w[link | L.LINK_PREVIOUS];
  for (; ahead !== L.NOBODY; ahead = w[ahead | L.LINK_PREVIOUS]) {
    const isAheadExclusive = unitsOf(w, ahead) === L.ALL;
    if (isExclusive || isAheadExclusive) sets.push(w[ahead | L.LINK_SET]);
    if (isAheadExclusive && (w[ahead | L.FLAGS] & L.LINK_IGNORED) === 0) return;
    if (!isExclusive) {
      if (passed.has(ahead)) return;
      passed.add(ahead);
    }
  }
}
