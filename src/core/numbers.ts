/**
 * The numbers of units: which of them a grant has, the lowest free ones, and never two grants one.
 *
 * The numbers of a resource with a capacity, from 0 on, are cut into ranges, a slot each. A range
 * is free, in an ordered list of the annex, or it is of a grant, on the list of its edges. As the
 * sums of units fit the capacity, the lowest free numbers are below it, but for those that holders
 * kept as it fell. An exclusive set takes all that are free; those from the capacity on are no
 * units.
 *
 * To take numbers moves ranges and splits at most one. So a waiting link needs one slot more, a
 * *spare*, which it brings as it arrives: memory cannot end while another operation grants its set.
 */

import { linkEdge, unlinkEdge } from './edges.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { capacityOf, isMetered, unitsOf } from './rule.ts';
import { allocate, free, type Refs } from './slots.ts';

/** Numbers in a row. */
export type NumberRange = readonly [from: number, count: number];

/** How many of these resources have a capacity: as many slots does a set with them need more. */
export function countMetered(w: Int32Array, refs: Refs, count: number): number {
  let metered = 0;
  for (let index = 0; index < count; index++) {
    const resource = refs[index] as number;
    if (w[resource | L.RESOURCE_ANNEX] !== L.NOBODY && isMetered(w, resource)) metered++;
  }
  return metered;
}

/** A resource has a capacity from now on: all numbers are free. Takes a slot. */
export function layNumbers(w: Int32Array, resource: number, annex: number): void {
  const range = allocate(w);
  w[range | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
  w[range | L.RANGE_RESOURCE] = resource;
  w[range | L.RANGE_FROM] = 0;
  w[range | L.RANGE_COUNT] = L.ALL;
  enlist(w, range, L.NOBODY, w[annex | L.ANNEX_FREE]);
}

/** Frees the one range of a resource with a capacity that no set uses. */
export function forgetNumbers(w: Int32Array, annex: number): void {
  const range = w[annex | L.ANNEX_FREE];
  if (range !== L.NOBODY) free(w, range, range);
}

/** A link of a set being built takes units of a resource with a capacity. */
export function meter(w: Int32Array, link: number): void {
  w[link | L.FLAGS] |= L.LINK_METERED;
  w[w[link | L.LINK_SET] | L.FLAGS] |= L.SET_METERED;
}

/** The set waits: each link brings its spare, which has been reserved. */
export function bringSpares(w: Int32Array, set: number): void {
  w[set | L.FLAGS] |= L.SET_SPARES;
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) continue;
    const annex = w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
    const spare = allocate(w);
    save(w, annex);
    w[spare | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
    w[spare | L.CHAIN] = w[annex | L.ANNEX_SPARE];
    w[annex | L.ANNEX_SPARE] = spare;
  }
}

/** A set is granted as it arrives: each link gets its numbers. Slots have been reserved. */
export function takeNumbers(w: Int32Array, set: number): void {
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    const flags = w[link | L.FLAGS];
    if ((flags & (L.LINK_METERED | L.LINK_TRIGGERED)) !== (L.LINK_METERED | L.LINK_TRIGGERED)) {
      continue;
    }
    const rest = take(w, link, unitsOf(w, link));
    if (rest > 0) split(w, link, rest, allocate(w));
  }
}

/** The same of a set that has waited, with the spares that it brought. The set is saved. */
export function takeNumbersBySpares(w: Int32Array, set: number): void {
  w[set | L.FLAGS] &= ~L.SET_SPARES;
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    const flags = w[link | L.FLAGS];
    if ((flags & L.LINK_METERED) === 0) continue;
    const spare = takeSpare(w, link);
    const rest = (flags & L.LINK_TRIGGERED) === 0 ? 0 : take(w, link, unitsOf(w, link));
    if (rest > 0) split(w, link, rest, spare);
    else free(w, spare, spare);
  }
}

/** The exclusive link of a stealing set takes all that are free. */
export function stealNumbers(w: Int32Array, link: number): void {
  meter(w, link);
  take(w, link, L.ALL);
}

/** A granted link has become exclusive, and takes all that are free, if it has any. */
export function takeRest(w: Int32Array, link: number): void {
  if (rangesOf(w, link).length > 0) take(w, link, L.ALL);
}

