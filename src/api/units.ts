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
export type UnitCount =
  | number
  | {
      /** Number of units that the set takes. */
      readonly take: number;
      /** The capacity that the set asserts. */
      readonly of: number;
    };

/** The number of units that a set names of a resource. */
export function takenOf(count: UnitCount): number {
  return typeof count === 'number' ? count : count.take;
}

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

/** Numbers of units in a row. */
export type UnitRange = readonly [from: number, count: number];

/** Units of one resource that an entry of a snapshot, or an event, lists at most. */
export const unitsListedMax = 1024;

/** Where the units of a set are read to: the first `count` are valid. */
export interface UnitsMemory {
  readonly refs: ResourceRef[];
  /** The units of each. */
  readonly counts: number[];
  /** The capacity that each asserts, or 0. */
  readonly asserted: number[];
  count: number;
}

/** A capacity that was read. */
export interface ReadCapacity {
  readonly count: number;
  readonly names: readonly string[] | undefined;
}

/**
 * Reads the units of a set, once and completely, to behind what has been read: those with the most
 * units first.
 *
 * @throws InvalidSetError, LimitError, TypeError, RangeError
 */
export function readUnits(units: UnitsSpec, into: UnitsMemory, accept: AcceptHandle): void {
  if (typeof units !== 'object' || units === null) throw notUnits(units);
  const from = into.count;
  if (isRecord(units)) {
    const names = Object.keys(units);
    for (let index = 0; index < names.length; index++) {
      const name = names[index] as string;
      readUnit(name, units[name], into, accept);
    }
  } else if (units instanceof Map) {
    for (const [ref, count] of units) readUnit(ref, count, into, accept);
  } else {
    throw notUnits(units);
  }
  if (into.count - from > 1) sortUnits(into, from);
}

function readUnit(ref: unknown, count: unknown, into: UnitsMemory, accept: AcceptHandle): void {
  const index = into.count;
  if (index >= setSizeMax) {
    throw new LimitError(`a set of over ${setSizeMax} resources is over the limit`);
  }
  const resource = typeof ref === 'string' ? ref : accept(ref);
  let take = count;
  let of: unknown = 0;
  if (typeof count === 'object' && count !== null) {
    ({ take, of } = count as { readonly take?: unknown; readonly of?: unknown });
    if (!isCount(of)) throw notACount(of, `'of' of the units of ${nameIn(ref)}`);
  }
  if (!isCount(take)) {
    throw notACount(take, `${take === count ? 'units' : "'take' of the units"} of ${nameIn(ref)}`);
  }
  into.refs[index] = resource;
  into.counts[index] = take;
  into.asserted[index] = of as number;
  into.count = index + 1;
}

/** Puts those with the most units first. */
function sortUnits({ refs, counts, asserted, count }: UnitsMemory, from: number): void {
  const order = Array.from({ length: count - from }, (_, index) => from + index);
  order.sort((one, other) => (counts[other] as number) - (counts[one] as number));
  const sorted = order.map((index) => [refs[index], counts[index], asserted[index]] as const);
  for (const [at, [ref, units, of]] of sorted.entries()) {
    refs[from + at] = ref as ResourceRef;
    counts[from + at] = units as number;
    asserted[from + at] = of as number;
  }
}

/** @throws TypeError, RangeError, LimitError */
export function readCapacity(capacity: CapacitySpec): ReadCapacity {
  if (!Array.isArray(capacity)) {
    if (!isCount(capacity)) throw notACount(capacity, 'the units of a capacity');
    return { count: capacity, names: undefined };
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
  return { count: length, names: Object.freeze(names) };
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

/**
 * Whether units keep their names: one list is the beginning of the other one. A server that has
 * lost its state knows the names of some units only.
 */
export function isContinued(
  before: readonly string[] | undefined,
  names: readonly string[] | undefined,
): boolean {
  if (before === undefined || names === undefined) return before === names;
  const count = Math.min(before.length, names.length);
  for (let index = 0; index < count; index++) {
    if (before[index] !== undefined && before[index] !== names[index]) return false;
  }
  return true;
}

function isCount(count: unknown): count is number {
  return Number.isInteger(count) && (count as number) >= 1 && (count as number) <= ALL;
}

function notACount(count: unknown, what: string): Error {
  return typeof count === 'number'
    ? new RangeError(`${what} are a whole number from 1 to ${ALL}, not ${count}`)
    : new TypeError(`${what} are a number, not ${describe(count)}`);
}

function nameIn(ref: unknown): string {
  return typeof ref === 'string' ? describe(ref) : 'a resource';
}

/** An object of another realm is as good. */
function isRecord(units: object): units is Readonly<Record<string, unknown>> {
  const prototype: object | null = Object.getPrototypeOf(units);
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null;
}

function notUnits(units: unknown): InvalidSetError {
  return new InvalidSetError(
    `'units' is an object like { gpu: 2 } or a Map, not ${describe(units)}`,
  );
}
