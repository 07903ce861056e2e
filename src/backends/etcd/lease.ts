/**
 * The lease of a session in etcd, and the key under it. All sets of the session name it; when the
 * key is deleted, they are sets of an expired session.
 */

import type { ProtocolError } from '../../api/errors.ts';
import { versionMismatch } from '../../api/refusals.ts';
import type { Loss, Renewal } from '../../remote/leased-session.ts';
import type { Clock } from '../../runtime/clock.ts';
import { quote } from '../../runtime/escape.ts';
import { linked } from './batch.ts';
import {
  changedAt,
  createdAt,
  hasValue,
  numberIn,
  type Operation,
  objectIn,
  prefixRange,
  putOf,
  rangeOf,
  type TxnResult,
  toBase64,
  txnIn,
} from './calls.ts';
import type { EtcdConnection } from './connection.ts';
import { type SessionEntry, writeEntry } from './entries.ts';
import { type Keys, layoutVersion } from './keys.ts';
import { EtcdRefusal } from './refusal.ts';

export const heartbeatsPerLease = 4;
/** Time limit of opening a session, ms. */
export const openMsMax = 10_000;
/** Time limit of etcd's answer to the end of a session, ms. */
const partingMsMax = 1000;
/** The code of a refusal: etcd has no such lease any more. */
const notFound = 5;

export interface LeaseConfig {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly leaseSeconds: number;
  /** Description of this client for others. */
  readonly entry: SessionEntry;
}

export class EtcdLease {
  /** Of the session: no other session has it. */
  readonly id: string;
  /** Of its key. */
  createRevision = 0;
  readonly #config: LeaseConfig;
  #leaseId = '';
  #leaseMs: number;

  constructor(config: LeaseConfig, id: string) {
    this.#config = config;
    this.id = id;
    this.#leaseMs = config.leaseSeconds * 1000;
  }

  /** @throws UnavailableError, EtcdRefusal; ProtocolError if the domain is of another version */
  async open(): Promise<Renewal | Loss> {
    const { connection, clock, keys, entry, leaseSeconds } = this.#config;
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

  /**
   * Undefined if the lease is over. One transaction, where the domain is of this version. A domain
   * without sessions and sets is of none, and becomes one of this version: as each session puts the
   * version, the second transaction fails if one has been opened since.
   *
   * @throws ProtocolError if the domain is of another version
   */
  async #putKey(put: Operation): Promise<TxnResult | undefined> {
    const { connection, keys } = this.#config;
    const own = String(layoutVersion);
    const key = keys.session(this.id);
    const success = linked(keys, [putOf(keys.version, own), put]);
    const failure = [
      rangeOf({ key: toBase64(key) }),
      { request_range: { key: toBase64(keys.version) } },
      ...[keys.sessions, keys.sets].map((prefix) =>
        rangeOf({ ...prefixRange(prefix), count_only: true }),
      ),
    ];
    for (let isVersion = hasValue(keys.version, own); ; ) {
      const txn = { compare: [createdAt(key, 0), isVersion], success, failure };
      let answer: TxnResult;
      try {
        answer = txnIn(await connection.call('/v3/kv/txn', txn, openMsMax));
      } catch (error) {
        if (error instanceof EtcdRefusal && error.code === notFound) return undefined;
        throw error;
      }
      const [session, version, ...users] = answer.ranges;
      if (answer.succeeded || session?.count !== 0) return answer;
      const found = version?.items[0];
      if (found?.value === own) isVersion = hasValue(keys.version, own);
      else if (users.some(({ count }) => count > 0)) throw otherVersion(keys, found?.value);
      else isVersion = changedAt(keys.version, found?.modRevision ?? 0);
    }
  }

  /** @throws UnavailableError */
  async renew(): Promise<Renewal | Loss> {
    const { connection, clock } = this.#config;
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
      return leaseMs === 0 ? { lost: 'etcd has ended its lease' } : { sentMs, leaseMs };
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) throw error;
      return { lost: `etcd does not renew its lease: ${error.message}` };
    }
  }

  /** If that does not arrive, the lease runs out by itself. Never rejects. */
  async revoke(): Promise<void> {
    const { connection } = this.#config;
    await connection
      .call('/v3/lease/revoke', { ID: this.#leaseId }, partingMsMax)
      .catch(() => undefined);
  }
}

function otherVersion({ prefix }: Keys, found: string | undefined): ProtocolError {
  return versionMismatch(
    'the domain in etcd',
    found === undefined ? undefined : Number(found),
    layoutVersion,
    'close all of its clients, and use one version of kds for all of them, or give the domain ' +
      `another name. If it has no clients, delete the keys that begin with ${quote(prefix, 1000)}`,
  );
}
