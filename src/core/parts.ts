/** Changes of a part of a granted set; {@link Core} has what each promises. */

import { detach, updateFlag } from './ending.ts';
import { giveTokens } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import type { Memory } from './memory.ts';
import { keepNumbers, takeRest } from './numbers.ts';
import { isAlone, strengthen, weaken } from './queue.ts';
import { unitsOf } from './rule.ts';
import { free, type Refs, reserve } from './slots.ts';

/** The units that are left of a resource. */
export type UnitsFor = (resource: number) => number;

export function downgrade(
  m: Memory,
  set: number,
  chosenOnly: boolean,
  unitsFor: UnitsFor,
): boolean {
  if (!reserveNumbers(m, set)) {
    if (chosenOnly) unchooseAll(m.words, set);
    return false;
  }
  const { words: w, doubles: d } = m;
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    const resource = w[link | L.LINK_RESOURCE];
    if (chosenOnly && !unchoose(w, resource)) continue;
    const units = unitsFor(resource);
    if (unitsOf(w, link) === units) continue;
    save(w, resource);
    updateFlag(w, resource, w[link | L.FLAGS], false);
    weaken(w, d, link, units);
    keepNumbers(w, link, units);
  }
  giveTokens(w, d);
  return true;
}

/** Slots that the numbers of this set need to be cut, one for each link. */
function reserveNumbers(m: Memory, set: number): boolean {
  const w = m.words;
  if ((w[set | L.FLAGS] & L.SET_METERED) === 0) return true;
  let count = 0;
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if ((w[link | L.FLAGS] & L.LINK_METERED) !== 0) count++;
  }
  return reserve(m, count);
}

function unchooseAll(w: Int32Array, set: number): void {
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    unchoose(w, w[link | L.LINK_RESOURCE]);
  }
}

export function tryUpgrade(w: Int32Array, set: number, chosenOnly: boolean): boolean {
  const links: number[] = [];
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if (!chosenOnly || unchoose(w, w[link | L.LINK_RESOURCE])) links.push(link);
  }
  if (!links.every((link) => isAlone(w, link))) return false;
  for (const link of links) {
    strengthen(w, link);
    if ((w[link | L.FLAGS] & L.LINK_METERED) !== 0) takeRest(w, link);
  }
  return true;
}

export function removeChosen({ words: w, doubles: d }: Memory, set: number): void {
  let last = set;
  for (let link = w[last | L.CHAIN]; link !== L.NOBODY; link = w[last | L.CHAIN]) {
    if (unchoose(w, w[link | L.LINK_RESOURCE])) {
      save(w, last);
      w[last | L.CHAIN] = w[link | L.CHAIN];
      keepNumbers(w, link, 0);
      detach(w, d, link, w[set | L.FLAGS], false);
      free(w, link, link);
    } else {
      last = link;
    }
  }
  giveTokens(w, d);
}

export function choose(w: Int32Array, set: number, refs: Refs, count: number): boolean {
  let countMissing = 0;
  for (let index = 0; index < count; index++) {
    const resource = refs[index] as number;
    if ((w[resource | L.FLAGS] & L.RESOURCE_CHOSEN) !== 0) continue;
    save(w, resource);
    w[resource | L.FLAGS] |= L.RESOURCE_CHOSEN;
    countMissing++;
  }
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    if ((w[w[link | L.LINK_RESOURCE] | L.FLAGS] & L.RESOURCE_CHOSEN) !== 0) countMissing--;
  }
  if (countMissing === 0) return true;
  for (let index = 0; index < count; index++) unchoose(w, refs[index] as number);
  return false;
}

function unchoose(w: Int32Array, resource: number): boolean {
  const flags = w[resource | L.FLAGS];
  save(w, resource);
  w[resource | L.FLAGS] = flags & ~L.RESOURCE_CHOSEN;
  return (flags & L.RESOURCE_CHOSEN) !== 0;
}
