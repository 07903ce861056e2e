/**
 * The log of a domain: first all keys as they are at one revision, then the changes of each later
 * revision, in order, none left out.
 *
 * The watch is opened first, from now on, and then the keys are read, at a revision that is no
 * earlier; messages of the watch up to that revision are ignored. So no revision falls between, and
 * the watch never begins in the past, where etcd would serve it every 100 ms only. When it ends,
 * for whatever reason (compaction is one), it is opened anew in the same way: no past is needed.
 *
 * A silent watch may have lost a message. So a caller that needs the present state
 * ({@link Log.reach}) has the watch opened anew, at another member, if the copy does not get there,
 * and also if the copy has got there with something left out on the way.
 */

import { LimitError, ProtocolError, UnavailableError } from '../../api/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  eventIn,
  type Json,
  type KeyValue,
  type LogEvent,
  listIn,
  prefixRange,
  type RangeResult,
  rangeIn,
  rangeOf,
  toBase64,
  txnIn,
} from './calls.ts';
import type { EtcdConnection, Stream } from './connection.ts';
import type { Keys } from './keys.ts';
import type { Replica, ReplicaDelta } from './replica.ts';

/** Time, ms, by which a watch may be behind a revision that is known to exist. */
const lateMsMax = 3000;
/** Time limit, ms, of the opening of a watch. */
const syncMsMax = 10_000;
/** Time limit of one page of keys, ms, from the last answer of its member to any call. */
const readMsMax = 30_000;
/** Keys in one answer, so that each comes in time, however many there are. */
const pageSize = 2000;
/** Pause between two attempts, ms. */
const pauseMs = 100;

export interface LogReader {
  /** The replica has made a step. */
  onStep(delta: ReplicaDelta): void;
  /** The log cannot be read, and is not followed any more. */
  onUnreadable(error: unknown): void;
}

/** The domain at one revision, as far as a copy is compared with it. */
interface Probe {
  readonly revision: number;
  /** Of the last transaction that the chain counts; 0 if there is no chain. */
  readonly chainRevision: number;
  readonly sessionCount: number;
}

/** Sessions that the copy has seen end while a probe was under way. */
interface SessionEnds {
  readonly revision: number;
  readonly count: number;
}

interface Waiter {
  isThere(): boolean;
  resolve(): void;
}

export class Log {
  readonly replica: Replica;
  readonly #connection: EtcdConnection;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #reader: LogReader;
  readonly #waiters = new Set<Waiter>();
  /** For each probe that is under way. */
  readonly #endsDuringProbes = new Set<SessionEnds[]>();
  #stream: Stream | undefined;
  #endStream: (reason: unknown) => void = () => undefined;
  #isOpen = true;
  /** Counts the messages received: while it grows, the watch is not late. */
  #progress = 0;
  /** `beginning`, and while keys are read, calls have limits of their own. */
  #state: 'beginning' | 'reading' | 'following' = 'beginning';
  /** Why it could not be followed. */
  #reason: unknown;

  constructor(
    replica: Replica,
    connection: EtcdConnection,
    keys: Keys,
    clock: Clock,
    reader: LogReader,
  ) {
    this.replica = replica;
    this.#connection = connection;
    this.#keys = keys;
    this.#clock = clock;
    this.#reader = reader;
  }

  /** Begins to follow; resolves when the replica is complete. @throws UnavailableError */
  async open(): Promise<void> {
    const isComplete = this.#until(() => this.replica.revision > 0);
    void this.#follow();
    let cancel: () => void = () => undefined;
    const isLate = new Promise<never>((_, reject) => {
      const watchProgress = (before: number): void => {
        cancel = this.#clock.after(syncMsMax, () => {
          if (this.#progress > before || this.#state === 'reading') {
            watchProgress(this.#progress);
            return;
          }
          const why = `etcd has not reported its keys within ${syncMsMax} ms`;
          reject(new UnavailableError(`${why}: ${this.#reason ?? 'no answer'}`));
          this.close();
        });
      };
      watchProgress(this.#progress);
    });
    await Promise.race([isLate, isComplete]).finally(() => cancel());
  }

