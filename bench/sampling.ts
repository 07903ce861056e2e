/**
 * Samples of things side by side.
 *
 * The machine's speed drifts while a run goes on, by more than what is to be told apart. So the
 * subjects take turns in many short rounds, forwards and backwards by turn, and what is reported is
 * the median of the rounds' ratios: a drift hits both sides of a ratio alike. Each subject brings a
 * loop of its own, written out, so that no two share a call site and its feedback.
 */

import { do_not_optimize } from 'mitata';

/** Something measured: each sample is a time a step in ns, or a size in bytes. */
export interface Subject {
  readonly name: string;
  sample(): number | Promise<number>;
}

/** Does a step so many times; what it returns keeps the work from being optimised away. */
export type Loop = (count: number) => unknown;

/** What a subject's samples were, one a round. */
export type Samples = Record<string, number[]>;

const loopMs = 5;
/** Of processor time: on a loaded machine, little is compiled in as much real time. */
const warmUpMs = 200;
const firstCount = 256;

/** Takes the samples of `rounds` rounds, after one that does not count. */
export async function takeTurns(subjects: readonly Subject[], rounds: number): Promise<Samples> {
  const samples: Samples = {};
  for (const { name } of subjects) samples[name] = [];
  for (let round = -1; round < rounds; round++) {
    const inTurn = round % 2 === 0 ? subjects : subjects.toReversed();
    for (const subject of inTurn) {
      const sample = await subject.sample();
      if (round >= 0) samples[subject.name]?.push(sample);
    }
  }
  return samples;
}

/** A subject whose sample is a loop of some milliseconds, warmed up. */
export async function loopSubject(name: string, loop: Loop): Promise<Subject> {
  let count = firstCount;
  const before = process.cpuUsage();
  for (;;) {
    const ms = await timeMs(loop, count);
    const { user, system } = process.cpuUsage(before);
    if (ms < loopMs / 2) count *= 2;
    else if (user + system > warmUpMs * 1000) {
      count = Math.max(1, Math.round((count * loopMs) / ms));
      break;
    }
  }
  return { name, sample: async () => ((await timeMs(loop, count)) / count) * 1e6 };
}

async function timeMs(loop: Loop, count: number): Promise<number> {
  const startMs = performance.now();
  const result = await loop(count);
  const ms = performance.now() - startMs;
  do_not_optimize(result);
  return ms;
}

const keptAlive: unknown[] = [];

/** For callbacks that hold a lock until the process ends. */
export const never = new Promise<never>(() => {});

/**
 * Keeps one object of each measured kind alive until the process ends. If garbage is collected
 * while no object of a kind is alive, the engine discards the code compiled for that kind, and what
 * is measured is the compiler.
 */
export function keepAlive(...objects: readonly unknown[]): void {
  keptAlive.push(...objects);
}

/** Collects all garbage, so that nobody pays for what another left behind. Needs --expose-gc. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  globalThis.gc();
}

/** The value that a part of the others lies below. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
