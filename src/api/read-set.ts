/**
 * Reads what a caller names, once and completely, before an operation begins: a list may be a proxy
 * or have getters, so it is read element by element, and never again.
 */

import { InvalidSetError, LimitError } from './errors.ts';
import type { UnitsLeft } from './grant.ts';
import { setSizeMax } from './limits.ts';
import { ALL } from './mode.ts';
import { type AcceptHandle, describe, type ResourceRef, type SetSpec } from './sets.ts';
import { readUnits, type UnitCount } from './units.ts';

/** The resources that a caller names. The memory may be used for one set after the other. */
export class RequestedRefs implements OrderedRefs {
  /** In the order of {@link OrderedRefs}. A resource may occur twice. */
  readonly refs: ResourceRef[] = [];
  count = 0;
  exclusiveCount = 0;
  /** Number of resources of which units are taken. If there are some, as of {@link OrderedRefs}: */
  unitsCount = 0;
  readonly counts: number[] = [];
  readonly asserted: number[] = [];
  /** A request uses it, so what is read meanwhile needs memory of its own. */
  isTaken = false;
  /** For backends: a prepared set has both of them. This one's queues are not known beforehand. */
  readonly resolved: undefined = undefined;
  readonly epoch: undefined = undefined;

  /** Memory of its own, for a request that keeps it. */
  copy(): RequestedRefs {
    const copy = new RequestedRefs();
    for (let index = 0; index < this.count; index++) copy.refs.push(this.refs[index] as string);
    copy.count = this.count;
    copy.exclusiveCount = this.exclusiveCount;
    copy.unitsCount = this.unitsCount;
    if (this.unitsCount > 0) {
      copy.counts.push(...this.counts.slice(0, this.count));
      copy.asserted.push(...this.asserted.slice(0, this.count));
    }
    return copy;
  }
}

/**
 * Resources as a set names them: the first `count` are valid. The exclusive ones come first, then
 * those of which units are taken, from the most units to the fewest, then the shared ones.
 */
export interface OrderedRefs {
  readonly refs: readonly ResourceRef[];
  readonly count: number;
  readonly exclusiveCount: number;
  readonly unitsCount: number;
  /** By index, valid only if units are taken: ALL, the number of units, or 1. */
  readonly counts: readonly number[];
  /** By index, valid only where units are taken: the capacity that is asserted, or 0. */
  readonly asserted: readonly number[];
}

/** The units that a set takes of the resource at `index`. */
export function unitsAt(
  { exclusiveCount, unitsCount, counts }: Omit<OrderedRefs, 'refs'>,
  index: number,
): number {
  if (unitsCount > 0) return counts[index] as number;
  return index < exclusiveCount ? ALL : 1;
}

/** The lists of a set that was read, as a set that can be read again. */
export function listsOf(set: OrderedRefs): ReadSet {
  const { refs, count, exclusiveCount, unitsCount, counts, asserted } = set;
  const unitsEnd = exclusiveCount + unitsCount;
  const lists = {
    exclusive: refs.slice(0, exclusiveCount),
    shared: refs.slice(unitsEnd, count),
  };
  if (unitsCount === 0) return lists;
  const units = new Map<ResourceRef, UnitCount>();
  for (let index = exclusiveCount; index < unitsEnd; index++) {
    const [take, of] = [counts[index] as number, asserted[index] as number];
    units.set(refs[index] as ResourceRef, of === 0 ? take : { take, of });
  }
  return { ...lists, units };
}

/** A set as it was read: nothing of the caller's is left in it. */
export interface ReadSet {
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
  readonly units?: ReadonlyMap<ResourceRef, UnitCount>;
}

/**
 * Reads a set. Runs code of the caller's (getters, proxies), so it is called outside of operations.
 *
 * @throws InvalidSetError, LimitError
 */
export function readSpec(spec: SetSpec, into: RequestedRefs, accept: AcceptHandle): void {
  if (typeof spec !== 'object' || spec === null) throw notASet(spec);
  // A key that no set has would leave a resource unlocked.
  let keyCount = 0;
  for (const key in spec) {
    keyCount++;
    if (key !== 'exclusive' && key !== 'shared' && key !== 'units') throw unknownKey(key);
  }
  const { exclusive, shared, units } = spec;
  // Of a set with one list nothing more is to be known: the others are not undefined, but absent.
  if (exclusive === undefined || shared === undefined || keyCount > 2) {
    if (keyCount !== 1 || exclusive === shared) checkAbsent(spec, exclusive, shared, units);
  }
  let count = 0;
  if (exclusive !== undefined) count = readList(exclusive, into.refs, 0, accept);
  into.exclusiveCount = count;
  into.unitsCount = 0;
  if (units !== undefined) {
    into.count = count;
    readUnits(units, into, accept);
    into.unitsCount = into.count - count;
    count = into.count;
  }
  if (shared !== undefined) count = readList(shared, into.refs, count, accept);
  into.count = count;
  if (into.unitsCount > 0) countOthers(into);
}

