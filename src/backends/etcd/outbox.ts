/**
 * What this client has to say to etcd about its own sets, in the order in which it came up.
 *
 * One transaction is under way at a time; what comes up meanwhile is the next one. So the order of
 * calls is kept, and a busy client says much at once.
 *
 * Each transaction may be heard more than once, late, or without its answer arriving. It asks that
 * the session lives, that sets which it creates are not there, and that those which it changes are
 * as they were: so it does its work once. One that finds otherwise reads what is there instead, and
 * the next is made from that. What is late and creates a set that has ended meanwhile makes it
 * again: whoever follows the log sees a set that nobody asked for, and has it removed
 * ({@link Outbox.removeStray}).
 *
 * Where etcd has no space, it takes deletions only: then sets that end go first, by transactions of
 * their own, and all else waits. That changes no outcome: nobody else has seen what is waiting.
 */

import { LimitError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { queueRealMicrotask } from '../../runtime/real-time.ts';
import { Batch, linked, uncounted, type Victims } from './batch.ts';
import { createdAt, type Found, prefixRange, rangeOf, toBase64, txnIn } from './calls.ts';
import type { EtcdConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import type { Lease } from './lease.ts';
import type { LiveSet } from './live-set.ts';
import type { Log } from './log.ts';
import { OwnSet } from './own-set.ts';
import { isOutOfSpace } from './refusal.ts';
import type { Replica } from './replica.ts';

/** For so long, in ms, one transaction is tried before what it says is thought over. */
const callMsMax = 5000;
const pauseMs = 50;
/** Pause, ms, after which puts are tried again where etcd had no space for them. */
const spacePauseMs = 500;
/** So often a theft is tried as one transaction. */
const theftsMax = 5;

export interface OutboxTerms {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly lease: Lease;
  readonly log: Log;
  /** Etcd does not take it, whatever is done. */
  readonly onRefused: (own: OwnSet, error: LimitError) => void;
  /** Another client has deleted it, and the log, which was read anew since, does not show that. */
  readonly onMissed: (own: OwnSet) => void;
  /** Nothing can be said any more in this session. */
  readonly onFailed: (why: string) => void;
}

export class Outbox {
  readonly #terms: OutboxTerms;
  /** Those of which something is to be said. */
  readonly #dirty = new Set<OwnSet>();
  /** Told when there is nothing left to say. */
  readonly #idle: (() => void)[] = [];
  #isBusy = false;
  #isOpen = true;
  /** Etcd had no space for the last transaction with a put in it. */
  #isOutOfSpace = false;
  #endPause: () => void = () => undefined;

  constructor(terms: OutboxTerms) {
    this.#terms = terms;
  }

  /** Says what has become of it; resolves when etcd has heard, or it does not matter any more. */
  say(own: OwnSet): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    this.#dirty.add(own);
    if (own.isEnding) this.#endPause();
    if (!this.#isBusy) {
      this.#isBusy = true;
      // What one call of the user's says is said in one go.
      queueRealMicrotask(() => void this.#work());
    }
    return new Promise((resolve) => own.waiting.push(resolve));
  }

  /** It has been deleted by somebody else. */
  forget(own: OwnSet): void {
    own.isGone = true;
    this.#dirty.delete(own);
    own.settle();
  }

  /** Whether another client has deleted it before this one's copy of the state was read anew. */
  isMissed({ key, modRevision, isEnding, isGone }: OwnSet): boolean {
    const { replica } = this.#terms.log;
    if (isEnding || isGone || modRevision === 0) return false;
    return modRevision <= replica.resetRevision && !replica.sets.has(key);
  }

  /** A set of this session's that it does not know of. */
  removeStray({ key, number, entry, modRevision }: LiveSet): void {
    const own = new OwnSet(key, number, entry);
    own.isSent = true;
    own.modRevision = modRevision;
    own.isEnding = true;
    void this.say(own);
  }

  /** Resolves when all that has been said before has been heard. */
  heard(): Promise<void> {
    if (!this.#isBusy || !this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Nothing is said any more, and whoever waits for it goes on. */
  close(): void {
    this.#isOpen = false;
    this.#endPause();
    for (const own of this.#dirty) own.settle();
    this.#dirty.clear();
    this.#settleIdle();
  }

  async #work(): Promise<void> {
    while (this.#isOpen && this.#dirty.size > 0) {
      if (this.#isOutOfSpace) {
        await this.#sendEnds();
        continue;
      }
      const batch = this.#plan();
      if (batch.steps.length > 0) await this.#send(batch);
    }
    this.#isBusy = false;
    this.#settleIdle();
  }

  /** What deletions alone can do, if there is any; puts are tried again after a pause. */
  async #sendEnds(): Promise<void> {
    const batch = new Batch(this.#terms.keys);
    for (const own of this.#dirty) if (own.isDue && batch.addEnd(own)) this.#dirty.delete(own);
    if (batch.steps.length > 0) {
      await this.#send(batch);
      return;
    }
    this.#isOutOfSpace = false;
    await new Promise<void>((resolve) => {
      const cancel = this.#terms.clock.after(spacePauseMs, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }

  #plan(): Batch {
    const { keys, lease, log } = this.#terms;
    const batch = new Batch(keys);
    for (const own of this.#dirty) {
      if (own.isDue && !batch.add(own, this.#victims(own, log.replica, lease.id))) break;
      this.#dirty.delete(own);
      if (!own.isDue) own.settle();
      if (batch.isFull) break;
    }
    return batch;
  }

  /** Undefined if what was known of them has proved wrong again and again. */
  #victims(own: OwnSet, replica: Replica, session: string): Victims | undefined {
    if (own.entry.steal !== true || own.theftCount >= theftsMax) return undefined;
    own.theftCount++;
    const inTheWay = [...replica.fold.inTheWay(own.entry, session)];
    const sets = inTheWay.filter(({ isGranted }) => isGranted);
    return { sets, chainRevision: replica.chainRevision };
  }

  async #send(batch: Batch): Promise<void> {
    const { connection, keys, lease, clock, onFailed } = this.#terms;
    const sessionKey = keys.session(lease.id);
    const operations = this.#isOutOfSpace
      ? uncounted(keys, batch.operations)
      : linked(keys, batch.operations);
    const here = [{ key: toBase64(sessionKey) }, prefixRange(keys.setsOf(lease.id))];
    const txn = {
      compare: [createdAt(sessionKey, lease.createRevision), ...batch.compares],
      success: operations,
      failure: here.map(rangeOf),
    };
    try {
      const { succeeded, revision, ranges } = txnIn(
        await connection.call('/v3/kv/txn', txn, callMsMax, { failsWithoutSpace: true }),
      );
      if (!this.#isOpen) this.#drop(batch);
      else if (succeeded) this.#done(batch, revision);
      else await this.#thinkOver(batch, ranges);
    } catch (error) {
      if (!this.#isOpen) {
        this.#drop(batch);
      } else if (isOutOfSpace(error) && !this.#isOutOfSpace) {
        this.#isOutOfSpace = true;
        this.#sayAgain(batch);
      } else if (error instanceof UnavailableError || isOutOfSpace(error)) {
        this.#isOutOfSpace = false;
        this.#sayAgain(batch);
        await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      } else if (error instanceof LimitError) {
        this.#tooLarge(batch, error);
      } else {
        this.#drop(batch);
        onFailed(`etcd refuses what is said: ${error}`);
      }
    }
  }

  #done({ steps }: Batch, revision: number): void {
    for (const { own, marks, put, isDelete } of steps) {
      for (const [name, isSet] of marks) if (own.marks.get(name) === isSet) own.marks.delete(name);
      if (put !== undefined) {
        own.written = put;
        own.modRevision = revision;
      }
      if (isDelete) own.isSent = false;
      if (put !== undefined && this.isMissed(own)) this.#terms.onMissed(own);
      if (own.isDue) this.#dirty.add(own);
      else own.settle();
    }
  }

  /** Something was not as it was thought to be: perhaps as this has been heard before. */
  async #thinkOver(batch: Batch, ranges: readonly Found[]): Promise<void> {
    const { lease, log, onFailed, onMissed } = this.#terms;
    const over: OwnSet[] = [];
    const [session, found] = ranges;
    if (session?.items[0]?.createRevision !== lease.createRevision) {
      this.#drop(batch);
      onFailed('etcd has ended its session');
      return;
    }
    const there = new Map(found?.items.map((each) => [each.key, each.modRevision]));
    for (const { own } of batch.steps) {
      const modRevision = there.get(own.key) ?? 0;
      if (modRevision === 0 && own.modRevision !== 0) over.push(own);
      else own.modRevision = modRevision;
    }
    this.#sayAgain(batch);
    // Whom a theft robs, and what is marked, is read from the replica.
    const isKnown = await log.reach(callMsMax).then(
      () => true,
      () => false,
    );
    // A set that another client has deleted: the log reports that, unless it was read anew since.
    // If it is out of reach, this is asked again.
    for (const own of isKnown ? over : []) {
      if (own.isGone || !own.isSent || log.replica.sets.has(own.key)) continue;
      if (own.isEnding) own.isGone = true;
      else onMissed(own);
    }
  }

  #tooLarge(batch: Batch, error: LimitError): void {
    const [first] = batch.steps;
    if (batch.steps.length > 1) {
      for (const { own } of batch.steps) own.isAlone = true;
      this.#sayAgain(batch);
    } else if (first !== undefined) {
      first.own.isSent = false;
      first.own.settle();
      this.#terms.onRefused(first.own, error);
    }
  }

  /** Before all that has come up since. */
  #sayAgain({ steps }: Batch): void {
    const later = [...this.#dirty];
    this.#dirty.clear();
    for (const own of [...steps.map((step) => step.own), ...later]) this.#dirty.add(own);
  }

  #drop({ steps }: Batch): void {
    for (const { own } of steps) own.settle();
  }

  #settleIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
