/**
 * The same pipeline in its forms: stages that wake each other, or that all go by the main thread.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createDisplay, type DisplayStatistics, timerVsync } from 'kds/display';
import { createJobQueue } from 'kds/jobs';
import { createArena, openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import { Buffers, hasWork, type Scene, type Stage, stages, Times } from './scene.ts';
import type { FromDisplay } from './stage-worker.ts';

const workerUrl = (name: string): URL => new URL(`./${name}.mjs`, import.meta.url);

/** A pipeline whose stages wake each other: each in a worker, the display too, in one arena. */
export interface DirectPipeline {
  readonly domain: ThreadsDomain;
  readonly display: Worker;
  /** Resolves when all stages have ended; rejects if one of them fails. */
  readonly ended: Promise<unknown>;
  close(): Promise<void>;
}

export function startDirect(scene: Scene): DirectPipeline {
  const arena = createArena();
  const domain = openThreadsDomain(arena, { label: 'main' });
  const workers = stages.map((stage: Stage): Worker => {
    const worker = new Worker(workerUrl('stage-worker'), { workerData: { stage, scene, arena } });
    domain.attachWorker(worker);
    return worker;
  });
  const exits = workers.map(async (worker, index) => {
    const [code] = (await once(worker, 'exit')) as [number];
    if (code !== 0) throw new Error(`the stage ${stages[index]} ended with code ${code}`);
  });
  const ended = Promise.all(exits);
  ended.catch(() => {});
  const close = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await domain.close();
  };
  return { domain, display: workers[stages.indexOf('display')] as Worker, ended, close };
}

/** The main thread only waits. */
export async function runDirect(scene: Scene): Promise<DisplayStatistics> {
  const { display, ended, close } = startDirect(scene);
  let statistics: DisplayStatistics | undefined;
  display.on('message', (message: FromDisplay) => {
    if (message.kind === 'end') statistics = message.statistics;
  });
  try {
    await ended;
  } finally {
    await close();
  }
  if (statistics === undefined) throw new Error('the display ended without its statistics');
  return statistics;
}

/** Each stage in a worker, with its work sent by the main thread, which has the display. */
export async function runBounced(scene: Scene): Promise<DisplayStatistics> {
  const domain = openThreadsDomain(createArena(), { label: 'main' });
  const buffers = new Buffers(scene);
  const times = new Times(scene);
  const start = (): Worker => new Worker(workerUrl('task-worker'), { workerData: scene });
  const queues = hasWork.map((stage) => {
    return { stage, queue: createJobQueue(domain, { workers: { count: 1, start }, capacity: 8 }) };
  });
  const display = createDisplay(domain, {
    buffers: buffers.frames.buffers,
    vsync: timerVsync({ hz: scene.hz }),
    onShown: ({ number }) => {
      if (number > 0) times.letGo(number - 1);
    },
  });
  try {
    const outcomes: Promise<unknown>[] = [];
    for (let frame = 0; frame < scene.frameCount; frame++) {
      for (const { stage, queue } of queues) {
        const set = buffers.setOf(stage, frame);
        const job = queue.submit({ ...set, task: 'run', data: { stage, frame } });
        await job.enqueued;
      }
      outcomes.push(display.present(buffers.frameOf(frame), { number: frame }).outcome);
      await outcomes[frame - 4];
    }
    await Promise.all(outcomes);
    return display.statistics();
  } finally {
    await Promise.all(queues.map(({ queue }) => queue.close()));
    await display.close();
    await domain.close();
  }
}

/** Keeps the event loop of this thread busy for half of the time, until it is stopped. */
export function keepHalfBusy(taskMs: number): () => void {
  const timer = setInterval(() => {
    const untilMs = Times.now() + taskMs;
    while (Times.now() < untilMs);
  }, 2 * taskMs);
  return () => clearInterval(timer);
}
