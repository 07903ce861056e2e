/**
 * An intent: what an operation of free-sets.ts is about to change, in eight words in place of a
 * journal.
 *
 * Such an operation changes one set, its links, and one or two resources, and all that it writes
 * follows from these words. So a thread that finds an intent can take back the arrival of a set, or
 * complete its end, and begin again if it dies too. The words are where the journal's first record
 * would be; the JOURNAL word has which of the two it is.
 */

import * as L from './layout.ts';

/** Values of the JOURNAL word while there is an intent. */
const arrives = -1;
const ends = -2;
/** The least value that the JOURNAL word has. */
export const intentMin = ends;

const SET = 0;
/** Last slot of the chain of the set and its links. */
const LAST = 1;
/** The free slot behind the chain: before the set arrives, and once it has ended. */
const NEXT = 2;
const FIRST = 3;
/** The flags that a resource has once its queue is empty. */
const FIRST_FLAGS = 4;
const SECOND = 5;
const SECOND_FLAGS = 6;

/** A set with these slots is about to arrive in these empty queues. */
export function recordArrival(
  w: Int32Array,
  set: number,
  last: number,
  first: number,
  second: number,
): void {
  record(w, set, last, w[last | L.CHAIN], first, second, 0);
  w[L.JOURNAL] = arrives;
}

/** A set that is alone in these queues is about to end; `sync` comes off the resources' flags. */
export function recordEnd(
  w: Int32Array,
  set: number,
  last: number,
  first: number,
  second: number,
  sync: number,
): void {
  record(w, set, last, w[L.FREE], first, second, sync);
  w[L.JOURNAL] = ends;
}

/** The operation is complete. */
export function dropIntent(w: Int32Array): void {
  w[L.JOURNAL] = 0;
}

/**
 * Takes back the arrival of a set, or completes its end: in both cases the set's slots are free
 * then, and its queues empty. Only the clock has ticked.
 */
export function applyIntent(w: Int32Array): void {
  const at = firstWord(w);
  const set = w[at + SET];
  for (const field of [FIRST, SECOND]) {
    const resource = w[at + field];
    w[resource | L.RESOURCE_HEAD] = L.NOBODY;
    w[resource | L.RESOURCE_TAIL] = L.NOBODY;
    w[resource | L.RESOURCE_USED] = 0;
    w[resource | L.FLAGS] = w[at + field + 1];
  }
  w[w[at + LAST] | L.CHAIN] = w[at + NEXT];
  w[L.FREE] = set;
  w[set | L.FLAGS] = 0;
  w[L.JOURNAL] = 0;
}

function record(
  w: Int32Array,
  set: number,
  last: number,
  next: number,
  first: number,
  second: number,
  sync: number,
): void {
  const at = firstWord(w);
  w[at + SET] = set;
  w[at + LAST] = last;
  w[at + NEXT] = next;
  w[at + FIRST] = first;
  w[at + FIRST_FLAGS] = w[first | L.FLAGS] - sync;
  w[at + SECOND] = second;
  w[at + SECOND_FLAGS] = w[second | L.FLAGS] - sync;
}

function firstWord(w: Int32Array): number {
  const end = w[L.JOURNAL_STAMPS];
  return end + (end >> 3);
}
