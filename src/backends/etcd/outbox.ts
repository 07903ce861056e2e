/**
 * The changes of this client's own sets that etcd does not have yet, in the order of the calls.
 *
 * One transaction is under way at a time; changes that come up meanwhile form the next one. So the
 * order of calls is kept, and a busy client sends many changes at once.
 *
 * A transaction may arrive more than once, late, or without its answer coming back. It compares
 * that the session lives, that the sets which it creates are not there, and that the sets which it
 * changes are as they were: so it does its work once. If a compare fails, the transaction reads the
 * keys instead, and the next one is made from those. A late transaction may create a set again that
 * has ended meanwhile: its client then sees an orphan in the log, and deletes it
 * ({@link Outbox.deleteOrphan}).
 *
 * Without space etcd takes deletions only: then sets that end go first, by transactions of their
 * own, and all other changes wait. That alters no outcome, as no other client has seen them.
 */

import { LimitError, UnavailableError } from '../../api/errors.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import { queueRealMicrotask } from '../../runtime/real-time.ts';
import { Batch, linked, uncounted, type Victims } from './batch.ts';
import { createdAt, type Found, prefixRange, rangeOf, toBase64, txnIn } from './calls.ts';
import type { EtcdConnection } from './connection.ts';
import type { Keys } from './keys.ts';
import type { EtcdLease } from './lease.ts';
import type { LiveSet } from './live-set.ts';
import type { Log } from './log.ts';
import { OwnSet } from './own-set.ts';
import { isOutOfSpace } from './refusal.ts';
import type { Replica } from './replica.ts';
import {
  type Needs,
  needsOfArrival,
  needsOfRecord,
  needsOfUpgrade,
  type RecordedNumbers,
} from './units.ts';

/** Time limit of one transaction, ms; after it the changes are requeued. */
const callMsMax = 5000;
const pauseMs = 50;
/** Pause, ms, after which puts are tried again where etcd had no space for them. */
const spacePauseMs = 500;
/** Attempts to revoke grants in the transaction of the stealing request itself. */
const stealsMax = 5;

export interface OutboxTerms {
  readonly connection: EtcdConnection;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly session: Pick<EtcdLease, 'id' | 'createRevision'>;
  readonly log: Log;
  /** Etcd does not take the set: it is too large. */
  readonly onRefused: (own: OwnSet, error: LimitError) => void;
  /** Another client has deleted it, and the log, which was read anew since, does not show that. */
  readonly onMissed: (own: OwnSet) => void;
  /** The units that a new set takes are not there any more: it is not put. */
  readonly onUnfit: (own: OwnSet) => void;
  /** The session can send nothing any more. */
  readonly onFailed: (why: string) => void;
}

export class Outbox {
  readonly #terms: OutboxTerms;
  /** Sets with changes to send. */
  readonly #dirty = new Set<OwnSet>();
  /** Called when no change is left. */
  readonly #idle: (() => void)[] = [];
  #isBusy = false;
  #isOpen = true;
  /** Etcd had no space for the last transaction with a put in it. */
  #isOutOfSpace = false;
  #endPause: () => void = () => undefined;
  /** The last transaction that has recorded numbers of units. */
  #recordRevision = 0;

  constructor(terms: OutboxTerms) {
    this.#terms = terms;
  }

  /** Sends the changes of a set; resolves when etcd has them, or they do not matter any more. */
  update(own: OwnSet): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    this.#dirty.add(own);
    if (own.isEnding) this.#endPause();
    if (!this.#isBusy) {
      this.#isBusy = true;
      // The changes of one call of the user's go in one transaction.
      queueRealMicrotask(() => void this.#work());
    }
    return new Promise((resolve) => own.waiting.push(resolve));
  }

