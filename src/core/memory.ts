/**
 * The memory that the state machine works on: 32-bit words that can grow, and the same bytes as
 * doubles for numbers beyond 32 bits (arrivals, tokens), each at an even index.
 *
 * An operation makes room first (`reserve` in slots.ts), then takes the views and works on them: no
 * view is kept from one operation to the next, as growing replaces them.
 */

/** 2^28 words are 1 GiB: indexes are small integers in every engine, and limits rely on it. */
const wordsMaxDefault = 2 ** 28;
const wordsMinDefault = 2 ** 10;
/** From here on it grows by less at a time: 2^22 words are 16 MiB. */
const wordsMany = 2 ** 22;

export interface MemorySize {
  /** Words at the beginning, and after everything has been given back. A multiple of 8. */
  readonly wordsMin?: number;
  /** Words at most; at this size an operation that needs more is refused. A multiple of 8. */
  readonly wordsMax?: number;
}

/** Where a thread may end in an operation without a journal: see intent.ts. */
export type Intents = Pick<
  typeof import('./intent.ts'),
  'recordArrival' | 'recordEnd' | 'dropIntent'
>;

export class Memory {
  readonly intents: Intents | undefined = undefined;
  words: Int32Array;
  doubles: Float64Array;
  /** Slots end here. */
  end: number;
  protected readonly wordsMin: number;
  protected readonly wordsMax: number;

  constructor({ wordsMin = wordsMinDefault, wordsMax = wordsMaxDefault }: MemorySize = {}) {
    this.wordsMin = Math.min(wordsMin, wordsMax);
    this.wordsMax = wordsMax;
    const buffer = new ArrayBuffer(this.wordsMin * 4);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.end = this.words.length;
  }

  /**
   * Makes room for at least `wordCount` words and returns whether it could. All words keep their
   * index and value. It grows by a quarter, and once it is large by an eighth: a queue of a million
   * must not cost twice what it needs.
   */
  grow(wordCount: number): boolean {
    if (wordCount > this.wordsMax) return false;
    const { length } = this.words;
    const more = length < wordsMany ? length >> 2 : length >> 3;
    const wordCountWanted = Math.max(wordCount, Math.ceil((length + more) / 8) * 8);
    try {
      this.resize(Math.min(wordCountWanted, this.wordsMax));
    } catch (error) {
      // The system has not that much left: it is as if it were the limit.
      if (error instanceof RangeError) return false;
      throw error;
    }
    return true;
  }

  /** Gives back what it can where only the first `wordCount` words still matter. */
  shrink(wordCount: number): void {
    const wordCountKept = Math.max(wordCount, this.wordsMin);
    if (wordCountKept < this.words.length) this.resize(wordCountKept);
  }

  /** The first `wordCount` words, a multiple of 8, in memory of their own. */
  copy(wordCount: number): Memory {
    const copy = new Memory({ wordsMin: wordCount, wordsMax: wordCount });
    copy.words.set(this.words.subarray(0, wordCount));
    return copy;
  }

  private resize(wordCount: number): void {
    const buffer = new ArrayBuffer(wordCount * 4);
    const words = new Int32Array(buffer);
    words.set(this.words.subarray(0, Math.min(wordCount, this.words.length)));
    this.words = words;
    this.doubles = new Float64Array(buffer);
    this.end = wordCount;
  }
}
