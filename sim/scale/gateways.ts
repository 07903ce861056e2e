/**
 * Gateways: where clients are connected. Together they are the sequencer.
 *
 * A gateway collects its clients' messages, and at the end of each epoch seals it as its batch of
 * the log. Shards report which parts are triggered; once all are, it notifies the client. All of
 * that can be lost: what it knows of its clients' sets is in its part of the log, and shards report
 * again. Clients send again their messages that are not in the log; so each of them has a number
 * for each set, and what is in the log already is not entered twice.
 */

import { Batch, CANCEL, ENTRY_WORDS, EXPIRE, type Log, RELEASE, REQUEST } from './log.ts';

/** Entered now; or there already, and not granted, or granted, as far as is known. */
type RequestState = 'entered' | 'waits' | 'granted';

export class Gateway {
  isUp = true;
  /** Which life it is in: what one has begun, the next one does not end. */
  life = 0;
  /** The last epochs that are sealed, and there for good. */
  sealedLast = -1;
  committedLast = -1;
  open: Batch;
  /** Shards that have not reported yet, in this life, all parts of its clients' sets. */
  readonly unreported = new Set<number>();
  /** By epoch: sealed, and not there for good. */
  readonly sealed = new Map<number, Batch>();

  constructor(shardCount: number) {
    this.open = new Batch(shardCount);
  }
}

/** What gateways know of the sets of their clients. */
export class KnownSets {
  liveCount = 0;
  /** By client: its last set that is in the log, or in the batch that is to go there. */
  readonly #numbers: Int32Array;
  /** Where parts of it are, a bit for each shard; none if it has ended. */
  readonly #shards: Int32Array;
  /** Those of them that have reported their part as triggered. */
  readonly #reported: Int32Array;

  constructor(clientCount: number) {
    this.#numbers = new Int32Array(clientCount);
    this.#shards = new Int32Array(clientCount);
    this.#reported = new Int32Array(clientCount);
  }

  /** A client requests, for the first time or again, the set with that number. */
  request(
    batch: Batch,
    client: number,
    number: number,
    sets: Int32Array,
    first: number,
    count: number,
  ): RequestState {
    if (number <= (this.#numbers[client] as number)) {
      return this.shardsOfGranted(client, number) === 0 ? 'waits' : 'granted';
    }
    // A request for the next set ends those before, even if their release was lost.
    this.end(batch, client, number - 1, false);
    this.#note(client, number, batch.request(client, number, sets, first, count));
    return 'entered';
  }

  /**
   * A client is done with its sets up to that number, or `died`: the one that lives ends, if one
   * does. Its messages on those before may have been lost, and it repeats only the last
   * one. Whether the set was granted must be in the entry: a shard knows of its own part only.
   */
  end(batch: Batch, client: number, numberLast: number, died: boolean): void {
    const number = this.#numbers[client] as number;
    const shards = this.#shards[client] as number;
    if (shards === 0 || number > numberLast) return;
    const endOfGrant = died ? EXPIRE : RELEASE;
    batch.end(this.#isWhole(client) ? endOfGrant : CANCEL, client, number, shards);
    this.#note(client, number, 0);
  }

  /** A shard's part is triggered; true if thereby all of the set are, and it was not known. */
  addReport(client: number, number: number, shard: number): boolean {
    if (!this.#isLive(client, number) || this.#isWhole(client)) return false;
    this.#reported[client] = (this.#reported[client] as number) | (1 << shard);
    return this.#isWhole(client);
  }

  /** Where the parts of a set are that is known to be granted, a bit each; else none. */
  shardsOfGranted(client: number, number: number): number {
    const isGranted = this.#isLive(client, number) && this.#isWhole(client);
    return isGranted ? (this.#shards[client] as number) : 0;
  }

  /** A gateway begins again with nothing but what is in the log up to that epoch. */
  readAgain(log: Log, gateway: number, gatewayCount: number, epochLast: number): void {
    for (let client = gateway; client < this.#numbers.length; client += gatewayCount) {
      this.#note(client, 0, 0);
    }
    for (let number = 0; number <= epochLast; number++) {
      const batch = log.epoch(number).of(gateway);
      if (batch === undefined) throw new Error(`epoch ${number} of gateway ${gateway} is missing`);
      const { words, length } = batch.entries;
      for (let offset = 0; offset < length; ) {
        const count = words[offset + 3] as number;
        const shards =
          words[offset] === REQUEST ? batch.shardsOf(words, offset + ENTRY_WORDS, count) : 0;
        this.#note(words[offset + 1] as number, words[offset + 2] as number, shards);
        offset += ENTRY_WORDS + count;
      }
    }
  }

  #isLive(client: number, number: number): boolean {
    return this.#numbers[client] === number && this.#shards[client] !== 0;
  }

  #isWhole(client: number): boolean {
    return this.#reported[client] === this.#shards[client];
  }

  #note(client: number, number: number, shards: number): void {
    if (this.#shards[client] !== 0) this.liveCount--;
    if (shards !== 0) this.liveCount++;
    this.#numbers[client] = number;
    this.#shards[client] = shards;
    this.#reported[client] = 0;
  }
}
