/**
 * The numbers of units: which of them a grant has, the lowest free ones, and never two grants one.
 *
 * The numbers of a resource with a capacity, from 0 on, are cut into ranges, a slot each. A range
 * is free, in an ordered list of the annex, or it is of a grant, on the list of its edges. As the
 * sums of units fit the capacity, the lowest free numbers are below it, but for those that holders
 * kept as it fell. An exclusive set takes all that are free; those from the capacity on are no
 * units.
 *
 * A link that is granted as the only one of its queue has the first numbers, and needs no range for
 * them: most grants come and go like that. It gets its ranges as the next link arrives ({@link
 * meter}).
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

/**
 * How many slots a set of these needs for numbers: one for each resource with a capacity, and one
 * more where it may meet a link without ranges.
 */
export function countSlots(w: Int32Array, refs: Refs, count: number): number {
  let slots = 0;
  for (let index = 0; index < count; index++) {
    const resource = refs[index] as number;
    if (!isMetered(w, resource)) continue;
    const head = w[resource | L.RESOURCE_HEAD];
    slots += head !== L.NOBODY && head === w[resource | L.RESOURCE_TAIL] ? 2 : 1;
  }
  return slots;
}

/** A resource has a capacity from now on: all numbers are free. Takes a slot. */
export function layNumbers(w: Int32Array, resource: number, annex: number): void {
  const range = allocate(w);
  w[range | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
  w[range | L.RANGE_RESOURCE] = resource;
  w[range | L.RANGE_FROM] = 0;
  w[range | L.RANGE_COUNT] = L.ALL;
  w[range | L.RANGE_NEXT] = L.NOBODY;
  w[annex | L.ANNEX_FREE] = range;
}

/** Frees the one range of a resource with a capacity that no set uses. */
export function forgetNumbers(w: Int32Array, annex: number): void {
  const range = w[annex | L.ANNEX_FREE];
  if (range !== L.NOBODY) free(w, range, range);
}

/**
 * A link of a set being built takes units of a resource with a capacity. Where one without ranges
 * was alone, that one gets them. Slots have been reserved.
 */
export function meter(w: Int32Array, link: number): void {
  w[link | L.FLAGS] |= L.LINK_METERED;
  w[w[link | L.LINK_SET] | L.FLAGS] |= L.SET_METERED;
  const ahead = w[link | L.LINK_PREVIOUS];
  if (ahead === L.NOBODY || w[ahead | L.LINK_PREVIOUS] !== L.NOBODY) return;
  if (isGranted(w, ahead) && hasFirst(w, ahead)) takeLowest(w, ahead);
}

/** Whether a granted link has the first numbers, without ranges. */
function hasFirst(w: Int32Array, link: number): boolean {
  const flags = w[link | L.FLAGS] & (L.LINK_METERED | L.LINK_IGNORED);
  return flags === L.LINK_METERED && rangesOf(w, link).length === 0;
}

function isGranted(w: Int32Array, link: number): boolean {
  return (w[w[link | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) !== 0;
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

/**
 * A set is granted as it arrives: each link gets its numbers, but the first one of a queue does
 * without ranges. Slots have been reserved.
 */
export function takeNumbers(w: Int32Array, set: number): void {
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if (w[link | L.LINK_PREVIOUS] === L.NOBODY) continue;
    const flags = w[link | L.FLAGS];
    if ((flags & (L.LINK_METERED | L.LINK_TRIGGERED)) === (L.LINK_METERED | L.LINK_TRIGGERED)) {
      takeLowest(w, link);
    }
  }
}

/** A link that has no numbers takes the lowest free ones. Takes a slot. */
export function takeLowest(w: Int32Array, link: number): void {
  const rest = take(w, link, unitsOf(w, link));
  if (rest > 0) split(w, link, rest, allocate(w));
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

/** A granted link has become exclusive, and takes all that are free, if it has ranges. */
export function takeRest(w: Int32Array, link: number): void {
  if (rangesOf(w, link).length > 0) take(w, link, L.ALL);
}

/** A set ends: a granted one gives back its numbers, a waiting one its spares. */
export function dropNumbers(w: Int32Array, set: number): void {
  if ((w[set | L.FLAGS] & L.SET_GRANTED) !== 0) {
    giveAll(w, set);
    return;
  }
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) continue;
    const spare = takeSpare(w, link);
    free(w, spare, spare);
  }
}

/** A granted link keeps the lowest of its numbers, and gives back the others. Takes one slot. */
export function keepNumbers(w: Int32Array, link: number, count: number): void {
  if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) return;
  let left = count;
  for (const range of rangesOf(w, link)) {
    const own = w[range | L.RANGE_COUNT];
    if (own > left) {
      if (left > 0) hold(w, cut(w, range, left, allocate(w)), w[link | L.LINK_SET]);
      give(w, range);
    }
    left = Math.max(0, left - own);
  }
}

/** Gives back all numbers of a granted set, in any order. */
function giveAll(w: Int32Array, set: number): void {
  let edge = w[set | L.SET_EDGES];
  while (edge !== L.NOBODY) {
    const next = w[edge | L.EDGE_NEXT_OF_HELD];
    if ((w[edge | L.FLAGS] & L.EDGE_RANGE) !== 0) give(w, edge);
    edge = next;
  }
}

/** The numbers of the units that a granted link has, in ranges, ascending. */
export function numberRanges(w: Int32Array, link: number): readonly NumberRange[] {
  const ranges: NumberRange[] = [];
  for (const [from, end] of boundsOf(w, link)) {
    if (end <= from) break;
    const last = ranges.at(-1);
    const isJoined = last !== undefined && last[0] + last[1] === from;
    if (isJoined) ranges.pop();
    ranges.push(isJoined ? [last[0], end - last[0]] : [from, end - from]);
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

/** The same as ranges, of which two may touch. */
function boundsOf(w: Int32Array, link: number): (readonly [from: number, end: number])[] {
  // Only a grant has some; a waiting set has edges of another kind.
  if (!isGranted(w, link)) return [];
  const units = unitsOf(w, link);
  const max = units === L.ALL ? capacityOf(w, w[link | L.LINK_RESOURCE]) : L.ALL;
  if (hasFirst(w, link)) return [[0, Math.min(max, units)]];
  return rangesOf(w, link).map((range) => {
    return [w[range | L.RANGE_FROM], Math.min(max, endOf(w, range))];
  });
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
    save(w, range);
    chain(w, annex, L.NOBODY, w[range | L.RANGE_NEXT]);
    hold(w, range, set);
  }
  return 0;
}

/** Takes the first numbers of the first free range, with a slot for them. */
function split(w: Int32Array, link: number, count: number, slot: number): void {
  const range = w[w[w[link | L.LINK_RESOURCE] | L.RESOURCE_ANNEX] | L.ANNEX_FREE];
  hold(w, cut(w, range, count, slot), w[link | L.LINK_SET]);
}

/** Moves the first numbers of a range to a slot, which is saved, in no list, and returned. */
export function cut(w: Int32Array, range: number, count: number, slot: number): number {
  const from = w[range | L.RANGE_FROM];
  save(w, range);
  w[slot | L.FLAGS] = L.EDGE | L.EDGE_RANGE;
  w[slot | L.RANGE_RESOURCE] = w[range | L.RANGE_RESOURCE];
  w[slot | L.RANGE_FROM] = from;
  w[slot | L.RANGE_COUNT] = count;
  w[range | L.RANGE_FROM] = from + count;
  w[range | L.RANGE_COUNT] -= count;
  return slot;
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

/** Puts a range of a grant into the list of the free ones, and joins it with adjacent ones. */
function give(w: Int32Array, range: number): void {
  save(w, range);
  unlinkEdge(w, range, L.EDGE_HELD, L.EDGE_NEXT_OF_HELD, L.EDGE_PREVIOUS_OF_HELD);
  const annex = w[w[range | L.RANGE_RESOURCE] | L.RESOURCE_ANNEX];
  let after = w[annex | L.ANNEX_FREE];
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
      chain(w, annex, before, w[after | L.RANGE_NEXT]);
      absorb(w, before, after);
    }
  } else if (before !== L.NOBODY && touch(w, before, range)) {
    absorb(w, before, range);
  } else {
    w[range | L.RANGE_NEXT] = after;
    chain(w, annex, before, range);
  }
}

/** Whether the second of two ranges begins where the first one ends. */
function touch(w: Int32Array, first: number, second: number): boolean {
  return endOf(w, first) === w[second | L.RANGE_FROM];
}

export function endOf(w: Int32Array, range: number): number {
  return w[range | L.RANGE_FROM] + w[range | L.RANGE_COUNT];
}

/** A range that is in no list becomes part of the one that it touches. */
function absorb(w: Int32Array, first: number, second: number): void {
  save(w, first);
  w[first | L.RANGE_COUNT] += w[second | L.RANGE_COUNT];
  free(w, second, second);
}

/** What follows a range in the list of an annex, or, if that is nobody, is its first one. */
export function chain(w: Int32Array, annex: number, before: number, next: number): void {
  if (before === L.NOBODY) {
    save(w, annex);
    w[annex | L.ANNEX_FREE] = next;
  } else {
    save(w, before);
    w[before | L.RANGE_NEXT] = next;
  }
}
