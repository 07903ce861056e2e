/**
 * Findings in a snapshot: the longest waits and holds, the resources with the longest queues,
 * suspected deadlocks, and convoys: waiting sets that delay others while their own resources lie
 * idle. Of resources with a capacity also those whose grants exceed it, and units of two grants.
 *
 * Deadlocks and convoys are suspicions. kds refuses deadlocks of declared nested requests
 * (`holding`); an undeclared one is guessed here from the owner: the same client of a broker, or
 * the same session. A client may do several things at the same time, and then such a cycle can end;
 * so a cycle of one owner alone is left out.
 */

import { namesIn } from '../api/mode.ts';
import type { Unit } from '../api/units.ts';
import type { InspectedEntry, InspectedSnapshot } from './entries.ts';
import { SnapshotIndex } from './snapshot-index.ts';

/**
 * A resource that sets wait for.
 *
 * @since 0.1.0
 */
export interface HotResource {
  /** Its name. */
  readonly name: string;
  /** Held sets that have it. */
  readonly heldCount: number;
  /** Waiting sets that have it. */
  readonly pendingCount: number;
}

/**
 * A cycle of sets of several owners. A suspicion: the owner of a request is guessed from its client
 * or session, which may do several things at the same time.
 *
 * @since 0.1.0
 */
export interface SuspectedDeadlock {
  /** Each waits for the next, or is a grant of the owner of the next; the last one of the first. */
  readonly cycle: readonly InspectedEntry[];
  /**
   * Whether a set in it waits for units that holders outside of the cycle may release: then the
   * cycle may resolve itself.
   *
   * @since 0.2.0
   */
  readonly mayResolve: boolean;
}

/**
 * A waiting set that delays others while its own resources lie idle.
 *
 * @since 0.1.0
 */
export interface Convoy {
  /** The waiting set that delays others. */
  readonly entry: InspectedEntry;
  /** Waiters that wait for this set alone, directly or through others that do. */
  readonly delayedCount: number;
  /** Its resources that are not held: they lie idle until it has the rest. */
  readonly idleNames: readonly string[];
  /**
   * Its resources with a capacity of which some units are held and others are free: the number of
   * the free ones.
   *
   * @since 0.2.0
   */
  readonly idleUnits: ReadonlyMap<string, number>;
}

/**
 * A resource whose grants take more units than it has. That is no fault: a capacity can be reduced
 * while more units are held, and the rest comes back as they are released.
 *
 * @since 0.2.0
 */
export interface OverCapacity {
  /** The resource. */
  readonly name: string;
  /** Its number of units. */
  readonly capacity: number;
  /** Units that its grants hold. */
  readonly taken: number;
}

/**
 * A unit that two grants have at the same time: a fault of the backend, or of a snapshot that was
 * assembled from several moments.
 *
 * @since 0.2.0
 */
export interface SharedUnit {
  /** The resource. */
  readonly name: string;
  /** The unit. */
  readonly unit: Unit;
  /** Two of the grants that have it. */
  readonly entries: readonly [InspectedEntry, InspectedEntry];
}

/**
 * The result of {@link findingsOf}: of each kind the worst ones first, `countMax` at most.
 *
 * @since 0.1.0
 */
export interface Findings {
  /** Waiting sets, the oldest first. */
  readonly longestWaits: readonly InspectedEntry[];
  /** Held sets, the oldest first. */
  readonly longestHolds: readonly InspectedEntry[];
  /** Resources with waiters, the longest queue first. */
  readonly hotResources: readonly HotResource[];
  /** Cycles of sets of several owners that have waited or held for `stuckMsMin`. */
  readonly suspectedDeadlocks: readonly SuspectedDeadlock[];
  /** Sets that delay `delayedCountMin` waiters or more, the most first. */
  readonly convoys: readonly Convoy[];
  /**
   * Resources whose grants take more units than they have, the most first.
   *
   * @since 0.2.0
   */
  readonly overCapacity: readonly OverCapacity[];
  /**
   * Units that two grants have at the same time.
   *
   * @since 0.2.0
   */
  readonly sharedUnits: readonly SharedUnit[];
}

/**
 * Options of {@link findingsOf}.
 *
 * @since 0.1.0
 */
export interface FindingsOptions {
  /** Findings of each kind, at most. Default 10. */
  readonly countMax?: number | undefined;
  /** Waiters that a set must delay to be a convoy. Default 3. */
  readonly delayedCountMin?: number | undefined;
  /**
   * Time, in ms, that all members of a suspected deadlock must have waited or held: busy sessions
   * resemble one for a moment. Default 1000.
   */
  readonly stuckMsMin?: number | undefined;
}

