/**
 * Direct: a worker for one stage. It asks for the buffers of each frame by itself, in its own
 * domain of the arena; the stage that releases them wakes it, without a message.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { SyncGrant } from 'kds';
import type { SharedBuffer } from 'kds/buffers';
import { createDisplay, type DisplayStatistics, timerVsync } from 'kds/display';
import { traceIfAsked } from 'kds/inspect/trace';
import { createJobQueue } from 'kds/jobs';
import { type Arena, openThreadsDomain } from 'kds/threads';
import { askingFor } from './asking.ts';
import { makeContext } from './canvas.ts';
import { Buffers, type Scene, type Stage, Times, type WorkStage } from './scene.ts';
import { StageWork } from './stage-work.ts';

export interface StageData {
  readonly stage: Stage;
  readonly scene: Scene;
  readonly arena: Arena;
}

const { stage, scene, arena } = workerData as StageData;
const tracing = traceIfAsked();
const domain = openThreadsDomain(arena, { label: stage });
const buffers = new Buffers(scene);
const times = new Times(scene);
const { turnOf, hasAsked } = askingFor(stage, scene);

/** Messages from the display to the main thread. */
export type FromDisplay =
  | { readonly kind: 'end'; readonly statistics: DisplayStatistics }
  | { readonly kind: 'frame'; readonly number: number; readonly pixels: Uint8ClampedArray }
  | { readonly kind: 'statistics'; readonly statistics: DisplayStatistics };

/** What it is asked for: the next frame that comes on, or its statistics. */
export type ToDisplay = 'frame' | 'statistics';

async function work(own: WorkStage): Promise<void> {
  const queue = createJobQueue(domain, { capacity: 4, concurrency: 1 });
  const stageWork = new StageWork(buffers, times, makeContext);
  for (let frame = 0; frame < scene.frameCount; frame++) {
    await turnOf(frame);
    const run = stageWork.run.bind(stageWork, own, frame);
    const job = queue.submit({ ...buffers.setOf(own, frame), label: `${own} ${frame}`, run });
    await job.enqueued;
    hasAsked();
  }
  await queue.drain();
}

async function show(): Promise<void> {
  let isFrameWanted = false;
  const send = (message: FromDisplay): void => parentPort?.postMessage(message);
  const display = createDisplay<SharedBuffer, SyncGrant>(domain, {
    buffers: buffers.frames.buffers,
    vsync: timerVsync({ hz: scene.hz }),
    onShown: ({ number, buffer, grant }) => {
      if (number > 0) times.letGo(number - 1);
      if (!isFrameWanted) return;
      isFrameWanted = false;
      const pixels = Uint8ClampedArray.from(buffer.read(grant));
      send({ kind: 'frame', number, pixels });
    },
  });
  const receive = (wanted: ToDisplay): void => {
    if (wanted === 'frame') isFrameWanted = true;
    else send({ kind: 'statistics', statistics: display.statistics() });
  };
  parentPort?.on('message', receive);
  let last: Promise<unknown> = Promise.resolve();
  for (let frame = 0; frame < scene.frameCount; frame++) {
    await turnOf(frame);
    last = display.present(buffers.frameOf(frame), { number: frame }).outcome;
    hasAsked();
  }
  await last;
  send({ kind: 'end', statistics: display.statistics() });
  await display.close();
  parentPort?.off('message', receive);
}

// What waits for a counter alone does not keep a thread alive.
const alive = setInterval(() => {}, 1000);
await (stage === 'display' ? show() : work(stage));
clearInterval(alive);
await domain.close();
tracing?.stop();
