/**
 * Random numbers of a seed: the same seed gives the same numbers, on every machine.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, 32-bit operations
 * only, which are exact in JavaScript. The first dozen numbers are thrown away, so that seeds that
 * are neighbours have nothing in common.
 */

export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`the seed must be a safe integer from 0 on, not ${seed}`);
    }
    this.#a = 0x9e3779b9;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = seed | 0;
    for (let round = 0; round < 12; round++) this.#next();
  }

  /** From 0 up to, and without, `end`. */
  below(end: number): number {
    return Math.floor((this.#next() / 2 ** 32) * end);
  }

  /** From `first` to `last`, both of them possible. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** A number of any fraction, from `low` up to, and without, `high`. */
  real(low: number, high: number): number {
    return low + (this.#next() / 2 ** 32) * (high - low);
  }

  /** Whether something of that probability, 0 to 1, happens now. */
  chance(probability: number): boolean {
    return this.#next() < probability * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)];
    if (chosen === undefined) throw new RangeError('there is nothing to pick from');
    return chosen;
  }

  /** A generator of its own, whose numbers do not depend on how many are drawn here later. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next() * 2 ** 21 + (this.#next() >>> 11));
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