/**
 * Searches a snapshot, in time proportional to its entries and their `waitingFor`.
 *
 * @param snapshot - The result of `query()`, just made: times are compared with Date.now().
 * @param options - Limits of the findings.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { findingsOf } from 'kds/inspect';
 *
 * const domain = createDomain();
 * const grant = await domain.acquire({ exclusive: 'db' });
 * const waiting = domain.run({ shared: 'db' }, () => {});
 * const { hotResources } = findingsOf(await domain.query());
 * console.log(hotResources); // [ { name: 'db', heldCount: 1, pendingCount: 1 } ]
 * grant.release();
 * await waiting;
 * ```
 * @since 0.1.0
 */
export function findingsOf(
  snapshot: InspectedSnapshot,
  { countMax = 10, delayedCountMin = 3, stuckMsMin = 1000 }: FindingsOptions = {},
): Findings {
  const index = new SnapshotIndex(snapshot);
  return {
    longestWaits: oldest(snapshot.pending, countMax),
    longestHolds: oldest(snapshot.held, countMax),
    hotResources: hotResourcesOf(index, countMax),
    suspectedDeadlocks: suspectedDeadlocksOf(index, countMax, Date.now() - stuckMsMin),
    convoys: convoysOf(index, countMax, delayedCountMin),
    overCapacity: overCapacityOf(index, countMax),
    sharedUnits: sharedUnitsOf(snapshot, countMax),
  };
}

function oldest(entries: readonly InspectedEntry[], countMax: number): readonly InspectedEntry[] {
  return entries.toSorted((a, b) => a.since - b.since).slice(0, countMax);
}

function hotResourcesOf({ byName }: SnapshotIndex, countMax: number): readonly HotResource[] {
  const all = [...byName].map(([name, { held, pending }]) => {
    return { name, heldCount: held.length, pendingCount: pending.length };
  });
  const wanted = all.filter(({ pendingCount }) => pendingCount > 0);
  return wanted.sort((a, b) => b.pendingCount - a.pendingCount).slice(0, countMax);
}

/** The owner of an entry, as far as it is known. */
function ownerOf({ client, session }: InspectedEntry): string | undefined {
  const ofClient = client?.number === undefined ? '' : `client ${client.number} `;
  if (session !== undefined) return `${ofClient}session ${session}`;
  return ofClient === '' ? undefined : ofClient;
}

/**
 * Cycles of "waits for" and "is held by the owner of". A depth-first search without recursion; each
 * entry is done once all entries that it leads to are.
 */
function suspectedDeadlocksOf(
  index: SnapshotIndex,
  countMax: number,
  sinceMax: number,
): readonly SuspectedDeadlock[] {
  const isStuck = ({ since }: InspectedEntry): boolean => since <= sinceMax;
  const stuck = index.snapshot.pending.filter(isStuck);
  const pendingByOwner = new Map<string, InspectedEntry[]>();
  for (const entry of stuck) {
    const owner = ownerOf(entry);
    if (owner === undefined) continue;
    const known = pendingByOwner.get(owner);
    if (known === undefined) pendingByOwner.set(owner, [entry]);
    else known.push(entry);
  }
  const next = (entry: InspectedEntry): readonly InspectedEntry[] => {
    if (entry.token === undefined) return index.blockersOf(entry).filter(isStuck);
    const owner = ownerOf(entry);
    if (owner === undefined) return [];
    // A request made before the grant is not a nested request of its holder.
    return (pendingByOwner.get(owner) ?? []).filter(({ since }) => since >= entry.since);
  };
  const done = new Set<InspectedEntry>();
  const found: SuspectedDeadlock[] = [];
  for (const start of stuck) {
    if (found.length >= countMax) break;
    const cycle = done.has(start) ? undefined : cycleFrom(start, next, done);
    if (cycle === undefined || !hasSeveralOwners(cycle)) continue;
    found.push({ cycle, mayResolve: mayResolve(index, cycle) });
  }
  return found;
}

/**
 * Whether a set in a cycle waits for units of several holders, of which the next one in the cycle
 * need not be the one that releases enough: their units fit together. Behind a set that waits there
 * is no other way.
 */
function mayResolve(index: SnapshotIndex, cycle: readonly InspectedEntry[]): boolean {
  return cycle.some((entry, at) => {
    const next = cycle[(at + 1) % cycle.length] as InspectedEntry;
    if (entry.token !== undefined || next.token === undefined) return false;
    const shared = namesIn(entry.set).filter((name) => index.isBlockedOn(entry, next, name));
    return shared.length > 0 && !shared.some((name) => index.collide(entry, next, name));
  });
}

