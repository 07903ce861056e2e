/**
 * Threads that block on each other for certain: a circle of which each waits for, or is kept by,
 * the next, and in which every thread that keeps something is blocked without a time limit.
 *
 * A waiting set waits for those ahead that conflict. Whatever a blocked thread has, granted or yet
 * to be granted, it lets go of only when it goes on: so it waits for the set that the thread is
 * blocked for. All of these are needed, so one circle is enough, and nothing but an interruption
 * ends it. A thread that runs, or sits in its event loop, may still let go: what it has is no part
 * of a circle.
 */

import type { Core } from '../../core/index.ts';

/** The set that the thread of whoever owns a set is blocked for without a limit, or 0. */
type BlockedFor = (set: number) => number;

/** The sets of a circle that begins with `set`, or none. O(sets and links that can be reached). */
export function findBlockedCircle(
  core: Core,
  set: number,
  blockedFor: BlockedFor,
): readonly number[] {
  const reachedFrom = new Map<number, number>();
  const open = [set];
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    const next = core.isGranted(from) ? [] : setsAhead(core, from);
    const ownBlock = blockedFor(from);
    if (ownBlock !== 0 && ownBlock !== from) next.push(ownBlock);
    for (const to of next) {
      if (to === set) return pathTo(from, reachedFrom);
      if (reachedFrom.has(to)) continue;
      reachedFrom.set(to, from);
      open.push(to);
    }
  }
  return [];
}

function pathTo(last: number, reachedFrom: ReadonlyMap<number, number>): readonly number[] {
  const path: number[] = [];
  for (let at: number | undefined = last; at !== undefined; at = reachedFrom.get(at)) path.push(at);
  return path.reverse();
}

/** Those ahead that conflict with what a waiting set still waits for. */
function setsAhead(core: Core, set: number): number[] {
  const sets: number[] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    if (core.isTriggered(link) || core.isIgnored(link)) continue;
    let ahead = core.previousInQueue(link);
    for (; ahead !== 0; ahead = core.previousInQueue(ahead)) {
      if (core.isExclusive(link) || core.isExclusive(ahead)) sets.push(core.setOf(ahead));
    }
  }
  return sets;
}
