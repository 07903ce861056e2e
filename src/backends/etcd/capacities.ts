/**
 * The capacities of a domain, as its keys have them. A declared one is in force as long as its key
 * is there; an asserted one while at least one live set relies on it. Its key stays a while longer,
 * and can be relied on again.
 */

import type { ReadCapacity } from '../../api/units.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import type { CapacityEntry } from './entries.ts';
import { encodeResource, sessionOfResource } from './keys.ts';
import type { LiveSet } from './live-set.ts';

export interface LiveCapacity {
  readonly entry: CapacityEntry;
  /** Of its key. */
  readonly modRevision: number;
}

type Relying = Pick<LiveSet, 'entry' | 'session'>;

/** By resource, as in keys. */
export class Capacities {
  readonly #known = new Map<string, LiveCapacity>();
  /** Revisions at which numbers of units were last recorded. */
  readonly #numbers = new Map<string, number>();
  /** How many live sets rely on an asserted capacity. */
  #relying = new Map<string, number>();

  clear(): void {
    this.#known.clear();
    this.#numbers.clear();
  }

  get areAny(): boolean {
    return this.#known.size > 0;
  }

  get(id: string): LiveCapacity | undefined {
    return this.#known.get(id);
  }

  getInForce(id: string): LiveCapacity | undefined {
    const capacity = this.#known.get(id);
    return capacity !== undefined && this.#isInForce(id, capacity) ? capacity : undefined;
  }

  *inForce(): Generator<[id: string, LiveCapacity]> {
    for (const [id, capacity] of this.#known) {
      if (this.#isInForce(id, capacity)) yield [id, capacity];
    }
  }

  /** Asserted ones that no set relies on, and those of resources that went with their session. */
  *unused(sessions: ReadonlyMap<string, unknown>): Generator<[id: string, LiveCapacity]> {
    for (const [id, capacity] of this.#known) {
      const session = sessionOfResource(id);
      const isLost = session !== undefined && !sessions.has(session);
      if (isLost || !this.#isInForce(id, capacity)) yield [id, capacity];
    }
  }

  /** Undefined: its key was deleted. Returns whether this changes a capacity that is in force. */
  set(id: string, capacity: LiveCapacity | undefined): boolean {
    const before = this.getInForce(id);
    if (capacity === undefined) this.#known.delete(id);
    else this.#known.set(id, capacity);
    const after = this.getInForce(id);
    if (before === undefined || after === undefined) return before !== after;
    return before.entry.count !== after.entry.count || !hasSameTerms(before, after);
  }

  /** The revision at which numbers of units of a resource were last recorded, or 0. */
  numbersRevision(id: string): number {
    return this.#numbers.get(id) ?? 0;
  }

  setNumbersRevision(id: string, revision: number): void {
    if (revision === 0) this.#numbers.delete(id);
    else this.#numbers.set(id, revision);
  }

  /** A set has come. Returns the asserted capacities that were not in force before. */
  rely(live: Relying): readonly string[] {
    const first: string[] = [];
    for (const id of reliesOn(live)) {
      const count = this.#relying.get(id) ?? 0;
      this.#relying.set(id, count + 1);
      if (count === 0 && this.#known.get(id)?.entry.isAsserted === true) first.push(id);
    }
    return first;
  }

  /** A set was removed. Returns the asserted capacities that are not in force any more. */
  leave(live: Relying): readonly string[] {
    const last: string[] = [];
    for (const id of reliesOn(live)) {
      const count = (this.#relying.get(id) ?? 0) - 1;
      if (count > 0) {
        this.#relying.set(id, count);
        continue;
      }
      this.#relying.delete(id);
      if (this.#known.get(id)?.entry.isAsserted === true) last.push(id);
    }
    return last;
  }

  relyAnew(sets: readonly LiveSet[]): void {
    this.#relying = new Map();
    for (const live of sets) this.rely(live);
  }

  copyFrom(other: Capacities): void {
    for (const [id, capacity] of other.#known) this.#known.set(id, capacity);
    this.#relying = new Map(other.#relying);
  }

  /** As text, for comparison. */
  describe(): readonly unknown[] {
    const inForce = [...this.inForce()].map(([id, { entry }]) => [id, entry.count, entry.names]);
    return inForce.sort((one, other) => (String(one[0]) < String(other[0]) ? -1 : 1));
  }

  #isInForce(id: string, { entry }: LiveCapacity): boolean {
    return entry.isAsserted !== true || this.#relying.has(id);
  }
}

/** Whether units are more than the capacity, or one that was in force since that revision. */
export function isExceeded(
  { entry, modRevision }: LiveCapacity,
  units: number,
  revision: number,
): boolean {
  if (modRevision > revision && units > entry.count) return true;
  return (entry.falls ?? []).some(([at, count]) => at > revision && units > count);
}

/**
 * The value of a capacity that is declared. Of those before it, it keeps the smaller ones that came
 * after `oldestRevision`, that of the oldest live set.
 */
export function declarationOf(
  resource: RemoteRef,
  { count, names }: ReadCapacity,
  known: LiveCapacity | undefined,
  oldestRevision: number,
): CapacityEntry {
  const before: (readonly [revision: number, count: number])[] = [];
  if (known !== undefined) {
    before.push(...(known.entry.falls ?? []), [known.modRevision, known.entry.count]);
  }
  const falls = before.filter(([revision, less]) => less < count && revision > oldestRevision);
  return {
    resource,
    count,
    ...(names !== undefined && { names }),
    ...(falls.length > 0 && { falls }),
  };
}

/** The resources, as in keys, whose asserted capacity a set keeps in force. */
function reliesOn({ entry, session }: Relying): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { resource, of } of entry.parts) {
    const isMetered = of !== undefined || entry.metered?.includes(resource) === true;
    if (isMetered) ids.add(encodeResource(resource, session));
  }
  return ids;
}

function hasSameTerms({ entry: one }: LiveCapacity, { entry: other }: LiveCapacity): boolean {
  return one.isAsserted === other.isAsserted && String(one.falls) === String(other.falls);
}
