/**
 * Eight workers ask for random sets in every way, and some of them are terminated wherever they
 * are. KDS_STRESS_SECONDS says for how long, KDS_SEED with what randomness.
 */

import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createArena, openThreadsDomain } from '../../../src/hosts/threads/index.ts';
import { type Bundle, bundleWorker } from '../bundle.ts';
import { findArenaFaults, setCountOf } from '../faults/soundness.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 3);
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const workerCount = 8;
const resourceCount = 5;
const killMs = 60;

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

it(
  'no two that conflict are inside at once, all progress, and nothing is left',
  async () => {
    console.info(`stress: ${seconds} s, KDS_SEED=${seed}`);
    const arena = createArena({ bytesMax: 2 ** 22 });
    const domain = openThreadsDomain(arena, { label: 'main' });
    const counters = new SharedArrayBuffer(4 * (2 * resourceCount + workerCount));
    const inside = new Int32Array(counters);
    const untilMs = Date.now() + seconds * 1000;
    const violations: string[] = [];
    let random = seed | 1;
    let spawnCount = 0;
    let killCount = 0;

    const next = (count: number): number => {
      random = Math.imul(random, 1103515245) + 12345;
      return (random >>> 8) % count;
    };
    /** Runs until it is through; if it is terminated, another one takes its place. */
    const run = (worker: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const workerData = { arena, counters, worker, seed: seed + ++spawnCount, untilMs };
        const thread = new Worker(bundle.path, { workerData });
        threads[worker] = thread;
        domain.attachWorker(thread);
        thread.on('message', ({ violation }) => {
          if (violation !== undefined) violations.push(violation);
        });
        thread.on('error', reject);
        thread.on('exit', () =>
          Date.now() < untilMs - 200 ? run(worker).then(resolve, reject) : resolve(),
        );
      });
    const threads: Worker[] = [];
    const all = Array.from({ length: workerCount }, (_, worker) => run(worker));
    const killer = setInterval(() => {
      if (Date.now() > untilMs - 500) return;
      killCount++;
      void threads[next(workerCount)]?.terminate();
    }, killMs);
    await Promise.all(all);
    clearInterval(killer);

    const sections = [...inside.subarray(2 * resourceCount)];
    console.info(`stress: ${sections.reduce((a, b) => a + b)} sections, ${killCount} kills`);
    expect(violations).toEqual([]);
    expect(Math.min(...sections)).toBeGreaterThan(0);
    expect(domain.querySync()).toEqual({ held: [], pending: [] });
    await domain.close();
    expect(setCountOf(arena)).toBe(0);
    expect(findArenaFaults(arena)).toEqual([]);
  },
  (seconds + 60) * 1000,
);
