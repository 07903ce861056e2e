/**
 * Reaps the sets of expired sessions.
 *
 * The sets of a session outlive its key, and stay in line, since a set shows whether it was held
 * only while it is there. A living client then deletes them, and sets the recovered flags of the
 * exclusive resources that were held. Any client may reap, and several may try: each set goes once,
 * as the transaction compares that the set is there, as it was, and that its session is not. The
 * client that came first reaps at once, the others in turn if it does not.
 */

import type { Clock } from '../../runtime/clock.ts';
import {
  byteCountOfAll,
  bytesMax,
  inTransactions,
  linked,
  operationsMax,
  removalOf,
  uncounted,
} from './batch.ts';
import { type Compare, changedAt, createdAt, deleteOf, type Operation } from './calls.ts';
import type { EtcdConnection } from './connection.ts';
import type { DerivedState } from './derived-state.ts';
import type { Keys } from './keys.ts';
import type { LiveSet } from './live-set.ts';
import type { Log } from './log.ts';
import { isOutOfSpace } from './refusal.ts';

/** Time, ms, by which each client waits longer than the one before it. */
const turnMs = 200;
const turnsMax = 10;
/** Pause before another attempt after a failed one, ms. */
const retryMs = 1000;
const callMsMax = 5000;
/** Capacities that one transaction deletes, at most. */
const droppedMax = 50;

export class SessionReaper {
  readonly #connection: EtcdConnection;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: (() => void) | undefined;
  #isBusy = false;
  #isOpen = true;

  constructor(connection: EtcdConnection, keys: Keys, clock: Clock, log: Log) {
    this.#connection = connection;
    this.#keys = keys;
    this.#clock = clock;
    this.#log = log;
  }

