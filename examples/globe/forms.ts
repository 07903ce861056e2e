/**
 * The same pipeline in its forms: stages that wake each other, or that all go by the main thread.
 */

import { once } from 'node:events';
import { type MessagePort, type Transferable, Worker } from 'node:worker_threads';
import type { DisplayStatistics } from 'kds/display';
import { createJobQueue } from 'kds/jobs';
import { type Arena, createArena, openThreadsDomain } from 'kds/threads';
import { Buffers, hasWork, type Scene, type Stage, stages } from './scene.ts';
import type { DisplayEnd, StageData } from './stage-worker.ts';
import { createTimedDisplay } from './timed-display.ts';

/** Frames that the main thread has submitted and that have not been displayed. */
const framesAhead = 4;
const workerUrl = (name: string): URL => new URL(`./${name}.mjs`, import.meta.url);

export interface Pipeline {
  readonly arena: Arena;
  /**
   * Resolves when all frames have been displayed, or the pipeline was closed; rejects if a stage
   * fails.
   */
  readonly ended: Promise<DisplayStatistics | undefined>;
  close(): Promise<void>;
}

/**
 * Stages that wake each other: each in a worker, the display too, in one arena. The main thread
 * only waits. The viewer is the display's end of a channel.
 */
export function startDirect(scene: Scene, viewer?: MessagePort): Pipeline {
  const arena = createArena();
  const domain = openThreadsDomain(arena, { label: 'main' });
  const workers = stages.map((stage: Stage): Worker => {
    const ofDisplay = stage === 'display' ? viewer : undefined;
    const workerData: StageData = { stage, scene, arena, viewer: ofDisplay };
    const transferList: Transferable[] = ofDisplay === undefined ? [] : [ofDisplay];
    const worker = new Worker(workerUrl('stage-worker'), { workerData, transferList });
    domain.attachWorker(worker);
    return worker;
  });
  let statistics: DisplayStatistics | undefined;
  workers[stages.indexOf('display')]?.on('message', (end: DisplayEnd) => {
    statistics = end.statistics;
  });
  let isClosed = false;
  const exits = workers.map(async (worker, index) => {
    const [code] = (await once(worker, 'exit')) as [number];
    if (code !== 0 && !isClosed) {
      throw new Error(`the stage ${stages[index]} ended with code ${code}`);
    }
  });
  const ended = Promise.all(exits).then(() => statistics);
  ended.catch(() => {});
  const close = async (): Promise<void> => {
    isClosed = true;
    await Promise.all(workers.map((worker) => worker.terminate()));
    await domain.close();
  };
  return { arena, ended, close };
}

/** Each stage in a worker, with its work sent by the main thread, which has the display. */
export function startBounced(scene: Scene, viewer?: MessagePort): Pipeline {
  const arena = createArena();
  let isClosed = false;
  const run = runThroughMainThread(scene, arena, viewer, () => isClosed);
  run.catch(() => {});
  const close = async (): Promise<void> => {
    isClosed = true;
    await run.catch(() => {});
  };
  return { arena, ended: run, close };
}

async function runThroughMainThread(
  scene: Scene,
  arena: Arena,
  viewer: MessagePort | undefined,
  isClosed: () => boolean,
): Promise<DisplayStatistics> {
  const domain = openThreadsDomain(arena, { label: 'main' });
  const buffers = new Buffers(scene);
  const start = (): Worker => new Worker(workerUrl('task-worker'), { workerData: scene });
  const queues = hasWork.map((stage) => {
    return { stage, queue: createJobQueue(domain, { workers: { count: 1, start }, capacity: 8 }) };
  });
  const display = createTimedDisplay(domain, scene, buffers.frames.buffers, viewer);
  try {
    const outcomes: Promise<unknown>[] = [];
    for (let frame = 0; frame < scene.frameCount && !isClosed(); frame++) {
      for (const { stage, queue } of queues) {
        const set = buffers.setOf(stage, frame);
        const label = `${stage} ${frame}`;
        const job = queue.submit({ ...set, label, task: 'run', data: { stage, frame } });
        await job.enqueued;
      }
      outcomes.push(display.present(buffers.frameOf(frame), { number: frame }).outcome);
      if (outcomes.length > framesAhead) await outcomes.shift();
    }
    await Promise.all(outcomes);
    return display.statistics();
  } finally {
    viewer?.close();
    await Promise.all(queues.map(({ queue }) => queue.close()));
    await display.close();
    await domain.close();
  }
}

/** Runs a pipeline to its last frame. */
export async function run(start: typeof startDirect, scene: Scene): Promise<DisplayStatistics> {
  const pipeline = start(scene);
  try {
    const statistics = await pipeline.ended;
    if (statistics === undefined) throw new Error('the display ended without its statistics');
    return statistics;
  } finally {
    await pipeline.close();
  }
}
