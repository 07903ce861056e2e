/** Bounced: a worker that runs the work that the main thread sends, and reports its end. */

import { workerData } from 'node:worker_threads';
import { type RunningTask, serveTasks } from 'kds/jobs';
import { makeContext } from './canvas.ts';
import type { Scene, WorkStage } from './scene.ts';
import { StageWork } from './stage-work.ts';

export interface Order {
  readonly stage: WorkStage;
  readonly frame: number;
}

const work = new StageWork(workerData as Scene, makeContext);

serveTasks({
  run: ({ stage, frame }: Order, task: RunningTask) => work.run(stage, frame, task),
});
