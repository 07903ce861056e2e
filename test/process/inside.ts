/** A look into the host of a domain: into its words, for what the interface does not show. */

import type { SyncDomain } from '../../src/api/domain.ts';
import { ProcessHost } from '../../src/backends/process/host.ts';
import { findFaults, Memory, type MemorySize } from '../../src/core/index.ts';
import { LocalRequests } from '../../src/local/requests.ts';
import { LocalSession } from '../../src/local/session.ts';

export function hostOf(domain: SyncDomain): ProcessHost {
  return (domain as LocalSession).scope.backend as ProcessHost;
}

/** What is out of order in the words of a domain. */
export function faultsOf(domain: SyncDomain): readonly string[] {
  return findFaults(hostOf(domain).core.memory);
}

/** Whatever still waits, is held or stands for something that does. */
export function tracesIn(domain: SyncDomain): readonly unknown[] {
  const { held, pending } = domain.querySync();
  const tagged = hostOf(domain).tagged.values();
  return [...held, ...pending, ...tagged, ...faultsOf(domain)];
}

/** A domain with so much memory and no more. */
export function domainIn(size: MemorySize): SyncDomain {
  return new LocalSession(new LocalRequests(new ProcessHost(undefined, new Memory(size))));
}

/** What has come of promises by the time that all that is due now has run. */
export async function outcomesOf(
  ...promises: readonly Promise<unknown>[]
): Promise<readonly string[]> {
  const outcomes = promises.map(() => 'pending');
  for (const [index, promise] of promises.entries()) {
    promise.then(
      () => {
        outcomes[index] = 'resolved';
      },
      (reason) => {
        outcomes[index] = reason instanceof Error ? reason.name : String(reason);
      },
    );
  }
  await new Promise(setImmediate);
  return outcomes;
}

export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  const [outcome = ''] = await outcomesOf(promise);
  return outcome;
}