  /** Reaps expired sessions, if any, in this client's turn. `own`: this client's session. */
  check(own: string): void {
    if (!this.#isOpen || this.#isBusy || this.#cancel !== undefined) return;
    if (this.#expired().length > 0) this.#reapLater(own, this.#turnOf(own) * turnMs);
  }

  /** Deletes revoked sets that their own clients have not deleted. Never rejects. */
  async reap(revoked: readonly LiveSet[]): Promise<void> {
    try {
      for (const live of revoked) await this.#reap([live], false);
    } catch {
      // Their own clients delete them when they reach etcd, or the reaper of an expired session.
    }
  }

  /**
   * Deletes the keys of capacities that no set relies on any more, if this client has come first.
   * Never rejects: what stays is deleted at a later heartbeat.
   */
  async dropCapacities(own: string): Promise<void> {
    const { replica } = this.#log;
    const { capacities } = replica.state;
    if (!this.#isOpen || replica.chainRevision === 0 || this.#turnOf(own) > 0) return;
    const unused = [...capacities.unused(replica.sessions)].slice(0, droppedMax);
    if (unused.length === 0) return;
    // No set has come that relies on one of them.
    const compares = [changedAt(this.#keys.chain, replica.chainRevision)];
    const operations: Operation[] = [];
    for (const [id] of unused) {
      operations.push(deleteOf(this.#keys.capacity(id)));
      if (capacities.numbersRevision(id) > 0) operations.push(deleteOf(this.#keys.numbersOf(id)));
    }
    await this.#send(compares, linked(this.#keys, operations)).catch(() => undefined);
  }

  close(): void {
    this.#isOpen = false;
    this.#cancel?.();
  }

  #reapLater(own: string, delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#cancel = undefined;
      void this.#reapExpired(own);
    });
  }

  async #reapExpired(own: string): Promise<void> {
    this.#isBusy = true;
    let hasFailed = false;
    try {
      // A session that is known to have expired did so before this call, so all that it was ever
      // granted has been: a grant that the watch has left out would be reaped without its flag.
      await this.#log.reach(callMsMax);
      while (this.#isOpen && this.#expired().length > 0) {
        await this.#reapAll(this.#expired());
        await this.#log.reach(callMsMax);
      }
    } catch {
      // Etcd is out of reach: a client that reaches it reaps, or this one later.
      hasFailed = true;
    }
    this.#isBusy = false;
    if (hasFailed && this.#isOpen) this.#reapLater(own, retryMs);
    else this.check(own);
  }

  /** @throws the error of any part; a lack of space for one part does not stop the others. */
  async #reapAll(expired: readonly LiveSet[]): Promise<void> {
    let refusal: unknown;
    for (const some of inParts(this.#keys, expired, this.#log.replica.state)) {
      try {
        await this.#reap(some, true);
      } catch (error) {
        if (!isOutOfSpace(error)) throw error;
        refusal = error;
      }
    }
    if (refusal !== undefined) throw refusal;
  }

  async #reap(sets: readonly LiveSet[], areExpired: boolean): Promise<void> {
    try {
      await this.#reapWhole(sets, areExpired, linked);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      // What needs a flag stays, so that the next holder is warned; all else needs no space.
      const unflagged = sets.filter(
        (live) => removalOf(this.#keys, live, this.#log.replica.state).length === 1,
      );
      if (unflagged.length > 0) await this.#reapWhole(unflagged, areExpired, uncounted);
      if (unflagged.length < sets.length) throw error;
    }
  }

  async #reapWhole(
    sets: readonly LiveSet[],
    areExpired: boolean,
    asTransaction: typeof linked | typeof uncounted,
  ): Promise<void> {
    const compares: Compare[] = [];
    const operations: Operation[] = [];
    for (const session of areExpired ? new Set(sets.map((live) => live.session)) : []) {
      compares.push(createdAt(this.#keys.session(session), 0));
    }
    for (const live of sets) {
      const there = changedAt(live.key, live.modRevision);
      compares.push(there);
      const removal = removalOf(this.#keys, live, this.#log.replica.state);
      const isLarge = inTransactions(removal).length > 1;
      if (isLarge) await this.#flagFirst(live, there);
      operations.push(...(isLarge ? removal.slice(-1) : removal));
    }
    await this.#send(compares, asTransaction(this.#keys, operations));
  }

  async #send(compare: readonly Compare[], success: readonly Operation[]): Promise<void> {
    const options = { failsWithoutSpace: true };
    await this.#connection.call('/v3/kv/txn', { compare, success }, callMsMax, options);
  }

  /** More than one transaction can do: nobody is granted any of it while the set is there. */
  async #flagFirst(live: LiveSet, there: Compare): Promise<void> {
    const flags = removalOf(this.#keys, live, this.#log.replica.state).slice(0, -1);
    for (const some of inTransactions(flags)) await this.#send([there], linked(this.#keys, some));
  }

  #expired(): readonly LiveSet[] {
    const { replica } = this.#log;
    return [...replica.sets.values()].filter((live) => replica.isExpired(live));
  }

  /** How many clients have come before this one. */
  #turnOf(own: string): number {
    const { sessions } = this.#log.replica;
    const createRevision = sessions.get(own)?.createRevision ?? Number.POSITIVE_INFINITY;
    let turn = 0;
    for (const session of sessions.values()) if (session.createRevision < createRevision) turn++;
    return Math.min(turn, turnsMax);
  }
}

/** The removals of each part fit into one transaction, but for single sets that are larger. */
function inParts(
  keys: Keys,
  sets: readonly LiveSet[],
  state: DerivedState,
): readonly (readonly LiveSet[])[] {
  const parts: LiveSet[][] = [];
  let [count, byteCount] = [operationsMax, 0];
  for (const live of sets) {
    const removal = removalOf(keys, live, state);
    const more = 2 + removal.length;
    const moreBytes = byteCountOfAll(removal);
    if (count + more > operationsMax || byteCount + moreBytes > bytesMax) {
      parts.push([]);
      [count, byteCount] = [0, 0];
    }
    count += more;
    byteCount += moreBytes;
    parts.at(-1)?.push(live);
  }
  return parts;
}
