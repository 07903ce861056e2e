/** Slots: taking one, giving a chain of them back, and room for more (layout.ts). */

import { save } from './journal.ts';
import * as L from './layout.ts';
import type { Memory } from './memory.ts';

/** References to slots. */
export type Refs = readonly number[] | Int32Array;

/** With less than this in use there is nothing worth giving back. */
const wordsKept = 2 ** 14;

/**
 * Makes sure that `count` calls of {@link allocate} will succeed; false where memory is at its end.
 * The free list is read only when there is no room behind the last slot, and then no further
 * than needed.
 */
export function reserve(m: Memory, count: number): boolean {
  const w = m.words;
  return w[L.TOP] + count * L.SLOT_WORDS <= m.end || reserveBelow(m, w, count);
}

/** There is not room for all of them behind the last slot. */
function reserveBelow(m: Memory, w: Int32Array, count: number): boolean {
  let countMissing = count - ((m.end - w[L.TOP]) >> 3);
  for (let slot = w[L.FREE]; slot !== L.NOBODY && countMissing > 0; slot = w[slot | L.CHAIN]) {
    countMissing--;
  }
  return countMissing <= 0 || m.grow(m.end + countMissing * L.SLOT_WORDS);
}

/**
 * A slot whose words hold anything: the caller writes all that is ever read of it. It has been
 * reserved, and is saved.
 */
export function allocate(w: Int32Array): number {
  const slot = w[L.FREE];
  if (slot !== L.NOBODY) {
    save(w, slot);
    w[L.FREE] = w[slot | L.CHAIN];
    return slot;
  }
  const top = w[L.TOP];
  w[L.TOP] = top + L.SLOT_WORDS;
  return top;
}

/**
 * Gives back a chain of slots at once. A set and its links are such a chain, and come out of the
 * free list as they went in.
 */
export function free(w: Int32Array, first: number, last: number): void {
  save(w, last);
  w[last | L.CHAIN] = w[L.FREE];
  w[L.FREE] = first;
}

/** When nothing lives any more: forgets all slots and gives back what a burst left behind. */
export function reset(m: Memory): void {
  const w = m.words;
  if (w[L.TOP] <= wordsKept) return;
  w[L.FREE] = L.NOBODY;
  w[L.TOP] = L.HEADER_WORDS;
  m.shrink(L.HEADER_WORDS);
}
