/**
 * What a test declares that it reads and writes, and the domain that tests of all workers, and of
 * all shards on one machine, share.
 */

import { basename } from 'node:path';
import { InvalidSetError } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import { describe, type ResourceRef } from '../api/sets.ts';
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
}

/** A set of a test, as lists of its own. */
export interface TestedSpec {
  readonly exclusive: readonly ResourceRef[];
  readonly shared: readonly ResourceRef[];
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
 * the tests would run without the locks they need.
 */
export function specOf(set: TestedSet): TestedSpec {
  if (typeof set !== 'object' || set === null) {
    throw new InvalidSetError(
      `a test's set is an object like { reads: 'a', writes: ['b'] }, not ${describe(set)}`,
    );
  }
  const keys = Object.keys(set);
  for (const key of keys) {
    if (key === 'reads' || key === 'writes') continue;
    throw new InvalidSetError(
      `a test's set has no ${quote(key)}: name resources under "reads" or "writes"`,
    );
  }
  const { reads, writes } = set;
  if (keys.length > 0 && reads === undefined && writes === undefined) {
    throw new InvalidSetError(
      '"reads" or "writes" of a test\'s set is undefined: pass {} for none',
    );
  }
  const spec = { exclusive: listOf(writes), shared: listOf(reads) };
  if ([...spec.exclusive, ...spec.shared].includes('')) {
    throw new InvalidSetError("a resource of a test's set has an empty name");
  }
  return spec;
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
