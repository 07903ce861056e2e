/**
 * The log of a domain, as etcd tells of it: first all keys as they are at one revision, then what
 * each later revision changes, in order, none left out.
 *
 * The watch is opened first, from now on, and then the keys are read, at a revision that is no
 * earlier; what the watch tells up to that one is passed over. So no revision falls between, and
 * the watch never begins in the past, where etcd would serve it every 100 ms only. When it ends,
 * for whatever reason (compaction is one), it is opened anew in the same way: no past is needed.
 *
 * A watch that is silent may be one that has lost something. So whoever asks for what is there
 * ({@link Log.reach}) has the watch opened anew, at another member, if it does not get there; and
 * so too if it has got there, and has left something out on the way.
 */

import { LimitError, ProtocolError, UnavailableError } from '../../domain/errors.ts';
import type { Clock } from '../../event-loop/clock.ts';
import {
  eventIn,
  type Json,
  type LogEvent,
  listIn,
  prefixRange,
  rangeIn,
  rangeOf,
  toBase64,
  txnIn,
} from './calls.ts';
import { type EtcdConnection, isCompacted, type Stream } from './connection.ts';
import type { Keys } from './keys.ts';
import type { News, Replica } from './replica.ts';

/** For so long, in ms, a watch may be behind what is known to be there. */
const lateMsMax = 3000;
/** For so long, in ms, one attempt to follow the log may take. */
const syncMsMax = 10_000;
/** Between two attempts, in ms. */
const pauseMs = 100;

export interface LogReader {
  /** A step has been made; the replica is as it says. */
  onStep(news: News): void;
  /** The log is there, and cannot be read. It is not followed any more. */
  onUnreadable(error: unknown): void;
}

/** What is there, as etcd tells it. */
interface Look {
  readonly revision: number;
  /** Of all keys. */
  readonly count: number;
  /** Of the key that was changed last. */
  readonly revisionLast: number;
  /** Of the last transaction that the chain counts. */
  readonly chainRevision: number;
  /** Of all keys, at another revision. */
  readonly countHere: number | undefined;
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
  #stream: Stream | undefined;
  #endStream: (reason: unknown) => void = () => undefined;
  #isOpen = true;
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
      cancel = this.#clock.after(syncMsMax, () => {
        this.close();
        const why = `etcd has not told its keys within ${syncMsMax} ms`;
        reject(new UnavailableError(`${why}: ${this.#reason ?? 'no answer'}`));
      });
    });
    await Promise.race([isComplete, isLate]).finally(() => cancel());
  }

  close(): void {
    this.#isOpen = false;
    this.#stream?.close();
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /**
   * Resolves when the replica has all that was there when this was called, and all keys are read
   * anew if the watch has left something out: a transaction, or the end of a session, which no
   * transaction tells of.
   *
   * @throws UnavailableError
   */
  async reach(limitMs: number): Promise<void> {
    const { replica } = this;
    const { revision: revisionHere, size } = replica;
    const found = await this.#look(limitMs, revisionHere);
    const { revision, count, revisionLast, chainRevision, countHere = size } = found;
    await this.#until(() => replica.revision >= revision || replica.isAt(count, revisionLast));
    const isComplete = replica.chainRevision >= chainRevision && countHere === size;
    if (!isComplete) await this.#readAnew(revision);
  }

  /** What is there, and how many keys there were at that revision, unless that is forgotten. */
  async #look(limitMs: number, revisionHere: number): Promise<Look> {
    const { prefix, chain } = this.#keys;
    const all = prefixRange(prefix);
    const latest = { ...all, sort_target: 'MOD', sort_order: 'DESCEND', limit: 1 };
    const wanted: Json[] = [{ key: toBase64(chain) }, latest];
    if (revisionHere > 0) wanted.push({ ...all, revision: revisionHere, count_only: true });
    try {
      const { revision, ranges } = txnIn(
        await this.#connection.call('/v3/kv/txn', { success: wanted.map(rangeOf) }, limitMs),
      );
      const [link, last, here] = ranges;
      return {
        revision,
        count: last?.count ?? 0,
        revisionLast: last?.items[0]?.modRevision ?? 0,
        chainRevision: link?.items[0]?.modRevision ?? 0,
        countHere: here?.count,
      };
    } catch (error) {
      if (!isCompacted(error)) throw error;
      return await this.#look(limitMs, 0);
    }
  }

  /** The watch has left out something that was there at that revision: all keys tell of it. */
  async #readAnew(revision: number): Promise<void> {
    const { replica } = this;
    if (replica.resetRevision >= revision) return;
    this.#endStream(new Error('the watch has left something out'));
    await this.#until(() => replica.resetRevision >= revision);
  }

  /** Resolves when the replica has what a revision has done that is known to have changed a key. */
  async reachRevision(revision: number): Promise<void> {
    await this.#until(() => this.replica.revision >= revision);
  }

  #until(isThere: () => boolean): Promise<void> {
    if (isThere() || !this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const late = (): void => {
        // Something is lost, or the member is frozen or cut off.
        this.#connection.distrust();
        this.#endStream(new Error('the watch is late'));
        cancel = this.#clock.after(lateMsMax + syncMsMax, late);
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
    /** What is told before the keys have been read. */
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
        const told = (result ?? {}) as Json;
        if (told['canceled'] === true) end(new Error('etcd has cancelled the watch'));
        else if (told['created'] === true) created();
        else if (early !== undefined) early.push(told);
        else this.#hearOr(end, told);
      },
      onEnd: end,
    });
    this.#stream = stream;
    const cancel = this.#clock.after(syncMsMax, () => end(new Error('etcd opens no watch')));
    try {
      await Promise.race([isCreated, isEnded]);
      const range = prefixRange(this.#keys.prefix);
      const call = this.#connection.call('/v3/kv/range', range, syncMsMax);
      const { items, revision } = rangeIn(await Promise.race([call, isEnded]));
      cancel();
      this.#step(() => this.replica.reset(items, revision));
      const told = early;
      early = undefined;
      for (const result of told) this.#hear(result);
      return await isEnded;
    } finally {
      cancel();
      stream.close();
    }
  }

  #hearOr(end: (reason: unknown) => void, result: Json): void {
    try {
      this.#hear(result);
    } catch (error) {
      end(error);
    }
  }

  /**
   * One message may tell of several revisions, and tells of each as a whole.
   *
   * @throws ProtocolError and others for what cannot be read; nothing of it has been told then.
   */
  #hear(result: Json): void {
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

  #step(make: () => News): void {
    const news = make();
    this.#reader.onStep(news);
    for (const waiter of [...this.#waiters]) if (waiter.isThere()) waiter.resolve();
  }
}
