/** One stage of the browser's pipeline, in a worker. */

import { createJobQueue } from 'kds/jobs';
import { openThreadsDomain } from 'kds/threads';
import { queuedOf, requestInOrder } from '../asking.ts';
import { Buffers, size } from '../scene.ts';
import { StageWork } from '../stage-work.ts';
import type { Context } from '../work.ts';
import type { Beginning } from './page.ts';

addEventListener('message', ({ data }: MessageEvent<Beginning>) => void work(data), { once: true });

async function work({ stage, scene, arena }: Beginning): Promise<void> {
  const domain = openThreadsDomain(arena, { label: stage });
  // From here on a set arrives when it is asked for, so the stages stay in turn.
  await domain.ready;
  const buffers = new Buffers(scene);
  const stageWork = new StageWork(scene, makeContext);
  const queue = createJobQueue(domain, { capacity: 4, concurrency: 1 });
  await requestInOrder(stage, scene, (frame) => {
    const run = stageWork.run.bind(stageWork, stage, frame);
    const set = buffers.setOf(stage, frame);
    return queuedOf(queue.submit({ ...set, label: `${stage} ${frame}`, run }));
  });
}

function makeContext(): Context {
  const context = new OffscreenCanvas(size, size).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('a canvas cannot be had in this worker');
  return context as unknown as Context;
}
