/**
 * From the times that the stages wrote down to the table. The forms run in turns, in a few rounds,
 * and the table has the median of each form's rounds: so no form is the first, and a machine that
 * is slow for a while slows all of them.
 */

import { frameBufferCount, hasWork, type Scene, Times, vertexBufferCount } from './scene.ts';

/** Figures of a form in one round. */
export interface Figures {
  readonly form: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly missed: number;
  readonly shown: number;
}

/** Frames of the live pipeline that are left out at the start: workers start. */
export const warmUpFrames = 10;

/**
 * The three hand-overs of a frame, in ms: from the end of the last stage that a stage waits for, to
 * the start of that stage. The frame has been displayed.
 */
export function handOversOf(times: Times, frame: number): number[] {
  const before = {
    geometry: [
      times.ended('geometry', frame - 1),
      times.ended('render', frame - vertexBufferCount),
    ],
    render: [
      times.ended('render', frame - 1),
      times.ended('geometry', frame),
      times.wasLetGo(frame - frameBufferCount),
    ],
    compose: [times.ended('compose', frame - 1), times.ended('render', frame)],
  };
  return hasWork.map((stage) => times.began(stage, frame) - Math.max(...before[stage]));
}

/** Figures of the frames from `first` on, all of which have been displayed. */
export function figuresOf(form: string, scene: Scene, first: number): Figures {
  const times = new Times(scene);
  const waits: number[] = [];
  for (let frame = first; frame < scene.frameCount; frame++) {
    waits.push(...handOversOf(times, frame));
  }
  const missed = times.missedUntil(scene.frameCount - 1) - times.missedUntil(first - 1);
  const shown = scene.frameCount - first;
  return { form, p50Ms: quantile(waits, 0.5), p99Ms: quantile(waits, 0.99), missed, shown };
}

/** Of each form the medians of its rounds; frames and missed vsyncs are those of all rounds. */
export function mediansOf(rounds: readonly Figures[]): Figures[] {
  const forms = [...new Set(rounds.map(({ form }) => form))];
  return forms.map((form) => {
    const own = rounds.filter((figures) => figures.form === form);
    const medianOf = (of: (figures: Figures) => number): number => quantile(own.map(of), 0.5);
    const sumOf = (of: (figures: Figures) => number): number =>
      own.reduce((sum, figures) => sum + of(figures), 0);
    return {
      form,
      p50Ms: medianOf(({ p50Ms }) => p50Ms),
      p99Ms: medianOf(({ p99Ms }) => p99Ms),
      missed: sumOf(({ missed }) => missed),
      shown: sumOf(({ shown }) => shown),
    };
  });
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
}

export function tableOf(figures: readonly Figures[]): string {
  const head = ['hand-over', 'median', 'p99', 'frames shown', 'vsyncs missed'];
  const lines = figures.map(({ form, p50Ms, p99Ms, shown, missed }) => [
    form,
    `${p50Ms.toFixed(3)} ms`,
    `${p99Ms.toFixed(3)} ms`,
    String(shown),
    String(missed),
  ]);
  const widths = head.map((cell, column) => {
    return Math.max(...[head, ...lines].map((line) => (line[column] ?? cell).length));
  });
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  };
  return [head, ...lines].map((line) => line.map(pad).join('   ')).join('\n');
}
