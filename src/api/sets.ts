/** The set of a request: resources, each exclusive, shared or a number of units. */

import { escaped, quote } from '../runtime/escape.ts';
import { InvalidSetError, LimitError } from './errors.ts';
import { nameLengthMax } from './limits.ts';
import type { UnitCount, UnitsSpec } from './units.ts';

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
 * The set of a request: at most {@link setSizeMax} resources. A resource named twice counts once:
 * exclusive wins, otherwise the greater number of units. Read once, when the request is made. `{}`
 * is the empty set, which is granted at once; a key whose value is undefined is an
 * {@link InvalidSetError}.
 *
 * @since 0.1.0
 */
export interface SetSpec {
  /** Resources that no other grant holds at the same time. Default: none. */
  readonly exclusive?: ResourceRef | readonly ResourceRef[];
  /** Resources that other shared grants may hold too. Default: none. */
  readonly shared?: ResourceRef | readonly ResourceRef[];
  /**
   * Units of resources with a capacity: `{ gpu: 2 }`, or `{ gpu: { take: 2, of: 4 } }`, which
   * asserts the capacity. Default: none. Needs the {@link Capability} `units`.
   *
   * @since 0.2.0
   */
  readonly units?: UnitsSpec;
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
  /**
   * The units that it takes, by resource.
   *
   * @since 0.2.0
   */
  readonly units: ReadonlyMap<ResourceRef, UnitCount>;
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
  /**
   * The units that it takes of resources with a capacity, in shared mode too; absent if there are
   * none.
   *
   * @since 0.2.0
   */
  readonly units?: Readonly<Record<string, number>>;
}

/** Returns a handle that a set may name; throws InvalidSetError for any other value. */
export type AcceptHandle = (ref: unknown) => ResourceRef;

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

/** A value in an error message, shortened. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object of another kind';
  }
  return typeof value === 'function' ? 'a function' : escaped(String(value));
}
