/**
 * Whether the words are in order: every invariant that core relies on, checked from outside in
 * O(everything). For tests, and for recovery after a crash.
 */

import * as L from './layout.ts';
import type { Memory } from './memory.ts';
import { capacityOf, fits, unitsOf } from './rule.ts';

/** What is wrong, a line each; none if all is well. Lists that the backend must empty are empty. */
export function findFaults({ words: w, doubles: d }: Memory): readonly string[] {
  const faults: string[] = [];
  const fault = (what: string) => void faults.push(what);
  const slots = new Map<number, string>();
  const claim = (slot: number, kind: number, as: string) => {
    const end = w[L.TOP];
    if (slot < L.HEADER_WORDS || slot % L.SLOT_WORDS !== 0 || slot >= end) {
      fault(`${as} is at ${slot}, which is no slot`);
      return false;
    }
    // Only sets and resources differ in kind from free slots: links die with their set.
    const isKind = kind === L.NOBODY || (w[slot | L.FLAGS] & L.KIND) === kind;
    if (!isKind) fault(`${as} at ${slot} is of another kind`);
    if (slots.has(slot)) fault(`${slot} is both ${slots.get(slot)} and ${as}`);
    slots.set(slot, as);
    return true;
  };

  for (let slot = w[L.FREE]; slot !== L.NOBODY; slot = w[slot | L.CHAIN]) {
    if (slots.has(slot) || !claim(slot, L.NOBODY, 'free')) break;
  }
  let recoveredCount = 0;
  for (let slot = L.HEADER_WORDS; slot < w[L.TOP]; slot += L.SLOT_WORDS) {
    if (slots.has(slot)) continue;
    const kind = w[slot | L.FLAGS] & L.KIND;
    if (kind === L.RESOURCE) {
      if (claim(slot, L.RESOURCE, 'resource')) {
        checkAnnex(w, slot, claim, fault);
        checkQueue(w, d, slot, fault);
      }
      if ((w[slot | L.FLAGS] & L.RESOURCE_RECOVERED) !== 0) recoveredCount++;
      if ((w[slot | L.FLAGS] & L.RESOURCE_CHOSEN) !== 0) fault(`${slot} is still chosen`);
    } else if (kind === L.BACKEND) {
      claim(slot, L.BACKEND, "the backend's");
    } else if (kind === L.SET) {
      if (claim(slot, L.SET, 'set')) checkSet(w, slot, claim, fault);
    }
  }
  for (let slot = L.HEADER_WORDS; slot < w[L.TOP]; slot += L.SLOT_WORDS) {
    if (!slots.has(slot)) fault(`slot ${slot} is leaked`);
  }
  if (w[L.RECOVERED_COUNT] !== recoveredCount) fault(`${w[L.RECOVERED_COUNT]} flags counted`);
  for (const list of [L.GRANTED_FIRST, L.GRANTED_LAST, L.LOST_FIRST, L.IDLE_FIRST]) {
    if (w[list] !== L.NOBODY) fault(`list ${list} is not empty`);
  }
  return faults;
}

type Fault = (what: string) => void;
type Claim = (slot: number, kind: number, as: string) => boolean;

/** Queue of one resource: chained both ways, in order, triggered up to the frontier by I2. */
function checkQueue(w: Int32Array, d: Float64Array, resource: number, fault: Fault): void {
  let previous = L.NOBODY;
  let frontier = L.NOBODY;
  let sum = 0;
  let used = 0;
  let sync = 0;
  const capacity = capacityOf(w, resource);
  const seen = new Set<number>();
  let link = w[resource | L.RESOURCE_HEAD];
  for (; link !== L.NOBODY && !seen.has(link); link = w[link | L.LINK_NEXT]) {
    seen.add(link);
    const set = w[link | L.LINK_SET];
    if (w[link | L.LINK_RESOURCE] !== resource) fault(`${link} stands in a foreign queue`);
    if (w[link | L.LINK_PREVIOUS] !== previous) fault(`${link} has another one ahead`);
    const older = previous !== L.NOBODY && d[(previous | L.LINK_ARRIVAL) >> 1];
    if (older !== false && older >= d[(link | L.LINK_ARRIVAL) >> 1]) fault(`${link} overtook`);
    const units = unitsOf(w, link);
    // A set that was granted before the capacity fell keeps its units.
    const isKept = units <= capacity || (w[set | L.FLAGS] & L.SET_GRANTED) !== 0;
    if (units < 1 || (!isKept && units !== L.ALL)) fault(`${link} takes ${units} units`);
    const triggered = (w[link | L.FLAGS] & L.LINK_TRIGGERED) !== 0;
    sum += units;
    const may = previous === L.NOBODY || sum <= capacity;
    if (triggered) used += units;
    if (triggered !== may) fault(`${link} is ${triggered ? '' : 'not '}triggered (I2)`);
    if (!triggered && frontier === L.NOBODY) frontier = link;
    if ((w[set | L.FLAGS] & L.SET_SYNC) !== 0) sync++;
    const ignored = (w[link | L.FLAGS] & L.LINK_IGNORED) !== 0;
    if (ignored && (w[resource | L.FLAGS] & L.RESOURCE_IGNORED) === 0) {
      fault(`${resource} does not know of ignored ${link}`);
    }
    previous = link;
  }
  if (link !== L.NOBODY) fault(`the queue of ${resource} is circular`);
  if (w[resource | L.RESOURCE_TAIL] !== previous) fault(`${resource} has another tail`);
  if (w[resource | L.RESOURCE_FRONTIER] !== frontier) fault(`${resource} has another frontier`);
  if (w[resource | L.RESOURCE_USED] !== used) fault(`${resource} counts its used units wrong`);
  if (w[resource | L.FLAGS] >>> L.RESOURCE_SYNC_SHIFT !== sync)
    fault(`${resource} counts sync links wrong`);
  const annex = w[resource | L.RESOURCE_ANNEX];
  if (annex === L.NOBODY) return;
  checkObservations(w, d, resource, annex | L.ANNEX_OBSERVE_ALL, fault);
  checkObservations(w, d, resource, annex | L.ANNEX_OBSERVE_EXCLUSIVE, fault);
}

