/**
 * The operations that most programs spend their time in, each in one short function: a set of one
 * or two resources arrives at empty queues, and ends before another set has come to them.
 *
 * They decide nothing: the first link of a queue always fits (rule.ts), and an empty queue has no
 * link to advance. The words are afterwards as {@link Core.enqueue} and {@link Core.remove} would
 * have them, word for word; the model compares that in each state that it reaches. If anything else
 * is to be done they do nothing, and return that.
 *
 * A set and its links come out of the free list as they went in, so their chain is there already.
 */

import * as L from './layout.ts';
import type { Memory } from './memory.ts';

/** The kind of a resource, and the flags that decide what is to be done as it runs empty. */
const resourceFlags =
  L.KIND | L.RESOURCE_RECOVERED | L.RESOURCE_OBSERVED | L.RESOURCE_IGNORED | L.RESOURCE_KEPT;
const quiet = L.RESOURCE | L.RESOURCE_KEPT;
const granted = L.SET | L.SET_GRANTED;
const triggered = L.LINK | L.LINK_TRIGGERED;
const declared = L.ANNEX | L.ANNEX_METERED;

/**
 * {@link Core.enqueue} of one resource (twice the same) or of two, where their queues are empty and
 * nothing is to be reported: the set, granted; or 0, and nothing has changed. The units are within
 * the capacities, or ALL.
 */
export function enqueueFree(
  { words: w, doubles: d, intents }: Memory,
  first: number,
  second: number,
  firstUnits: number,
  secondUnits: number,
  bits: number,
  userData: number,
  grantedAt: number,
): number {
  const set = w[L.FREE];
  const link = w[set | L.CHAIN];
  const last = first === second ? link : w[link | L.CHAIN];
  const inUse =
    w[first | L.RESOURCE_HEAD] | w[second | L.RESOURCE_HEAD] | w[L.RECOVERED_COUNT] | w[L.JOURNAL];
  if (inUse !== 0 || set === L.NOBODY || link === L.NOBODY || last === L.NOBODY) return L.NOBODY;
  const annexes = w[first | L.RESOURCE_ANNEX] | w[second | L.RESOURCE_ANNEX];
  if (annexes !== 0 && !areDeclared(w, first, second)) return L.NOBODY;
  if (intents !== undefined) intents.recordArrival(w, set, last, first, second);
  const sync = bits & L.SET_SYNC;
  const arrival = d[L.CLOCK >> 1] + 1;
  d[L.CLOCK >> 1] = arrival;
  w[L.FREE] = w[last | L.CHAIN];
  w[set | L.FLAGS] = granted | sync;
  w[set | L.SET_PENDING] = 0;
  w[set | L.SET_USER_DATA] = userData;
  w[set | L.SET_GRANTED_AT] = grantedAt;
  w[set | L.SET_EDGES] = L.NOBODY;
  d[(set | L.SET_STAMP) >> 1] = arrival;
  putAlone(w, d, set, link, first, firstUnits, arrival);
  if (last !== link) putAlone(w, d, set, last, second, secondUnits, arrival);
  if (annexes !== 0) meterAlone(w, set, link, last);
  w[last | L.CHAIN] = L.NOBODY;
  if (sync !== 0) countSync(w, first, second, L.RESOURCE_SYNC_ONE);
  if (intents !== undefined) intents.dropIntent(w);
  return set;
}

function putAlone(
  w: Int32Array,
  d: Float64Array,
  set: number,
  link: number,
  resource: number,
  units: number,
  arrival: number,
): void {
  w[link | L.FLAGS] = triggered | (units << L.LINK_UNITS_SHIFT);
  w[link | L.LINK_PREVIOUS] = L.NOBODY;
  w[link | L.LINK_NEXT] = L.NOBODY;
  w[link | L.LINK_SET] = set;
  w[link | L.LINK_RESOURCE] = resource;
  d[(link | L.LINK_ARRIVAL) >> 1] = arrival;
  w[resource | L.RESOURCE_HEAD] = link;
  w[resource | L.RESOURCE_TAIL] = link;
  w[resource | L.RESOURCE_USED] = units;
}

/** Whether these have declared capacities, or none, and no observers. */
function areDeclared(w: Int32Array, first: number, second: number): boolean {
  const observed = (w[first | L.FLAGS] | w[second | L.FLAGS]) & L.RESOURCE_OBSERVED;
  return observed === 0 && isDeclaredOrNone(w, first) && isDeclaredOrNone(w, second);
}

function isDeclaredOrNone(w: Int32Array, resource: number): boolean {
  const annex = w[resource | L.RESOURCE_ANNEX];
  return annex === L.NOBODY || w[annex | L.FLAGS] === declared;
}

/** They are alone in their queues, so that no link has ranges of numbers (numbers.ts). */
function meterAlone(w: Int32Array, set: number, link: number, last: number): void {
  w[set | L.FLAGS] |= L.SET_METERED;
  for (const each of [link, last]) {
    const annex = w[w[each | L.LINK_RESOURCE] | L.RESOURCE_ANNEX];
    if (annex !== L.NOBODY) w[each | L.FLAGS] |= L.LINK_METERED;
  }
}

function countSync(w: Int32Array, first: number, second: number, change: number): void {
  w[first | L.FLAGS] += change;
  if (second !== first) w[second | L.FLAGS] += change;
}

/**
 * {@link Core.remove} of a grant of one or two resources that has this token and user data, where
 * no other set is in their queues and nothing is to be reported. Otherwise false, and nothing has
 * changed.
 */
export function removeAlone(
  { words: w, doubles: d, intents }: Memory,
  set: number,
  token: number,
  userData: number,
): boolean {
  const flags = w[set | L.FLAGS];
  if ((flags & ~(L.SET_SYNC | L.SET_METERED)) !== granted || d[(set | L.SET_STAMP) >> 1] !== token)
    return false;
  const link = w[set | L.CHAIN];
  const next = w[link | L.CHAIN];
  if (link === L.NOBODY || w[set | L.SET_USER_DATA] !== userData) return false;
  const last = next === L.NOBODY ? link : next;
  const others =
    w[link | L.LINK_PREVIOUS] |
    w[link | L.LINK_NEXT] |
    w[last | L.LINK_PREVIOUS] |
    w[last | L.LINK_NEXT] |
    w[last | L.CHAIN] |
    w[set | L.SET_EDGES] |
    w[L.JOURNAL];
  if (others !== 0) return false;
  const first = w[link | L.LINK_RESOURCE];
  const second = w[last | L.LINK_RESOURCE];
  const due = (w[first | L.FLAGS] ^ quiet) | (w[second | L.FLAGS] ^ quiet);
  if ((due & resourceFlags) !== 0) return false;
  const sync = (flags & L.SET_SYNC) === 0 ? 0 : L.RESOURCE_SYNC_ONE;
  if (intents !== undefined) intents.recordEnd(w, set, last, first, second, sync);
  if (sync !== 0) countSync(w, first, second, -sync);
  empty(w, first);
  empty(w, second);
  w[set | L.FLAGS] = 0;
  w[last | L.CHAIN] = w[L.FREE];
  w[L.FREE] = set;
  if (intents !== undefined) intents.dropIntent(w);
  return true;
}

function empty(w: Int32Array, resource: number): void {
  w[resource | L.RESOURCE_HEAD] = L.NOBODY;
  w[resource | L.RESOURCE_TAIL] = L.NOBODY;
  w[resource | L.RESOURCE_USED] = 0;
}