function hasSeveralOwners(cycle: readonly InspectedEntry[]): boolean {
  const [first] = cycle;
  return cycle.some((entry) => first !== undefined && ownerOf(entry) !== ownerOf(first));
}

function cycleFrom(
  start: InspectedEntry,
  next: (entry: InspectedEntry) => readonly InspectedEntry[],
  done: Set<InspectedEntry>,
): readonly InspectedEntry[] | undefined {
  const path = [{ entry: start, successors: next(start), visitedCount: 0 }];
  const onPath = new Map([[start, 0]]);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const entry = top.successors[top.visitedCount++];
    if (entry === undefined) {
      done.add(top.entry);
      onPath.delete(top.entry);
      path.pop();
      continue;
    }
    const at = onPath.get(entry);
    if (at !== undefined) {
      const cycle = path.slice(at).map((step) => step.entry);
      for (const step of path) done.add(step.entry);
      return cycle;
    }
    if (done.has(entry)) continue;
    onPath.set(entry, path.length);
    path.push({ entry, successors: next(entry), visitedCount: 0 });
  }
  return undefined;
}

function convoysOf(
  index: SnapshotIndex,
  countMax: number,
  delayedCountMin: number,
): readonly Convoy[] {
  const found: Convoy[] = [];
  const delayedCounts = delayedCountsOf(index);
  for (const [entry, delayedCount] of delayedCounts) {
    if (delayedCount < delayedCountMin) continue;
    const idleNames = namesIn(entry.set).filter(
      (name) => index.byName.get(name)?.held.length === 0,
    );
    const idleUnits = idleUnitsOf(index, entry);
    if (idleNames.length + idleUnits.size === 0) continue;
    found.push({ entry, delayedCount, idleNames, idleUnits });
  }
  return found.sort((a, b) => b.delayedCount - a.delayedCount).slice(0, countMax);
}

/** Of the resources that are held in part. */
function idleUnitsOf(
  { capacities }: SnapshotIndex,
  { set }: InspectedEntry,
): ReadonlyMap<string, number> {
  if (capacities.size === 0) return new Map();
  const free = namesIn(set).map((name) => {
    const { capacity = 0, taken = 0 } = capacities.get(name) ?? {};
    return [name, taken === 0 ? 0 : capacity - taken] as const;
  });
  return new Map(free.filter(([, count]) => count > 0));
}

function overCapacityOf(index: SnapshotIndex, countMax: number): readonly OverCapacity[] {
  const all = [...index.capacities].map(([name, { capacity }]) => {
    const { held } = index.useOf(name);
    const taken = held.reduce((sum, entry) => sum + index.unitsOf(entry, name), 0);
    return { name, capacity, taken };
  });
  const over = all.filter(({ capacity, taken }) => taken > capacity);
  return over.sort((a, b) => b.taken - b.capacity - (a.taken - a.capacity)).slice(0, countMax);
}

function sharedUnitsOf({ held }: InspectedSnapshot, countMax: number): readonly SharedUnit[] {
  const found: SharedUnit[] = [];
  const holders = new Map<string, Map<Unit, InspectedEntry>>();
  for (const entry of held) {
    for (const [name, units] of Object.entries(entry.units ?? {})) {
      const known = holders.get(name) ?? new Map<Unit, InspectedEntry>();
      holders.set(name, known);
      for (const unit of units) {
        const other = known.get(unit);
        if (other === undefined) known.set(unit, entry);
        else if (found.push({ name, unit, entries: [other, entry] }) === countMax) return found;
      }
    }
  }
  return found;
}

/**
 * For each waiting set, the number of waiters that it alone blocks, directly or through others that
 * it alone blocks. Entries are in arrival order, so blockers come before the sets that they block.
 */
function delayedCountsOf(index: SnapshotIndex): ReadonlyMap<InspectedEntry, number> {
  const leaders = new Map<InspectedEntry, InspectedEntry>();
  const counts = new Map<InspectedEntry, number>();
  for (const entry of index.snapshot.pending) {
    const leader = commonLeader(index.blockersOf(entry), leaders);
    leaders.set(entry, leader ?? entry);
    if (leader !== undefined) counts.set(leader, (counts.get(leader) ?? 0) + 1);
  }
  return counts;
}

/** Undefined if a blocker holds its set, or if the blockers have several leaders. */
function commonLeader(
  blockers: readonly InspectedEntry[],
  leaders: ReadonlyMap<InspectedEntry, InspectedEntry>,
): InspectedEntry | undefined {
  let common: InspectedEntry | undefined;
  for (const blocker of blockers) {
    const leader = leaders.get(blocker);
    if (leader === undefined || (common !== undefined && leader !== common)) return undefined;
    common = leader;
  }
  return common;
}
