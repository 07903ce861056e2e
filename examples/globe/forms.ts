/** The same pipeline in its forms: stages that wake each other, or that all go by the main thread. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createDisplay, type DisplayStatistics, timerVsync } from 'kds/display';
import { createJobQueue } from 'kds/jobs';
import { createArena, openThreadsDomain } from 'kds/threads';
import { Buffers, hasWork, type Scene, type Stage, stages, Times } from './scene.ts';

const workerUrl = (name: string): URL => new URL(`./${name}.mjs`, import.meta.url);

/** Each stage in a worker, the display too, in one arena. The main thread only waits. */
export async function runDirect(scene: Scene): Promise<DisplayStatistics> {
  const arena = createArena();
  const domain = openThreadsDomain(arena, { label: 'main' });
  const start = (stage: Stage): Worker => {
    const worker = new Worker(workerUrl('stage-worker'), { workerData: { stage, scene, arena } });
    domain.attachWorker(worker);
    return worker;
  };
  const workers = stages.map(start);
  const failed = workers.map(async (worker) => {
    const [code] = (await once(worker, 'exit')) as [number];
    if (code !== 0) throw new Error(`a stage ended with code ${code}`);
  });
  const display = workers[stages.indexOf('display')] as Worker;
  const told = once(display, 'message') as Promise<[{ statistics: DisplayStatistics }]>;
  try {
    const [[{ statistics }]] = await Promise.all([told, Promise.race([told, ...failed])]);
    await Promise.all(failed);
    return statistics;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await domain.close();
  }
}

/** Each stage in a worker, told by the main thread what to do next; the display there. */
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

/** Keeps the event loop of this thread busy for half of the time, until it is told to stop. */
export function keepHalfBusy(taskMs: number): () => void {
  const timer = setInterval(() => {
    const untilMs = Times.now() + taskMs;
    while (Times.now() < untilMs);
  }, 2 * taskMs);
  return () => clearInterval(timer);
}
