/** The annex of a resource: made for the first rare field that is used, freed with the last. */

import { save } from './journal.ts';
import * as L from './layout.ts';
import { allocate, free } from './slots.ts';

/** The annex of a resource, created on first use; saved, and so is the resource. */
export function openAnnex(w: Int32Array, resource: number): number {
  save(w, resource);
  const known = w[resource | L.RESOURCE_ANNEX];
  if (known !== L.NOBODY) {
    save(w, known);
    return known;
  }
  const annex = allocate(w);
  w[annex | L.FLAGS] = L.ANNEX;
  w[annex | L.ANNEX_CAPACITY] = L.ALL;
  w[annex | L.ANNEX_OBSERVE_ALL] = L.NOBODY;
  w[annex | L.ANNEX_OBSERVE_EXCLUSIVE] = L.NOBODY;
  w[annex | L.ANNEX_FREE] = L.NOBODY;
  w[annex | L.ANNEX_SPARE] = L.NOBODY;
  w[annex | L.ANNEX_USER_DATA] = 0;
  w[resource | L.RESOURCE_ANNEX] = annex;
  return annex;
}

/** Frees the annex of a resource if no field of it is in use. */
export function closeAnnex(w: Int32Array, resource: number): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  if (annex === L.NOBODY || (w[annex | L.FLAGS] & L.ANNEX_METERED) !== 0) return;
  if ((w[resource | L.FLAGS] & L.RESOURCE_OBSERVED) === 0) freeAnnex(w, resource);
}

export function freeAnnex(w: Int32Array, resource: number): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  save(w, resource);
  w[resource | L.RESOURCE_ANNEX] = L.NOBODY;
  free(w, annex, annex);
}

/** How many annexes {@link openAnnex} makes for these resources at most. */
export function countAnnexesMissing(
  w: Int32Array,
  refs: readonly number[] | Int32Array,
  count: number,
): number {
  let countMissing = 0;
  for (let index = 0; index < count; index++) {
    if (w[(refs[index] as number) | L.RESOURCE_ANNEX] === L.NOBODY) countMissing++;
  }
  return countMissing;
}