/** An annex is there for a capacity or for observations, and only for those. */
function checkAnnex(w: Int32Array, resource: number, claim: Claim, fault: Fault): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  const isObserved = (w[resource | L.FLAGS] & L.RESOURCE_OBSERVED) !== 0;
  if (annex === L.NOBODY) {
    if (isObserved) fault(`${resource} has a wrong OBSERVED flag`);
    return;
  }
  if (!claim(annex, L.ANNEX, `annex of ${resource}`)) return;
  const lists = w[annex | L.ANNEX_OBSERVE_ALL] | w[annex | L.ANNEX_OBSERVE_EXCLUSIVE];
  if (isObserved !== (lists !== L.NOBODY)) fault(`${resource} has a wrong OBSERVED flag`);
  const capacity = w[annex | L.ANNEX_CAPACITY];
  if (capacity < 1 || capacity > L.ALL) fault(`${resource} has a capacity of ${capacity}`);
  const flags = w[annex | L.FLAGS];
  const metered = (flags & L.ANNEX_METERED) !== 0;
  if (!metered && !isObserved) fault(`${resource} has an annex for nothing`);
  if (!metered && capacity !== L.ALL) fault(`${resource} has a capacity that is not in force`);
  const asserted = (flags & L.ANNEX_ASSERTED) !== 0;
  if (asserted && !metered) fault(`${resource} has an asserted capacity that is not in force`);
  const isDeclared = metered && !asserted;
  if (!isDeclared && w[annex | L.ANNEX_USER_DATA] !== 0) {
    fault(`${resource} has user data of a capacity that is not declared`);
  }
  const hasFlag = (w[resource | L.FLAGS] & L.RESOURCE_IGNORED) !== 0;
  if (asserted && !hasFlag) fault(`${resource} does not know of its asserted capacity`);
  checkNumbers(w, resource, claim, fault);
}

/** Each number is free, or of one grant; a waiting link has a spare, and one alone no ranges. */
function checkNumbers(w: Int32Array, resource: number, claim: Claim, fault: Fault): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  const bounds: (readonly [from: number, end: number])[] = [];
  const add = (range: number): void => {
    const from = w[range | L.RANGE_FROM];
    bounds.push([from, from + w[range | L.RANGE_COUNT]]);
  };
  let waitingCount = 0;
  for (const link of listed(w, w[resource | L.RESOURCE_HEAD], L.LINK_NEXT)) {
    if ((w[link | L.FLAGS] & L.LINK_METERED) === 0) continue;
    const set = w[link | L.LINK_SET];
    if ((w[set | L.FLAGS] & L.SET_METERED) === 0) fault(`${set} does not know of its numbers`);
    if ((w[set | L.FLAGS] & L.SET_GRANTED) === 0) {
      waitingCount++;
      continue;
    }
    const own = listed(w, w[set | L.SET_EDGES], L.EDGE_NEXT_OF_HELD).filter(
      (edge) => (w[edge | L.FLAGS] & L.EDGE_RANGE) !== 0 && w[edge | L.RANGE_RESOURCE] === resource,
    );
    const count = own.reduce((sum, range) => sum + w[range | L.RANGE_COUNT], 0);
    own.forEach(add);
    const units = unitsOf(w, link);
    const isAlone = (w[link | L.LINK_PREVIOUS] | w[link | L.LINK_NEXT]) === L.NOBODY;
    if (count === 0 && !isAlone && (w[link | L.FLAGS] & L.LINK_IGNORED) === 0) {
      fault(`${link} has no numbers`);
    }
    if (count !== 0 && units !== L.ALL && count !== units) {
      fault(`${link} takes ${units} units and has ${count} numbers`);
    }
  }
  checkRanges(w, annex, claim, fault).forEach(add);
  const spares = listed(w, w[annex | L.ANNEX_SPARE], L.CHAIN);
  for (const spare of spares) claim(spare, L.EDGE, `spare of ${resource}`);
  if (spares.length !== waitingCount) fault(`${resource} has another number of spares`);
  checkEachNumberOnce(w, resource, bounds, fault);
}

