/**
 * Figures of one form of the pipeline, over all of its runs: a histogram of its hand-overs, frames
 * displayed and vsyncs missed. The first frames of each run are left out.
 */

import type { DisplayStatistics } from 'kds/display';
import { Histogram, type HistogramSummary } from '../shared/histogram.ts';
import { handOversOf, warmUpFrames } from './figures.ts';
import { type Scene, Times } from './scene.ts';

/** Figures as the page receives them. */
export interface TallySummary extends HistogramSummary {
  readonly displayed: number;
  readonly missed: number;
}

export class Tally {
  readonly #handOvers = new Histogram();
  #displayed = 0;
  #missed = 0;

  addHandOver(ms: number): void {
    this.#handOvers.add(ms);
  }

  addFrames(displayed: number, missed: number): void {
    this.#displayed += displayed;
    this.#missed += missed;
  }

  summary(): TallySummary {
    const [displayed, missed] = [this.#displayed, this.#missed];
    return { ...this.#handOvers.summary(), displayed, missed };
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
