/** The backend of a domain: its words, for what the interface does not show. */

import type { SyncDomain } from '../../src/api/domain.ts';
import { ProcessBackend } from '../../src/backends/process/backend.ts';
import { findFaults, Memory, type MemorySize } from '../../src/core/index.ts';
import { LocalRequests } from '../../src/local/requests.ts';
import { LocalSession } from '../../src/local/session.ts';
import { SessionScope } from '../../src/session/session-tree.ts';

export function backendOf(domain: SyncDomain): ProcessBackend {
  return (domain as LocalSession).scope.backend.port as ProcessBackend;
}

/** What is out of order in the words of a domain. */
export function faultsOf(domain: SyncDomain): readonly string[] {
  return findFaults((domain as LocalSession).scope.backend.core.memory);
}

/** Whatever still waits, is held or stands for something that does. */
export function tracesIn(domain: SyncDomain): readonly unknown[] {
  const { held, pending } = domain.querySync();
  const objects = backendOf(domain).owners.objects.values();
  return [...held, ...pending, ...objects, ...faultsOf(domain)];
}

/** A domain with so much memory and no more. */
export function domainIn(size: MemorySize): SyncDomain {
  return domainOf(new ProcessBackend(undefined, new Memory(size)));
}

export function domainOf({ operations }: ProcessBackend): SyncDomain {
  return new LocalSession(new LocalRequests(operations), SessionScope.ofDomain(operations));
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
