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
  type Found,
  type Json,
  type LogEvent,
  listIn,
  prefixRange,
  rangeIn,
  rangeOf,
  toBase64,
  txnIn,
} from './calls.ts';
import type { EtcdConnection, Stream } from './connection.ts';
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
   * Resolves when the replica has all that was there when this was called: sets and marks for
   * certain, and of sessions, whose ends nothing counts, all that the watch has told.
   *
   * @throws UnavailableError
   */
  async reach(limitMs: number): Promise<void> {
    await this.#reach(limitMs, []);
  }

  /** As {@link reach}, and the ends of sessions for certain, too. @throws UnavailableError */
  async reachAll(limitMs: number): Promise<void> {
    const { sessions } = this.#keys;
    const { replica } = this;
    const [found, revision] = await this.#reach(limitMs, [prefixRange(sessions)]);
    const there = new Set(found?.items.map(({ key }) => key.slice(sessions.length)));
    if (replica.hasOver(there, revision)) await this.#readAnew(revision);
  }

  /** Returns what is in `more`, and at which revision. */
  async #reach(limitMs: number, more: readonly Json[]): Promise<[Found | undefined, number]> {
    const { prefix, chain } = this.#keys;
    const latestFirst = { sort_target: 'MOD', sort_order: 'DESCEND', limit: 1 };
    const wanted = [{ key: toBase64(chain) }, { ...prefixRange(prefix), ...latestFirst }, ...more];
    const { revision, ranges } = txnIn(
      await this.#connection.call('/v3/kv/txn', { success: wanted.map(rangeOf) }, limitMs),
    );
    const { replica } = this;
    const [link, all, rest] = ranges;
    const count = all?.count ?? 0;
    const revisionLast = all?.items[0]?.modRevision ?? 0;
    await this.#until(() => replica.revision >= revision || replica.isAt(count, revisionLast));
    const chainRevision = link?.items[0]?.modRevision ?? 0;
    if (replica.chainRevision < chainRevision) await this.#readAnew(revision);
    return [rest, revision];
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