  /** Takes all units of resources of a granted set, if no other set may hold any of them. */
  upgrade(own: OwnSet, refs: readonly RemoteRef[]): Promise<'done' | 'blocked' | 'again'> {
    return new Promise((end) => {
      own.endUpgrade('again');
      own.upgrade = { refs, end };
      if (!this.#isOpen || own.isEnding || own.isDeleted) own.endUpgrade('blocked');
      else void this.update(own);
    });
  }

  /** Another client has deleted it. */
  forget(own: OwnSet): void {
    own.isDeleted = true;
    this.#dirty.delete(own);
    own.resolveWaiters();
    own.endUpgrade('blocked');
  }

  /** Whether another client has deleted it before this one's copy of the state was read anew. */
  isMissed({ key, modRevision, isEnding, isDeleted }: OwnSet): boolean {
    const { replica } = this.#terms.log;
    if (isEnding || isDeleted || modRevision === 0) return false;
    return modRevision <= replica.resetRevision && !replica.sets.has(key);
  }

  /** Deletes a set of this session that no request has. */
  deleteOrphan({ key, number, entry, modRevision }: LiveSet): void {
    const own = new OwnSet(key, number, entry);
    own.isSent = true;
    own.modRevision = modRevision;
    own.isEnding = true;
    void this.update(own);
  }

  /** Resolves when etcd has all changes made before. */
  flushed(): Promise<void> {
    if (!this.#isBusy || !this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Sends nothing any more; every promise of `update` and `flushed` resolves. */
  close(): void {
    this.#isOpen = false;
    this.#endPause();
    for (const own of this.#dirty) {
      own.resolveWaiters();
      own.endUpgrade('blocked');
    }
    this.#dirty.clear();
    this.#resolveIdle();
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
    this.#resolveIdle();
  }

  /** Sends the ends that need deletions only, if any; retries puts after a pause. */
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
    const { keys, session, log } = this.#terms;
    const batch = new Batch(keys);
    const recorded: RecordedNumbers = new Map();
    for (const own of [...this.#dirty]) {
      const needs = own.isDue ? this.#needsOf(own, recorded) : undefined;
      // Until its copy has the record, nothing else is put: the next step brings it up again.
      const isUnknown = own.hasSentRecord && needs === undefined && !own.isEnding;
      if (
        own.isDue &&
        !isUnknown &&
        !batch.add(own, this.#victims(own, log.replica, session.id), needs)
      )
        break;
      this.#dirty.delete(own);
      if (!own.isDue) own.resolveWaiters();
      if (batch.isFull) break;
    }
    return batch;
  }

  /** For its units. What cannot be done now is not due any more. */
  #needsOf(own: OwnSet, recorded: RecordedNumbers): Needs | undefined {
    const { keys, session, log, onUnfit } = this.#terms;
    const { replica } = log;
    if (own.isEnding) own.endUpgrade('blocked');
    if (own.isEnding || own.isDeleted) return undefined;
    if (own.modRevision === 0) {
      const needs = needsOfArrival(replica, keys, own.entry, session.id);
      if (needs !== 'unfit') return needs;
      own.isDeleted = true;
      onUnfit(own);
      return undefined;
    }
    const live = replica.sets.get(own.key);
    const isPresent = live !== undefined && live.modRevision === own.modRevision;
    if (own.hasSentRecord && isPresent) own.noteRecord(live.entry);
    if (own.isRecording) {
      // Numbers that this client has recorded last may not be in the copy yet.
      const isKnown = isPresent && replica.revision >= this.#recordRevision;
      own.isRecording = false;
      if (!isKnown) return undefined;
      const needs = needsOfRecord(replica, keys, live, recorded);
      own.isRecording = needs !== undefined;
      return needs;
    }
    if (own.upgrade === undefined) return undefined;
    if (!isPresent || own.entry !== own.written) {
      own.endUpgrade('again');
      return undefined;
    }
    const needs = needsOfUpgrade(replica, keys, live, own.upgrade.refs);
    if (needs === undefined) own.endUpgrade('blocked');
    return needs;
  }

  /** The grants to revoke; undefined if the copy has proved wrong too often. */
  #victims(own: OwnSet, replica: Replica, session: string): Victims | undefined {
    if (own.entry.steal !== true || own.stealCount >= stealsMax) return undefined;
    own.stealCount++;
    const inTheWay = [...replica.state.inTheWay(own.entry.parts, session)];
    const sets = inTheWay.filter(({ isGranted }) => isGranted);
    return { sets, state: replica.state, chainRevision: replica.chainRevision };
  }

  async #send(batch: Batch): Promise<void> {
    const { connection, keys, session, clock, onFailed } = this.#terms;
    const sessionKey = keys.session(session.id);
    const operations = this.#isOutOfSpace
      ? uncounted(keys, batch.operations)
      : linked(keys, batch.operations);
    const here = [{ key: toBase64(sessionKey) }, prefixRange(keys.setsOf(session.id))];
    const txn = {
      compare: [createdAt(sessionKey, session.createRevision), ...batch.compares],
      success: operations,
      failure: here.map(rangeOf),
    };
    try {
      const { succeeded, revision, ranges } = txnIn(
        await connection.call('/v3/kv/txn', txn, callMsMax, { failsWithoutSpace: true }),
      );
      if (!this.#isOpen) this.#drop(batch);
      else if (succeeded) this.#done(batch, revision);
      else await this.#reconcile(batch, ranges);
    } catch (error) {
      if (!this.#isOpen) {
        this.#drop(batch);
      } else if (isOutOfSpace(error) && !this.#isOutOfSpace) {
        this.#isOutOfSpace = true;
        this.#requeue(batch);
      } else if (error instanceof UnavailableError || isOutOfSpace(error)) {
        this.#isOutOfSpace = false;
        this.#requeue(batch);
        await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      } else if (error instanceof LimitError) {
        this.#tooLarge(batch, error);
      } else {
        this.#drop(batch);
        onFailed(`etcd refuses a transaction: ${error}`);
      }
    }
  }

  #done({ steps }: Batch, revision: number): void {
    for (const { own, flags, put, isDelete, changed } of steps) {
      for (const [name, isSet] of flags) if (own.flags.get(name) === isSet) own.flags.delete(name);
      if (put !== undefined) {
        own.written = put;
        own.modRevision = revision;
      }
      if (put !== undefined && changed !== undefined) {
        const isSame = own.entry === changed;
        if (isSame) own.entry = put;
        if (own.isRecording) this.#recordRevision = revision;
        own.isRecording = false;
        own.hasSentRecord = false;
        own.endUpgrade(isSame ? 'done' : 'again');
      }
      if (isDelete) own.isSent = false;
      if (put !== undefined && this.isMissed(own)) this.#terms.onMissed(own);
      if (own.isDue) this.#dirty.add(own);
      else own.resolveWaiters();
    }
  }

  /** A compare has failed, perhaps as this transaction has arrived before. */
  async #reconcile(batch: Batch, ranges: readonly Found[]): Promise<void> {
    const { session, log, onFailed, onMissed } = this.#terms;
    const over: OwnSet[] = [];
    const [key, found] = ranges;
    if (key?.items[0]?.createRevision !== session.createRevision) {
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
    for (const { own } of batch.steps) {
      if (own.upgrade === undefined) continue;
      // It may be exclusive there, by a call that was not answered.
      own.written = undefined;
      own.endUpgrade('again');
    }
    this.#requeue(batch);
    // The grants to revoke, the units and the flags are read from the replica.
    const isKnown = await log.reach(callMsMax).then(
      () => true,
      () => false,
    );
    // A set that another client has deleted: the log reports that, unless it was read anew since.
    // If it is out of reach, this is repeated.
    for (const own of isKnown ? over : []) {
      if (own.isDeleted || !own.isSent || log.replica.sets.has(own.key)) continue;
      if (own.isEnding) own.isDeleted = true;
      else onMissed(own);
    }
  }

  #tooLarge(batch: Batch, error: LimitError): void {
    const [first] = batch.steps;
    if (batch.steps.length > 1) {
      for (const { own } of batch.steps) own.isAlone = true;
      this.#requeue(batch);
    } else if (first !== undefined) {
      const { own } = first;
      own.endUpgrade('blocked');
      if (own.modRevision === 0) {
        own.isSent = false;
        this.#terms.onRefused(own, error);
      } else if (own.isRecording) {
        own.isEnding = true;
        this.#dirty.add(own);
        this.#terms.onRefused(own, error);
      } else {
        // Etcd has it, and goes on to have it as it is: others wait for more than they must, until
        // it is updated by less, or ends.
        own.written ??= own.entry;
        own.entry = own.written;
      }
      own.resolveWaiters();
    }
  }

  /** Puts the changes before all that have come up since. */
  #requeue({ steps }: Batch): void {
    const later = [...this.#dirty];
    this.#dirty.clear();
    for (const own of [...steps.map((step) => step.own), ...later]) this.#dirty.add(own);
  }

  #drop({ steps }: Batch): void {
    for (const { own } of steps) {
      own.resolveWaiters();
      own.endUpgrade('blocked');
    }
  }

  #resolveIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
