/**
 * Eight workers ask for random sets in every way, and some of them are terminated wherever they
 * are. KDS_STRESS_SECONDS says for how long, KDS_SEED with what randomness.
 */

import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createArena, openThreadsDomain } from '../../../src/backends/threads/index.ts';
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
    const counters = new SharedArrayBuffer(4 * (2 * resourceCount + workerCount + 1));
    const inside = new Int32Array(counters);
    const sections = inside.subarray(2 * resourceCount, 2 * resourceCount + workerCount);
    const untilMs = performance.now() + seconds * 1000;
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
        const workerData = { arena, counters, worker, seed: seed + ++spawnCount };
        const thread = new Worker(bundle.path, { workerData });
        threads[worker] = thread;
        sectionsBefore[worker] = Atomics.load(sections, worker);
        domain.attachWorker(thread);
        thread.on('message', ({ violation }) => {
          if (violation !== undefined) violations.push(violation);
        });
        thread.on('error', reject);
        thread.on('exit', () => (isStopping() ? resolve() : run(worker).then(resolve, reject)));
      });
    const threads: Worker[] = [];
    /** As its thread began: one that has not progressed yet is not terminated. */
    const sectionsBefore: number[] = [];
    const isStopping = (): boolean => Atomics.load(inside, inside.length - 1) !== 0;
    const all = Array.from({ length: workerCount }, (_, worker) => run(worker));
    const killer = setInterval(() => {
      // However slow the machine is: until all have progressed, and some were terminated.
      const isEnough = killCount >= workerCount && Math.min(...sections) > 0;
      if (isEnough && performance.now() > untilMs) {
        Atomics.store(inside, inside.length - 1, 1);
        return;
      }
      const victim = next(workerCount);
      if (Atomics.load(sections, victim) === sectionsBefore[victim]) return;
      killCount++;
      void threads[victim]?.terminate();
    }, killMs);
    await Promise.all(all);
    clearInterval(killer);

    console.info(`stress: ${sections.reduce((a, b) => a + b)} sections, ${killCount} kills`);
    expect(violations).toEqual([]);
    expect(Math.min(...sections)).toBeGreaterThan(0);
    expect(domain.querySync()).toEqual({ held: [], pending: [] });
    await domain.close();
    expect(setCountOf(arena)).toBe(0);
    expect(findArenaFaults(arena)).toEqual([]);
  },
  (seconds + 1200) * 1000,
);
