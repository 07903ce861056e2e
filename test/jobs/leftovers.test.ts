/** Jobs that come and go leave no memory behind, whatever they waited for. */

import { beforeAll, describe, expect, it } from 'vitest';
import { ChildProcesses } from '../process/child.ts';

let children: ChildProcesses;
beforeAll(async () => {
  children = await ChildProcesses.prepare();
});

/** How many MiB are kept after so many jobs more. */
const growth = (options: string, before: string): string => `
  import { createDomain } from './kds.js';
  import { createJobQueue } from './jobs.js';
  async function bytesInUse() {
    for (let round = 0; round < 3; round++) {
      await new Promise(setImmediate);
      gc();
    }
    return process.memoryUsage().heapUsed;
  }
  const domain = createDomain();
  const queue = createJobQueue(domain, ${options});
  const run = () => {};
  ${before}
  async function comeAndGo(count) {
    for (let number = 0; number < count; number++) {
      submit().cancel();
      if (number % 1000 === 0) await null;
    }
  }
  await comeAndGo(5_000);
  const bytes = await bytesInUse();
  await comeAndGo(100_000);
  console.log((await bytesInUse() - bytes) / 2 ** 20);
  process.exit();
`;

describe('100,000 jobs that are cancelled', () => {
  it.each([
    [
      'that wait for the ring',
      '{ capacity: 1 }',
      `
      domain.acquireSync({ exclusive: 'a' });
      queue.submit({ writes: 'a', run });
      const submit = () => queue.submit({ writes: 'b', run });`,
    ],
    [
      'after one that hangs',
      '{}',
      `
      const hangs = queue.submit({ run: () => new Promise(() => {}) });
      await null;
      const submit = () => queue.submit({ after: hangs, run });`,
    ],
    [
      'in the queue of a resource',
      '{}',
      `
      domain.acquireSync({ exclusive: 'a' });
      const submit = () => queue.submit({ writes: 'a', run });`,
    ],
    [
      'that wait for a slot',
      '{ concurrency: 1 }',
      `
      queue.submit({ run: () => new Promise(() => {}) });
      await null;
      const submit = () => queue.submit({ writes: 'b', run });`,
    ],
    [
      'while the queue is paused',
      '{ isPaused: true }',
      `
      const submit = () => queue.submit({ writes: 'b', run });`,
    ],
    [
      'as sub-jobs that wait for a slot',
      '{ concurrency: 1 }',
      `
      const parent = await new Promise((resolve) => {
        queue.submit({ writes: 'a', run: (job) => (resolve(job), new Promise(() => {})) });
      });
      parent.submit({ run: () => new Promise(() => {}) });
      await null;
      const submit = () => parent.submit({ run });`,
    ],
    [
      'that wait for a worker',
      `{
        workers: {
          count: 1,
          start: () => ({ addEventListener() {}, postMessage() {}, terminate() {} }),
        },
      }`,
      `
      queue.submit({ task: 'hangs' });
      await null;
      const submit = () => queue.submit({ task: 'another' });`,
    ],
  ])('%s leave nothing', (_, options, before) => {
    expect(children.ask(growth(options, before), ['--expose-gc'])).toBeLessThan(1);
  });

  it('is a sound measure: jobs that are kept are detected', () => {
    const submit = `
      const kept = [];
      const submit = () => (kept.push(queue.submit({ run })), kept.at(-1));`;
    expect(children.ask(growth('{}', submit), ['--expose-gc'])).toBeGreaterThan(5);
  });
});
