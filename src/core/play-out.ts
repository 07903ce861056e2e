/**
 * What becomes of some sets if their holders go on as far as they can: those that are granted and
 * kept for no waiting set end, later links move up by the rule, and sets are granted, until nothing
 * changes. The order does not matter, as an end never takes a grant away.
 *
 * The sets must be closed: with a waiting one, all sets ahead of it in the queues that it waits in
 * are among them, so the front of each such queue is. Nothing in the words changes. O(links).
 */

import type { KeptFor } from './cycle.ts';
import * as L from './layout.ts';
import { capacityOf, fits, unitsOf } from './rule.ts';

/** A queue while it is played out. */
interface Front {
  /** First link that is not triggered. */
  link: number;
  /** Units of the triggered links whose sets have not ended. */
  used: number;
}

/** Returns the sets that are left: waiting for ever, or kept for one that does. */
export function playOut(
  w: Int32Array,
  sets: ReadonlySet<number>,
  keptFor: KeptFor,
): ReadonlySet<number> {
  return new PlayOut(w, sets, keptFor).run();
}

class PlayOut {
  readonly #w: Int32Array;
  readonly #left: Set<number>;
  readonly #fronts = new Map<number, Front>();
  /** Links that each waiting set waits for. */
  readonly #pending = new Map<number, number>();
  /** Number of waiting sets that each granted set is kept for. */
  readonly #keeperCounts = new Map<number, number>();
  /** The sets that are kept for each waiting set. */
  readonly #kept = new Map<number, number[]>();
  readonly #ending: number[] = [];
  readonly #ended = new Set<number>();
  /** Links that were not triggered when this began. */
  readonly #triggered = new Set<number>();

  constructor(w: Int32Array, sets: ReadonlySet<number>, keptFor: KeptFor) {
    this.#w = w;
    this.#left = new Set(sets);
    for (const set of sets) {
      const keepers = keptFor(set);
      this.#keeperCounts.set(set, keepers.length);
      for (const keeper of keepers) {
        const kept = this.#kept.get(keeper);
        if (kept === undefined) this.#kept.set(keeper, [set]);
        else kept.push(set);
      }
      this.#pending.set(set, this.#countPending(set));
    }
    for (const set of sets) this.#endIfFree(set);
  }

  run(): ReadonlySet<number> {
    for (let set = this.#ending.pop(); set !== undefined; set = this.#ending.pop()) this.#end(set);
    return this.#left;
  }

  #countPending(set: number): number {
    const w = this.#w;
    if ((w[set | L.FLAGS] & L.SET_GRANTED) !== 0) return 0;
    let count = 0;
    for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      if ((w[link | L.FLAGS] & (L.LINK_TRIGGERED | L.LINK_IGNORED)) === 0) count++;
    }
    return count;
  }

  /** A set that is granted, and kept for no waiting one, ends. */
  #endIfFree(set: number): void {
    if (this.#pending.get(set) !== 0 || this.#keeperCounts.get(set) !== 0) return;
    if (this.#left.delete(set)) this.#ending.push(set);
  }

  #end(set: number): void {
    const w = this.#w;
    this.#ended.add(set);
    for (const held of this.#kept.get(set) ?? []) {
      this.#keeperCounts.set(held, (this.#keeperCounts.get(held) as number) - 1);
      this.#endIfFree(held);
    }
    for (let link = w[set | L.CHAIN]; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      this.#unlink(link);
    }
  }

  #unlink(link: number): void {
    const w = this.#w;
    const resource = w[link | L.LINK_RESOURCE];
    const front = this.#frontOf(resource);
    if ((w[link | L.FLAGS] & L.LINK_TRIGGERED) !== 0 || this.#triggered.has(link)) {
      front.used -= unitsOf(w, link);
    }
    const capacity = capacityOf(w, resource);
    for (; front.link !== L.NOBODY; front.link = w[front.link | L.LINK_NEXT]) {
      const set = w[front.link | L.LINK_SET];
      // It went while its link, which it did not wait for, stood behind the frontier.
      if (this.#ended.has(set)) continue;
      const units = unitsOf(w, front.link);
      if (!fits(front.used, units, capacity)) return;
      front.used += units;
      this.#triggered.add(front.link);
      if ((w[front.link | L.FLAGS] & L.LINK_IGNORED) === 0) this.#countDown(set);
    }
  }

  #countDown(set: number): void {
    const pending = this.#pending.get(set);
    // Behind the last of the sets there may be others.
    if (pending === undefined) return;
    this.#pending.set(set, pending - 1);
    this.#endIfFree(set);
  }

  #frontOf(resource: number): Front {
    const known = this.#fronts.get(resource);
    if (known !== undefined) return known;
    const w = this.#w;
    const link = w[resource | L.RESOURCE_FRONTIER];
    const front = { link, used: w[resource | L.RESOURCE_USED] };
    this.#fronts.set(resource, front);
    return front;
  }
}
