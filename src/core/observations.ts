/**
 * Observers: they wait until what conflicts with them *now* is gone, and block no other set.
 *
 * An observation does not stand in the queue. As queues are in arrival order, the oldest link that
 * conflicts shows whether any is left that is older than it. Observations that wait for all links
 * and those that wait only for exclusive ones have a list each, circular and in arrival order too,
 * so ending the due ones costs O(them). The annex of the resource has the heads of both.
 */

import { closeAnnex, openAnnex } from './annex.ts';
import { countDown } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { capacityOf, fits, isMetered, unitsOf } from './rule.ts';
import { allocate } from './slots.ts';

/**
 * Adds an observation of what is in the queue now and conflicts with a number of units, or returns
 * 0 if nothing does.
 */
export function addObservation(
  w: Int32Array,
  resource: number,
  observer: number,
  units: number,
): number {
  const isBlocked = isMetered(w, resource)
    ? w[resource | L.RESOURCE_FRONTIER] !== L.NOBODY ||
      !fits(w[resource | L.RESOURCE_USED], units, capacityOf(w, resource))
    : (units === L.ALL ? w[resource | L.RESOURCE_HEAD] : oldestExclusive(w, resource)) !== L.NOBODY;
  if (!isBlocked) return L.NOBODY;
  const annex = openAnnex(w, resource);
  const entry = allocate(w);
  w[entry | L.FLAGS] = L.OBSERVATION | (units << L.LINK_UNITS_SHIFT);
  w[entry | L.LINK_SET] = observer;
  w[entry | L.LINK_RESOURCE] = resource;
  const list = annex | listOf(units);
  const first = w[list];
  const last = first === L.NOBODY ? entry : w[first | L.LINK_PREVIOUS];
  save(w, last);
  if (first === L.NOBODY) w[list] = entry;
  else save(w, first);
  w[entry | L.LINK_PREVIOUS] = last;
  w[entry | L.LINK_NEXT] = w[list];
  w[last | L.LINK_NEXT] = entry;
  w[w[list] | L.LINK_PREVIOUS] = entry;
  w[resource | L.FLAGS] |= L.RESOURCE_OBSERVED;
  return entry;
}

/** Ends what an observer still waits for, and returns the last slot of its chain. */
export function removeObservations(w: Int32Array, observer: number): number {
  let last = observer;
  for (let entry = w[observer | L.CHAIN]; entry !== L.NOBODY; entry = w[entry | L.CHAIN]) {
    if ((w[entry | L.FLAGS] & L.LINK_TRIGGERED) === 0) {
      const resource = w[entry | L.LINK_RESOURCE];
      removeObservation(w, resource, entry);
      closeAnnex(w, resource);
    }
    last = entry;
  }
  return last;
}

/** Takes an observation out of its list; its slot stays on the chain of its observer. */
function removeObservation(w: Int32Array, resource: number, entry: number): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  const list = annex | listOf(unitsOf(w, entry));
  const next = w[entry | L.LINK_NEXT];
  save(w, annex);
  if (next === entry) {
    w[list] = L.NOBODY;
    if ((w[annex | L.ANNEX_OBSERVE_ALL] | w[annex | L.ANNEX_OBSERVE_EXCLUSIVE]) === L.NOBODY) {
      save(w, resource);
      w[resource | L.FLAGS] &= ~L.RESOURCE_OBSERVED;
    }
    return;
  }
  const previous = w[entry | L.LINK_PREVIOUS];
  save(w, previous);
  save(w, next);
  w[previous | L.LINK_NEXT] = next;
  w[next | L.LINK_PREVIOUS] = previous;
  if (w[list] === entry) w[list] = next;
}

/** Ends the observations of a resource that nothing older conflicts with any more. */
export function notifyObservers(w: Int32Array, d: Float64Array, resource: number): void {
  const annex = w[resource | L.RESOURCE_ANNEX];
  if ((w[annex | L.FLAGS] & L.ANNEX_METERED) !== 0) {
    notifyMetered(w, d, annex | L.ANNEX_OBSERVE_ALL, resource);
    notifyMetered(w, d, annex | L.ANNEX_OBSERVE_EXCLUSIVE, resource);
    return;
  }
  notifyList(w, d, annex | L.ANNEX_OBSERVE_ALL, w[resource | L.RESOURCE_HEAD]);
  notifyList(w, d, annex | L.ANNEX_OBSERVE_EXCLUSIVE, oldestExclusive(w, resource));
  closeAnnex(w, resource);
}

function notifyList(w: Int32Array, d: Float64Array, list: number, oldest: number): void {
  for (let entry = w[list]; entry !== L.NOBODY; entry = w[list]) {
    if (isOlder(d, oldest, entry)) return;
    endObservation(w, d, entry);
  }
}

/**
 * With a capacity, an observation ends when its units fit behind those of all links older than it.
 * They do not while one of these is not triggered, so no more links are walked than are triggered.
 */
function notifyMetered(w: Int32Array, d: Float64Array, list: number, resource: number): void {
  const capacity = capacityOf(w, resource);
  const frontier = w[resource | L.RESOURCE_FRONTIER];
  const due: number[] = [];
  const first = w[list];
  let link = w[resource | L.RESOURCE_HEAD];
  let used = 0;
  for (let entry = first; entry !== L.NOBODY; entry = w[entry | L.LINK_NEXT]) {
    if (isOlder(d, frontier, entry)) break;
    for (; link !== frontier && isOlder(d, link, entry); link = w[link | L.LINK_NEXT]) {
      used += unitsOf(w, link);
    }
    if (fits(used, unitsOf(w, entry), capacity)) due.push(entry);
    if (w[entry | L.LINK_NEXT] === first) break;
  }
  for (const entry of due) endObservation(w, d, entry);
}

function isOlder(d: Float64Array, link: number, entry: number): boolean {
  if (link === L.NOBODY) return false;
  return d[(link | L.LINK_ARRIVAL) >> 1] <= d[(entry | L.LINK_ARRIVAL) >> 1];
}

function endObservation(w: Int32Array, d: Float64Array, entry: number): void {
  removeObservation(w, w[entry | L.LINK_RESOURCE], entry);
  save(w, entry);
  w[entry | L.FLAGS] |= L.LINK_TRIGGERED;
  countDown(w, d, w[entry | L.LINK_SET]);
}

/** A head that is not exclusive leads a run of such links, which an exclusive one ends. */
function oldestExclusive(w: Int32Array, resource: number): number {
  const head = w[resource | L.RESOURCE_HEAD];
  if (head === L.NOBODY || unitsOf(w, head) === L.ALL) return head;
  return w[resource | L.RESOURCE_FRONTIER];
}

function listOf(units: number): number {
  return units === L.ALL ? L.ANNEX_OBSERVE_ALL : L.ANNEX_OBSERVE_EXCLUSIVE;
}
