/**
 * Latencies in a histogram of fixed size: eight buckets an octave, so quantiles are exact within a
 * tenth, whatever their number.
 */

const perOctave = 8;
const leastMs = 0.001;
const octaves = 34;

/**
 * A summary of latencies, in a histogram of fixed size: quantiles are exact within a tenth.
 *
 * @since 0.1.0
 */
export interface Latencies {
  /** Number of latencies. */
  readonly count: number;
  /** Median, ms; 0 if there are no latencies. */
  readonly p50Ms: number;
  /** 99th percentile, ms; 0 if there are no latencies. */
  readonly p99Ms: number;
  /** Maximum, ms; 0 if there are no latencies. */
  readonly maxMs: number;
  /**
   * Buckets that are not empty: `count` latencies up to `upToMs`, and over that of the bucket
   * before.
   */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[];
}

export class LatencyHistogram {
  readonly #counts = new Uint32Array(perOctave * octaves);
  #count = 0;
  #maxMs = 0;

  add(ms: number): void {
    const bucket = Math.ceil(Math.log2(Math.max(ms, leastMs) / leastMs) * perOctave);
    const at = Math.min(bucket, this.#counts.length - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  summary(): Latencies {
    const buckets: { upToMs: number; count: number }[] = [];
    for (const [at, count] of this.#counts.entries()) {
      if (count > 0) buckets.push({ upToMs: leastMs * 2 ** (at / perOctave), count });
    }
    return {
      count: this.#count,
      p50Ms: this.#quantile(buckets, 0.5),
      p99Ms: this.#quantile(buckets, 0.99),
      maxMs: this.#maxMs,
      buckets,
    };
  }

  #quantile(buckets: readonly { upToMs: number; count: number }[], part: number): number {
    let left = part * this.#count;
    for (const { upToMs, count } of buckets) {
      left -= count;
      if (left <= 0) return Math.min(upToMs, this.#maxMs);
    }
    return 0;
  }
}
