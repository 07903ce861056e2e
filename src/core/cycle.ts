/**
 * Holding while waiting: is there a cycle of sets, each waiting for, or kept by, the next?
 *
 * A waiting set waits for the older sets that conflict with it. Why a set is kept, besides, is
 * decided by the caller: a granted one until those waiting sets whose callers declared to hold it
 * are through ({@link declaredFor}). Only a new set can close such a cycle, and only if it declares
 * a grant, so that search runs for such requests alone. It walks each queue position at most once
 * as shared and once as exclusive: O(sets and links that can be reached). Its bookkeeping lives in
 * ordinary objects and is gone when it returns.
 *
 * On a resource with a capacity a set waits for *enough* of those ahead, so a cycle need not be a
 * deadlock. There the search is a filter, and the sets that it can reach are played out: those that
 * are granted and kept for no set end, and others are granted, until nothing changes. A cycle among
 * the sets that are left is one.
 */

import * as L from './layout.ts';
import { playOut } from './play-out.ts';
import { isMetered, unitsOf } from './rule.ts';

/** The sets that a set is kept for: it ends only when they are through. */
export type KeptFor = (set: number) => readonly number[];

/** The sets of the cycle, beginning with `set`, or none. */
export function findCycle(w: Int32Array, set: number, keptFor: KeptFor): readonly number[] {
  const search = new Search(w, set, keptFor);
  const cycle = search.run();
  if (cycle.length === 0 || !search.hasMetered) return cycle;
  const reached = new Search(w, set, keptFor).all();
  return new Search(w, set, keptFor, playOut(w, reached, keptFor)).run();
}

/** Which sets a set waits for, or is kept for, directly and through others. */
class Search {
  /** Whether a queue with a capacity was walked. */
  hasMetered = false;
  readonly #w: Int32Array;
  readonly #set: number;
  readonly #keptFor: KeptFor;
  /** Only these are searched, where given. */
  readonly #among: ReadonlySet<number> | undefined;
  readonly #reachedFrom = new Map<number, number>();
  /** Links that were passed as shared, or in a queue with a capacity. */
  readonly #passed = new Set<number>();

  constructor(w: Int32Array, set: number, keptFor: KeptFor, among?: ReadonlySet<number>) {
    this.#w = w;
    this.#set = set;
    this.#keptFor = keptFor;
    this.#among = among;
  }

  /** The first cycle through the set. */
  run(): readonly number[] {
    const last = this.#walk((to) => to === this.#set);
    return last === undefined ? [] : pathTo(last, this.#reachedFrom);
  }

  /** The set, and all that can be reached from it. */
  all(): ReadonlySet<number> {
    this.#walk(() => false);
    return new Set([this.#set, ...this.#reachedFrom.keys()]);
  }

  /** Returns the set from which the wanted one was reached. */
  #walk(isWanted: (set: number) => boolean): number | undefined {
    const open = [this.#set];
    for (let from = open.pop(); from !== undefined; from = open.pop()) {
      for (const to of [...this.#inTheWay(from), ...this.#keptFor(from)]) {
        if (this.#among?.has(to) === false) continue;
        if (isWanted(to)) return from;
        if (this.#reachedFrom.has(to) || to === this.#set) continue;
        this.#reachedFrom.set(to, from);
        open.push(to);
      }
    }
    return undefined;
  }

  #inTheWay(set: number): readonly number[] {
    const w = this.#w;
    const sets: number[] = [];
    if ((w[set | L.FLAGS] & L.SET_GRANTED) !== 0) return sets;
    let link = w[set | L.CHAIN];
    for (; link !== L.NOBODY; link = w[link | L.CHAIN]) {
      if ((w[link | L.FLAGS] & (L.LINK_TRIGGERED | L.LINK_IGNORED)) !== 0) continue;
      if (isMetered(w, w[link | L.LINK_RESOURCE])) this.#allAheadOf(link, sets);
      else this.#aheadOf(link, sets);
    }
    return sets;
  }

  /** Any of those ahead in a queue with a capacity may be one that the link waits for. */
  #allAheadOf(link: number, sets: number[]): void {
    const w = this.#w;
    this.hasMetered = true;
    let ahead = w[link | L.LINK_PREVIOUS];
    for (; ahead !== L.NOBODY; ahead = w[ahead | L.LINK_PREVIOUS]) {
      sets.push(w[ahead | L.LINK_SET]);
      if (this.#passed.has(ahead)) return;
      this.#passed.add(ahead);
    }
  }

  /**
   * Those ahead of a link that conflict with it, as far as an exclusive one that itself waits for
   * all ahead of *it* (an ignored link does not). A shared link that was passed leads there
   * already.
   */
  #aheadOf(link: number, sets: number[]): void {
    const w = this.#w;
    const isExclusive = unitsOf(w, link) === L.ALL;
    let ahead = w[link | L.LINK_PREVIOUS];
    for (; ahead !== L.NOBODY; ahead = w[ahead | L.LINK_PREVIOUS]) {
      const isAheadExclusive = unitsOf(w, ahead) === L.ALL;
      if (isExclusive || isAheadExclusive) sets.push(w[ahead | L.LINK_SET]);
      if (isAheadExclusive && (w[ahead | L.FLAGS] & L.LINK_IGNORED) === 0) return;
      if (!isExclusive) {
        if (this.#passed.has(ahead)) return;
        this.#passed.add(ahead);
      }
    }
  }
}

/** The waiting sets whose callers declared that they keep this grant. */
export function declaredFor(w: Int32Array, set: number): readonly number[] {
  const sets: number[] = [];
  if ((w[set | L.FLAGS] & L.SET_GRANTED) === 0) return sets;
  let edge = w[set | L.SET_EDGES];
  for (; edge !== L.NOBODY; edge = w[edge | L.EDGE_NEXT_OF_HELD]) {
    if ((w[edge | L.FLAGS] & L.EDGE_RANGE) === 0) sets.push(w[edge | L.EDGE_WAITER]);
  }
  return sets;
}

function pathTo(last: number, reachedFrom: ReadonlyMap<number, number>): readonly number[] {
  const path: number[] = [];
  for (let at: number | undefined = last; at !== undefined; at = reachedFrom.get(at)) path.push(at);
  return path.reverse();
}
