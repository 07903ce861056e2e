/**
 * The data that the page receives: a snapshot cut down to a bounded size, whatever the names and
 * the number of waiters; and the history of the last minute, as far as two snapshots a second show
 * it.
 */

import type { Unit } from '../api/units.ts';
import { escaped, printable } from '../runtime/escape.ts';
import {
  durationText,
  type InspectedEntry,
  type InspectedSnapshot,
  modeOf,
  modeText,
  ownerText,
  ownerTextUpTo,
  printedLengthMax,
  unitCountText,
  unitsOf,
} from './entries.ts';
import { explain } from './explain.ts';
import { findingsOf } from './findings.ts';
import { SnapshotIndex } from './snapshot-index.ts';

/** Resources and sessions beyond these are counted, not listed; the busiest come first. */
const resourceCountMax = 2000;
const sessionCountMax = 500;
/** Listed entries of each queue, at most; the rest is counted. */
const chipCountMax = 24;
/** Owners by id, for chips; the owners of a chosen resource come with its details. */
const ownerCountMax = 1000;
/** Entries of each queue in the details of a resource. */
const detailCountMax = 100;
/** Labels are that long at most. */
const labelLengthMax = 1024;
const pointMs = 60_000;
/** Buckets of a histogram, in powers of two of a ms. */
const bucketCount = 20;
/** The page knows names by number; numbers that are kept, also of unused names, at most. */
const numberedCountMax = 20_000;

/** `x` exclusive, `s` shared, `u` units. */
type ModeLetter = 'x' | 's' | 'u';
const letters = { exclusive: 'x', shared: 's', units: 'u' } as const;
/** Units that are drawn as cells; more are drawn as a bar. */
const cellCountMax = 256;
const unitLabelLengthMax = 40;
type Chip = readonly [id: number, mode: ModeLetter];

export interface ResourceView {
  readonly number: number;
  readonly name: string;
  readonly held: readonly Chip[];
  readonly heldCount: number;
  readonly pending: readonly Chip[];
  readonly pendingCount: number;
}

/** A unit, and the mode and text of its holder; no letter if it is free. */
type CellView = readonly [unit: string, letter: ModeLetter | '', holder: string];

/** The units of a resource with a capacity. */
interface PoolView {
  readonly text: string;
  /** Absent if there are too many. */
  readonly cells?: readonly CellView[];
  /** From 0 to 1. */
  readonly takenShare: number;
}

/** A holder or a waiter. */
interface EntryView {
  readonly letter: ModeLetter;
  readonly owner: string;
  /** Mode and duration. */
  readonly text: string;
  readonly since: number;
  /** Follows the text; empty if the session is the owner. */
  readonly session: string;
}

/** A resource in detail. */
export interface ResourceDetails {
  readonly timeMs: number;
  /** The whole name, if it was requested. */
  readonly name?: string | undefined;
  readonly held: readonly EntryView[];
  readonly heldCount: number;
  readonly pending: readonly EntryView[];
  readonly pendingCount: number;
  readonly text: string;
  readonly pool?: PoolView | undefined;
}

interface SessionView {
  readonly name: string;
  readonly heldCount: number;
  readonly pendingCount: number;
  /** Longest wait of its requests; empty if none waits. */
  readonly longest: string;
}

export interface PageView {
  readonly title: string;
  readonly timeMs: number;
  readonly heldCount: number;
  readonly pendingCount: number;
  readonly resourceCount: number;
  readonly resources: readonly ResourceView[];
  /** By id, of the entries of the first resources. */
  readonly owners: Readonly<Record<number, string>>;
  readonly sessionCount: number;
  readonly sessions: readonly SessionView[];
  /** Texts about suspected deadlocks and convoys. */
  readonly warnings: readonly string[];
  /** Time, held sets, waiting requests. */
  readonly points: readonly (readonly [number, number, number])[];
  /** Ended and present waits by duration: up to 2^index ms. */
  readonly waited: readonly number[];
  readonly waiting: readonly number[];
}

export class PageViews {
  readonly #points: (readonly [number, number, number])[] = [];
  readonly #waited: number[] = Array.from({ length: bucketCount }, () => 0);
  #numbers = new Map<string, number>();
  #names = new Map<number, string>();
  #numberLast = 0;
  /** Start of the waits in the last snapshot, by request. */
  #pendingSince: ReadonlyMap<number, number> = new Map();
  #index = new SnapshotIndex({ held: [], pending: [] });
  #timeMs = 0;

