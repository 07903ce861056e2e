/**
 * Direct: a worker for one stage. It asks for the buffers of each frame by itself, in its own
 * domain of the arena; the stage that releases them wakes it, without a message.
 */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { DisplayStatistics } from 'kds/display';
import { traceIfAsked } from 'kds/inspect/trace';
import { createJobQueue } from 'kds/jobs';
import { type Arena, openThreadsDomain } from 'kds/threads';
import { queuedOf, requestInOrder } from './asking.ts';
import { makeContext } from './canvas.ts';
import { Buffers, type Scene, type Stage, type WorkStage } from './scene.ts';
import { StageWork } from './stage-work.ts';
import { createTimedDisplay } from './timed-display.ts';

export interface StageData {
  readonly stage: Stage;
  readonly scene: Scene;
  readonly arena: Arena;
  /** Of the display: where its viewer requests frames and statistics. */
  readonly viewer: MessagePort | undefined;
}

const { stage, scene, arena, viewer } = workerData as StageData;
const tracing = traceIfAsked();
const domain = openThreadsDomain(arena, { label: stage });
const buffers = new Buffers(scene);

/** Message of the display when all frames have been displayed. */
export interface DisplayEnd {
  readonly statistics: DisplayStatistics;
}

async function work(own: WorkStage): Promise<void> {
  const queue = createJobQueue(domain, { capacity: 4, concurrency: 1 });
  const stageWork = new StageWork(scene, makeContext);
  await requestInOrder(own, scene, (frame) => {
    const run = stageWork.run.bind(stageWork, own, frame);
    const set = buffers.setOf(own, frame);
    return queuedOf(queue.submit({ ...set, label: `${own} ${frame}`, run }));
  });
  await queue.drain();
}

async function show(): Promise<void> {
  const display = createTimedDisplay(domain, scene, buffers.frames.buffers, viewer);
  let last: Promise<unknown> = Promise.resolve();
  await requestInOrder('display', scene, (frame) => {
    last = display.present(buffers.frameOf(frame), { number: frame }).outcome;
    return undefined;
  });
  await last;
  const end: DisplayEnd = { statistics: display.statistics() };
  parentPort?.postMessage(end);
  viewer?.close();
  await display.close();
}

// What waits for a counter alone does not keep a thread alive.
const alive = setInterval(() => {}, 1000);
await (stage === 'display' ? show() : work(stage));
clearInterval(alive);
await domain.close();
tracing?.stop();
