/**
 * What a caller asks for: a set of resources, each exclusive or shared.
 */

import { InvalidSetError, LimitError } from './errors.ts';
import { nameLengthMax, setSizeMax } from './limits.ts';

/** Something that can be held. Made by {@link Domain.resource}; useful only with its own domain. */
export interface Resource {
  /** Undefined for one that only this handle reaches. */
  readonly name: string | undefined;
  /**
   * Ends the handle: sets that name it are refused from now on. A name can then be used afresh.
   *
   * @throws ResourceBusyError while a set holds it or waits for it.
   */
  close(): void | Promise<void>;
}

/** A resource: its name, any string whatever, or a handle. */
export type ResourceRef = string | Resource;

/** Wanted by a request: a resource named twice counts once, and exclusive wins. */
export interface SetSpec {
  /** To be held by nobody else meanwhile. */
  readonly exclusive?: ResourceRef | readonly ResourceRef[];
  /** To be held along with others who want it shared. */
  readonly shared?: ResourceRef | readonly ResourceRef[];
}

/** A set checked once, to be used many times. Made by {@link Domain.prepare}. */
export interface PreparedSet {
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
}

/** Names as told in snapshots and errors; one without a name is told as `#` and a number. */
export interface NamedSet {
  readonly exclusive: readonly string[];
  readonly shared: readonly string[];
}

/** @throws InvalidSetError for what is not a set at all, or has a key that no set has. */
export function checkSpec(spec: SetSpec): void {
  if (typeof spec !== 'object' || spec === null) {
    throw new InvalidSetError(
      `a set is an object like { exclusive: 'a', shared: ['b'] }, not ${describe(spec)}`,
    );
  }
  for (const key in spec) {
    if (key !== 'exclusive' && key !== 'shared') {
      throw new InvalidSetError(
        `a set has no ${describe(key)}: name resources under 'exclusive' or 'shared'`,
      );
    }
  }
  // Else a list, which has no key when it is empty, and a Set or Map would pass for the empty set.
  if (spec.exclusive === undefined && spec.shared === undefined && Symbol.iterator in spec) {
    throw new InvalidSetError("a set is an object like { exclusive: ['a', 'b'] }, not a list");
  }
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
export function checkSetSize(size: number): void {
  if (size > setSizeMax) {
    throw new LimitError(`a set of ${size} resources is over the limit of ${setSizeMax}`);
  }
}

export function isRefList(
  refs: ResourceRef | readonly ResourceRef[],
): refs is readonly ResourceRef[] {
  return Array.isArray(refs);
}

/** What is named, whether one or many, or none. */
export function listOf(
  refs: ResourceRef | readonly ResourceRef[] | undefined,
): readonly ResourceRef[] {
  if (refs === undefined) return [];
  return isRefList(refs) ? refs : [refs];
}

/** For hosts: a set names a handle that is no more. */
export function closedResource(handle: Resource): InvalidSetError {
  return new InvalidSetError(
    `resource ${describe(String(handle))} is closed: make a new handle with resource()`,
  );
}

/** For hosts: what was made by one domain is of no use to another. */
export function foreignSet(): InvalidSetError {
  return new InvalidSetError('the resource or prepared set belongs to another domain');
}

/** A value in an error message, shortened. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object of another kind';
  }
  return typeof value === 'function' ? 'a function' : String(value);
}
