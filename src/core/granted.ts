/** The sets that an operation newly grants: found one by one, reported in arrival order. */

import { dropEdges } from './edges.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { takeNumbersBySpares } from './numbers.ts';

/** One thing less that `set` waits for; the last one grants it. */
export function countDown(w: Int32Array, d: Float64Array, set: number): void {
  save(w, set);
  const pending = w[set | L.SET_PENDING] - 1;
  w[set | L.SET_PENDING] = pending;
  if (pending === 0) grant(w, d, set);
}

/** Grants a set, and appends it to the list for the backend; sets a flag if out of order. */
function grant(w: Int32Array, d: Float64Array, set: number): void {
  setGranted(w, set);
  if (w[set | L.SET_EDGES] !== L.NOBODY) dropEdges(w, set);
  w[set | L.SET_AFTER] = L.NOBODY;
  const last = w[L.GRANTED_LAST];
  if (last === L.NOBODY) {
    w[L.GRANTED_FIRST] = set;
  } else {
    w[last | L.SET_AFTER] = set;
    if (d[(last | L.SET_STAMP) >> 1] > d[(set | L.SET_STAMP) >> 1]) w[L.GRANTED_UNSORTED] = 1;
  }
  w[L.GRANTED_LAST] = set;
}

export function setGranted(w: Int32Array, set: number): void {
  w[set | L.FLAGS] |= L.SET_GRANTED | (w[L.RECOVERED_COUNT] === 0 ? 0 : L.SET_HAS_DETAILS);
}

/**
 * Gives each of the newly granted its token and its numbers, in arrival order (I6). Again for those
 * that the backend has not taken yet: they get another token, and keep their numbers.
 */
export function giveTokens(w: Int32Array, d: Float64Array): void {
  if (w[L.GRANTED_UNSORTED] !== 0) sortGranted(w, d);
  for (let set = w[L.GRANTED_FIRST]; set !== L.NOBODY; set = w[set | L.SET_AFTER]) {
    d[(set | L.SET_STAMP) >> 1] = tick(d);
    // Again: a death in this operation may have set a flag after this set was granted.
    setGranted(w, set);
    if ((w[set | L.FLAGS] & L.SET_SPARES) !== 0) takeNumbersBySpares(w, set);
  }
}

/** The next arrival or token. One clock for both, so a token grows with every grant. */
export function tick(d: Float64Array): number {
  const stamp = d[L.CLOCK >> 1] + 1;
  d[L.CLOCK >> 1] = stamp;
  return stamp;
}

/** One operation may trigger, queue by queue, what arrived in another order. */
function sortGranted(w: Int32Array, d: Float64Array): void {
  const sets: number[] = [];
  for (let set = w[L.GRANTED_FIRST]; set !== L.NOBODY; set = w[set | L.SET_AFTER]) sets.push(set);
  sets.sort((a, b) => d[(a | L.SET_STAMP) >> 1] - d[(b | L.SET_STAMP) >> 1]);
  for (let index = 0; index < sets.length; index++) {
    w[sets[index] | L.SET_AFTER] = index + 1 < sets.length ? sets[index + 1] : L.NOBODY;
  }
  w[L.GRANTED_FIRST] = sets[0];
  w[L.GRANTED_LAST] = sets[sets.length - 1];
  w[L.GRANTED_UNSORTED] = 0;
}
