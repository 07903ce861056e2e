/** The units of a grant as its client knows them. */

import type { Unit, UnitRange } from '../api/units.ts';
import type { GrantedUnits } from './protocol.ts';
import { nameOf, type RemoteRef } from './resources.ts';

/** By resource: names, or ranges of numbers, ascending. */
export type RemoteUnits = ReadonlyMap<RemoteRef, GrantedUnits[1]>;

export const noUnits: RemoteUnits = new Map();

export function readGrantedUnits(units: readonly GrantedUnits[] | undefined): RemoteUnits {
  return units === undefined ? noUnits : new Map(units);
}

/** How many there are. */
export function countOf(units: GrantedUnits[1]): number {
  let count = 0;
  for (const unit of units) count += typeof unit === 'string' ? 1 : unit[1];
  return count;
}

/** The first units of some. */
export function firstOf(units: GrantedUnits[1], count: number): GrantedUnits[1] {
  if (isNamed(units)) return units.slice(0, count);
  const kept: UnitRange[] = [];
  let left = count;
  for (const [from, length] of units) {
    if (left === 0) break;
    kept.push([from, Math.min(length, left)]);
    left -= Math.min(length, left);
  }
  return kept;
}

/** One by one. */
export function listOf(units: GrantedUnits[1]): readonly Unit[] {
  if (isNamed(units)) return units;
  return units.flatMap(([from, count]) =>
    Array.from({ length: count }, (_, index) => from + index),
  );
}

/** As {@link Grant.units} has them, but for those of which there are more than `countMax`. */
export function unitsByName(
  units: RemoteUnits,
  countMax: number,
): Readonly<Record<string, readonly Unit[]>> {
  const listed = [...units].filter(([, own]) => countOf(own) <= countMax);
  return Object.fromEntries(listed.map(([ref, own]) => [nameOf(ref), listOf(own)]));
}

function isNamed(units: GrantedUnits[1]): units is readonly string[] {
  return typeof units[0] === 'string';
}
