/**
 * Figures of one form of the pipeline, over all of its runs: a histogram of its hand-overs, frames
 * displayed and vsyncs missed. The first frames of each run are left out.
 */

import type { DisplayStatistics } from 'kds/display';
import { handOversOf, warmUpFrames } from './figures.ts';
import { type Scene, Times } from './scene.ts';

/** The axis: five decades from 10 microseconds to one second, six bars each. */
const leastMs = 0.01;
const decades = 5;
const barsPerDecade = 6;
/** Quantiles are within a tenth. */
const bucketsPerBar = 5;
const bucketsPerDecade = barsPerDecade * bucketsPerBar;

/** Figures as the page receives them. Quantiles are undefined if there are no hand-overs. */
export interface TallySummary {
  readonly handOvers: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Hand-overs of each bar, from the shortest. The first and the last bar have all beyond. */
  readonly bars: readonly number[];
  readonly displayed: number;
  readonly missed: number;
}

export class Tally {
  readonly #counts = new Uint32Array(decades * bucketsPerDecade);
  #handOvers = 0;
  #displayed = 0;
  #missed = 0;

  addHandOver(ms: number): void {
    const bucket = Math.floor(Math.log10(Math.max(ms, leastMs) / leastMs) * bucketsPerDecade);
    const at = Math.min(bucket, this.#counts.length - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#handOvers++;
  }

  addFrames(displayed: number, missed: number): void {
    this.#displayed += displayed;
    this.#missed += missed;
  }

  summary(): TallySummary {
    const bars = Array.from({ length: decades * barsPerDecade }, (_, bar) => {
      const first = bar * bucketsPerBar;
      return this.#counts.slice(first, first + bucketsPerBar).reduce((sum, count) => sum + count);
    });
    return {
      handOvers: this.#handOvers,
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      bars,
      displayed: this.#displayed,
      missed: this.#missed,
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

/** Reads a running pipeline, and adds what is new in it to a tally. */
export class TallyReader {
  readonly #times: Times;
  readonly #timeCount: number;
  #next = warmUpFrames;
  #displayed: number | undefined;
  #missed = 0;

  constructor(scene: Scene) {
    this.#times = new Times(scene);
    this.#timeCount = scene.timeCount;
  }

  read({ shown, missed, skipped }: DisplayStatistics, tally: Tally): void {
    if (shown < warmUpFrames) return;
    // Times of older frames have been overwritten.
    const first = Math.max(this.#next, shown - Math.floor(this.#timeCount / 2));
    for (let frame = first; frame < shown; frame++) {
      for (const ms of handOversOf(this.#times, frame)) tally.addHandOver(ms);
    }
    this.#next = shown;
    const allMissed = missed + skipped;
    if (this.#displayed !== undefined) {
      tally.addFrames(shown - this.#displayed, allMissed - this.#missed);
    }
    this.#displayed = shown;
    this.#missed = allMissed;
  }
}
