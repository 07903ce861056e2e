/**
 * The journal: what an operation has changed, so that it can be undone where its caller may die, or
 * fail, between any two steps (the threads backend).
 *
 * Before an operation changes a slot it saves the slot's eight words. Between {@link begin} and
 * {@link commit} everything can be taken back by {@link rollBack}, by anybody and again if that one
 * dies too. No slot is saved twice in one operation, which its stamp shows, so there is always
 * room:
 *
 *     [header | slots ... | a stamp a slot ... | a record a slot ...]
 *                          JOURNAL_STAMPS
 *
 * Without a journal, as in one event loop, {@link save} reads one word of the header.
 */

import { applyIntent } from './intent.ts';
import * as L from './layout.ts';

/** A record: which slot, and its words. */
const recordWords = 1 + L.SLOT_WORDS;
/** What the journal needs, in words, for each slot: its stamp and its record. */
const journalWordsPerSlot = 1 + recordWords;
const operationMax = 2 ** 31 - 1;

/** Number of words that can be slots (the header's among them) if the rest is the journal. */
export function endOfSlots(wordCount: number): number {
  return Math.floor(wordCount / (L.SLOT_WORDS + journalWordsPerSlot)) * L.SLOT_WORDS;
}

/** Lays a journal behind the slots, which end at `end`. Between operations only. */
export function layJournal(w: Int32Array, end: number): void {
  w.fill(0, end, firstRecord(end));
  w[L.JOURNAL_STAMPS] = end;
  w[L.JOURNAL_OPERATION] = 0;
  w[L.JOURNAL] = 0;
}

/** An operation begins. Its changes of the header need no saving by itself. */
export function begin(w: Int32Array): void {
  const end = w[L.JOURNAL_STAMPS];
  if (w[L.JOURNAL_OPERATION] === operationMax) layJournal(w, end);
  w[L.JOURNAL_OPERATION]++;
  w[L.JOURNAL] = firstRecord(end);
  record(w, 0);
  record(w, L.SLOT_WORDS);
}

/** What has been done stays done. */
export function commit(w: Int32Array): void {
  w[L.JOURNAL] = 0;
}

/** Whether an operation has begun, and not ended. */
export function isOpen(w: Int32Array): boolean {
  return w[L.JOURNAL] !== 0;
}

/**
 * Everything is as it was before the operation began. The header comes last: until then the journal
 * stays as it is, so that another one can begin this again.
 */
export function rollBack(w: Int32Array): void {
  if (w[L.JOURNAL] < 0) {
    applyIntent(w);
    return;
  }
  const first = firstRecord(w[L.JOURNAL_STAMPS]);
  for (let at = w[L.JOURNAL] - recordWords; at >= first; at -= recordWords) {
    const slot = w[at];
    for (let word = 0; word < L.SLOT_WORDS; word++) w[slot + word] = w[at + 1 + word];
  }
  w[L.JOURNAL] = 0;
}

/** Call it before any word of a slot is changed. */
export function save(w: Int32Array, slot: number): void {
  if (w[L.JOURNAL] !== 0) record(w, slot);
}

function record(w: Int32Array, slot: number): void {
  const stamp = w[L.JOURNAL_STAMPS] + (slot >> 3);
  const operation = w[L.JOURNAL_OPERATION];
  if (w[stamp] === operation) return;
  w[stamp] = operation;
  const at = w[L.JOURNAL];
  w[at] = slot;
  w[at + 1] = w[slot];
  w[at + 2] = w[slot + 1];
  w[at + 3] = w[slot + 2];
  w[at + 4] = w[slot + 3];
  w[at + 5] = w[slot + 4];
  w[at + 6] = w[slot + 5];
  w[at + 7] = w[slot + 6];
  w[at + 8] = w[slot + 7];
  // Last: only now is there a record.
  w[L.JOURNAL] = at + recordWords;
}

function firstRecord(end: number): number {
  return end + (end >> 3);
}
