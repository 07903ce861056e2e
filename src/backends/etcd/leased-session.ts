/**
 * A client's session with etcd: a key under a lease that is renewed as long as the client lives,
 * and the outbox of its sets.
 *
 * A session that is over does not come back: its client goes on by a new one. It is over as soon as
 * the lease may be, by this process's own clock, whether or not etcd still has it.
 */

import { type LimitError, UnavailableError } from '../../api/errors.ts';
import { LeasedSession } from '../../remote/leased-session.ts';
import { EtcdLease, heartbeatsPerLease, type LeaseConfig, openMsMax } from './lease.ts';
import type { Log } from './log.ts';
import { Outbox } from './outbox.ts';
import type { OwnSet } from './own-set.ts';

/** Pause after a heartbeat without an answer, ms. */
const retryMs = 50;

export interface EtcdSessionConfig extends LeaseConfig {
  /** A new name for a session, which no other one has: at most 32 hexadecimal digits. */
  readonly nextSessionId: () => string;
  /** SESSION/NUMBER of grants of other clients, kept while a request of this client waits. */
  readonly outer?: readonly string[];
}

export interface EtcdSession {
  readonly id: string;
  /** Of its key. */
  readonly createRevision: number;
  readonly leased: LeasedSession;
  readonly outbox: Outbox;
}

export interface SessionEvents {
  /** Called once, unless it is closed before: the session holds nothing any more. */
  onLost(reason: Error): void;
  /** Called after each heartbeat of an open session, whether or not etcd has answered it. */
  onHeartbeat(): void;
  /** Etcd refuses a set for good. */
  onRefused(own: OwnSet, error: LimitError): void;
  /** Another client has deleted a set, and the log does not show that. */
  onMissed(own: OwnSet): void;
  /** The units that a new set takes are not there any more. */
  onUnfit(own: OwnSet): void;
}

/** @throws UnavailableError, EtcdRefusal */
export async function openSession(
  config: EtcdSessionConfig,
  log: Log,
  events: SessionEvents,
): Promise<EtcdSession> {
  const { clock, nextSessionId } = config;
  const endMs = clock.nowMs() + openMsMax;
  for (;;) {
    // Each attempt by a name of its own: a late call may still put the key of an ended session.
    const lease = new EtcdLease(config, nextSessionId());
    const leased = await openLeased(config, lease, events);
    if (leased !== undefined) {
      const { id, createRevision } = lease;
      return { id, createRevision, leased, outbox: outboxOf(config, lease, leased, log, events) };
    }
    if (clock.nowMs() >= endMs) {
      throw new UnavailableError('etcd answers too slowly for so short a lease');
    }
  }
}

/** Undefined if the lease was over before it was known: etcd was slow, or this process stopped. */
async function openLeased(
  { clock }: EtcdSessionConfig,
  lease: EtcdLease,
  events: SessionEvents,
): Promise<LeasedSession | undefined> {
  let isOpen = false;
  const heartbeat = (): void => {
    if (isOpen) events.onHeartbeat();
  };
  const leased: LeasedSession = new LeasedSession({
    clock,
    heartbeatsPerLease,
    retryMs,
    open: () => lease.open(),
    renew: () => lease.renew(),
    end: () => lease.revoke(),
    onRenewed: heartbeat,
    onFailed: heartbeat,
    onRunOut: () => leased.lose('its lease could not be renewed in time'),
    onLost: (why) => {
      events.onLost(new Error(why));
      // Clients that wait for what it held need not wait until the lease runs out.
      void lease.revoke();
    },
  });
  isOpen = (await leased.open()) && leased.isValid;
  if (isOpen) return leased;
  await leased.close();
  return undefined;
}

function outboxOf(
  { connection, keys, clock }: EtcdSessionConfig,
  lease: EtcdLease,
  leased: LeasedSession,
  log: Log,
  events: SessionEvents,
): Outbox {
  return new Outbox({
    connection,
    keys,
    clock,
    session: lease,
    log,
    onRefused: (own, error) => events.onRefused(own, error),
    onMissed: (own) => events.onMissed(own),
    onUnfit: (own) => events.onUnfit(own),
    onFailed: (why) => leased.lose(why),
  });
}
