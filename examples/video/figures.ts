/** Figures of one form of the pipeline, over all of its runs. */

import { Histogram, type HistogramSummary } from '../shared/histogram.ts';
import type { Scene, Times } from './scene.ts';

/** Frames that are left out at the start of a run: code is compiled, buffers are filled. */
const warmUpFrames = 30;

export interface FigureSummary extends HistogramSummary {
  readonly shown: number;
  readonly missed: number;
  /** Buffers that were taken: now, and at most. */
  readonly inFlight: number;
  readonly inFlightMax: number;
}

export class Figures {
  readonly #histogram = new Histogram();
  #shown = 0;
  #missed = 0;
  #inFlight = 0;
  #inFlightMax = 0;

  addHandOver(ms: number): void {
    this.#histogram.add(ms);
  }

  addFrames(shown: number, missed: number): void {
    this.#shown += shown;
    this.#missed += missed;
  }

  setInFlight(count: number): void {
    this.#inFlight = count;
    this.#inFlightMax = Math.max(this.#inFlightMax, count);
  }

  summary(): FigureSummary {
    return {
      ...this.#histogram.summary(),
      shown: this.#shown,
      missed: this.#missed,
      inFlight: this.#inFlight,
      inFlightMax: this.#inFlightMax,
    };
  }
}

/**
 * The three hand-overs of a frame, in ms: from the end of the last step that a stage waits for, to
 * the moment at which it has the frame. The frame has been displayed.
 */
function handOversOf(times: Times, number: number): number[] {
  const before = {
    decoder: [times.ready(number), times.ended('decoder', number - 1)],
    processor: [times.ended('decoder', number), times.ended('processor', number - 1)],
    display: [times.ended('processor', number), times.ended('display', number - 1)],
  };
  return (['decoder', 'processor', 'display'] as const).map((stage) => {
    return times.began(stage, number) - Math.max(...before[stage]);
  });
}

/** Reads a run, and adds what is new in it to the figures of its form. */
export class RunReader {
  readonly #scene: Scene;
  readonly #shownBefore: number;
  #next = warmUpFrames;
  #missed: number | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#shownBefore = scene.countOf('shown');
  }

  read(figures: Figures): void {
    const shown = this.#scene.countOf('shown') - this.#shownBefore;
    const missed = this.#scene.countOf('missed');
    if (shown <= warmUpFrames) return;
    if (this.#missed !== undefined) {
      figures.addFrames(shown - this.#next, missed - this.#missed);
      for (let number = this.#next; number < shown; number++) {
        for (const ms of handOversOf(this.#scene.times, number)) figures.addHandOver(ms);
      }
    }
    this.#next = shown;
    this.#missed = missed;
  }
}
