/**
 * The set of a request: resources, each exclusive or shared.
 */

import { escaped, quote } from '../runtime/escape.ts';
import { InvalidSetError, LimitError } from './errors.ts';
import { nameLengthMax, setSizeMax } from './limits.ts';

/**
 * A handle of a resource, made by {@link Domain.resource}; sets of its own domain may name it.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 *
 * const domain = createDomain();
 * const frame = domain.resource(); // reached by this handle only
 * await domain.run({ exclusive: frame }, () => console.log('drawing'));
 * await frame.close();
 * ```
 * @since 0.1.0
 */
export interface Resource {
  /** The name; undefined for a resource that only this handle reaches. */
  readonly name: string | undefined;
  /**
   * Ends the handle: sets that name it are refused from now on. Its name can be used again. A
   * second call does nothing.
   *
   * @returns Nothing, or on a backend with a server a promise.
   * @throws {@link ResourceBusyError} while a set holds the resource or waits for it.
   * @throws {@link UnavailableError} if the backend cannot be reached in time.
   * @throws {@link DomainClosedError} if the domain is closed and its state is in a server.
   * @waits Never for other requests. A promise resolves after one round trip to the server.
   */
  close(): void | Promise<void>;
}

/**
 * A resource in a set: its name, which is any string of at most {@link nameLengthMax} code units,
 * or a handle. A name exists from its first use.
 *
 * @since 0.1.0
 */
export type ResourceRef = string | Resource;

/**
 * The set of a request: at most {@link setSizeMax} resources. A resource named twice counts once,
 * and exclusive wins. Read once, when the request is made. `{}` is the empty set, which is granted
 * at once; a key whose value is undefined is an {@link InvalidSetError}.
 *
 * @since 0.1.0
 */
export interface SetSpec {
  /** Resources that no other grant holds at the same time. Default: none. */
  readonly exclusive?: ResourceRef | readonly ResourceRef[];
  /** Resources that other shared grants may hold too. Default: none. */
  readonly shared?: ResourceRef | readonly ResourceRef[];
}

/**
 * A set that was checked once, for many requests of one domain: made by {@link Domain.prepare}.
 * Each resource is in one of the lists, once.
 *
 * @since 0.1.0
 */
export interface PreparedSet {
  /** The resources in exclusive mode. */
  readonly exclusive: readonly ResourceRef[];
  /** The resources in shared mode. */
  readonly shared: readonly ResourceRef[];
}

/**
 * A set by names, as in snapshots and events: a resource without a name has `#` and a number.
 *
 * @since 0.1.0
 */
export interface NamedSet {
  /** The resources in exclusive mode. */
  readonly exclusive: readonly string[];
  /** The resources in shared mode. */
  readonly shared: readonly string[];
}

/**
 * The resources that a caller names, read once and completely before an operation begins. A list
 * may be a proxy or have getters, so it is read element by element, and never again.
 */
export class RequestedRefs {
  /** The first {@link count} are valid, exclusive resources first. A resource may occur twice. */
  readonly refs: ResourceRef[] = [];
  count = 0;
  exclusiveCount = 0;
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
    return copy;
  }

  get exclusive(): readonly ResourceRef[] {
    return this.refs.slice(0, this.exclusiveCount);
  }

  get shared(): readonly ResourceRef[] {
    return this.refs.slice(this.exclusiveCount, this.count);
  }
}

/** Returns a handle that a set may name; throws InvalidSetError for any other value. */
export type AcceptHandle = (ref: unknown) => ResourceRef;

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
    if (key !== 'exclusive' && key !== 'shared') throw unknownKey(key);
  }
  const { exclusive, shared } = spec;
  // Of a set with one list nothing more is to be known: the other one is not undefined, but absent.
  if (exclusive === undefined || shared === undefined) {
    if (keyCount !== 1 || exclusive === shared) checkAbsent(spec, exclusive, shared);
  }
  let count = 0;
  if (exclusive !== undefined) count = readList(exclusive, into.refs, 0, accept);
  into.exclusiveCount = count;
  if (shared !== undefined) count = readList(shared, into.refs, count, accept);
  into.count = count;
}

/** Reads the resources of one list, or a single one. The same rules as {@link readSpec}. */
export function readRefs(
  named: ResourceRef | readonly ResourceRef[],
  into: RequestedRefs,
  accept: AcceptHandle,
): void {
  into.count = readList(named, into.refs, 0, accept);
  into.exclusiveCount = into.count;
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
    `a set has no ${describe(key)}: name resources under 'exclusive' or 'shared'`,
  );
}

/** A list may be left out; a key whose value is undefined names nothing by mistake. */
function checkAbsent(spec: SetSpec, exclusive: unknown, shared: unknown): void {
  if (exclusive === undefined && 'exclusive' in spec) throw undefinedList('exclusive');
  if (shared === undefined && 'shared' in spec) throw undefinedList('shared');
  if (exclusive === undefined && shared === undefined) checkEmpty(spec);
}

function undefinedList(key: 'exclusive' | 'shared'): InvalidSetError {
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
    "a set names resources under 'exclusive' or 'shared', and is {} if not",
  );
}

/** A proxy of a list may claim any length, also one that no list has. */
function refuseLength(length: number, count: number): never {
  checkSetSize(count);
  throw new InvalidSetError(`a list of ${describe(length)} resources is no list`);
}

/** @throws InvalidSetError, LimitError */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw new InvalidSetError(
      `a resource is a name or a handle of this domain, not ${describe(name)}`,
    );
  }
  if (name.length > nameLengthMax) {
    throw new LimitError(
      `a resource's name of ${name.length} code units is over the limit of ${nameLengthMax}`,
    );
  }
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

/** A value in an error message, shortened. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object of another kind';
  }
  return typeof value === 'function' ? 'a function' : escaped(String(value));
}
