/**
 * Units of resources, as a client takes them: what a set needs when it is put, the numbers that it
 * records before its grant is reported, and the change by which it becomes exclusive. Each is made
 * from the client's copy, and a transaction compares the keys that it depends on.
 */

import { LimitError } from '../../api/errors.ts';
import { ALL, takesAll } from '../../api/mode.ts';
import { noCapacity, otherCapacity, overCapacity } from '../../api/refusals.ts';
import type { UnitRange } from '../../api/units.ts';
import type { GrantedUnits } from '../../remote/protocol.ts';
import { nameOf, type RemoteRef, type RemoteSet } from '../../remote/resources.ts';
import { firstOf } from '../../remote/units.ts';
import { type Compare, changedAt } from './calls.ts';
import type { DerivedState } from './derived-state.ts';
import { type HeldNumbers, type SetEntry, writeEntry } from './entries.ts';
import { encodeResource, type Keys } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { Replica } from './replica.ts';

/** Resources of which one set takes units, at most: etcd takes 128 compares in a transaction. */
export const unitPartsMax = 40;

/** What the put of a set needs besides. */
export interface Needs {
  readonly compares: readonly Compare[];
  /** Keys that are put too: one that several sets of a transaction put is put once. */
  readonly puts: readonly (readonly [key: string, value: string])[];
  /** What is put of the set. */
  readonly entry: SetEntry;
  readonly isAlone: boolean;
}

/** Numbers that the sets of one transaction record, by resource. */
export type RecordedNumbers = Map<string, Map<LiveSet, readonly UnitRange[]>>;

/** Why a set can never be granted its units as things are; undefined if it can. */
export function unitsRefusal(
  state: DerivedState,
  set: RemoteSet,
  session: string,
): Error | undefined {
  const parts = set.filter(({ of }) => of !== undefined);
  if (parts.length > unitPartsMax) return tooManyParts();
  for (const { resource, units, of = 0 } of parts) {
    const inForce = state.countOf(resource, session) ?? 0;
    const name = nameOf(resource);
    if (of === 0 && inForce === 0) return noCapacity(name);
    if (of !== 0 && of !== inForce && (inForce !== 0 || state.isUsed(resource, session))) {
      return otherCapacity(name, of, inForce);
    }
    const capacity = inForce === 0 ? of : inForce;
    if (units > capacity) return overCapacity(name, units, capacity);
  }
  return undefined;
}

/** Whether a set declares a capacity by its assertion. */
export function isAsserting(state: DerivedState, set: RemoteSet, session: string): boolean {
  return set.some(({ resource, of = 0 }) => {
    return of !== 0 && state.countOf(resource, session) === undefined;
  });
}

export function tooManyParts(): LimitError {
  return new LimitError(
    `in etcd a set takes units of at most ${unitPartsMax} resources with a capacity`,
  );
}

/**
 * What a new set needs, if anything: its capacities are in force when it comes, or come with it.
 * `unfit` if they cannot be.
 */
export function needsOfArrival(
  replica: Replica,
  keys: Keys,
  entry: SetEntry,
  session: string,
): Needs | 'unfit' | undefined {
  const { state } = replica;
  if (!state.capacities.areAny && entry.parts.every(({ of }) => of === undefined)) return undefined;
  if (unitsRefusal(state, entry.parts, session) !== undefined) return 'unfit';
  const compares: Compare[] = [];
  const puts: [key: string, value: string][] = [];
  let isAlone = false;
  for (const { resource, of } of entry.parts) {
    if (of === undefined) continue;
    const id = encodeResource(resource, session);
    const key = keys.capacity(id);
    const known = state.capacities.get(id);
    compares.push(changedAt(key, known?.modRevision ?? 0));
    if (state.countOf(resource, session) !== undefined) continue;
    puts.push([key, writeEntry({ resource, count: of, isAsserted: true })]);
    // A set that this client has not received yet may rely on what was asserted before.
    if (known !== undefined && known.entry.count !== of && !isAlone) {
      isAlone = true;
      compares.push(changedAt(keys.chain, replica.chainRevision));
    }
  }
  return { compares, puts, entry: withMetered(state, entry, session), isAlone };
}

/** Notes the shared and exclusive resources that have an asserted capacity now. */
function withMetered(
  state: DerivedState,
  { metered: _, ...entry }: SetEntry,
  session: string,
): SetEntry {
  const metered = entry.parts.filter(({ resource, of }) => {
    const capacity = state.capacities.getInForce(encodeResource(resource, session));
    return of === undefined && capacity?.entry.isAsserted === true;
  });
  if (metered.length === 0) return entry;
  return { ...entry, metered: metered.map(({ resource }) => resource) };
}

/**
 * What a set needs to record its numbers, the lowest that are free and that no grant before it is
 * to record; undefined if it is not granted now. Its numbers are added to `recorded`, by resource:
 * those of the same transaction, whose compares do not see each other.
 */
