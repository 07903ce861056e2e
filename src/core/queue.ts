/**
 * The queue of a resource, and the rule.
 *
 * Links stand in arrival order (I1). A link is *triggered* when nothing stands ahead of it, or when
 * it and all ahead are shared (I2). So the triggered links are always the first ones: one exclusive
 * link, or a run of shared ones; FRONTIER is the first that is not. Whatever happens to a queue,
 * {@link advance} walks on from the frontier while {@link mayTrigger} says so. Nothing else grants.
 */

import { countDown } from './granted.ts';
import { save } from './journal.ts';
import * as L from './layout.ts';
import { allocate, type Refs } from './slots.ts';
import { settle } from './watches.ts';

/**
 * The rule (I2), for a link with these flags behind `ahead`, which is triggered: nothing is ahead,
 * or both are shared. As the one ahead is triggered, what is ahead of *that* is in nobody's way.
 */
function mayTrigger(w: Int32Array, flags: number, ahead: number): boolean {
  return ahead === L.NOBODY || ((flags | w[ahead | L.FLAGS]) & L.LINK_EXCLUSIVE) === 0;
}

/**
 * Triggers what may be, from the frontier on: O(links newly triggered) (I5). `resource` is saved.
 */
export function advance(w: Int32Array, d: Float64Array, resource: number): void {
  let link = w[resource | L.RESOURCE_FRONTIER];
  while (link !== L.NOBODY) {
    const flags = w[link | L.FLAGS];
    if (!mayTrigger(w, flags, w[link | L.LINK_PREVIOUS])) break;
    save(w, link);
    w[link | L.FLAGS] = flags | L.LINK_TRIGGERED;
    if ((flags & L.LINK_IGNORED) === 0) countDown(w, d, w[link | L.LINK_SET]);
    link = w[link | L.LINK_NEXT];
  }
  w[resource | L.RESOURCE_FRONTIER] = link;
  if ((w[resource | L.FLAGS] & L.RESOURCE_WATCHED) !== 0) settle(w, d, resource);
}

/**
 * Appends a link of a set being built, and says whether it is triggered. If it is the frontier it
 * may be: what {@link advance} would do, before anybody counts it as pending.
 */
export function append(
  w: Int32Array,
  resource: number,
  set: number,
  link: number,
  tail: number,
  mode: number,
): boolean {
  const frontier = w[resource | L.RESOURCE_FRONTIER];
  const isTriggered = frontier === L.NOBODY && mayTrigger(w, mode, tail);
  w[link | L.FLAGS] = isTriggered ? L.LINK | L.LINK_TRIGGERED | mode : L.LINK | mode;
  w[link | L.LINK_SET] = set;
  w[link | L.LINK_RESOURCE] = resource;
  w[link | L.LINK_PREVIOUS] = tail;
  w[link | L.LINK_NEXT] = L.NOBODY;
  w[resource | L.RESOURCE_TAIL] = link;
  if (tail === L.NOBODY) w[resource | L.RESOURCE_HEAD] = link;
  else w[tail | L.LINK_NEXT] = link;
  if (!isTriggered && frontier === L.NOBODY) w[resource | L.RESOURCE_FRONTIER] = link;
  return isTriggered;
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

/** Puts a thief's exclusive link before all others, which are no longer triggered behind it. */
export function putFirst(w: Int32Array, resource: number, set: number): number {
  const link = allocate(w);
  const head = w[resource | L.RESOURCE_HEAD];
  w[link | L.FLAGS] = L.LINK | L.LINK_EXCLUSIVE | L.LINK_TRIGGERED;
  w[link | L.LINK_SET] = set;
  w[link | L.LINK_RESOURCE] = resource;
  w[link | L.LINK_PREVIOUS] = L.NOBODY;
  w[link | L.LINK_NEXT] = head;
  save(w, resource);
  w[resource | L.RESOURCE_HEAD] = link;
  w[resource | L.RESOURCE_FRONTIER] = head;
  if (head === L.NOBODY) {
    w[resource | L.RESOURCE_TAIL] = link;
  } else {
    save(w, head);
    w[head | L.LINK_PREVIOUS] = link;
  }
  return link;
}

/**
 * Takes a link out of its queue, and hands over to those behind it whom it was in the way of; with
 * nobody behind it there is nobody to hand over to. True if the queue is empty now. `resource` is
 * saved.
 */
export function unlink(w: Int32Array, d: Float64Array, resource: number, link: number): boolean {
  const previous = w[link | L.LINK_PREVIOUS];
  const next = w[link | L.LINK_NEXT];
  if (previous === L.NOBODY) {
    w[resource | L.RESOURCE_HEAD] = next;
  } else {
    save(w, previous);
    w[previous | L.LINK_NEXT] = next;
  }
  if (w[resource | L.RESOURCE_FRONTIER] === link) w[resource | L.RESOURCE_FRONTIER] = next;
  if (next !== L.NOBODY) {
    save(w, next);
    w[next | L.LINK_PREVIOUS] = previous;
    advance(w, d, resource);
    return false;
  }
  w[resource | L.RESOURCE_TAIL] = previous;
  if ((w[resource | L.FLAGS] & L.RESOURCE_WATCHED) !== 0) settle(w, d, resource);
  return previous === L.NOBODY;
}
