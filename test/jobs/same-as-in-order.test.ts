/**
 * 100,000 jobs with random reads and writes give the memory that they give one by one, in the order
 * of submission. Each job reads when it starts, pauses in one of several ways, and then writes: so
 * any two that overlap and must not are seen in what comes out.
 */

import { Worker } from 'node:worker_threads';
import { createDomain } from 'kds';
import { createJobQueue, type RunningJob } from 'kds/jobs';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from '../threads/bundle.ts';
import { nothing } from './domains.ts';
import { cellCount, inOrder, nameOf, randomFrom, randomSteps, type Step, take } from './steps.ts';

const jobCount = 100_000;
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./task-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

/** Reads now, writes some turns later. */
async function slowly(cells: Int32Array, step: Step, pauses: number): Promise<void> {
  const own = cells.slice();
  for (let pause = 0; pause < pauses; pause++) await null;
  if (pauses === 3) await new Promise((resolve) => setImmediate(resolve));
  take(own, step);
  for (const cell of step.writes) cells[cell] = own[cell] as number;
}

describe(`jobs with random reads and writes (KDS_SEED=${seed})`, () => {
  it('do on the process backend what they do in order', async () => {
    const random = randomFrom(seed);
    const steps = randomSteps(jobCount, random);
    const cells = new Int32Array(cellCount);
    const domain = createDomain();
    const queue = createJobQueue(domain, { capacity: 2 ** 17, concurrency: 32 });
    for (const step of steps) {
      const pauses = random(40) === 0 ? 3 : random(3);
      const run = async (job: RunningJob): Promise<void> => {
        if (random(8) > 0) return slowly(cells, step, pauses);
        // By a sub-job with the same set.
        const { reads, writes } = namesOf(step);
        await job.submit({ reads, writes, run: () => slowly(cells, step, pauses) }).done;
      };
      queue.submit({ ...namesOf(step), run });
    }
    const { done, ...others } = await queue.drain();
    expect(done).toBeGreaterThan(jobCount);
    expect(others).toEqual({ failed: 0, skipped: 0, cancelled: 0 });
    expect([...cells]).toEqual([...inOrder(steps)]);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('do in workers, on the threads backend, what they do in order', async () => {
    const steps = randomSteps(jobCount, randomFrom(seed + 1));
    const memory = new SharedArrayBuffer(4 * cellCount);
    const domain = openThreadsDomain(createArena());
    const start = (): Worker => new Worker(bundle.path);
    const queue = createJobQueue(domain, { workers: { count: 3, start }, capacity: 256 });
    for (const step of steps) {
      const job = queue.submit({ ...namesOf(step), task: 'step', data: { memory, step } });
      if (job.state === 'submitted') await job.enqueued;
    }
    expect((await queue.drain()).done).toBe(jobCount);
    expect([...new Int32Array(memory)]).toEqual([...inOrder(steps)]);
    expect(domain.querySync()).toEqual(nothing);
    await queue.close();
  });

  it('would not, if they did not declare what they read', async () => {
    const random = randomFrom(seed);
    const steps = randomSteps(5_000, random);
    const cells = new Int32Array(cellCount);
    const queue = createJobQueue(createDomain(), { capacity: 2 ** 13 });
    for (const step of steps) {
      const { writes } = namesOf(step);
      queue.submit({ writes, run: () => slowly(cells, step, random(3)) });
    }
    await queue.drain();
    expect([...cells]).not.toEqual([...inOrder(steps)]);
  });
});

function namesOf({ reads, writes }: Step): { reads: string[]; writes: string[] } {
  return { reads: reads.map(nameOf), writes: writes.map(nameOf) };
}