/** A set ends: a granted one gives back its numbers, a waiting one its spares. */
export function dropNumbers(w: Int32Array, set: number): void {
  const isGranted = (w[set | L.FLAGS] & L.SET_GRANTED) !== 0;
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if (isGranted) {
      keepNumbers(w, link, 0);
    } else if ((w[link | L.FLAGS] & L.LINK_METERED) !== 0) {
      const spare = takeSpare(w, link);
      free(w, spare, spare);
    }
  }
}

/** A granted link keeps the lowest of its numbers, and gives back the others. Takes one slot. */
export function keepNumbers(w: Int32Array, link: number, count: number): void {
  if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) return;
  if (count === 0) {
    giveAll(w, link);
    return;
  }
  let left = count;
  for (const range of rangesOf(w, link)) {
    const own = w[range | L.RANGE_COUNT];
    if (left === 0) give(w, range);
    else if (own > left) give(w, splitOff(w, range, left));
    left = Math.max(0, left - own);
  }
}

/** Gives back all numbers of a granted link, in any order. */
function giveAll(w: Int32Array, link: number): void {
  const resource = w[link | L.LINK_RESOURCE];
  let edge = w[w[link | L.LINK_SET] | L.SET_EDGES];
  while (edge !== L.NOBODY) {
    const next = w[edge | L.EDGE_NEXT_OF_HELD];
    const isRange = (w[edge | L.FLAGS] & L.EDGE_RANGE) !== 0;
    if (isRange && w[edge | L.RANGE_RESOURCE] === resource) give(w, edge);
    edge = next;
  }
}

