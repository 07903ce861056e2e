/**
 * A client's session with etcd: a key under a lease that is renewed as long as the client lives.
 * All sets of the client name the session; when its key is gone, they are sets of a dead session.
 *
 * A session that is over does not come back: its client goes on by a new one. It is over as soon as
 * the lease may be, by this process's own clock, whether or not etcd still has it.
 */

import { LeasedSession, type Loss, type Renewal } from '../../remote/leased-session.ts';
import type { Clock } from '../../runtime/clock.ts';
import { linked } from './batch.ts';
import {
  createdAt,
  numberIn,
  type Operation,
  objectIn,
  putOf,
  rangeOf,
  type TxnResult,
  toBase64,
  txnIn,
} from './calls.ts';
import type { EtcdConnection } from './connection.ts';
import { type SessionEntry, writeEntry } from './entries.ts';
import type { Keys } from './keys.ts';
import { EtcdRefusal } from './refusal.ts';

/** Time limit of opening a session, ms. */
export const openMsMax = 10_000;
/** Time limit of etcd's answer to the end of a session, ms. */
const partingMsMax = 1000;
/** The code of a refusal: etcd has no such lease any more. */
const notFound = 5;
const heartbeatsPerLease = 4;
/** Pause after a heartbeat without an answer, ms. */
const retryMs = 50;

export interface LeaseTerms {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly leaseSeconds: number;
  /** Of the session: no other session has it. */
  readonly id: string;
  readonly entry: SessionEntry;
  /** Called once, unless it was ended from here: it holds nothing any more. */
  readonly onLost: (reason: Error) => void;
  /** Called after each heartbeat, whether or not etcd has answered it. */
  readonly onHeartbeat: () => void;
}

export class Lease {
  readonly id: string;
  /** Of its key. */
  createRevision = 0;
  readonly #terms: LeaseTerms;
  readonly #session: LeasedSession;
  #leaseId = '';
  #leaseMs: number;

  private constructor(terms: LeaseTerms) {
    this.#terms = terms;
    this.id = terms.id;
    this.#leaseMs = terms.leaseSeconds * 1000;
    this.#session = new LeasedSession({
      clock: terms.clock,
      heartbeatsPerLease,
      retryMs,
      open: () => this.#open(),
      renew: () => this.#renew(),
      end: () => this.#revoke(),
      onRenewed: () => undefined,
      onRunOut: () => this.lose('its lease could not be renewed in time'),
      onLost: (why) => {
        terms.onLost(new Error(why));
        // Those who wait for what it held need not wait until the lease runs out.
        void this.#revoke();
      },
      onFailed: () => terms.onHeartbeat(),
    });
  }

  /**
   * Undefined if the lease was over before it was known, as etcd was slow, or this process stopped.
   *
   * @throws UnavailableError, EtcdRefusal
   */
  static async open(terms: LeaseTerms): Promise<Lease | undefined> {
    const lease = new Lease(terms);
    if ((await lease.#session.open()) && lease.isValid) return lease;
    await lease.end();
    return undefined;
  }

  /** Whether what it holds is certainly held, at this moment. */
  get isValid(): boolean {
    return this.#session.isValid;
  }

  /** `onLost` now, if the lease has run out by the clock. */
  check(): void {
    this.#session.check();
  }

  /** It is over: by the log, or by the clock. */
  lose(why: string): void {
    this.#session.lose(why);
  }

  /** Ends in order. All that it held has been given back before, or is given up by this. */
  async end(): Promise<void> {
    await this.#session.close();
  }

  async #open(): Promise<Renewal | Loss> {
    const { connection, clock, keys, entry, leaseSeconds } = this.#terms;
    let sentMs = clock.nowMs();
    const onSend = (ms: number): void => {
      sentMs = ms;
    };
    const body = { TTL: leaseSeconds };
    const granted = await connection.call('/v3/lease/grant', body, openMsMax, { onSend });
    this.#leaseId = String(granted['ID']);
    // Etcd has a minimum, and may give more than was requested.
    this.#leaseMs = numberIn(granted, 'TTL') * 1000;
    const answer = await this.#putKey(
      putOf(keys.session(this.id), writeEntry(entry), this.#leaseId),
    );
    if (answer === undefined) return { lost: 'its lease ended before it was known' };
    const { succeeded, revision, ranges } = answer;
    // If it was there, an earlier call has arrived, and its answer has not.
    this.createRevision = succeeded ? revision : (ranges[0]?.items[0]?.createRevision ?? 0);
    return { sentMs, leaseMs: this.#leaseMs };
  }

  /** Undefined if the lease is over. */
  async #putKey(put: Operation): Promise<TxnResult | undefined> {
    const key = this.#terms.keys.session(this.id);
    const compare = [createdAt(key, 0)];
    const success = linked(this.#terms.keys, [put]);
    const txn = { compare, success, failure: [rangeOf({ key: toBase64(key) })] };
    try {
      return txnIn(await this.#terms.connection.call('/v3/kv/txn', txn, openMsMax));
    } catch (error) {
      if (error instanceof EtcdRefusal && error.code === notFound) return undefined;
      throw error;
    }
  }

  async #renew(): Promise<Renewal | Loss> {
    const { connection, clock, onHeartbeat } = this.#terms;
    let sentMs = clock.nowMs();
    // A call that waits for a token has not been sent.
    const onSend = (ms: number): void => {
      sentMs = ms;
    };
    const body = { ID: this.#leaseId };
    // An answer that comes later than the next one would is worth nothing.
    const limitMs = this.#leaseMs / heartbeatsPerLease;
    try {
      const answer = await connection.call('/v3/lease/keepalive', body, limitMs, { onSend });
      const leaseMs = numberIn(objectIn(answer, 'result'), 'TTL') * 1000;
      if (leaseMs === 0) return { lost: 'etcd has ended its lease' };
      onHeartbeat();
      return { sentMs, leaseMs };
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) throw error;
      return { lost: `etcd does not renew its lease: ${error.message}` };
    }
  }

  async #revoke(): Promise<void> {
    const { connection } = this.#terms;
    // If it does not arrive, the lease runs out by itself.
    await connection
      .call('/v3/lease/revoke', { ID: this.#leaseId }, partingMsMax)
      .catch(() => undefined);
  }
}
