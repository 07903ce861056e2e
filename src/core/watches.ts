/**
 * Observers: they wait until what conflicts with them *now* is gone, and are in nobody's way.
 *
 * A watch does not stand in the queue. As queues are in arrival order, one look at the oldest link
 * that conflicts tells whether any is left that is older than the watch. Watches that wait for all
 * links and those that wait only for exclusive ones have a ring each, in arrival order too, so
 * ending the due ones costs O(them).
 */

import { countDown } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { allocate } from './slots.ts';

/** Adds a watch of `observer` for what is in the queue now, or returns 0 if nothing conflicts. */
export function watch(w: Int32Array, resource: number, observer: number, mode: number): number {
  const oldest = mode !== 0 ? w[resource | L.RESOURCE_HEAD] : oldestExclusive(w, resource);
  if (oldest === L.NOBODY) return L.NOBODY;
  const eye = allocate(w);
  w[eye | L.FLAGS] = L.WATCH | mode;
  w[eye | L.LINK_SET] = observer;
  w[eye | L.LINK_RESOURCE] = resource;
  const ring = ringOf(resource, mode);
  const first = w[ring];
  const last = first === L.NOBODY ? eye : w[first | L.LINK_PREVIOUS];
  save(w, resource);
  save(w, last);
  if (first === L.NOBODY) w[ring] = eye;
  else save(w, first);
  w[eye | L.LINK_PREVIOUS] = last;
  w[eye | L.LINK_NEXT] = w[ring];
  w[last | L.LINK_NEXT] = eye;
  w[w[ring] | L.LINK_PREVIOUS] = eye;
  w[resource | L.FLAGS] |= L.RESOURCE_WATCHED;
  return eye;
}

/** Ends what an observer still watches, and returns the last slot of its chain. */
export function unwatchAll(w: Int32Array, observer: number): number {
  let last = observer;
  for (let eye = w[observer | L.CHAIN]; eye !== L.NOBODY; eye = w[eye | L.CHAIN]) {
    if ((w[eye | L.FLAGS] & L.LINK_TRIGGERED) === 0) unwatch(w, w[eye | L.LINK_RESOURCE], eye);
    last = eye;
  }
  return last;
}

/** Takes a watch out of its ring; its slot stays on the chain of its observer. */
function unwatch(w: Int32Array, resource: number, eye: number): void {
  const mode = w[eye | L.FLAGS] & L.LINK_EXCLUSIVE;
  const ring = ringOf(resource, mode);
  const next = w[eye | L.LINK_NEXT];
  save(w, resource);
  if (next === eye) {
    w[ring] = L.NOBODY;
    const other = ringOf(resource, mode ^ L.LINK_EXCLUSIVE);
    if (w[other] === L.NOBODY) w[resource | L.FLAGS] &= ~L.RESOURCE_WATCHED;
    return;
  }
  const previous = w[eye | L.LINK_PREVIOUS];
  save(w, previous);
  save(w, next);
  w[previous | L.LINK_NEXT] = next;
  w[next | L.LINK_PREVIOUS] = previous;
  if (w[ring] === eye) w[ring] = next;
}

/** Ends the watches that nothing older is in the way of any more. */
export function settle(w: Int32Array, d: Float64Array, resource: number): void {
  settleRing(w, d, resource | L.RESOURCE_WATCH_ALL, w[resource | L.RESOURCE_HEAD]);
  settleRing(w, d, resource | L.RESOURCE_WATCH_EXCLUSIVE, oldestExclusive(w, resource));
}

function settleRing(w: Int32Array, d: Float64Array, ring: number, oldest: number): void {
  for (let eye = w[ring]; eye !== L.NOBODY; eye = w[ring]) {
    const isInTheWay =
      oldest !== L.NOBODY && d[(oldest | L.LINK_ARRIVAL) >> 1] <= d[(eye | L.LINK_ARRIVAL) >> 1];
    if (isInTheWay) return;
    unwatch(w, w[eye | L.LINK_RESOURCE], eye);
    save(w, eye);
    w[eye | L.FLAGS] |= L.LINK_TRIGGERED;
    countDown(w, d, w[eye | L.LINK_SET]);
  }
}

/** A shared head leads a run of shared links, which the frontier, then exclusive, ends. */
function oldestExclusive(w: Int32Array, resource: number): number {
  const head = w[resource | L.RESOURCE_HEAD];
  if (head === L.NOBODY || (w[head | L.FLAGS] & L.LINK_EXCLUSIVE) !== 0) return head;
  return w[resource | L.RESOURCE_FRONTIER];
}

function ringOf(resource: number, mode: number): number {
  return resource + (mode !== 0 ? L.RESOURCE_WATCH_ALL : L.RESOURCE_WATCH_EXCLUSIVE);
}
