/**
 * Ten thousand frames with random render times, failures, hung producers and killed workers. At
 * every vsync the frame on the screen is looked at: it must be whole, the one that was presented,
 * and none may come before one that was shown. In the end nothing is held.
 */

import { Worker } from 'node:worker_threads';
import { createDomain, DeadlockError, type SyncDomain, type SyncGrant } from 'kds';
import { createBufferPool, type SharedBuffer } from 'kds/buffers';
import { createDisplay, type Flip, manualVsync } from 'kds/display';
import { createJobQueue, type Job, type JobQueue } from 'kds/jobs';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nothing, turn } from '../jobs/domains.ts';
import { randomFrom } from '../jobs/steps.ts';
import { type Bundle, bundleWorker } from '../threads/bundle.ts';
import { draw, frameBytes, numberOf } from './frames.ts';
import type { RenderOrder } from './render-worker.ts';

const frameCount = 10_000;
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const modes = ['fifo', 'mailbox'] as const;

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./render-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

const deadlineMs = 60;

type Render = (buffer: SharedBuffer, order: RenderOrder) => Job;

/** Presents all frames while vsyncs come, and looks at the screen at each. */
async function play(
  domain: SyncDomain,
  mode: 'fifo' | 'mailbox',
  random: (count: number) => number,
  /** How much time passes to the next vsync, in ms. */
  elapse: () => number,
  render: Render,
  /** Ends a producer that hangs. */
  kill: (job: Job) => void,
) {
  const { buffers } = createBufferPool({ count: 3, byteLength: frameBytes, isGuarded: true });
  const vsync = manualVsync();
  const faults: string[] = [];
  let numberLast = -1;
  const display = createDisplay<SharedBuffer, SyncGrant>(domain, {
    buffers,
    vsync,
    mode,
    deadlineMs,
  });
  const look = (): void => {
    const { shown } = display;
    if (shown === undefined) return;
    const number = numberOf(shown.buffer.read(shown.grant, Int32Array));
    if (number === undefined) faults.push(`frame ${shown.number} is torn`);
    else if (number !== shown.number) faults.push(`${shown.number} is presented, ${number} shown`);
    if (shown.number < numberLast) faults.push(`${shown.number} comes after ${numberLast}`);
    numberLast = shown.number;
  };
  const beat = (): void => {
    look();
    vsync.tick(elapse());
    look();
  };
  const ended = new Map<string, number>();
  let openCount = 0;
  const count = (outcome: string): void => {
    ended.set(outcome, (ended.get(outcome) ?? 0) + 1);
  };
  const follow = (flip: Flip, job: Job, hangs: boolean): void => {
    openCount++;
    const end = (outcome: string): void => {
      openCount--;
      count(outcome);
      if (hangs) kill(job);
    };
    flip.outcome.then(end, ({ code }) => end(code));
  };
  const playUntil = async (countMax: number): Promise<void> => {
    while (openCount > countMax) {
      await turn();
      beat();
    }
  };
  for (let number = 0; number < frameCount; number++) {
    const buffer = display.nextBuffer();
    const dice = random(400);
    const how = dice < 8 ? 'fails' : dice < 9 ? 'hangs' : dice < 100 ? 'slow' : 'fast';
    const job = render(buffer, { handle: buffer.handle, number, how });
    job.done.catch(() => {});
    try {
      follow(display.present(buffer, { number }), job, how === 'hangs');
    } catch (error) {
      // Those before it all failed, and its buffer is the one on the screen.
      if (!(error instanceof DeadlockError)) throw error;
      count(error.code);
      if (how === 'hangs') kill(job);
      await turn();
      beat();
    }
    await playUntil(random(6));
  }
  await playUntil(0);
  look();
  await display.close();
  return { faults, ended, statistics: display.statistics() };
}

type Outcome = Awaited<ReturnType<typeof play>>;

/** All frames have come to an end, the right one, and nothing is left. */
async function expectSound(
  { faults, ended, statistics }: Outcome,
  mode: 'fifo' | 'mailbox',
  queue: JobQueue,
  domain: SyncDomain,
): Promise<void> {
  expect(faults).toEqual([]);
  const { shown, dropped, expired, failed, refused } = statistics;
  expect(shown + dropped + expired + failed + refused).toBe(frameCount);
  expect(ended.get('KDS_DEADLOCK') ?? 0).toBe(refused);
  expect(shown).toBe(ended.get('shown'));
  // All of it has come up. In a mailbox a newer frame may be there before any is late.
  const late = mode === 'fifo' ? expired : failed;
  expect(Math.min(shown, failed, late)).toBeGreaterThan(frameCount / 1000);
  expect([refused < frameCount / 50, dropped > 0]).toEqual([true, mode === 'mailbox']);
  await queue.drain();
  expect(domain.querySync()).toEqual(nothing);
  await queue.close();
  await domain.close();
}

describe.each(modes)(`ten thousand frames (KDS_SEED=${seed}), %s`, (mode) => {
  it('rendered on the process backend: none is torn, and nothing is held in the end', async () => {
    const domain = createDomain();
    const random = randomFrom(seed);
    const queue = createJobQueue(domain, { onFailure: () => {} });
    const render: Render = (buffer, { number, how }) =>
      queue.submit({
        writes: buffer.resource,
        run: async (job) => {
          draw(buffer.write(job, Int32Array), number, 0);
          const turns = how === 'slow' ? 1 + (number % 3) : 0;
          for (let count = 0; count < turns; count++) await turn();
          if (how === 'fails') throw new Error(`frame ${number} failed`);
          if (how === 'hangs') {
            await new Promise((_, reject) => {
              job.signal.addEventListener('abort', () => reject(job.signal.reason));
            });
          }
          draw(buffer.write(job, Int32Array), number, 1);
        },
      });
    const outcome = await play(
      domain,
      mode,
      random,
      () => 1 + random(10),
      render,
      (job) => {
        job.cancel();
      },
    );
    await expectSound(outcome, mode, queue, domain);
  });

  it('rendered by workers, some of which are killed: the same', async () => {
    const domain = openThreadsDomain(createArena());
    const random = randomFrom(seed + 1);
    const workers = new Set<Worker>();
    const start = (): Worker => {
      const worker = new Worker(bundle.path);
      workers.add(worker);
      worker.once('exit', () => workers.delete(worker));
      return worker;
    };
    const queue = createJobQueue(domain, { workers: { count: 2, start }, onFailure: () => {} });
    let killCount = 0;
    const killOne = (): void => {
      killCount++;
      void [...workers][random(workers.size)]?.terminate();
    };
    const render: Render = (buffer, data) => {
      if (data.number % 500 === 499) killOne();
      return queue.submit({ writes: buffer.resource, task: 'render', data });
    };
    let beforeMs = performance.now();
    const elapse = (): number => {
      const ms = performance.now() - beforeMs;
      beforeMs += ms;
      return ms;
    };
    // Which of the two it hangs in is not known: both are replaced.
    const kill = (job: Job): void => {
      if (job.state !== 'running') job.cancel();
      else for (const worker of workers) void worker.terminate();
    };
    const outcome = await play(domain, mode, random, elapse, render, kill);
    expect(killCount).toBe(20);
    await expectSound(outcome, mode, queue, domain);
  });
});
