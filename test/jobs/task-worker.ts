/** A worker of a queue under test: what its tasks do to shared cells, and how they fail. */

import { isMainThread } from 'node:worker_threads';
import { type RunningTask, serveTasks } from '../../src/recipes/jobs/index.ts';
import { type Step, take } from './steps.ts';

if (isMainThread) throw new Error('this is for workers');

const tasks = {
  step: ({ memory, step }: { memory: SharedArrayBuffer; step: Step }) => {
    take(new Int32Array(memory), step);
  },
  echo: (data: unknown) => data,
  covers: (_: unknown, task: RunningTask) => [
    task.covers({ exclusive: 'a', shared: ['a', 'b'] }),
    task.covers({ exclusive: 'b' }),
    task.covers({ shared: 'c' }),
  ],
  units: (_: unknown, task: RunningTask) => [
    task.units,
    task.covers({ units: { gpu: 2 }, shared: 'gpu' }),
    task.covers({ units: { gpu: 3 } }),
    task.covers({ exclusive: 'gpu' }),
  ],
  fail: () => {
    throw new RangeError('no canvas');
  },
  failOddly: () => {
    throw Object.assign(new Error('not to be cloned'), { cause: () => {} });
  },
  returnOddly: () => () => {},
  exit: () => process.exit(3),
  crash: () => {
    setImmediate(() => {
      throw new Error('crashed');
    });
    return new Promise(() => {});
  },
  hang: () => new Promise(() => {}),
  heed: (_: unknown, { signal }: RunningTask) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    }),
};

serveTasks(tasks);
