/** The end of sets and of single links: later links move up, and an empty queue is idle. */

import { dropAsserted, isDeclared } from './capacity.ts';
import { dropEdges } from './edges.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { dropNumbers } from './numbers.ts';
import { removeObservations } from './observations.ts';
import { unlink } from './queue.ts';
import { capacityOf } from './rule.ts';
import { free } from './slots.ts';

/** If a resource is kept, and the other is not true of it, nothing is to be done as it idles. */
const quietlyIdle = L.RESOURCE_KEPT | L.RESOURCE_IGNORED;

/** Ends a set and frees it. The caller gives tokens to the sets that this grants. */
export function end(w: Int32Array, d: Float64Array, set: number, died: boolean): void {
  const last = clear(w, d, set, died);
  save(w, set);
  w[set | L.FLAGS] = 0;
  free(w, set, last);
}

/** Ends all links, observations and edges of a set, and returns the last slot of its chain. */
export function clear(w: Int32Array, d: Float64Array, set: number, died: boolean): number {
  const flags = w[set | L.FLAGS];
  if ((flags & L.SET_OBSERVER) !== 0) return removeObservations(w, set);
  if ((flags & L.SET_METERED) !== 0) dropNumbers(w, set);
  let last = set;
  for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
    detach(w, d, link, flags, died);
    last = link;
  }
  if (w[set | L.SET_EDGES] !== L.NOBODY) dropEdges(w, set);
  return last;
}

/** Ends one link of a set with these flags; its slot stays the caller's. */
export function detach(
  w: Int32Array,
  d: Float64Array,
  link: number,
  setFlags: number,
  died: boolean,
): void {
  const resource = w[link | L.LINK_RESOURCE];
  save(w, resource);
  let flags = w[resource | L.FLAGS];
  if ((setFlags & L.SET_SYNC) !== 0) w[resource | L.FLAGS] = flags -= L.RESOURCE_SYNC_ONE;
  const isRecovered = (flags & L.RESOURCE_RECOVERED) !== 0;
  if (isRecovered !== died && (setFlags & L.SET_GRANTED) !== 0) {
    updateFlag(w, resource, w[link | L.FLAGS], died);
  }
  const isEmpty = unlink(w, d, resource, link);
  if (isEmpty && (flags & quietlyIdle) !== L.RESOURCE_KEPT) fallIdle(w, resource);
}

/** A holder of all units ends: by death, and the flag is set; normally, and it is cleared. */
export function updateFlag(
  w: Int32Array,
  resource: number,
  linkFlags: number,
  died: boolean,
): void {
  const isRecovered = (w[resource | L.FLAGS] & L.RESOURCE_RECOVERED) !== 0;
  if (isRecovered === died) return;
  if (linkFlags >>> L.LINK_UNITS_SHIFT < capacityOf(w, resource)) return;
  // A set that did not wait for it has not owned it, so cannot know that it is whole again.
  if (!died && (linkFlags & L.LINK_TRIGGERED) === 0) return;
  w[resource | L.FLAGS] ^= L.RESOURCE_RECOVERED;
  w[L.RECOVERED_COUNT] += died ? 1 : -1;
}

function fallIdle(w: Int32Array, resource: number): void {
  const flags = w[resource | L.FLAGS];
  if ((flags & L.RESOURCE_IGNORED) !== 0) {
    w[resource | L.FLAGS] = flags & ~L.RESOURCE_IGNORED;
    dropAsserted(w, resource);
  }
  // The flag must outlive the queue: the next grant reports it. So must a declared capacity.
  if ((flags & (L.RESOURCE_RECOVERED | L.RESOURCE_KEPT)) !== 0) return;
  if (w[resource | L.RESOURCE_ANNEX] !== L.NOBODY && isDeclared(w, resource)) return;
  w[resource | L.CHAIN] = w[L.IDLE_FIRST];
  w[L.IDLE_FIRST] = resource;
}
