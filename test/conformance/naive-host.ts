/** The naive host as the suite asks for it. */

import type { ConformanceHost } from 'kds/conformance';
import type { Fault } from './faulty-oracle.ts';
import { NaiveDomain } from './naive-domain.ts';
import { NaiveServer } from './naive-server.ts';

export function naiveHost(fault?: Fault): ConformanceHost {
  return {
    name: `the naive host${fault === undefined ? '' : `, where ${fault}`}`,
    capabilities: ['settled', 'downgrade', 'part-release', 'steal'],
    sync: false,
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

/** What would keep the oracle busy for hours, as it looks at all pairs. */
export function isTooLongForNaive(name: string): boolean {
  return name.startsWith('a long chain of ');
}
