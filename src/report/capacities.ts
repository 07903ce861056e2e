/** How much of a resource's capacity is taken, and who is in the way of a set that takes units. */

import { ALL } from '../api/mode.ts';
import type { Capacity, Unit } from '../api/units.ts';
import { numbersIn } from '../core/index.ts';
import type { CoreReader } from './core-reader.ts';

/** What is read of a state: that of a domain now, or a copy. */
export type CapacityReader = Pick<CoreReader, 'core' | 'nameOf' | 'unitNamesOf' | 'numbersOf'>;

/** Undefined for a resource that has no capacity. Walks its queue. */
export function capacityIn(reader: CapacityReader, queue: number): Capacity | undefined {
  const { core } = reader;
  if (!core.isMetered(queue)) return undefined;
  const capacity = core.capacity(queue);
  let taken = 0;
  let waiting = 0;
  for (let link = core.firstInQueue(queue); link !== 0; link = core.nextInQueue(link)) {
    if (!core.isGranted(core.setOf(link))) waiting++;
    else taken += core.isExclusive(link) ? capacity : core.units(link);
  }
  const names = reader.unitNamesOf(queue);
  return { capacity, taken, waiting, ...(names !== undefined && { names }) };
}

/** The units that a granted link has, by name or number. */
export function unitsOfLink(reader: CapacityReader, link: number): readonly Unit[] {
  const numbers = reader.numbersOf?.(link) ?? numbersIn(reader.core.ranges(link));
  const names = reader.unitNamesOf(reader.core.resourceOf(link));
  return names === undefined ? numbers : numbers.map((number) => names[number] ?? number);
}

/**
 * The units that a granted set has of each resource with a capacity, but for those of which it has
 * more than `countMax`.
 */
export function unitsOfGrant(
  reader: CapacityReader,
  set: number,
  countMax = ALL,
): Readonly<Record<string, readonly Unit[]>> | undefined {
  const { core } = reader;
  const units: [name: string, units: readonly Unit[]][] = [];
  for (let link = core.firstLink(set); link !== 0; link = core.nextLink(link)) {
    const queue = core.resourceOf(link);
    if (!core.isMetered(queue)) continue;
    const count = core.isExclusive(link) ? core.capacity(queue) : core.units(link);
    if (count > countMax) continue;
    const own = unitsOfLink(reader, link);
    if (own.length > 0) units.push([reader.nameOf(queue), own]);
  }
  return units.length === 0 ? undefined : Object.fromEntries(units);
}
