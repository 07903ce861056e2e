/**
 * A client's session with etcd: a key under a lease that is renewed as long as the client lives.
 * All sets of the client name the session; when its key is removed they are those of a dead one.
 *
 * Once over it is over: what is to go on goes on by a new session. It is over as soon as the lease
 * may be, by this process's own clock, whatever etcd would say.
 */

import { LeaseGuard } from '../../remote/lease-guard.ts';
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

/** For so long, in ms, a session is tried to be opened. */
export const openMsMax = 10_000;
/** For so long, in ms, the end of a session waits for etcd's word. */
const partingMsMax = 1000;
/** The code of a refusal: etcd has no such lease any more. */
const notFound = 5;
/** Renewed so often within a lease. */
const beatsPerLease = 4;

export interface LeaseTerms {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly leaseSeconds: number;
  /** Of the session: nobody else has it. */
  readonly id: string;
  readonly entry: SessionEntry;
  /** Called once, unless it was ended from here: nothing is held by it any more. */
  readonly onLost: (reason: Error) => void;
  /** Called at each renewal. */
  readonly onBeat: () => void;
}

export class Lease {
  readonly id: string;
  /** Of its key. */
  createRevision = 0;
  readonly #terms: LeaseTerms;
  readonly #guard: LeaseGuard;
  #leaseId = '';
  #leaseMs: number;
  #cancelBeat: () => void = () => undefined;
  #state: 'opening' | 'open' | 'over' = 'opening';

  private constructor(terms: LeaseTerms) {
    this.#terms = terms;
    this.id = terms.id;
    this.#leaseMs = terms.leaseSeconds * 1000;
    this.#guard = new LeaseGuard(terms.clock, () => {
      this.lose('its lease could not be renewed in time');
    });
  }

  /**
   * Undefined if the lease was over before it was known, as etcd was slow, or this process stopped.
   *
   * @throws UnavailableError, EtcdRefusal
   */
  static async open(terms: LeaseTerms): Promise<Lease | undefined> {
    const lease = new Lease(terms);
    return (await lease.#open()) ? lease : undefined;
  }

  /** Whether what it holds is certainly held, at this moment. */
  get isValid(): boolean {
    return this.#state === 'open' && this.#guard.isValid;
  }

  /** `onLost` now, if the lease has run out by the clock. */
  check(): void {
    this.#guard.check();
  }

  /** It is over: etcd says so, or time does. */
  lose(why: string): void {
    if (this.#state !== 'open') return;
    this.#stop();
    this.#terms.onLost(new Error(why));
    // Those who wait for what it held need not wait for the lease to run out.
    void this.#revoke();
  }

  /** Ends in order. All that it held has been given back before, or is given up by this. */
  async end(): Promise<void> {
    if (this.#state === 'over') return;
    this.#stop();
    await this.#revoke();
  }

  async #open(): Promise<boolean> {
    const { connection, clock, keys, entry, leaseSeconds } = this.#terms;
    let sentMs = clock.nowMs();
    const onSend = (ms: number): void => {
      sentMs = ms;
    };
    const body = { TTL: leaseSeconds };
    const granted = await connection.call('/v3/lease/grant', body, openMsMax, { onSend });
    this.#leaseId = String(granted['ID']);
    // Etcd may give more than it is asked for: it has a minimum.
    this.#leaseMs = numberIn(granted, 'TTL') * 1000;
    const answer = await this.#putKey(
      putOf(keys.session(this.id), writeEntry(entry), this.#leaseId),
    );
    if (answer === undefined) return false;
    const { succeeded, revision, ranges } = answer;
    // If it was there, a call had been heard, and its answer was not.
    this.createRevision = succeeded ? revision : (ranges[0]?.items[0]?.createRevision ?? 0);
    this.#state = 'open';
    this.#guard.renewed(sentMs, this.#leaseMs);
    if (this.isValid) {
      this.#beatLater();
      return true;
    }
    this.#stop();
    await this.#revoke();
    return false;
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

  #beatLater(): void {
    const delayMs = this.#leaseMs / beatsPerLease;
    this.#cancelBeat = this.#terms.clock.after(delayMs, () => void this.#beat());
  }

  async #beat(): Promise<void> {
    const { connection, clock, onBeat } = this.#terms;
    // The event loop may have been blocked for longer than the lease: nothing renews that one.
    this.check();
    if (this.#state !== 'open') return;
    // Its answer is worth nothing to those that come after the next one.
    const limitMs = this.#leaseMs / beatsPerLease;
    this.#beatLater();
    let sentMs = clock.nowMs();
    // A call that waits for a token has not been sent.
    const onSend = (ms: number): void => {
      sentMs = ms;
    };
    const body = { ID: this.#leaseId };
    try {
      const answer = await connection.call('/v3/lease/keepalive', body, limitMs, { onSend });
      const leftMs = numberIn(objectIn(answer, 'result'), 'TTL') * 1000;
      if (leftMs === 0) this.lose('etcd has ended its lease');
      else if (this.#state === 'open') this.#guard.renewed(sentMs, leftMs);
    } catch (error) {
      if (error instanceof EtcdRefusal)
        this.lose(`etcd does not renew its lease: ${error.message}`);
      // Otherwise the next one may be heard; and if none is, the guard tells.
    }
    if (this.#state === 'open') onBeat();
  }

  #stop(): void {
    this.#state = 'over';
    this.#guard.end();
    this.#cancelBeat();
  }

  async #revoke(): Promise<void> {
    const { connection } = this.#terms;
    // If etcd does not hear of it, the lease runs out by itself.
    await connection
      .call('/v3/lease/revoke', { ID: this.#leaseId }, partingMsMax)
      .catch(() => undefined);
  }
}
