/**
 * What is worth a look in a snapshot: who has waited longest, which resources are wanted most, who
 * may wait for himself, and which waiting set keeps others from what nobody uses.
 *
 * The last two are suspicions. kds refuses circles that are declared (`holding`); what a caller
 * keeps without saying so is guessed here from whose it is: the same client of a broker, or the
 * same session. A client may do several things at once, and then such a circle can end; so one that
 * nobody else is part of is not told of.
 */

import { type InspectedEntry, type InspectedSnapshot, namesOf } from './entries.ts';
import { SnapshotIndex } from './snapshot-index.ts';

export interface HotResource {
  readonly name: string;
  readonly heldCount: number;
  readonly pendingCount: number;
}

export interface SuspectedDeadlock {
  /** Each waits for the next, or is kept by whoever waits as the next; the last by the first. */
  readonly circle: readonly InspectedEntry[];
}

export interface Convoy {
  /** The waiting set that delays others. */
  readonly entry: InspectedEntry;
  /** How many wait that have nobody else in their way, but such as wait for it too. */
  readonly delayedCount: number;
  /** Those of its resources that nobody holds: they lie idle until it has the rest. */
  readonly idleNames: readonly string[];
}

export interface Findings {
  readonly longestWaits: readonly InspectedEntry[];
  readonly longestHolds: readonly InspectedEntry[];
  readonly hotResources: readonly HotResource[];
  readonly suspectedDeadlocks: readonly SuspectedDeadlock[];
  readonly convoys: readonly Convoy[];
}

export interface FindingsOptions {
  /** So many of each kind at most. Default 10. */
  readonly countMax?: number | undefined;
  /** A waiting set that delays fewer is no convoy. Default 3. */
  readonly delayedCountMin?: number | undefined;
  /**
   * Who has waited, or held, for less than this, in ms, is in no deadlock that is suspected: those
   * stay, and what goes on between busy sessions looks the same for a moment. Default 1000.
   */
  readonly stuckMsMin?: number | undefined;
}

/**
 * Looks through a snapshot once, in time proportional to its entries and what they wait for.
 *
 * @example
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

/** Whose it is, as far as one can tell; undefined if one cannot. */
function ownerOf({ client, session }: InspectedEntry): string | undefined {
  const ofClient = client?.number === undefined ? '' : `client ${client.number} `;
  if (session !== undefined) return `${ofClient}session ${session}`;
  return ofClient === '' ? undefined : ofClient;
}

/**
 * Circles of "waits for" and "is kept by whoever waits as". A walk in depth, without recursion;
 * each entry is left for good once all that it leads to has been seen.
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
    // What was asked for before the grant is not what its holder waits for now.
    return (pendingByOwner.get(owner) ?? []).filter(({ since }) => since >= entry.since);
  };
  const done = new Set<InspectedEntry>();
  const found: SuspectedDeadlock[] = [];
  for (const start of stuck) {
    if (found.length >= countMax) break;
    const circle = done.has(start) ? undefined : circleFrom(start, next, done);
    if (circle !== undefined && hasSeveralOwners(circle)) found.push({ circle });
  }
  return found;
}

function hasSeveralOwners(circle: readonly InspectedEntry[]): boolean {
  const [first] = circle;
  return circle.some((entry) => first !== undefined && ownerOf(entry) !== ownerOf(first));
}

function circleFrom(
  start: InspectedEntry,
  next: (entry: InspectedEntry) => readonly InspectedEntry[],
  done: Set<InspectedEntry>,
): readonly InspectedEntry[] | undefined {
  const path = [{ entry: start, toSee: next(start), seenCount: 0 }];
  const onPath = new Map([[start, 0]]);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const entry = top.toSee[top.seenCount++];
    if (entry === undefined) {
      done.add(top.entry);
      onPath.delete(top.entry);
      path.pop();
      continue;
    }
    const at = onPath.get(entry);
    if (at !== undefined) {
      const circle = path.slice(at).map((step) => step.entry);
      for (const step of path) done.add(step.entry);
      return circle;
    }
    if (done.has(entry)) continue;
    onPath.set(entry, path.length);
    path.push({ entry, toSee: next(entry), seenCount: 0 });
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
    const idleNames = namesOf(entry.set).filter(
      (name) => index.byName.get(name)?.held.length === 0,
    );
    if (idleNames.length > 0) found.push({ entry, delayedCount, idleNames });
  }
  return found.sort((a, b) => b.delayedCount - a.delayedCount).slice(0, countMax);
}

/**
 * For each waiting set, how many have it alone in their way, at once or by way of others of whom
 * the same is true. Entries come in arrival order, so whoever is in the way has been seen before.
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

/** Undefined if any of them holds its set, or if they are led by several. */
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
