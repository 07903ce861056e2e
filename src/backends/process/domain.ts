/** A domain in one event loop. */

import type { SyncDomain, SyncSession } from '../../api/domain.ts';
import type { SyncGrant } from '../../api/grant.ts';
import type { ResourceRef, SetSpec } from '../../api/sets.ts';
import type { SnapshotCapacity, SnapshotEntry } from '../../api/snapshot.ts';
import {
  applyOptions,
  type DomainOptions,
  declareCapacities,
  readDomainOptions,
  requestsOf,
} from '../../local/domain-options.ts';
import { LocalRequests } from '../../local/requests.ts';
import { type HeldUnits, ServedSession } from '../../local/served-session.ts';
import { LocalSession } from '../../local/session.ts';
import { SessionScope } from '../../session/session-tree.ts';
import { ProcessBackend } from './backend.ts';
import { openInner } from './inner-domain.ts';

/**
 * Makes a domain of one event loop: its sets exclude those of other callers of the same object. The
 * domain keeps no process alive.
 *
 * @param options - Nesting, reports of long holds, and label. Default: none of them.
 * @throws TypeError or RangeError if an option is invalid.
 * @throws {@link LimitError} if the label is too long.
 * @throws {@link UnsupportedError} for a `nested` that needs a missing AsyncLocalStorage.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 *
 * const domain = createDomain();
 * const total = await domain.run({ exclusive: 'account 1', shared: 'rates' }, () => 42);
 * console.log(total); // 42
 * ```
 * @since 0.1.0
 */
export function createDomain(options: DomainOptions = {}): SyncDomain {
  const own = readDomainOptions(options);
  const { operations } = new ProcessBackend(own.label);
  applyOptions(operations, own, openInner);
  const requests = requestsOf(operations, own);
  declareCapacities(requests, own);
  return new LocalSession(requests, SessionScope.ofDomain(operations, own.label));
}

export type { HeldUnits };

/** For a server: a domain that reports which of the server's sessions has a set. */
export interface ServedDomain extends SyncDomain {
  /** `owner` is an id of the server's choice, which snapshots contain. */
  session(options?: { label?: string; owner?: number }): ServedDomain & SyncSession;
  query(): Promise<OwnedSnapshot>;
  /** Whether a set holds a resource or waits for it. Changes nothing, never waits. */
  isUsed(ref: ResourceRef): boolean;
  /** See {@link ServedSession.heldUnits}. */
  heldUnits(grant: SyncGrant): readonly HeldUnits[];
  /** See {@link ServedSession.claim}. */
  claim(set: SetSpec, units: readonly HeldUnits[], label: string | undefined): SyncGrant | null;
}

export interface OwnedEntry extends SnapshotEntry {
  /** Of the session that the set was requested through; absent if that has none. */
  readonly owner?: number;
}

export interface OwnedSnapshot {
  /** By token. */
  readonly held: readonly OwnedEntry[];
  /** In arrival order. */
  readonly pending: readonly OwnedEntry[];
  /** By name; absent without any. */
  readonly capacities?: readonly SnapshotCapacity[];
}

export function createServedDomain(): ServedDomain {
  const { operations, queues } = new ProcessBackend();
  return new ServedSession(
    new LocalRequests(operations),
    SessionScope.ofDomain(operations),
    (queue) => queues.used.get(operations.core.resourceUserData(queue)),
  );
}
