/**
 * The numbers of units: which of them a grant has, the lowest free ones, and never two grants one.
 *
 * The numbers of a resource with a capacity are cut into ranges, a slot each. A range is in one of
 * three lists: free, from 0 up to the capacity; retired, which are no units any more, or not yet;
 * or those of a grant, on the list of its edges. To take numbers moves ranges from the free list
 * and splits at most one. So a waiting link needs one slot more, a *spare*, which it brings as it
 * arrives: memory cannot end while another operation grants its set.
 *
 * As the capacity falls, holders keep numbers that are no units any more. A set whose units were
 * reserved before may then find too few free ones, and gets retired ones.
 */

import { linkEdge, unlinkEdge } from './edges.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { isMetered, unitsOf } from './rule.ts';
import { allocate, free } from './slots.ts';

/** Numbers go from 0 to this, whatever the capacity is. */
const numberEnd = L.ALL + 1;

/** How many of these resources have a capacity: as many slots does a set with them need more. */
export function countMetered(
  w: Int32Array,
  refs: readonly number[] | Int32Array,
  count: number,
): number {
  let metered = 0;
  for (let index = 0; index < count; index++) {
    const resource = refs[index] as number;
    if (w[resource | L.RESOURCE_ANNEX] !== L.NOBODY && isMetered(w, resource)) metered++;
  }
  return metered;
}

/** A link of a set being built brings its spare, which has been reserved. */
export function bringSpare(w: Int32Array, link: number): void {
  const annex = w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
  const spare = allocate(w);
  save(w, annex);
  w[spare | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
  w[spare | L.CHAIN] = w[annex | L.ANNEX_SPARE];
  w[annex | L.ANNEX_SPARE] = spare;
  w[link | L.FLAGS] |= L.LINK_METERED;
  w[w[link | L.LINK_SET] | L.FLAGS] |= L.SET_METERED;
}

/** A set is granted: each link that it has waited for gets its numbers. */
export function takeNumbers(w: Int32Array, set: number): void {
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    const flags = w[link | L.FLAGS];
    if ((flags & L.LINK_METERED) === 0) continue;
    const spare = takeSpare(w, w[link | L.LINK_RESOURCE]);
    const isTriggered = (flags & L.LINK_TRIGGERED) !== 0;
    if (!isTriggered || !take(w, link, unitsOf(w, link), spare)) free(w, spare, spare);
  }
}

/** The exclusive link of a stealing set takes all that are free. */
export function stealNumbers(w: Int32Array, link: number): void {
  w[link | L.FLAGS] |= L.LINK_METERED;
  w[w[link | L.LINK_SET] | L.FLAGS] |= L.SET_METERED;
  take(w, link, L.ALL, L.NOBODY);
}

/** A granted link has become exclusive, and takes all that are free, if it has any. */
export function takeRest(w: Int32Array, link: number): void {
  if (rangesOf(w, link).length > 0) take(w, link, L.ALL, L.NOBODY);
}

/** A set ends: a granted one gives back its numbers, a waiting one its spares. */
export function dropNumbers(w: Int32Array, set: number): void {
  if ((w[set | L.FLAGS] & L.SET_GRANTED) === 0) dropSpares(w, set);
  else
    for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      giveNumbers(w, link);
    }
}

function dropSpares(w: Int32Array, set: number): void {
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) continue;
    const spare = takeSpare(w, w[link | L.LINK_RESOURCE]);
    free(w, spare, spare);
  }
}

/** A granted link ends. */
export function giveNumbers(w: Int32Array, link: number): void {
  if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) return;
  for (const range of rangesOf(w, link)) give(w, range);
}

/**
 * A granted link has another number of units now: it gives back its highest numbers, or takes more,
 * if it had fewer. Takes one slot at most.
 */
