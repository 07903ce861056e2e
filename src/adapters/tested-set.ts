/**
 * What a test declares that it reads and writes, and the domain that tests of all workers, and of
 * all shards on one machine, share.
 */

import { basename } from 'node:path';
import { labelLengthMax } from '../domain/limits.ts';
import type { ResourceRef, SetSpec } from '../domain/sets.ts';
import { type BrokerDomain, openBrokerDomain } from '../hosts/broker/index.ts';

/** What a test uses: read along with other readers, or written by nobody else meanwhile. */
export interface TestedSet {
  readonly reads?: ResourceRef | readonly ResourceRef[] | undefined;
  readonly writes?: ResourceRef | readonly ResourceRef[] | undefined;
}

let opened: Promise<BrokerDomain> | undefined;

/** One for each worker: it is let go of, with all that is held, as the worker ends. */
export function domainOfTests(runner: string): Promise<BrokerDomain> {
  opened ??= openBrokerDomain({ label: `${runner} in ${basename(process.cwd())}` });
  return opened;
}

export function specOf({ reads = [], writes = [] }: TestedSet): SetSpec {
  return { exclusive: writes, shared: reads };
}

/** The name of a test, as `kds ls` tells it. */
export function labelOf(names: readonly string[]): string {
  return names
    .filter((name) => name !== '')
    .join(' > ')
    .slice(0, labelLengthMax);
}