  close(): void {
    this.#isOpen = false;
    this.#stream?.close();
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /**
   * Resolves when the replica has all that was there when this was called; all keys are read again
   * if the watch has left something out: a transaction, or the end of a session, which no
   * transaction reports. The cost for etcd does not depend on the number of sets: what puts or
   * deletes a set changes the chain, so one key and the number of sessions are enough to compare.
   *
   * @throws UnavailableError
   */
  async reach(limitMs: number): Promise<void> {
    const { replica } = this;
    const ends: SessionEnds[] = [];
    this.#endsDuringProbes.add(ends);
    try {
      const { revision, chainRevision, sessionCount } = await this.#probe(limitMs);
      if (chainRevision === 0) {
        await this.#reachUncounted(limitMs);
        return;
      }
      const hasSessions = (): boolean =>
        replica.sessionCountAt(revision) + countAfter(ends, revision) === sessionCount;
      await this.#until(
        () => replica.revision >= revision || (replica.revision >= chainRevision && hasSessions()),
      );
      const isComplete = replica.chainRevision >= chainRevision && hasSessions();
      if (!isComplete) await this.#reread(revision);
    } finally {
      this.#endsDuringProbes.delete(ends);
    }
  }

  async #probe(limitMs: number): Promise<Probe> {
    const { chain, sessions } = this.#keys;
    const wanted = [{ key: toBase64(chain) }, { ...prefixRange(sessions), count_only: true }];
    const { revision, ranges } = txnIn(
      await this.#connection.call('/v3/kv/txn', { success: wanted.map(rangeOf) }, limitMs),
    );
    const [link, clients] = ranges;
    return {
      revision,
      chainRevision: link?.items[0]?.modRevision ?? 0,
      sessionCount: clients?.count ?? 0,
    };
  }

  /**
   * There is no chain while etcd has no space, and takes nothing but deletions: then as many keys
   * are the same keys. etcd counts them all for this.
   */
  async #reachUncounted(limitMs: number): Promise<void> {
    const { replica } = this;
    const range = { ...prefixRange(this.#keys.prefix), count_only: true };
    const { revision, count } = rangeIn(
      await this.#connection.call('/v3/kv/range', range, limitMs),
    );
    await this.#until(() => replica.revision >= revision || replica.size === count);
    if (replica.size !== count) await this.#reread(revision);
  }

  /** The watch has left out something of that revision: reads all keys again. */
  async #reread(revision: number): Promise<void> {
    const { replica } = this;
    if (replica.resetRevision >= revision) return;
    this.#endStream(new Error('the watch has left something out'));
    await this.#until(() => replica.resetRevision >= revision);
  }

  /** Resolves when the replica has a revision that is known to have changed a key. */
  async reachRevision(revision: number): Promise<void> {
    await this.#until(() => this.replica.revision >= revision);
  }

  #until(isThere: () => boolean): Promise<void> {
    if (isThere() || !this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      let before = this.#progress;
      const late = (): void => {
        let delayMs = lateMsMax;
        if (this.#progress === before && this.#state === 'following') {
          // Something is lost, or the member is frozen or cut off.
          this.#connection.distrust();
          this.#endStream(new Error('the watch is late'));
          delayMs += syncMsMax;
        }
        before = this.#progress;
        cancel = this.#clock.after(delayMs, late);
      };
      let cancel = this.#clock.after(lateMsMax, late);
      const waiter: Waiter = {
        isThere,
        resolve: () => {
          cancel();
          this.#waiters.delete(waiter);
          resolve();
        },
      };
      this.#waiters.add(waiter);
    });
  }

  async #follow(): Promise<void> {
    while (this.#isOpen) {
      try {
        await this.#followOnce();
      } catch (error) {
        if (!this.#isOpen) return;
        this.#reason = error;
        if (error instanceof ProtocolError || error instanceof LimitError) {
          this.close();
          this.#reader.onUnreadable(error);
          return;
        }
        await new Promise<void>((resolve) => void this.#clock.after(pauseMs, resolve));
      }
    }
  }

  /** Throws when the watch has ended. */
  async #followOnce(): Promise<never> {
    /** Messages that come before the keys have been read. */
    let early: Json[] | undefined = [];
    let created: () => void = () => undefined;
    const isCreated = new Promise<void>((resolve) => {
      created = resolve;
    });
    const isEnded = new Promise<never>((_, reject) => {
      this.#endStream = reject;
    });
    isEnded.catch(() => undefined);
    const body = { create_request: prefixRange(this.#keys.prefix) };
    const end = this.#endStream;
    const stream = this.#connection.stream('/v3/watch', body, {
      onMessage: ({ result }) => {
        const body = (result ?? {}) as Json;
        if (body['canceled'] === true) end(new Error('etcd has cancelled the watch'));
        else if (body['created'] === true) created();
        else if (early !== undefined) early.push(body);
        else this.#receiveOr(end, body);
      },
      onEnd: end,
    });
    this.#stream = stream;
    const cancel = this.#clock.after(syncMsMax, () => end(new Error('etcd opens no watch')));
    try {
      await Promise.race([isCreated, isEnded]);
      cancel();
      this.#state = 'reading';
      const { items, revision } = await Promise.race([this.#readAll(), isEnded]);
      this.#step(() => this.replica.reset(items, revision));
      this.#state = 'following';
      const waiting = early;
      early = undefined;
      for (const result of waiting) this.#receive(result);
      return await isEnded;
    } finally {
      cancel();
      this.#state = 'beginning';
      stream.close();
    }
  }

  /** All keys, as they are at one revision. */
  async #readAll(): Promise<RangeResult> {
    const { prefix } = this.#keys;
    const items: KeyValue[] = [];
    // Many clients that come at once keep a member busy: no page is given up and read again.
    const options = { attemptMs: readMsMax, fromLastAnswer: true };
    const range: Json = { ...prefixRange(prefix), limit: pageSize };
    for (let page: Json = range; ; ) {
      const found = rangeIn(await this.#connection.call('/v3/kv/range', page, readMsMax, options));
      this.#progress++;
      items.push(...found.items);
      const revision = Number(page['revision'] ?? found.revision);
      const last = found.items.at(-1);
      if (found.items.length < pageSize || last === undefined || !this.#isOpen) {
        return { revision, count: items.length, items };
      }
      page = { ...range, key: toBase64(`${last.key}\0`), revision };
    }
  }

  #receiveOr(end: (reason: unknown) => void, result: Json): void {
    try {
      this.#receive(result);
    } catch (error) {
      end(error);
    }
  }

  /**
   * One message may have several revisions, and has each as a whole.
   *
   * @throws ProtocolError and others for events that cannot be read; none is reported then.
   */
  #receive(result: Json): void {
    if (!this.#isOpen) return;
    const events = listIn(result, 'events').map(eventIn);
    for (let from = 0; from < events.length; ) {
      const { revision } = events[from] as LogEvent;
      let to = from + 1;
      while (events[to]?.revision === revision) to++;
      const step = events.slice(from, to);
      if (revision > this.replica.revision) this.#step(() => this.replica.apply(revision, step));
      from = to;
    }
  }

  #step(make: () => ReplicaDelta): void {
    const countBefore = this.replica.sessions.size;
    const delta = make();
    this.#progress++;
    // No revision brings a session and ends one: a lease ends by itself.
    const count = countBefore - this.replica.sessions.size;
    const { revision } = this.replica;
    if (count > 0) for (const ends of this.#endsDuringProbes) ends.push({ revision, count });
    this.#reader.onStep(delta);
    for (const waiter of [...this.#waiters]) if (waiter.isThere()) waiter.resolve();
  }
}

/** Of those, how many came after a revision. */
function countAfter(ends: readonly SessionEnds[], revision: number): number {
  return ends.reduce((sum, end) => (end.revision > revision ? sum + end.count : sum), 0);
}
