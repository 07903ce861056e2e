/** The first slot of an arena: where all that the backend keeps in core's words begins. */

import { intentMin } from '../../core/index.ts';
import { save } from '../../core/journal.ts';
import * as L from '../../core/layout.ts';

export const ROOT = L.HEADER_WORDS;
/** Counts the changes of names of units. */
export const UNIT_NAME_CHANGES = 1;
/** Leads to the root of the tree of names. */
export const NAMES = 2;
/** Counts the resources dropped. */
export const DROPS = 3;
/** Where the next sweep for idle resources begins. */
export const HAND = 4;
/** How many resources there are. */
export const RESOURCE_COUNT = 5;
/** The last number that a resource without a name has been given. */
export const NUMBER_LAST = 6;
/** How many slots the next sweep checks for idle resources. */
export const TO_SWEEP = 7;

/** Behind it, the inbox of each agent that there may be: always there, so nobody is without one. */
export function inboxOf(agent: number): number {
  return ROOT + (1 + agent) * L.SLOT_WORDS;
}

/** Lays out the words of a new arena. */
export function layRoot(w: Int32Array, agentCountMax: number): void {
  w[L.TOP] = inboxOf(agentCountMax);
  for (let slot = ROOT; slot < w[L.TOP]; slot += L.SLOT_WORDS) w[slot | L.FLAGS] = L.BACKEND;
  w[ROOT | HAND] = ROOT;
}

/**
 * Whether the words begin as {@link layRoot} left them, and their bounds lie within them: `end` is
 * where slots end. True at any moment of any operation, so that the check needs no lock.
 */
export function isLaidOut(w: Int32Array, agentCountMax: number, end: number): boolean {
  const top = w[L.TOP];
  if (top % L.SLOT_WORDS !== 0 || top < inboxOf(agentCountMax) || top > end) return false;
  const free = w[L.FREE];
  if (free % L.SLOT_WORDS !== 0 || free < 0 || free >= top) return false;
  if (w[L.JOURNAL] < intentMin || w[L.JOURNAL] > w.length) return false;
  for (let slot = ROOT; slot < inboxOf(agentCountMax); slot += L.SLOT_WORDS) {
    if ((w[slot | L.FLAGS] & L.KIND) !== L.BACKEND) return false;
  }
  return true;
}

export function change(w: Int32Array, field: number, by: number): number {
  save(w, ROOT);
  w[ROOT | field] += by;
  return w[ROOT | field];
}
