/**
 * What a test declares that it reads and writes, and the domain that tests of all workers, and of
 * all shards on one machine, share.
 */

import { basename } from 'node:path';
import { InvalidSetError } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import { listsOf, RequestedRefs, readSpec } from '../api/read-set.ts';
import { describe, type ResourceRef } from '../api/sets.ts';
import type { UnitCount, UnitsSpec } from '../api/units.ts';
import { type BrokerDomain, openBrokerDomain } from '../backends/broker/index.ts';
import { quote } from '../runtime/escape.ts';

/**
 * The resources that a test uses.
 *
 * @since 0.1.0
 */
export interface TestedSet {
  /** Resources that it reads, along with other readers, by name. Default: none. */
  readonly reads?: ResourceRef | readonly ResourceRef[] | undefined;
  /** Resources that it writes: no other test uses them meanwhile. Default: none. */
  readonly writes?: ResourceRef | readonly ResourceRef[] | undefined;
  /**
   * Units of resources with a capacity that it takes: `{ gpu: { take: 1, of: 4 } }`, which asserts
   * the capacity, or `{ gpu: 1 }` where it is declared elsewhere. Default: none. The grant of the
   * test has them as {@link Grant.units}.
   *
   * @since 0.2.0
   */
  readonly units?: UnitsSpec | undefined;
}

/** A set of a test, as lists of its own. */
export interface TestedSpec {
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
  /** Absent without any. */
  readonly units?: ReadonlyMap<ResourceRef, UnitCount>;
}

let opened: Promise<BrokerDomain> | undefined;

/** One per worker: it is closed, and all that is held released, as the worker ends. */
export function domainOfTests(runner: string): Promise<BrokerDomain> {
  if (opened === undefined) {
    const opening = openBrokerDomain({ label: `${runner} in ${basename(process.cwd())}` });
    opened = opening;
    // The next test tries again.
    opening.catch(() => {
      if (opened === opening) opened = undefined;
    });
  }
  return opened;
}

/**
 * Reads a set once.
 *
 * @throws InvalidSetError for a mistyped key, an empty name, or a set of which nothing is defined:
 * the tests would run without the locks they need. LimitError, TypeError and RangeError for units.
 */
export function specOf(set: TestedSet): TestedSpec {
  if (typeof set !== 'object' || set === null) {
    throw new InvalidSetError(
      `a test's set is an object like { reads: 'a', writes: ['b'] }, not ${describe(set)}`,
    );
  }
  const keys = Object.keys(set);
  for (const key of keys) {
    if (key === 'reads' || key === 'writes' || key === 'units') continue;
    throw new InvalidSetError(
      `a test's set has no ${quote(key)}: name resources under "reads", "writes" or "units"`,
    );
  }
  const { reads, writes, units } = set;
  if (keys.length > 0 && reads === undefined && writes === undefined && units === undefined) {
    throw new InvalidSetError(
      '"reads", "writes" or "units" of a test\'s set is undefined: pass {} for none',
    );
  }
  const counts = units === undefined ? undefined : countsOf(units);
  const lists = { exclusive: listOf(writes), shared: listOf(reads) };
  const spec = counts === undefined ? lists : { ...lists, units: counts };
  if ([...spec.exclusive, ...spec.shared, ...(counts?.keys() ?? [])].includes('')) {
    throw new InvalidSetError("a resource of a test's set has an empty name");
  }
  return spec;
}

/** Read once; the domain decides which handles are valid. */
function countsOf(units: UnitsSpec): TestedSpec['units'] {
  const read = new RequestedRefs();
  readSpec({ units }, read, (ref) => ref as ResourceRef);
  return listsOf(read).units;
}

function listOf(refs: TestedSet['reads']): readonly ResourceRef[] {
  if (refs === undefined) return [];
  return Array.isArray(refs) ? [...refs] : [refs as ResourceRef];
}

/** The name of a test, as `kds ls` prints it. */
export function labelOf(names: readonly string[]): string {
  return names
    .filter((name) => name !== '')
    .join(' > ')
    .slice(0, labelLengthMax);
}
