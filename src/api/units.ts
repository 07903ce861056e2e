/** Units of resources with a capacity: how many a set takes, and how many there are. */

import { InvalidSetError, LimitError } from './errors.ts';
import { nameLengthMax, setSizeMax } from './limits.ts';
import { ALL } from './mode.ts';
import { type AcceptHandle, checkName, describe, type ResourceRef } from './sets.ts';

/**
 * The units that a set takes of a resource: a whole number from 1 to 2^26 - 1. With `of`, the set
 * asserts the capacity: it declares it where the resource is idle and has none, for as long as the
 * resource is in use, and is refused with {@link CapacityError} where another one is in force.
 *
 * @since 0.2.0
 */
export type UnitCount = number | { readonly take: number; readonly of: number };

/**
 * The units that a set takes, by resource: an object with names as keys, or a Map, whose keys may
 * be handles too.
 *
 * @since 0.2.0
 */
export type UnitsSpec = Readonly<Record<string, UnitCount>> | ReadonlyMap<ResourceRef, UnitCount>;

/**
 * The capacity of a resource: its number of units, from 1 to 2^26 - 1, or a list of their names, at
 * most {@link setSizeMax} different strings of at most {@link nameLengthMax} code units.
 *
 * @since 0.2.0
 */
export type CapacitySpec = number | readonly string[];

/**
 * A unit: its name, or its number, from 0, where the capacity is a plain number.
 *
 * @since 0.2.0
 */
export type Unit = number | string;

/**
 * The units of a resource with a capacity, at one moment.
 *
 * @since 0.2.0
 */
export interface Capacity {
  /** Number of units. */
  readonly capacity: number;
  /** Units that grants hold; more than `capacity` while grants exceed one that was reduced. */
  readonly taken: number;
  /** Number of sets that wait for the resource. */
  readonly waiting: number;
  /** The names of the units; absent if the capacity is a plain number. */
  readonly names?: readonly string[];
}

/** Units of a resource, as a set names them. `of`: the asserted capacity, or 0. */
export interface UnitsOf<Ref> {
  readonly resource: Ref;
  readonly units: number;
  readonly of: number;
}

/** A capacity that was read. */
export interface ReadCapacity {
  readonly count: number;
  readonly names: readonly string[] | undefined;
}

/**
 * Reads the units of a set, once and completely: those with the most units first.
 *
 * @throws InvalidSetError, LimitError, TypeError, RangeError
 */
export function readUnits(units: UnitsSpec, accept: AcceptHandle): readonly UnitsOf<ResourceRef>[] {
  if (typeof units !== 'object' || units === null) throw notUnits(units);
  const read: UnitsOf<ResourceRef>[] = [];
  const add = (ref: unknown, count: unknown): void => {
    if (read.length === setSizeMax) {
      throw new LimitError(`a set of over ${setSizeMax} resources is over the limit`);
    }
    const resource = typeof ref === 'string' ? ref : accept(ref);
    read.push({ resource, ...readCount(count, ref) });
  };
  if (units instanceof Map) {
    for (const [ref, count] of units) add(ref, count);
  } else {
    checkIsRecord(units);
    const record = units as Readonly<Record<string, UnitCount>>;
    for (const name of Object.keys(record)) add(name, record[name]);
  }
  return read.sort((one, other) => other.units - one.units);
}

/** @throws TypeError, RangeError, LimitError */
export function readCapacity(capacity: CapacitySpec): ReadCapacity {
  if (!Array.isArray(capacity)) {
    checkCount(capacity, 'a capacity');
    return { count: capacity as number, names: undefined };
  }
  const names: string[] = [];
  const { length } = capacity;
  if (length === 0) throw new RangeError('a capacity has at least one unit: the list is empty');
  if (!(length <= setSizeMax)) {
    throw new LimitError(`a capacity of ${length} names is over the limit of ${setSizeMax}`);
  }
  for (let index = 0; index < length; index++) {
    const name: unknown = capacity[index];
    if (typeof name !== 'string') {
      throw new TypeError(`the name of a unit is a string, not ${describe(name)}`);
    }
    if (name.length > nameLengthMax) {
      throw new LimitError(`the name of a unit has at most ${nameLengthMax} code units`);
    }
    names.push(name);
  }
  if (new Set(names).size < length) throw new TypeError('two units have the same name');
  return { count: length, names };
}

/** Reads the option `capacity` of a domain. @throws TypeError, RangeError, LimitError */
export function readCapacities(
  capacity: Readonly<Record<string, CapacitySpec>> | undefined,
): ReadonlyMap<string, ReadCapacity> {
  const read = new Map<string, ReadCapacity>();
  if (capacity === undefined) return read;
  if (typeof capacity !== 'object' || capacity === null) {
    throw new TypeError(`capacity is an object like { gpu: 4 }, not ${describe(capacity)}`);
  }
  for (const name of Object.keys(capacity)) {
    checkName(name);
    read.set(name, readCapacity(capacity[name] as CapacitySpec));
  }
  return read;
}

function readCount(count: unknown, ref: unknown): { units: number; of: number } {
  const what = `units of ${typeof ref === 'string' ? describe(ref) : 'a resource'}`;
  if (typeof count !== 'object' || count === null) {
    checkCount(count, what);
    return { units: count, of: 0 };
  }
  const { take, of } = count as { readonly take?: unknown; readonly of?: unknown };
  checkCount(take, `'take' of the ${what}`);
  checkCount(of, `'of' of the ${what}`);
  return { units: take, of };
}

function checkCount(count: unknown, what: string): asserts count is number {
  if (typeof count !== 'number') {
    throw new TypeError(`${what} are a number, not ${describe(count)}`);
  }
  if (!Number.isInteger(count) || count < 1 || count > ALL) {
    throw new RangeError(`${what} are a whole number from 1 to ${ALL}, not ${count}`);
  }
}

/** By shape and not by identity, as an object of another realm is as good. */
function checkIsRecord(units: object): void {
  const prototype: object | null = Object.getPrototypeOf(units);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain || Symbol.iterator in units) throw notUnits(units);
}

function notUnits(units: unknown): InvalidSetError {
  return new InvalidSetError(
    `'units' is an object like { gpu: 2 } or a Map, not ${describe(units)}`,
  );
}