export function adjustNumbers(w: Int32Array, link: number, units: number): void {
  const ranges = rangesOf(w, link);
  let count = 0;
  for (const range of ranges) count += w[range | L.RANGE_COUNT];
  // It was granted without its turn.
  if (count === 0) return;
  for (const range of ranges.reverse()) {
    const excess = count - units;
    if (excess <= 0) break;
    const countOfRange = w[range | L.RANGE_COUNT];
    count -= Math.min(excess, countOfRange);
    give(w, excess >= countOfRange ? range : splitOff(w, range, countOfRange - excess));
  }
  if (count === units) return;
  const spare = allocate(w);
  w[spare | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
  if (!take(w, link, units - count, spare)) free(w, spare, spare);
}

/** The numbers that a granted link has, ascending. */
export function numbersOf(w: Int32Array, link: number): readonly number[] {
  const numbers: number[] = [];
  // Only a grant has some; a waiting set has edges of another kind.
  if ((w[w[link | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) === 0) return numbers;
  for (const range of rangesOf(w, link)) {
    const from = w[range | L.RANGE_FROM];
    for (let index = 0; index < w[range | L.RANGE_COUNT]; index++) numbers.push(from + index);
  }
  return numbers;
}

/** Ranges that a link has of its resource, by number. */
function rangesOf(w: Int32Array, link: number): number[] {
  const ranges: number[] = [];
  const resource = w[link | L.LINK_RESOURCE];
  let edge = w[w[link | L.LINK_SET] | L.SET_EDGES];
  for (; edge !== L.NOBODY; edge = w[edge | L.EDGE_NEXT_OF_HELD]) {
    if ((w[edge | L.FLAGS] & L.EDGE_RANGE) === 0) continue;
    if (w[edge | L.RANGE_RESOURCE] === resource) ranges.push(edge);
  }
  if (ranges.length < 2) return ranges;
  return ranges.sort((one, other) => w[one | L.RANGE_FROM] - w[other | L.RANGE_FROM]);
}

/** Returns whether the spare was needed. */
function take(w: Int32Array, link: number, units: number, spare: number): boolean {
  const set = w[link | L.LINK_SET];
  const annex = w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
  let missing = units;
  while (missing > 0) {
    let range = w[annex | L.ANNEX_FREE];
    if (range === L.NOBODY) {
      // An exclusive set has all that there are, however many.
      if (units === L.ALL) return false;
      range = w[annex | L.ANNEX_RETIRED];
    }
    const count = w[range | L.RANGE_COUNT];
    save(w, range);
    if (count > missing) {
      // The slots of the set's own ranges: the first numbers go, the range stays where it is.
      w[spare | L.FLAGS] = w[range | L.FLAGS];
      w[spare | L.RANGE_RESOURCE] = w[range | L.RANGE_RESOURCE];
      w[spare | L.RANGE_FROM] = w[range | L.RANGE_FROM];
      w[spare | L.RANGE_COUNT] = missing;
      w[range | L.RANGE_FROM] += missing;
      w[range | L.RANGE_COUNT] = count - missing;
      hold(w, spare, set);
      return true;
    }
    missing -= count;
    unlist(w, range);
    hold(w, range, set);
  }
  return false;
}

/** Puts a range that is in no list on that of a grant. */
function hold(w: Int32Array, range: number, set: number): void {
  w[range | L.RANGE_SET] = set;
  linkEdge(w, range, set, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
}

function takeSpare(w: Int32Array, resource: number): number {
  const annex = w[resource | L.RESOURCE_ANNEX];
  const spare = w[annex | L.ANNEX_SPARE];
  save(w, annex);
  save(w, spare);
  w[annex | L.ANNEX_SPARE] = w[spare | L.CHAIN];
  return spare;
}

/** Cuts a range of a grant after its first numbers; the rest is a range of the grant too. */
function splitOff(w: Int32Array, range: number, countKept: number): number {
  const rest = allocate(w);
  save(w, range);
  w[rest | L.FLAGS] = w[range | L.FLAGS];
  w[rest | L.RANGE_RESOURCE] = w[range | L.RANGE_RESOURCE];
  w[rest | L.RANGE_FROM] = w[range | L.RANGE_FROM] + countKept;
  w[rest | L.RANGE_COUNT] = w[range | L.RANGE_COUNT] - countKept;
  w[range | L.RANGE_COUNT] = countKept;
  hold(w, rest, w[range | L.RANGE_SET]);
  return rest;
}

/** Puts a range of a grant back where it came from, in order, and joins it with its neighbours. */
function give(w: Int32Array, range: number): void {
  save(w, range);
  unlinkEdge(w, range, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
  const annex = w[w[range | L.RANGE_RESOURCE] | L.RESOURCE_ANNEX];
  const list = annex | listOf(w, range);
  let after = w[list];
  let before = L.NOBODY;
  while (after !== L.NOBODY && w[after | L.RANGE_FROM] < w[range | L.RANGE_FROM]) {
    before = after;
    after = w[after | L.RANGE_NEXT];
  }
  enlist(w, range, before, after);
  if (after !== L.NOBODY && endOf(w, range) === w[after | L.RANGE_FROM]) join(w, range, after);
  if (before !== L.NOBODY && endOf(w, before) === w[range | L.RANGE_FROM]) join(w, before, range);
}

function endOf(w: Int32Array, range: number): number {
  return w[range | L.RANGE_FROM] + w[range | L.RANGE_COUNT];
}

/** The second of two neighbours in a list becomes part of the first. */
function join(w: Int32Array, first: number, second: number): void {
  save(w, first);
  w[first | L.RANGE_COUNT] += w[second | L.RANGE_COUNT];
  save(w, second);
  unlist(w, second);
  free(w, second, second);
}

function listOf(w: Int32Array, range: number): number {
  return (w[range | L.FLAGS] & L.RANGE_RETIRED) === 0 ? L.ANNEX_FREE : L.ANNEX_RETIRED;
}

/** Puts a saved range between two of its list, of which either may be nobody. */
function enlist(w: Int32Array, range: number, before: number, after: number): void {
  w[range | L.RANGE_SET] = L.NOBODY;
  w[range | L.RANGE_PREVIOUS] = before;
  w[range | L.RANGE_NEXT] = after;
  const annex = w[w[range | L.RANGE_RESOURCE] | L.RESOURCE_ANNEX];
  save(w, before === L.NOBODY ? annex : before);
  if (before === L.NOBODY) w[annex | listOf(w, range)] = range;
  else w[before | L.RANGE_NEXT] = range;
  if (after === L.NOBODY) return;
  save(w, after);
  w[after | L.RANGE_PREVIOUS] = range;
}

function unlist(w: Int32Array, range: number): void {
  const before = w[range | L.RANGE_PREVIOUS];
  const after = w[range | L.RANGE_NEXT];
  const annex = w[w[range | L.RANGE_RESOURCE] | L.RESOURCE_ANNEX];
  save(w, before === L.NOBODY ? annex : before);
  if (before === L.NOBODY) w[annex | listOf(w, range)] = after;
  else w[before | L.RANGE_NEXT] = after;
  if (after === L.NOBODY) return;
  save(w, after);
  w[after | L.RANGE_PREVIOUS] = before;
}

// -------------------------------------------------------------------------------------------------
// Another capacity

/** First and one after the last of a range; ranges ascend, and do not touch. */
export type Bounds = readonly (readonly [from: number, end: number])[];

export interface NumberRange {
  readonly from: number;
  readonly end: number;
  /** The grant that has them, or nobody. */
  readonly set: number;
  readonly isRetired: boolean;
}

/** Which ranges there are once these numbers, and no others, are units. */
export function planNumbers(
  w: Int32Array,
  resource: number,
  units: Bounds,
): readonly NumberRange[] {
  const plan: NumberRange[] = [];
  const add = (from: number, end: number, set: number): void => {
    let at = from;
    for (const [first, last] of units) {
      if (at >= end || last <= at || first >= end) continue;
      if (first > at) plan.push({ from: at, end: first, set, isRetired: true });
      const to = Math.min(end, last);
      plan.push({ from: Math.max(at, first), end: to, set, isRetired: false });
      at = to;
    }
    if (at < end) plan.push({ from: at, end, set, isRetired: true });
  };
  let at = 0;
  for (const range of heldRanges(w, resource)) {
    add(at, w[range | L.RANGE_FROM], L.NOBODY);
    add(w[range | L.RANGE_FROM], endOf(w, range), w[range | L.RANGE_SET]);
    at = endOf(w, range);
  }
  add(at, numberEnd, L.NOBODY);
  return plan;
}

/** Puts a plan into force. The slots that it needs have been reserved. */
export function layNumbers(w: Int32Array, resource: number, plan: readonly NumberRange[]): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  save(w, annex);
  const slots: number[] = [];
  for (const range of heldRanges(w, resource)) {
    save(w, range);
    unlinkEdge(w, range, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
    slots.push(range);
  }
  slots.push(...listedRanges(w, annex));
  w[annex | L.ANNEX_FREE] = L.NOBODY;
  w[annex | L.ANNEX_RETIRED] = L.NOBODY;
  const last = [L.NOBODY, L.NOBODY];
  for (const { from, end, set, isRetired } of plan) {
    const range = slots.pop() ?? allocate(w);
    save(w, range);
    w[range | L.FLAGS] = L.EDGE | L.EDGE_RANGE | (isRetired ? L.RANGE_RETIRED : 0);
    w[range | L.RANGE_RESOURCE] = resource;
    w[range | L.RANGE_FROM] = from;
    w[range | L.RANGE_COUNT] = end - from;
    if (set !== L.NOBODY) {
      hold(w, range, set);
      continue;
    }
    const list = isRetired ? 1 : 0;
    enlist(w, range, last[list] as number, L.NOBODY);
    last[list] = range;
  }
  for (const slot of slots) {
    save(w, slot);
    free(w, slot, slot);
  }
}

/** Frees the ranges of a resource that no set uses. */
export function forgetNumbers(w: Int32Array, resource: number): void {
  for (const range of listedRanges(w, w[resource | L.RESOURCE_ANNEX])) {
    save(w, range);
    free(w, range, range);
  }
}

function listedRanges(w: Int32Array, annex: number): number[] {
  const ranges: number[] = [];
  for (const list of [L.ANNEX_FREE, L.ANNEX_RETIRED]) {
    let range = w[annex | list];
    for (; range !== L.NOBODY; range = w[range | L.RANGE_NEXT]) ranges.push(range);
  }
  return ranges;
}

/** By number. O(queue). */
function heldRanges(w: Int32Array, resource: number): number[] {
  const ranges: number[] = [];
  for (let link = w[resource | L.RESOURCE_HEAD]; link !== L.NOBODY; link = w[link | L.LINK_NEXT]) {
    const isGranted = (w[w[link | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) !== 0;
    if (isGranted) ranges.push(...rangesOf(w, link));
  }
  return ranges.sort((one, other) => w[one | L.RANGE_FROM] - w[other | L.RANGE_FROM]);
}
