/** What is refused, with which error, and that nothing is left behind. */

import { createDomain } from 'kds';
import { createJobQueue, type JobQueueOptions, type RunSpec, serveTasks } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { nothing } from './domains.ts';

const run = (): void => {};
const anything = <T>(value: unknown): T => value as T;

describe('a queue', () => {
  it.each<[unknown, string]>([
    [5, 'TypeError'],
    [{ capacity: 0 }, 'RangeError'],
    [{ capacity: 2 ** 20 + 1 }, 'RangeError'],
    [{ capacity: '9' }, 'TypeError'],
    [{ concurrency: 0.5 }, 'RangeError'],
    [{ concurrency: Number.NaN }, 'RangeError'],
    [{ label: 'x'.repeat(1025) }, 'LimitError'],
    [{ onFailure: 'log' }, 'TypeError'],
    [{ isPaused: 1 }, 'TypeError'],
    [{ workers: { count: 0, start: run } }, 'RangeError'],
    [{ workers: { count: 1 } }, 'TypeError'],
    [{ workers: 2 }, 'TypeError'],
  ])('is not made with %j', (options, name) => {
    const make = (): unknown => createJobQueue(createDomain(), options as JobQueueOptions);
    expect(make).toThrow(expect.objectContaining({ name }));
  });

  it('is not made without a domain', () => {
    expect(() => createJobQueue(anything({}))).toThrow(TypeError);
    expect(() => createJobQueue(anything(undefined))).toThrow(TypeError);
  });
});

describe('a job', () => {
  it.each<[string, unknown, string]>([
    ['that is no object', 'job', 'TypeError'],
    ['without run or task', { writes: 'a' }, 'TypeError'],
    ['with both', { run, task: 'draw' }, 'TypeError'],
    ['whose run is none', { run: 'draw' }, 'TypeError'],
    ['whose task is none', { task: run }, 'TypeError'],
    ['with a task, where no workers are', { task: 'draw' }, 'TypeError'],
    ['with no policy for a loss', { run, afterLoss: 'skip' }, 'TypeError'],
    ['with a policy that is none', { run, afterFailure: 'ignore' }, 'TypeError'],
    ['with a label that is none', { run, label: 7 }, 'TypeError'],
    ['with a label that is too long', { run, label: 'x'.repeat(1025) }, 'LimitError'],
    ['with a signal that is none', { run, signal: {} }, 'TypeError'],
    ['that comes after a name', { run, after: 'compile' }, 'TypeError'],
    ['with a resource that is none', { run, writes: 7 }, 'InvalidSetError'],
    ['with a list of such', { run, reads: ['a', null] }, 'InvalidSetError'],
    ['with a name that is too long', { run, reads: 'x'.repeat(65_537) }, 'LimitError'],
    [
      'with a handle of another domain',
      { run, reads: createDomain().resource() },
      'InvalidSetError',
    ],
  ])('%s is refused, in the ring and waiting for room in it', (_, spec, name) => {
    const domain = createDomain();
    const queue = createJobQueue(domain, { capacity: 1 });
    const submit = (): unknown => queue.submit(spec as RunSpec<void>);
    expect(submit).toThrow(expect.objectContaining({ name }));
    expect([queue.size, domain.querySync()]).toEqual([0, nothing]);
    queue.pause();
    queue.submit({ run });
    expect(submit).toThrow(expect.objectContaining({ name }));
    expect(queue.size).toBe(1);
  });

  it('that comes after a job of another queue, or of another parent, is refused', async () => {
    const domain = createDomain();
    const queue = createJobQueue(domain);
    const other = createJobQueue(domain).submit({ run });
    expect(() => queue.submit({ after: other, run })).toThrow('a job of this queue');
    const parent = queue.submit({
      run: (job) => {
        const first = queue.submit({ run });
        expect(() => job.submit({ after: first, run })).toThrow('a sub-job of this job');
        return job;
      },
    });
    const ended = await parent.done;
    expect(() => ended.submit({ run })).toThrow('has ended');
    await queue.drain();
    expect(domain.querySync()).toEqual(nothing);
  });

  it('with a signal that has aborted is refused with its reason', () => {
    const queue = createJobQueue(createDomain());
    const signal = AbortSignal.abort('too late');
    let thrown: unknown;
    try {
      queue.submit({ run, signal });
    } catch (error) {
      thrown = error;
    }
    expect([thrown, queue.size]).toEqual(['too late', 0]);
  });

  it('leaves no listener at a signal that outlives it', async () => {
    const queue = createJobQueue(createDomain());
    const { signal } = new AbortController();
    let count = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => [count++, add(...args)],
      removeEventListener: (...args: Parameters<typeof remove>) => [count--, remove(...args)],
    });
    for (let index = 0; index < 10; index++) queue.submit({ run, signal });
    expect(count).toBe(1);
    await queue.drain();
    expect(count).toBe(0);
  });
});

it('serveTasks is refused outside of a worker, and what is no function is', () => {
  expect(() => serveTasks({}, anything(undefined))).toThrow(
    expect.objectContaining({ name: 'UnsupportedError' }),
  );
  expect(() => serveTasks({ draw: anything(5) })).toThrow();
});
