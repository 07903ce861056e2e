/**
 * The capacity of a resource. It is declared, or asserted by a request, which declares it for as
 * long as the resource is in use.
 */

import { closeAnnex, openAnnex } from './annex.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { forgetNumbers, layNumbers } from './numbers.ts';
import { rescale } from './queue.ts';
import { unitsOf } from './rule.ts';

/** Puts a capacity into force, from 1 to ALL. The queue has not advanced yet. */
export function putCapacity(
  w: Int32Array,
  resource: number,
  capacity: number,
  isAsserted: boolean,
): void {
  const annex = openAnnex(w, resource);
  if ((w[annex | L.FLAGS] & L.ANNEX_METERED) === 0) layNumbers(w, resource, annex);
  w[annex | L.FLAGS] = L.ANNEX | L.ANNEX_METERED | (isAsserted ? L.ANNEX_ASSERTED : 0);
  w[annex | L.ANNEX_CAPACITY] = capacity;
  if (isAsserted) w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;
  rescale(w, resource, capacity);
}

/** The waiting sets that want more units than there are, in arrival order. O(queue). */
export function findExceeding(w: Int32Array, resource: number, capacity: number): number[] {
  const sets: number[] = [];
  for (let link = w[resource | L.RESOURCE_HEAD]; link !== L.NOBODY; link = w[link | L.LINK_NEXT]) {
    const units = unitsOf(w, link);
    const set = w[link | L.LINK_SET];
    if (units === L.ALL || units <= capacity) continue;
    if ((w[set | L.FLAGS] & L.SET_GRANTED) === 0) sets.push(set);
  }
  return sets;
}

/** The queue is empty: an asserted capacity is forgotten. */
export function dropAsserted(w: Int32Array, resource: number): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  if (annex === L.NOBODY || (w[annex | L.FLAGS] & L.ANNEX_ASSERTED) === 0) return;
  save(w, annex);
  forgetNumbers(w, annex);
  w[annex | L.ANNEX_FREE] = L.NOBODY;
  w[annex | L.FLAGS] = L.ANNEX;
  w[annex | L.ANNEX_CAPACITY] = L.ALL;
  closeAnnex(w, resource);
}

/** Whether a capacity was declared, so that the resource outlives its last set. */
export function isDeclared(w: Int32Array, resource: number): boolean {
  const annex = w[resource | L.RESOURCE_ANNEX];
  if (annex === L.NOBODY) return false;
  return (w[annex | L.FLAGS] & (L.ANNEX_METERED | L.ANNEX_ASSERTED)) === L.ANNEX_METERED;
}
