/**
 * Rows 33 and 34: the pipeline of `npm start -- --frames`, which alternates its forms in rounds and
 * prints the figures of each. A sample is one round of one form.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Subject } from './sampling.ts';

/** One more than the rounds of the row, of which the first does not count. */
const roundCount = 5;
const frameCount = 60 * roundCount;
const start = fileURLToPath(new URL('../examples/globe/start.mjs', import.meta.url));

export const pipelineRounds = roundCount - 1;
export const pipelineForms = {
  direct: 'worker to worker, directly',
  idle: 'through an idle main thread',
  busy: 'through a half busy main thread',
} as const;

interface RoundFigures {
  readonly form: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly missed: number;
}

/** Medians, 99th percentiles (both in ns) and missed vsyncs of each form. */
export async function pipeline(): Promise<Subject[]> {
  const rounds = await runPipeline();
  return Object.values(pipelineForms).flatMap((form) => {
    const own = rounds.filter((round) => round.form === form);
    const subject = (name: string, of: (round: RoundFigures) => number): Subject => {
      let next = 0;
      return { name, sample: () => of(own[next++ % own.length] as RoundFigures) };
    };
    return [
      subject(form, ({ p50Ms }) => p50Ms * 1e6),
      subject(`${form}, p99`, ({ p99Ms }) => p99Ms * 1e6),
      subject(`${form}, missed`, ({ missed }) => missed),
    ];
  });
}

async function runPipeline(): Promise<readonly RoundFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kds-bench-'));
  try {
    const argv = [
      start,
      '--frames',
      String(frameCount),
      '--json',
      '--out',
      join(folder, 'globe.png'),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    return JSON.parse(stdout) as readonly RoundFigures[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