/** The free ranges are in order, and apart. */
function checkRanges(w: Int32Array, annex: number, claim: Claim, fault: Fault): readonly number[] {
  const ranges = listed(w, w[annex | L.ANNEX_FREE], L.RANGE_NEXT);
  let last = -1;
  for (const range of ranges) {
    claim(range, L.EDGE, 'a range');
    if (w[range | L.RANGE_FROM] <= last) fault(`${range} is not in order, or not joined`);
    last = w[range | L.RANGE_FROM] + w[range | L.RANGE_COUNT];
  }
  return ranges;
}

function checkEachNumberOnce(
  w: Int32Array,
  resource: number,
  bounds: (readonly [from: number, end: number])[],
  fault: Fault,
): void {
  if ((w[w[resource | L.RESOURCE_ANNEX] | L.FLAGS] & L.ANNEX_METERED) === 0) {
    if (bounds.length > 0) fault(`${resource} has numbers and no capacity`);
    return;
  }
  bounds.sort(([one], [other]) => one - other);
  let end = 0;
  for (const [from, next] of bounds) {
    if (from !== end) fault(`a number from ${end} to ${from} of ${resource} is nowhere, or twice`);
    end = next;
  }
  if (end !== L.ALL) fault(`the numbers of ${resource} end at ${end}`);
}

/** The slots of a list, each once, should it be circular. */
function listed(w: Int32Array, first: number, next: number): readonly number[] {
  const slots = new Set<number>();
  for (let slot = first; slot !== L.NOBODY && !slots.has(slot); slot = w[slot | next]) {
    slots.add(slot);
  }
  return [...slots];
}

function checkObservations(
  w: Int32Array,
  d: Float64Array,
  resource: number,
  list: number,
  fault: Fault,
): void {
  const first = w[list];
  if (first === L.NOBODY) return;
  let entry = first;
  const seen = new Set<number>();
  do {
    if (seen.has(entry)) {
      fault(`observations of ${resource} are chained wrong`);
      return;
    }
    seen.add(entry);
    const next = w[entry | L.LINK_NEXT];
    if (w[next | L.LINK_PREVIOUS] !== entry) fault(`observation ${next} has another one ahead`);
    if (!isBlocked(w, d, resource, entry)) fault(`observation ${entry} should have ended`);
    entry = next;
  } while (entry !== first);
}

function isBlocked(w: Int32Array, d: Float64Array, resource: number, entry: number): boolean {
  const units = unitsOf(w, entry);
  let used = 0;
  let link = w[resource | L.RESOURCE_HEAD];
  const seen = new Set<number>();
  for (; link !== L.NOBODY && !seen.has(link); link = w[link | L.LINK_NEXT]) {
    seen.add(link);
    if (d[(link | L.LINK_ARRIVAL) >> 1] > d[(entry | L.LINK_ARRIVAL) >> 1]) break;
    used += unitsOf(w, link);
  }
  return !fits(used, units, capacityOf(w, resource));
}

/** One set: its links are its own, and it is granted exactly when none of them is pending. */
function checkSet(w: Int32Array, set: number, claim: Claim, fault: Fault): void {
  const flags = w[set | L.FLAGS];
  const kind = (flags & L.SET_OBSERVER) !== 0 ? L.OBSERVATION : L.LINK;
  let pending = 0;
  let link = w[set | L.CHAIN];
  for (; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if (!claim(link, kind, `link of ${set}`)) break;
    if (w[link | L.LINK_SET] !== set) fault(`${link} is on the chain of a foreign set`);
    if ((w[link | L.FLAGS] & (L.LINK_TRIGGERED | L.LINK_IGNORED)) === 0) pending++;
  }
  const granted = (flags & L.SET_GRANTED) !== 0;
  const isPosted = (flags & L.SET_POSTED) !== 0;
  if (w[set | L.SET_PENDING] !== pending && !isPosted)
    fault(`${set} counts its pending links wrong`);
  // One that was refused keeps no link until its owner is notified.
  const isRefused = (flags & (L.SET_LOST | L.SET_GRANTED)) === L.SET_LOST;
  if (isRefused ? pending !== 0 : granted !== (pending === 0))
    fault(`${set} is ${granted ? '' : 'not '}granted`);
  if ((flags & L.SET_LOST) !== 0 && !isPosted) fault(`${set} is lost and not forgotten`);
  const end = granted ? L.EDGE_HELD : L.EDGE_WAITER;
  const next = granted ? L.EDGE_NEXT_OF_HELD : L.EDGE_NEXT_OF_WAITER;
  const edges = new Set<number>();
  for (let edge = w[set | L.SET_EDGES]; edge !== L.NOBODY; edge = w[edge | next]) {
    if (edges.has(edge)) {
      fault(`the edges of ${set} are circular`);
      break;
    }
    edges.add(edge);
    const isOwn = !granted || (w[edge | L.FLAGS] & L.EDGE_RANGE) !== 0;
    if (isOwn && !claim(edge, L.EDGE, `edge of ${set}`)) break;
    if (w[edge | end] !== set) fault(`${edge} is on the chain of a foreign set`);
  }
}
