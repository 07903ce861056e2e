/** The naive backend, for the suite. */

import type { ConformanceBackend } from 'kds/conformance';
import type { Fault } from './faulty-oracle.ts';
import { NaiveDomain } from './naive-domain.ts';
import { NaiveServer } from './naive-server.ts';

export function naiveBackend(fault?: Fault): ConformanceBackend {
  return {
    name: `the naive backend${fault === undefined ? '' : `, where ${fault}`}`,
    capabilities: ['settled', 'downgrade', 'part-release', 'steal'],
    sync: false,
    nested: false,
    connects: true,
    // A fault is found by chance: given enough runs, and it ends them.
    randomRunCount: fault === undefined ? 30 : 2000,
    open: async () => {
      const server = new NaiveServer(fault);
      const domain = new NaiveDomain(server);
      return {
        domain,
        connect: async () => new NaiveDomain(server),
        close: () => domain.close(),
      };
    },
  };
}

/** Tests that take the oracle hours, as it checks all pairs. */
export function isTooLongForNaive(name: string): boolean {
  return name.startsWith('a long chain of ');
}
