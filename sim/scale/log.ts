/**
 * The log: what gateways have collected, epoch by epoch. It is the order of the domain.
 *
 * In each epoch each gateway adds one batch, perhaps an empty one. An epoch is whole when all its
 * batches are there for good. The order is: epoch by epoch; within one, gateway by gateway, each
 * time beginning with another one; within a batch, as they came. So nobody has to agree on
 * anything with anybody to know the order: whoever has all batches up to an epoch has it.
 *
 * An entry is `kind, client, number, count` and, of a request, `count` wishes (workload.ts). The
 * number tells a client's sets apart. A batch also keeps where the entries are that concern a
 * shard, so that a shard is sent only those.
 */

/** A set arrives. */
export const REQUEST = 0;
/** A set ends whose client may have been notified: it is released; */
export const RELEASE = 1;
/** or its client's session has ended, and what it was doing may be half done. */
export const EXPIRE = 2;
/** A set ends whose client has not been notified, for whatever reason: no harm done. */
export const CANCEL = 3;
export const ENTRY_WORDS = 4;

/** Offsets in one batch are less than this. */
const batchWordsMax = 2 ** 22;

const none = new Int32Array(0);

/** Integers, as many as come. */
export class Integers {
  words = none;
  length = 0;

  add(word: number): void {
    if (this.length === this.words.length) {
      const larger = new Int32Array(Math.max(16, this.words.length * 2));
      larger.set(this.words);
      this.words = larger;
    }
    this.words[this.length++] = word;
  }
}

export class Batch {
  /** The entries, one after the other. */
  readonly entries = new Integers();
  /** For each shard, where its entries begin. */
  readonly #offsets: readonly Integers[];
  entryCount = 0;
  /** Entries, each as often as there are shards that it concerns. */
  concernCount = 0;
  /** Whose sessions have ended by then: `client, number` of the last set of each. */
  readonly sessionsEnded = new Integers();

  constructor(shardCount: number) {
    this.#offsets = Array.from({ length: shardCount }, () => new Integers());
  }

  offsets(shard: number): Integers {
    return this.#offsets[shard] as Integers;
  }

  /** A set arrives; the result is which shards have parts of it, a bit each. */
  request(client: number, number: number, sets: Int32Array, first: number, count: number): number {
    const offset = this.#begin(REQUEST, client, number, count);
    for (let index = first; index < first + count; index++) this.entries.add(sets[index] as number);
    const shards = this.shardsOf(sets, first, count);
    this.#concerns(shards, offset);
    return shards;
  }

  /** Where the resources of these wishes are, a bit for each shard. */
  shardsOf(wishes: Int32Array, first: number, count: number): number {
    let shards = 0;
    for (let index = first; index < first + count; index++) {
      shards |= 1 << (((wishes[index] as number) >> 1) % this.#offsets.length);
    }
    return shards;
  }

  /** The set of these shards ends. */
  end(kind: number, client: number, number: number, shards: number): void {
    this.#concerns(shards, this.#begin(kind, client, number, 0));
  }

  #begin(kind: number, client: number, number: number, count: number): number {
    const offset = this.entries.length;
    if (offset >= batchWordsMax) throw new RangeError('a batch is full: choose shorter epochs');
    this.entries.add(kind);
    this.entries.add(client);
    this.entries.add(number);
    this.entries.add(count);
    this.entryCount++;
    return offset;
  }

  #concerns(shards: number, offset: number): void {
    for (let shard = 0; shard < this.#offsets.length; shard++) {
      if ((shards & (1 << shard)) === 0) continue;
      this.offsets(shard).add(offset);
      this.concernCount++;
    }
  }
}

export class Epoch {
  readonly number: number;
  /** By gateway, once they are committed. */
  readonly #batches: (Batch | undefined)[];
  #missingCount: number;
  /** When a shard has received all that has been committed so far. */
  readonly receivedMs: Float64Array;
  appliedCount = 0;

  constructor(number: number, gatewayCount: number, shardCount: number) {
    this.number = number;
    this.#batches = new Array(gatewayCount).fill(undefined);
    this.#missingCount = gatewayCount;
    this.receivedMs = new Float64Array(shardCount);
  }

  get isWhole(): boolean {
    return this.#missingCount === 0;
  }

  commit(gateway: number, batch: Batch): void {
    if (this.#batches[gateway] !== undefined) throw new Error('a batch is committed once');
    this.#batches[gateway] = batch;
    this.#missingCount--;
  }

  of(gateway: number): Batch | undefined {
    return this.#batches[gateway];
  }

  /** The batch whose turn is at that rank. */
  at(rank: number): Batch {
    const batch = this.#batches[(this.number + rank) % this.#batches.length];
    if (batch === undefined) throw new Error(`epoch ${this.number} is not whole`);
    return batch;
  }

  /** A number for an entry that grows along the order. */
  position(rank: number, offset: number): number {
    return (this.number * this.#batches.length + rank) * batchWordsMax + offset;
  }
}

export class Log {
  readonly #gatewayCount: number;
  readonly #shardCount: number;
  readonly #keeps: boolean;
  readonly #epochs = new Map<number, Epoch>();

  /** Whether it `keeps` everything, or forgets what all shards have applied. */
  constructor(gatewayCount: number, shardCount: number, keeps: boolean) {
    this.#gatewayCount = gatewayCount;
    this.#shardCount = shardCount;
    this.#keeps = keeps;
  }

  epoch(number: number): Epoch {
    let epoch = this.#epochs.get(number);
    if (epoch === undefined) {
      epoch = new Epoch(number, this.#gatewayCount, this.#shardCount);
      this.#epochs.set(number, epoch);
    }
    return epoch;
  }

  applied(epoch: Epoch): void {
    epoch.appliedCount++;
    if (!this.#keeps && epoch.appliedCount === this.#shardCount) this.#epochs.delete(epoch.number);
  }
}
