/**
 * Numbers of units that grants had before the memory was lost: a server whose state is new restores
 * what its clients still hold. Apart from Core, as other bundles do without it.
 */

import { countAnnexesMissing } from './annex.ts';
import { isDeclared, putCapacity } from './capacity.ts';
import type { Core } from './core.ts';
import { giveTokens } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { chain, cut, endOf, hold, keepNumbers, type NumberRange, takeLowest } from './numbers.ts';
import { advance } from './queue.ts';
import { capacityOf, isMetered, unitsOf } from './rule.ts';
import { allocate, reserve } from './slots.ts';

/**
 * At least this capacity is in force from now on, and is declared if `declares`. No set waits for
 * the resource. False if memory is at its end.
 */
export function restoreCapacity(
  { memory }: Core,
  resource: number,
  capacity: number,
  declares: boolean,
): boolean {
  if (!reserve(memory, countAnnexesMissing(memory.words, [resource], 1) + 1)) return false;
  const { words: w, doubles: d } = memory;
  const isFirst = !isMetered(w, resource);
  const wasDeclared = isDeclared(w, resource);
  const before = isFirst ? 0 : capacityOf(w, resource);
  if (capacity <= before && (wasDeclared || !declares)) return true;
  putCapacity(w, resource, Math.max(capacity, before), !declares && !wasDeclared);
  advance(w, d, resource);
  giveTokens(w, d);
  return true;
}

/**
 * Gives a granted link that is not exclusive these numbers, ascending, in place of its own. False,
 * and it has the lowest free ones, if one of them is not free, or they are not as many as its
 * units; or, and it has its own, if memory is at its end.
 */
export function claimNumbers(
  { memory }: Core,
  link: number,
  ranges: readonly NumberRange[],
): boolean {
  // At each end of a range a free one may be cut; or one is, once these are joined again.
  if (!reserve(memory, 2 * ranges.length + 1)) return false;
  const w = memory.words;
  if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) return false;
  keepNumbers(w, link, 0);
  const count = ranges.reduce((sum, [, each]) => sum + each, 0);
  if (count === unitsOf(w, link) && takeRanges(w, link, ranges)) return true;
  keepNumbers(w, link, 0);
  takeLowest(w, link);
  return false;
}

/** Takes these, in one walk over the free ones, up to the first that is not free. */
function takeRanges(w: Int32Array, link: number, ranges: readonly NumberRange[]): boolean {
  const set = w[link | L.LINK_SET];
  const annex = w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
  let last = L.NOBODY;
  let free = w[annex | L.ANNEX_FREE];
  for (const [from, count] of ranges) {
    while (free !== L.NOBODY && endOf(w, free) <= from) {
      last = free;
      free = w[free | L.RANGE_NEXT];
    }
    if (free === L.NOBODY || w[free | L.RANGE_FROM] > from) return false;
    if (endOf(w, free) < from + count) return false;
    const before = from - w[free | L.RANGE_FROM];
    if (before > 0) {
      const ahead = cut(w, free, before, allocate(w));
      w[ahead | L.RANGE_NEXT] = free;
      chain(w, annex, last, ahead);
      last = ahead;
    }
    if (w[free | L.RANGE_COUNT] > count) {
      hold(w, cut(w, free, count, allocate(w)), set);
    } else {
      const range = free;
      free = w[range | L.RANGE_NEXT];
      save(w, range);
      chain(w, annex, last, free);
      hold(w, range, set);
    }
  }
  return true;
}
