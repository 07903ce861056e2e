/** A histogram of latencies on a logarithmic axis, as the pages of the examples draw it. */

/** The axis: five decades from 10 microseconds to one second, six bars each. */
const leastMs = 0.01;
const decades = 5;
const barsPerDecade = 6;
/** Quantiles are within a tenth. */
const bucketsPerBar = 5;
const bucketsPerDecade = barsPerDecade * bucketsPerBar;

/** A histogram as a page receives it. Quantiles are undefined if there are no hand-overs. */
export interface HistogramSummary {
  readonly handOvers: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Hand-overs of each bar, from the shortest. The first and the last bar have all beyond. */
  readonly bars: readonly number[];
}

export class Histogram {
  readonly #counts = new Uint32Array(decades * bucketsPerDecade);
  #handOvers = 0;

  add(ms: number): void {
    const bucket = Math.floor(Math.log10(Math.max(ms, leastMs) / leastMs) * bucketsPerDecade);
    const at = Math.min(bucket, this.#counts.length - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#handOvers++;
  }

  summary(): HistogramSummary {
    const bars = Array.from({ length: decades * barsPerDecade }, (_, bar) => {
      const first = bar * bucketsPerBar;
      return this.#counts.slice(first, first + bucketsPerBar).reduce((sum, count) => sum + count);
    });
    return {
      handOvers: this.#handOvers,
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      bars,
    };
  }

  #quantile(part: number): number | undefined {
    let left = part * this.#handOvers;
    for (const [at, count] of this.#counts.entries()) {
      left -= count;
      if (count > 0 && left <= 0) return leastMs * 10 ** ((at + 0.5) / bucketsPerDecade);
    }
    return undefined;
  }
}