/** The units of the resources of which none are named. */
function countOthers({ counts, exclusiveCount, unitsCount, count }: RequestedRefs): void {
  for (let index = 0; index < exclusiveCount; index++) counts[index] = ALL;
  for (let index = exclusiveCount + unitsCount; index < count; index++) counts[index] = 1;
}

/** Reads the resources of one list, or a single one. The same rules as {@link readSpec}. */
export function readRefs(
  named: ResourceRef | readonly ResourceRef[],
  into: RequestedRefs,
  accept: AcceptHandle,
): void {
  into.count = readList(named, into.refs, 0, accept);
  into.exclusiveCount = into.count;
  into.unitsCount = 0;
}

/** Reads the units that a downgrade leaves. The same rules as {@link readSpec}. */
export function readUnitsLeft(
  { units }: UnitsLeft,
  into: RequestedRefs,
  accept: AcceptHandle,
): readonly number[] {
  readUnits(units, into, accept);
  if (into.asserted.some((of) => of !== 0)) {
    throw new TypeError('a downgrade asserts no capacity: name the number of units');
  }
  return into.counts;
}

/** A downgrade to units: handles are of a class, and lists have no such key. */
export function isUnitsLeft(part: unknown): part is UnitsLeft {
  return typeof part === 'object' && part !== null && Object.hasOwn(part, 'units');
}

/** Returns how many there are then. */
function readList(
  named: ResourceRef | readonly ResourceRef[],
  refs: ResourceRef[],
  countBefore: number,
  accept: AcceptHandle,
): number {
  if (!isRefList(named)) {
    if (countBefore === setSizeMax) checkSetSize(setSizeMax + 1);
    refs[countBefore] = typeof named === 'string' ? named : accept(named);
    return countBefore + 1;
  }
  const { length } = named;
  const count = countBefore + length;
  if (!(length >= 0 && count <= setSizeMax)) refuseLength(length, count);
  for (let index = 0; index < length; index++) {
    const ref: unknown = named[index];
    refs[countBefore + index] = typeof ref === 'string' ? ref : accept(ref);
  }
  return count;
}

function notASet(spec: unknown): InvalidSetError {
  return new InvalidSetError(
    `a set is an object like { exclusive: 'a', shared: ['b'] }, not ${describe(spec)}`,
  );
}

function unknownKey(key: string): InvalidSetError {
  return new InvalidSetError(
    `a set has no ${describe(key)}: name resources under 'exclusive', 'shared' or 'units'`,
  );
}

/** A list may be left out; a key whose value is undefined names nothing by mistake. */
function checkAbsent(spec: SetSpec, exclusive: unknown, shared: unknown, units: unknown): void {
  if (exclusive === undefined && 'exclusive' in spec) throw undefinedList('exclusive');
  if (shared === undefined && 'shared' in spec) throw undefinedList('shared');
  if (units === undefined && 'units' in spec) throw undefinedList('units');
  if (exclusive === undefined && shared === undefined && units === undefined) checkEmpty(spec);
}

function undefinedList(key: keyof SetSpec): InvalidSetError {
  return new InvalidSetError(
    `'${key}' of a set is undefined: name a resource, or leave the key out`,
  );
}

/**
 * Only a plain object without keys is the empty set: a promise, a list, a Map, an instance of a
 * class, or an object with symbols is not meant as a set of nothing.
 */
function checkEmpty(spec: object): void {
  const prototype: object | null = Object.getPrototypeOf(spec);
  // By shape and not by identity, as an object of another realm is as good.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (isPlain && Reflect.ownKeys(spec).length === 0) return;
  if ('then' in spec) {
    throw new InvalidSetError(
      'a set is an object like { exclusive: "a" }, not a promise: await it',
    );
  }
  if (Symbol.iterator in spec) {
    throw new InvalidSetError("a set is an object like { exclusive: ['a', 'b'] }, not a list");
  }
  throw new InvalidSetError(
    "a set names resources under 'exclusive', 'shared' or 'units', and is {} if not",
  );
}

/** A proxy of a list may claim any length, also one that no list has. */
function refuseLength(length: number, count: number): never {
  checkSetSize(count);
  throw new InvalidSetError(`a list of ${describe(length)} resources is no list`);
}

/** @throws LimitError */
function checkSetSize(size: number): void {
  if (size > setSizeMax) {
    throw new LimitError(`a set of ${size} resources is over the limit of ${setSizeMax}`);
  }
}

function isRefList(refs: ResourceRef | readonly ResourceRef[]): refs is readonly ResourceRef[] {
  return Array.isArray(refs);
}
