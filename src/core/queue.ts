/**
 * The queue of a resource: links in arrival order (I1), a frontier, and the sum of what it ends.
 *
 * A link is *triggered* when its units and those of all links ahead fit the capacity (I2). Units
 * are at least 1, so the sums only grow along a queue: the triggered links are always the first
 * ones. FRONTIER is the first that is not, USED the units of those before it. After any change of a
 * queue, {@link advance} goes on from the frontier while `fits` allows it. Nothing else grants.
 */

import { countDown } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { notifyObservers } from './observations.ts';
import { capacityOf, fits, unitsOf } from './rule.ts';
import { allocate, type Refs } from './slots.ts';

/**
 * Triggers the links that fit, from the frontier on: O(links newly triggered) (I5). `resource` is
 * saved.
 */
export function advance(w: Int32Array, d: Float64Array, resource: number): void {
  let link = w[resource | L.RESOURCE_FRONTIER];
  if (link !== L.NOBODY) {
    const capacity = capacityOf(w, resource);
    let used = w[resource | L.RESOURCE_USED];
    do {
      const flags = w[link | L.FLAGS];
      const units = flags >>> L.LINK_UNITS_SHIFT;
      if (!fits(used, units, capacity)) break;
      used += units;
      save(w, link);
      w[link | L.FLAGS] = flags | L.LINK_TRIGGERED;
      if ((flags & L.LINK_IGNORED) === 0) countDown(w, d, w[link | L.LINK_SET]);
      link = w[link | L.LINK_NEXT];
    } while (link !== L.NOBODY);
    w[resource | L.RESOURCE_USED] = used;
    w[resource | L.RESOURCE_FRONTIER] = link;
  }
  if ((w[resource | L.FLAGS] & L.RESOURCE_OBSERVED) !== 0) notifyObservers(w, d, resource);
}

/**
 * Appends a link of a set being built, and returns whether it is triggered. The first link of a
 * queue always is (`fits`); a later one may be where it is the frontier: this is what
 * {@link advance} would do, before the link is counted as pending.
 */
export function append(
  w: Int32Array,
  resource: number,
  set: number,
  link: number,
  tail: number,
  units: number,
): boolean {
  const flags = L.LINK | (units << L.LINK_UNITS_SHIFT);
  w[link | L.LINK_SET] = set;
  w[link | L.LINK_RESOURCE] = resource;
  w[link | L.LINK_PREVIOUS] = tail;
  w[link | L.LINK_NEXT] = L.NOBODY;
  w[resource | L.RESOURCE_TAIL] = link;
  if (tail === L.NOBODY) {
    w[link | L.FLAGS] = flags | L.LINK_TRIGGERED;
    w[resource | L.RESOURCE_HEAD] = link;
    w[resource | L.RESOURCE_USED] = units;
    return true;
  }
  w[tail | L.LINK_NEXT] = link;
  w[link | L.FLAGS] = flags;
  return w[resource | L.RESOURCE_FRONTIER] === L.NOBODY && appendFrontier(w, resource, link, units);
}

/** A link that has been appended behind triggered ones. */
function appendFrontier(w: Int32Array, resource: number, link: number, units: number): boolean {
  const used = w[resource | L.RESOURCE_USED];
  if (!fits(used, units, capacityOf(w, resource))) {
    w[resource | L.RESOURCE_FRONTIER] = link;
    return false;
  }
  w[link | L.FLAGS] |= L.LINK_TRIGGERED;
  w[resource | L.RESOURCE_USED] = used + units;
  return true;
}

/** Saves what {@link append} changes of these queues. */
export function saveEnds(w: Int32Array, refs: Refs, count: number): void {
  for (let index = 0; index < count; index++) {
    const resource = refs[index] as number;
    const tail = w[resource | L.RESOURCE_TAIL];
    save(w, resource);
    if (tail !== L.NOBODY) save(w, tail);
  }
}

/**
 * Puts the exclusive link of a stealing request before all others. None of those is triggered any
 * more: it takes all units.
 */
export function putFirst(w: Int32Array, resource: number, set: number): number {
  const link = allocate(w);
  const head = w[resource | L.RESOURCE_HEAD];
  w[link | L.FLAGS] = L.LINK | L.LINK_TRIGGERED | (L.ALL << L.LINK_UNITS_SHIFT);
  w[link | L.LINK_SET] = set;
  w[link | L.LINK_RESOURCE] = resource;
  w[link | L.LINK_PREVIOUS] = L.NOBODY;
  w[link | L.LINK_NEXT] = head;
  save(w, resource);
  w[resource | L.RESOURCE_HEAD] = link;
  w[resource | L.RESOURCE_FRONTIER] = head;
  w[resource | L.RESOURCE_USED] = L.ALL;
  if (head === L.NOBODY) {
    w[resource | L.RESOURCE_TAIL] = link;
  } else {
    save(w, head);
    w[head | L.LINK_PREVIOUS] = link;
  }
  return link;
}

/**
 * Another capacity is in force, and no link is to be triggered by it yet. Walks the links that were
 * triggered: those from the first one on that does not fit any more are not. Grants among them go
 * on, as if their links were ignored.
 */
