/** A snapshot with its entries indexed by id, resource and blocker. */

import { conflict, namesIn, takesAll, unitsIn } from '../api/mode.ts';
import type { SnapshotCapacity } from '../api/snapshot.ts';
import type { InspectedEntry, InspectedSnapshot } from './entries.ts';

/** A resource: its holders and its waiters, in order. */
export interface ResourceUse {
  readonly held: InspectedEntry[];
  readonly pending: InspectedEntry[];
}

const noUse: ResourceUse = { held: [], pending: [] };

export class SnapshotIndex {
  readonly snapshot: InspectedSnapshot;
  readonly byId = new Map<number, InspectedEntry>();
  readonly byName = new Map<string, ResourceUse>();
  /** By id: the waiters that the entry blocks directly. */
  readonly waitersOf = new Map<number, InspectedEntry[]>();
  /** By name: the resources that have a capacity. */
  readonly capacities: ReadonlyMap<string, SnapshotCapacity>;
  /** By name: the index in line of the first waiter whose units do not fit. */
  readonly #firstShort = new Map<string, number>();

  constructor(snapshot: InspectedSnapshot) {
    this.snapshot = snapshot;
    this.capacities = new Map((snapshot.capacities ?? []).map((each) => [each.resource, each]));
    for (const state of ['held', 'pending'] as const) {
      for (const entry of snapshot[state]) this.#add(entry, state);
    }
  }

  /** The entries that block one directly, as far as they are in the snapshot. */
  blockersOf({ waitingFor }: InspectedEntry): readonly InspectedEntry[] {
    return waitingFor.flatMap((id) => this.byId.get(id) ?? []);
  }

  useOf(name: string): ResourceUse {
    return this.byName.get(name) ?? noUse;
  }

  /** The units that an entry takes of a resource: of one with a capacity, at most all of them. */
  unitsOf({ set }: InspectedEntry, name: string): number {
    const units = unitsIn(set, name);
    return takesAll(units) ? (this.capacities.get(name)?.capacity ?? units) : units;
  }

  /** Whether the units of two entries do not fit together on a resource. */
  collide(one: InspectedEntry, other: InspectedEntry, name: string): boolean {
    const [units, others] = [this.unitsOf(one, name), this.unitsOf(other, name)];
    if (units === 0 || others === 0) return false;
    const { capacity } = this.capacities.get(name) ?? {};
    return capacity === undefined ? conflict(units, others) : units + others > capacity;
  }

  /** Whether a direct blocker of a waiter blocks it on this resource. */
  isBlockedOn(waiting: InspectedEntry, blocker: InspectedEntry, name: string): boolean {
    if (!this.capacities.has(name)) return this.collide(waiting, blocker, name);
    return unitsIn(blocker.set, name) > 0 && this.isShort(waiting, name);
  }

  /**
   * Whether a waiter waits for units of a resource: those ahead leave too few, and one of them is
   * among its blockers. Units only add up along a line: behind one that is short, all are.
   */
  isShort(waiting: InspectedEntry, name: string): boolean {
    const at = this.useOf(name).pending.indexOf(waiting);
    if (at < 0 || at < this.#firstShortOf(name)) return false;
    return this.blockersOf(waiting).some(({ set }) => unitsIn(set, name) > 0);
  }

  #firstShortOf(name: string): number {
    const known = this.#firstShort.get(name);
    if (known !== undefined) return known;
    const { held, pending } = this.useOf(name);
    const { capacity = 0 } = this.capacities.get(name) ?? {};
    let used = held.reduce((sum, entry) => sum + this.unitsOf(entry, name), 0);
    const isShort = (entry: InspectedEntry): boolean => {
      const before = used;
      used += this.unitsOf(entry, name);
      return before > 0 && used > capacity;
    };
    const at = pending.findIndex(isShort);
    const first = at < 0 ? pending.length : at;
    this.#firstShort.set(name, first);
    return first;
  }

  /** The holders at the end of all chains of waiting that begin here, without the entry itself. */
  holdersBefore(entry: InspectedEntry): readonly InspectedEntry[] {
    const reached = new Set(this.blockersOf(entry));
    for (const one of reached) for (const next of this.blockersOf(one)) reached.add(next);
    reached.delete(entry);
    return [...reached].filter(({ token }) => token !== undefined);
  }

  #add(entry: InspectedEntry, state: 'held' | 'pending'): void {
    this.byId.set(entry.id, entry);
    for (const name of namesIn(entry.set)) {
      let use = this.byName.get(name);
      if (use === undefined) {
        use = { held: [], pending: [] };
        this.byName.set(name, use);
      }
      use[state].push(entry);
    }
    for (const id of entry.waitingFor) {
      const waiters = this.waitersOf.get(id);
      if (waiters === undefined) this.waitersOf.set(id, [entry]);
      else waiters.push(entry);
    }
  }
}
