/** A snapshot with its entries indexed by id, resource and blocker. */

import { namesIn } from '../api/mode.ts';
import type { InspectedEntry, InspectedSnapshot } from './entries.ts';

/** A resource: its holders and its waiters, in order. */
export interface ResourceUse {
  readonly held: InspectedEntry[];
  readonly pending: InspectedEntry[];
}

export class SnapshotIndex {
  readonly snapshot: InspectedSnapshot;
  readonly byId = new Map<number, InspectedEntry>();
  readonly byName = new Map<string, ResourceUse>();
  /** By id: the waiters that the entry blocks directly. */
  readonly waitersOf = new Map<number, InspectedEntry[]>();

  constructor(snapshot: InspectedSnapshot) {
    this.snapshot = snapshot;
    for (const state of ['held', 'pending'] as const) {
      for (const entry of snapshot[state]) this.#add(entry, state);
    }
  }

  /** The entries that block one directly, as far as they are in the snapshot. */
  blockersOf({ waitingFor }: InspectedEntry): readonly InspectedEntry[] {
    return waitingFor.flatMap((id) => this.byId.get(id) ?? []);
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