export function rescale(w: Int32Array, resource: number, capacity: number): void {
  save(w, resource);
  const end = w[resource | L.RESOURCE_FRONTIER];
  let used = 0;
  let link = w[resource | L.RESOURCE_HEAD];
  for (; link !== end; link = w[link | L.LINK_NEXT]) {
    const units = unitsOf(w, link);
    if (!fits(used, units, capacity)) break;
    used += units;
  }
  w[resource | L.RESOURCE_USED] = used;
  w[resource | L.RESOURCE_FRONTIER] = link;
  for (; link !== end; link = w[link | L.LINK_NEXT]) {
    untrigger(w, link);
    if ((w[w[link | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) === 0) continue;
    w[link | L.FLAGS] |= L.LINK_IGNORED;
    w[resource | L.FLAGS] |= L.RESOURCE_IGNORED;
  }
}

/** A link is not triggered any more: a waiting set that does not ignore it waits for it again. */
export function untrigger(w: Int32Array, link: number): void {
  const set = w[link | L.LINK_SET];
  const flags = w[link | L.FLAGS];
  save(w, link);
  w[link | L.FLAGS] = flags & ~L.LINK_TRIGGERED;
  if ((flags & (L.LINK_TRIGGERED | L.LINK_IGNORED)) !== L.LINK_TRIGGERED) return;
  if ((w[set | L.FLAGS] & L.SET_GRANTED) !== 0) return;
  save(w, set);
  w[set | L.SET_PENDING]++;
}

/** Whether a link is triggered, no other one is, and no other set holds the resource. */
export function isAlone(w: Int32Array, link: number): boolean {
  const resource = w[link | L.LINK_RESOURCE];
  if ((w[link | L.FLAGS] & L.LINK_TRIGGERED) === 0) return false;
  if (w[resource | L.RESOURCE_USED] !== unitsOf(w, link)) return false;
  if ((w[resource | L.FLAGS] & L.RESOURCE_IGNORED) === 0) return true;
  let other = w[resource | L.RESOURCE_FRONTIER];
  for (; other !== L.NOBODY; other = w[other | L.LINK_NEXT]) {
    if ((w[w[other | L.LINK_SET] | L.FLAGS] & L.SET_GRANTED) !== 0) return false;
  }
  return true;
}

/** A link that {@link isAlone} takes all units. None of the others was triggered. */
export function strengthen(w: Int32Array, link: number): void {
  const resource = w[link | L.LINK_RESOURCE];
  save(w, resource);
  save(w, link);
  w[link | L.FLAGS] |= L.ALL << L.LINK_UNITS_SHIFT;
  w[resource | L.RESOURCE_USED] = L.ALL;
}

/** A link takes fewer units from now on, and the links behind it advance. */
export function weaken(w: Int32Array, d: Float64Array, link: number, units: number): void {
  const resource = w[link | L.LINK_RESOURCE];
  const flags = w[link | L.FLAGS];
  save(w, resource);
  save(w, link);
  w[link | L.FLAGS] = (flags & ~(-1 << L.LINK_UNITS_SHIFT)) | (units << L.LINK_UNITS_SHIFT);
  if ((flags & L.LINK_TRIGGERED) !== 0) {
    w[resource | L.RESOURCE_USED] -= (flags >>> L.LINK_UNITS_SHIFT) - units;
  }
  advance(w, d, resource);
}

/**
 * Takes a link out of its queue, gives back its units, and advances. True if the queue is empty
 * now: then no link is left to advance, and the one that ends was triggered. `resource` is saved.
 */
export function unlink(w: Int32Array, d: Float64Array, resource: number, link: number): boolean {
  const previous = w[link | L.LINK_PREVIOUS];
  const next = w[link | L.LINK_NEXT];
  if ((previous | next) === L.NOBODY) {
    w[resource | L.RESOURCE_HEAD] = L.NOBODY;
    w[resource | L.RESOURCE_TAIL] = L.NOBODY;
    w[resource | L.RESOURCE_USED] = 0;
    if ((w[resource | L.FLAGS] & L.RESOURCE_OBSERVED) !== 0) notifyObservers(w, d, resource);
    return true;
  }
  if (previous === L.NOBODY) {
    w[resource | L.RESOURCE_HEAD] = next;
  } else {
    save(w, previous);
    w[previous | L.LINK_NEXT] = next;
  }
  if (next === L.NOBODY) {
    w[resource | L.RESOURCE_TAIL] = previous;
  } else {
    save(w, next);
    w[next | L.LINK_PREVIOUS] = previous;
  }
  const flags = w[link | L.FLAGS];
  if ((flags & L.LINK_TRIGGERED) !== 0) {
    w[resource | L.RESOURCE_USED] -= flags >>> L.LINK_UNITS_SHIFT;
  } else if (w[resource | L.RESOURCE_FRONTIER] === link) {
    w[resource | L.RESOURCE_FRONTIER] = next;
  }
  advance(w, d, resource);
  return false;
}
