/** From the times that the stages wrote down to the table. */

import type { DisplayStatistics } from 'kds/display';
import { frameBufferCount, hasWork, type Scene, Times, vertexBufferCount } from './scene.ts';

export interface Figures {
  readonly form: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly missed: number;
  readonly shown: number;
}

/** Frames that are left out at the start: workers start, code is compiled. */
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

export function figuresOf(form: string, scene: Scene, statistics: DisplayStatistics): Figures {
  const times = new Times(scene);
  const waits: number[] = [];
  for (let frame = warmUpFrames; frame < scene.frameCount; frame++) {
    waits.push(...handOversOf(times, frame));
  }
  waits.sort((a, b) => a - b);
  const quantile = (part: number): number => waits[Math.floor(part * (waits.length - 1))] ?? 0;
  const missed = statistics.missed + statistics.skipped;
  return { form, p50Ms: quantile(0.5), p99Ms: quantile(0.99), missed, shown: statistics.shown };
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