/** The numbers of the units that a granted link has, in ranges, ascending. */
export function numberRanges(w: Int32Array, link: number): readonly NumberRange[] {
  const ranges: NumberRange[] = [];
  // Only a grant has some; a waiting set has edges of another kind.
  if ((w[w[link | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) === 0) return ranges;
  const end = unitsOf(w, link) === L.ALL ? capacityOf(w, w[link | L.LINK_RESOURCE]) : L.ALL;
  for (const range of rangesOf(w, link)) {
    const from = w[range | L.RANGE_FROM];
    const count = Math.min(end - from, w[range | L.RANGE_COUNT]);
    if (count <= 0) break;
    const last = ranges.at(-1);
    const isJoined = last !== undefined && last[0] + last[1] === from;
    if (isJoined) ranges.pop();
    ranges.push(isJoined ? [last[0], last[1] + count] : [from, count]);
  }
  return ranges;
}

export function numbersIn(ranges: readonly NumberRange[]): readonly number[] {
  const numbers: number[] = [];
  for (const [from, count] of ranges) {
    for (let number = from; number < from + count; number++) numbers.push(number);
  }
  return numbers;
}

/** Ranges that a granted link has of its resource, by number. */
function rangesOf(w: Int32Array, link: number): number[] {
  const ranges: number[] = [];
  const resource = w[link | L.LINK_RESOURCE];
  let edge = w[w[link | L.LINK_SET] | L.SET_EDGES];
  for (; edge !== L.NOBODY; edge = w[edge | L.EDGE_NEXT_OF_HELD]) {
    const isRange = (w[edge | L.FLAGS] & L.EDGE_RANGE) !== 0;
    if (isRange && w[edge | L.RANGE_RESOURCE] === resource) ranges.push(edge);
  }
  return ranges.sort((one, other) => w[one | L.RANGE_FROM] - w[other | L.RANGE_FROM]);
}

/**
 * Takes the lowest free numbers, for ALL all of them, range by range. Returns how many are missing
 * of the first free range, which has more than these.
 */
function take(w: Int32Array, link: number, units: number): number {
  const set = w[link | L.LINK_SET];
  const annex = w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
  let missing = units;
  while (missing > 0) {
    const range = w[annex | L.ANNEX_FREE];
    if (range === L.NOBODY) return 0;
    const count = w[range | L.RANGE_COUNT];
    if (count > missing) return missing;
    missing -= count;
    unlist(w, range);
    hold(w, range, set);
  }
  return 0;
}

/** Takes the first numbers of the first free range, with a slot for them. */
function split(w: Int32Array, link: number, count: number, slot: number): void {
  const resource = w[link | L.LINK_RESOURCE];
  const range = w[w[resource | L.RESOURCE_ANNEX] | L.ANNEX_FREE];
  save(w, range);
  w[slot | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
  w[slot | L.RANGE_RESOURCE] = resource;
  w[slot | L.RANGE_FROM] = w[range | L.RANGE_FROM];
  w[slot | L.RANGE_COUNT] = count;
  w[range | L.RANGE_FROM] += count;
  w[range | L.RANGE_COUNT] -= count;
  hold(w, slot, w[link | L.LINK_SET]);
}

/** Puts a saved range that is in no list on that of a grant. */
export function hold(w: Int32Array, range: number, set: number): void {
  w[range | L.RANGE_SET] = set;
  linkEdge(w, range, set, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
}

function takeSpare(w: Int32Array, link: number): number {
  const annex = w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
  const spare = w[annex | L.ANNEX_SPARE];
  save(w, annex);
  save(w, spare);
  w[annex | L.ANNEX_SPARE] = w[spare | L.CHAIN];
  return spare;
}

/** Cuts a range of a grant after its first numbers; the rest is a range of the grant too. */
function splitOff(w: Int32Array, range: number, countKept: number): number {
  const rest = cut(w, range, countKept);
  hold(w, rest, w[range | L.RANGE_SET]);
  return rest;
}

/** Cuts a range after its first numbers; the rest is in no list. Takes a slot. */
function cut(w: Int32Array, range: number, countKept: number): number {
  const rest = allocate(w);
  save(w, range);
  w[rest | L.FLAGS] = w[range | L.FLAGS];
  w[rest | L.RANGE_RESOURCE] = w[range | L.RANGE_RESOURCE];
  w[rest | L.RANGE_FROM] = w[range | L.RANGE_FROM] + countKept;
  w[rest | L.RANGE_COUNT] = w[range | L.RANGE_COUNT] - countKept;
  w[range | L.RANGE_COUNT] = countKept;
  return rest;
}

/** Cuts a free range after its first numbers, and returns the rest. Takes a slot. */
export function cutFree(w: Int32Array, range: number, countKept: number): number {
  const rest = cut(w, range, countKept);
  enlist(w, rest, range, w[range | L.RANGE_NEXT]);
  return rest;
}

/** Puts a range of a grant into the list of the free ones, and joins it with adjacent ones. */
function give(w: Int32Array, range: number): void {
  save(w, range);
  unlinkEdge(w, range, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
  let after = w[w[w[range | L.RANGE_RESOURCE] | L.RESOURCE_ANNEX] | L.ANNEX_FREE];
  let before = L.NOBODY;
  while (after !== L.NOBODY && w[after | L.RANGE_FROM] < w[range | L.RANGE_FROM]) {
    before = after;
    after = w[after | L.RANGE_NEXT];
  }
  if (after !== L.NOBODY && touch(w, range, after)) {
    save(w, after);
    w[after | L.RANGE_FROM] = w[range | L.RANGE_FROM];
    w[after | L.RANGE_COUNT] += w[range | L.RANGE_COUNT];
    free(w, range, range);
    if (before !== L.NOBODY && touch(w, before, after)) {
      unlist(w, after);
      absorb(w, before, after);
    }
  } else if (before !== L.NOBODY && touch(w, before, range)) {
    absorb(w, before, range);
  } else {
    enlist(w, range, before, after);
  }
}

/** Whether the second of two ranges begins where the first one ends. */
function touch(w: Int32Array, first: number, second: number): boolean {
  return w[first | L.RANGE_FROM] + w[first | L.RANGE_COUNT] === w[second | L.RANGE_FROM];
}

/** A range that is in no list becomes part of the one that it touches. */
function absorb(w: Int32Array, first: number, second: number): void {
  save(w, first);
  w[first | L.RANGE_COUNT] += w[second | L.RANGE_COUNT];
  free(w, second, second);
}

/** Puts a saved range between two of the list, of which either may be nobody. */
function enlist(w: Int32Array, range: number, before: number, after: number): void {
  w[range | L.RANGE_SET] = L.NOBODY;
  connect(w, range, before, range);
  connect(w, range, range, after);
}

export function unlist(w: Int32Array, range: number): void {
  save(w, range);
  connect(w, range, w[range | L.RANGE_PREVIOUS], w[range | L.RANGE_NEXT]);
}

/** Two ranges, of the list of this range's resource, follow each other; nobody is its end. */
function connect(w: Int32Array, range: number, before: number, after: number): void {
  const annex = w[w[range | L.RANGE_RESOURCE] | L.RESOURCE_ANNEX];
  save(w, before === L.NOBODY ? annex : before);
  if (before === L.NOBODY) w[annex | L.ANNEX_FREE] = after;
  else w[before | L.RANGE_NEXT] = after;
  if (after === L.NOBODY) return;
  save(w, after);
  w[after | L.RANGE_PREVIOUS] = before;
}
