/** Opening a session with etcd: its lease, and the outbox of its sets. */

import { type LimitError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EtcdConnection } from './connection.ts';
import type { SessionEntry } from './entries.ts';
import type { Keys } from './keys.ts';
import { Lease, openMsMax } from './lease.ts';
import type { Log } from './log.ts';
import { Outbox } from './outbox.ts';
import type { OwnSet } from './own-set.ts';

export interface EtcdSessionConfig {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly leaseSeconds: number;
  /** Description of this client for others. */
  readonly entry: SessionEntry;
  /** A new name for a session, which no other one has: at most 32 hexadecimal digits. */
  readonly nextSessionId: () => string;
  /** SESSION/NUMBER of grants of other clients, kept while a request of this client waits. */
  readonly outer?: readonly string[];
}

export interface EtcdSession {
  readonly lease: Lease;
  readonly outbox: Outbox;
}

export interface SessionEvents {
  /** Called once: the session holds nothing any more. */
  onLost(reason: Error): void;
  onHeartbeat(): void;
  /** Etcd refuses a set for good. */
  onRefused(own: OwnSet, error: LimitError): void;
  /** Another client has deleted a set, and the log does not show that. */
  onMissed(own: OwnSet): void;
}

/** @throws UnavailableError, EtcdRefusal */
export async function openSession(
  terms: EtcdSessionConfig,
  log: Log,
  events: SessionEvents,
): Promise<EtcdSession> {
  const { connection, keys, clock } = terms;
  const lease = await openLease(terms, events);
  const outbox = new Outbox({
    connection,
    keys,
    clock,
    lease,
    log,
    onRefused: (own, error) => events.onRefused(own, error),
    onMissed: (own) => events.onMissed(own),
    onFailed: (why) => lease.lose(why),
  });
  return { lease, outbox };
}

/** Each attempt by a name of its own: a late call may still put the key of an ended session. */
async function openLease(terms: EtcdSessionConfig, events: SessionEvents): Promise<Lease> {
  const { connection, keys, clock, leaseSeconds, entry, nextSessionId } = terms;
  const endMs = clock.nowMs() + openMsMax;
  for (;;) {
    const lease = await Lease.open({
      connection,
      keys,
      clock,
      leaseSeconds,
      entry,
      id: nextSessionId(),
      onLost: (reason) => events.onLost(reason),
      onHeartbeat: () => events.onHeartbeat(),
    });
    if (lease !== undefined) return lease;
    if (clock.nowMs() < endMs) continue;
    throw new UnavailableError('etcd answers too slowly for so short a lease');
  }
}