export function needsOfRecord(
  replica: Replica,
  keys: Keys,
  live: LiveSet,
  recorded: RecordedNumbers,
): Needs | undefined {
  const { state } = replica;
  const parts = state.numberedOf(live);
  if (!live.isGranted || parts.length > unitPartsMax) return undefined;
  const compares = [changedAt(keys.steal, replica.stealRevision)];
  const puts: [key: string, value: string][] = [];
  const held = parts.map(({ resource, units }): HeldNumbers => {
    const id = encodeResource(resource, live.session);
    const others = recorded.get(id) ?? new Map<LiveSet, readonly UnitRange[]>();
    const taken = [...state.numbersTaken(resource, live.session), ...[...others.values()].flat()];
    for (const earlier of state.unrecordedBefore(live, resource)) {
      if (!others.has(earlier.live)) taken.push(...lowestFree(taken, earlier.units));
    }
    const ranges = lowestFree(taken, units);
    recorded.set(id, others.set(live, ranges));
    const { modRevision = 0 } = state.capacities.get(id) ?? {};
    compares.push(changedAt(keys.capacity(id), modRevision));
    compares.push(changedAt(keys.numbersOf(id), state.capacities.numbersRevision(id)));
    puts.push([keys.numbersOf(id), '{}']);
    return [resource, ranges];
  });
  return { compares, puts, entry: { ...live.entry, held }, isAlone: false };
}

/** As few ranges as have that many numbers, the lowest that are in none of `taken`. */
function lowestFree(taken: readonly UnitRange[], count: number): readonly UnitRange[] {
  const free: UnitRange[] = [];
  let from = 0;
  let left = count;
  const end: UnitRange = [ALL, 0];
  for (const [start, length] of [...taken, end].sort(([one], [other]) => one - other)) {
    const room = Math.min(start - from, left);
    if (room > 0) free.push([from, room]);
    left -= Math.max(0, room);
    if (left === 0) break;
    from = Math.max(from, start + length);
  }
  return free;
}

/** What a granted set needs to take all units of some resources; undefined if others hold some. */
export function needsOfUpgrade(
  replica: Replica,
  keys: Keys,
  live: LiveSet,
  refs: readonly RemoteRef[],
): Needs | undefined {
  if (!live.isGranted || !replica.state.isAlone(live, refs)) return undefined;
  const { parts, held, metered = [], ...rest } = live.entry;
  const chosen = new Set(refs);
  const relied = parts.filter(({ resource, of }) => chosen.has(resource) && of !== undefined);
  const relies = new Set([...metered, ...relied.map(({ resource }) => resource)]);
  const entry: SetEntry = {
    ...rest,
    parts: parts.map((part) => {
      return chosen.has(part.resource) ? { resource: part.resource, units: ALL } : part;
    }),
    ...(held !== undefined && { held: held.filter(([resource]) => !chosen.has(resource)) }),
    ...(relies.size > 0 && { metered: [...relies] }),
  };
  const compares = [changedAt(keys.chain, replica.chainRevision)];
  return { compares, puts: [], entry, isAlone: true };
}

/** An entry whose parts have weakened: of its numbers, the first ones stay. */
export function weakened(
  { parts: before, held, ...rest }: SetEntry,
  parts: RemoteSet,
  hasNumbers: (ref: RemoteRef) => boolean,
): SetEntry {
  const wholes = new Set(
    before.filter(({ units }) => takesAll(units)).map((each) => each.resource),
  );
  const ranges = new Map(held);
  const kept = parts.flatMap(({ resource, units }): HeldNumbers[] => {
    if (takesAll(units)) return [];
    const own = ranges.get(resource) ?? (wholes.has(resource) ? [[0, ALL] as const] : []);
    const first = hasNumbers(resource) ? (firstOf(own, units) as readonly UnitRange[]) : [];
    return first.length === 0 ? [] : [[resource, first]];
  });
  return { ...rest, parts, ...((held !== undefined || kept.length > 0) && { held: kept }) };
}

/** The units of a granted set, by name or number, of the resources that have a capacity. */
export function unitsOfGrant(
  state: DerivedState,
  live: LiveSet,
  parts: RemoteSet = live.entry.parts,
): readonly GrantedUnits[] {
  return parts.flatMap(({ resource, units }): GrantedUnits[] => {
    const capacity = state.capacities.getInForce(encodeResource(resource, live.session));
    if (capacity === undefined) return [];
    const { count, names } = capacity.entry;
    const ranges: readonly UnitRange[] = takesAll(units) ? [[0, count]] : live.numbersOf(resource);
    if (ranges.length === 0) return [];
    return [[resource, names === undefined ? ranges : namesIn(ranges, names)]];
  });
}

function namesIn(ranges: readonly UnitRange[], names: readonly string[]): readonly string[] {
  return ranges.flatMap(([from, count]) =>
    Array.from({ length: count }, (_, index) => names[from + index] ?? `${from + index}`),
  );
}