  /** The view of the next snapshot. */
  viewOf(snapshot: InspectedSnapshot, title: string, timeMs = Date.now()): PageView {
    const index = new SnapshotIndex(snapshot);
    this.#index = index;
    this.#timeMs = timeMs;
    const { held, pending } = snapshot;
    this.#countEnded(snapshot);
    this.#points.push([timeMs, held.length, pending.length]);
    while ((this.#points[0]?.[0] ?? timeMs) < timeMs - pointMs) this.#points.shift();
    const waiting = Array.from({ length: bucketCount }, () => 0);
    for (const { since } of pending) count(waiting, timeMs - since);
    const sessions = sessionsOf(snapshot, timeMs);
    const resources = this.#resourcesOf(index);
    return {
      title: escaped(title),
      timeMs,
      heldCount: held.length,
      pendingCount: pending.length,
      resourceCount: index.byName.size,
      resources,
      owners: ownersOf(resources, index),
      sessionCount: sessions.length,
      sessions: sessions.slice(0, sessionCountMax),
      warnings: warningsOf(snapshot, timeMs),
      points: this.#points,
      waited: this.#waited,
      waiting,
    };
  }

  /** The resource of this number in the last snapshot; undefined if the number is not known. */
  details(number: number, hasName: boolean): ResourceDetails | undefined {
    const name = this.#names.get(number);
    if (name === undefined) return undefined;
    const { held, pending } = this.#index.byName.get(name) ?? { held: [], pending: [] };
    const timeMs = this.#timeMs;
    const viewsOf = (entries: readonly InspectedEntry[]): readonly EntryView[] =>
      entries.slice(0, detailCountMax).map((entry) => entryView(entry, name, timeMs));
    return {
      timeMs,
      name: hasName ? printable(name) : undefined,
      held: viewsOf(held),
      heldCount: held.length,
      pending: viewsOf(pending),
      pendingCount: pending.length,
      pool: poolView(this.#index, name),
      text: explain(this.#index.snapshot, name, { nowMs: timeMs, countMax: 5 }),
    };
  }

  #resourcesOf({ byName }: SnapshotIndex): readonly ResourceView[] {
    const uses = [...byName].sort(
      ([oneName, one], [otherName, other]) =>
        other.pending.length - one.pending.length || (oneName < otherName ? -1 : 1),
    );
    const views = uses.slice(0, resourceCountMax).map(([name, { held, pending }]) => ({
      number: this.#numberOf(name),
      name: printable(name, printedLengthMax),
      held: chipsOf(held, name),
      heldCount: held.length,
      pending: chipsOf(pending, name),
      pendingCount: pending.length,
    }));
    if (this.#numbers.size > numberedCountMax) this.#keepOnly(uses.map(([name]) => name));
    return views;
  }

  #numberOf(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = ++this.#numberLast;
      this.#numbers.set(name, number);
      this.#names.set(number, name);
    }
    return number;
  }

  #keepOnly(names: readonly string[]): void {
    const kept = names.flatMap((name) => {
      const number = this.#numbers.get(name);
      return number === undefined ? [] : [[name, number] as const];
    });
    this.#numbers = new Map(kept);
    this.#names = new Map(kept.map(([name, number]) => [number, name]));
  }

  /** Counts the waits of requests that waited in the last snapshot and hold now. */
  #countEnded({ held, pending }: InspectedSnapshot): void {
    for (const { id, since } of held) {
      const startMs = this.#pendingSince.get(id);
      if (startMs !== undefined) count(this.#waited, since - startMs);
    }
    this.#pendingSince = new Map(pending.map(({ id, since }) => [id, since]));
  }
}

function count(buckets: number[], ms: number): void {
  const index = Math.min(bucketCount - 1, Math.max(0, Math.ceil(Math.log2(Math.max(1, ms)))));
  buckets[index] = (buckets[index] ?? 0) + 1;
}

function letterOf(entry: InspectedEntry, name: string): ModeLetter {
  return letters[modeOf(entry, name) ?? 'shared'];
}

function poolView(index: SnapshotIndex, name: string): PoolView | undefined {
  const known = index.capacities.get(name);
  if (known === undefined) return undefined;
  const { capacity, taken, waiting, names } = known;
  const free = Math.max(0, capacity - taken);
  const over = taken > capacity ? `, ${taken - capacity} over capacity` : '';
  const counts = `${taken} taken, ${free} free${over}, ${waiting} waiting`;
  const view = {
    text: `${unitCountText(capacity)}: ${counts}`,
    takenShare: Math.min(1, taken / capacity),
  };
  if (capacity > cellCountMax) return view;
  const holders = new Map<Unit, InspectedEntry>();
  for (const entry of index.useOf(name).held) {
    for (const unit of unitsOf(entry, name)) holders.set(unit, entry);
  }
  const units = names ?? Array.from({ length: capacity }, (_, number) => number);
  // Units that are still held after the capacity was reduced come last.
  const drawn = [...new Set([...units, ...holders.keys()])].slice(0, cellCountMax);
  const cells = drawn.map((unit): CellView => {
    const holder = holders.get(unit);
    const label = printable(String(unit), unitLabelLengthMax);
    return holder === undefined
      ? [label, '', 'free']
      : [label, letterOf(holder, name), ownerText(holder)];
  });
  return { ...view, cells };
}

function entryView(entry: InspectedEntry, name: string, timeMs: number): EntryView {
  const { label, session, since } = entry;
  const hasSession = label !== undefined && session !== undefined;
  return {
    letter: letterOf(entry, name),
    owner: ownerTextUpTo(labelLengthMax, entry),
    text: `${modeText(entry, name)}, for ${durationText(timeMs - since)}`,
    since,
    session: hasSession ? `, session ${printable(session, labelLengthMax)}` : '',
  };
}

function ownersOf(
  resources: readonly ResourceView[],
  { byId }: SnapshotIndex,
): Readonly<Record<number, string>> {
  const owners: Record<number, string> = {};
  let count = 0;
  for (const { held, pending } of resources) {
    for (const [id] of [...held, ...pending]) {
      const entry = byId.get(id);
      if (entry === undefined || owners[id] !== undefined) continue;
      if (count++ === ownerCountMax) return owners;
      owners[id] = ownerText(entry);
    }
  }
  return owners;
}

function chipsOf(entries: readonly InspectedEntry[], name: string): readonly Chip[] {
  return entries.slice(0, chipCountMax).map((entry) => {
    return [entry.id, letterOf(entry, name)] as const;
  });
}

function sessionsOf({ held, pending }: InspectedSnapshot, timeMs: number): readonly SessionView[] {
  const byName = new Map<string, { heldCount: number; pendingCount: number; longestMs: number }>();
  const add = (entry: InspectedEntry, isHeld: boolean): void => {
    const name = sessionText(entry);
    const known = byName.get(name) ?? { heldCount: 0, pendingCount: 0, longestMs: 0 };
    byName.set(name, known);
    if (isHeld) known.heldCount++;
    else known.pendingCount++;
    if (!isHeld) known.longestMs = Math.max(known.longestMs, timeMs - entry.since);
  };
  for (const entry of held) add(entry, true);
  for (const entry of pending) add(entry, false);
  const views = [...byName].map(([name, counts]) => ({ name, ...counts }));
  views.sort((a, b) => b.longestMs - a.longestMs || b.heldCount - a.heldCount);
  return views.map(({ longestMs, ...view }) => {
    return { ...view, longest: view.pendingCount === 0 ? '' : durationText(longestMs) };
  });
}

/** The session itself, and not one of its requests. */
function sessionText({ session, client, ...entry }: InspectedEntry): string {
  if (session === undefined && client === undefined) return 'no session';
  return ownerText({ ...entry, label: session, session: undefined, client });
}

function warningsOf(snapshot: InspectedSnapshot, timeMs: number): readonly string[] {
  const { suspectedDeadlocks, convoys, sharedUnits } = findingsOf(snapshot, { countMax: 3 });
  return [
    ...suspectedDeadlocks.map(({ cycle, mayResolve }) => {
      const owners = cycle.slice(0, 6).map((entry) => ownerText(entry));
      const more = cycle.length > 6 ? ' ← …' : '';
      return `${mayResolve ? 'possible' : 'suspected'} deadlock: ${owners.join(' ← ')}${more}`;
    }),
    ...convoys.map(({ entry, delayedCount, idleNames, idleUnits }) => {
      const idle = [
        ...idleNames.map((name) => printable(name, printedLengthMax)),
        ...[...idleUnits].map(
          ([name, count]) => `${unitCountText(count)} of ${printable(name, printedLengthMax)}`,
        ),
      ];
      const more = idle.length > 1 ? ` and ${idle.length - 1} more` : '';
      const duration = durationText(timeMs - entry.since);
      return (
        `${ownerText(entry)} has waited for ${duration} and delays ${delayedCount}; ` +
        `not in use: ${idle[0]}${more}`
      );
    }),
    ...sharedUnits.map(({ name, unit, entries }) => {
      const owners = entries.map((entry) => ownerText(entry)).join(' and ');
      const of = printable(name, printedLengthMax);
      return `unit ${printable(String(unit), printedLengthMax)} of ${of} is held by ${owners}`;
    }),
  ];
}
