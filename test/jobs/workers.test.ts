/** Jobs whose work is done by workers: real ones, that fail in every way. */

import { Worker } from 'node:worker_threads';
import { createDomain, type Resource } from 'kds';
import { createJobQueue, type JobQueue } from 'kds/jobs';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from '../threads/bundle.ts';
import { failureOf, nothing } from './domains.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./task-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

const backends = [
  ['process', () => createDomain()],
  ['threads', () => openThreadsDomain(createArena({ bytesMax: 2 ** 20 }))],
] as const;

describe.each(backends)('a task of a queue on the backend %s', (_, open) => {
  const domain = open();
  const workers: Worker[] = [];
  const start = (): Worker => {
    const worker = new Worker(bundle.path);
    workers.push(worker);
    return worker;
  };
  const queues: JobQueue[] = [];
  const makeQueue = (count = 1): JobQueue => {
    const queue = createJobQueue(domain, { workers: { count, start }, onFailure: () => {} });
    queues.push(queue);
    return queue;
  };
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((queue) => queue.close()));
    workers.length = 0;
    const { held, pending } = domain.querySync();
    expect({ held, pending }).toEqual(nothing);
  });

  it('gets its data, and its result comes back', async () => {
    const data = { list: [1, 'two', new Date(3)], moved: new ArrayBuffer(8) };
    const queue = makeQueue();
    const job = queue.submit({ task: 'echo', data, transfer: [data.moved] });
    expect(await job.done).toEqual({ list: [1, 'two', new Date(3)], moved: new ArrayBuffer(8) });
    expect(data.moved.byteLength).toBe(0);
  });

  it('covers what its job has declared', async () => {
    const job = makeQueue().submit({
      writes: 'a',
      reads: ['b', domain.resource()],
      task: 'covers',
    });
    expect(await job.done).toEqual([true, false, false]);
  });

  if (domain.capabilities.has('units')) {
    it('gets the units of its job', async () => {
      domain.setCapacity('gpu', ['gpu0', 'gpu1', 'gpu2', 'gpu3']);
      const queue = makeQueue(2);
      const units = new Map<Resource | string, number>([
        ['gpu', 2],
        [domain.resource(), 1],
      ]);
      domain.setCapacity([...units.keys()][1] as Resource, 1);
      const jobs = [1, 2].map(() => queue.submit({ units, task: 'units' }));
      const plain = queue.submit({ reads: 'a', task: 'units' });
      const results = await Promise.all(jobs.map(({ done }) => done));
      expect(results).toEqual([
        [expect.objectContaining({ gpu: ['gpu0', 'gpu1'] }), true, false, false],
        [expect.objectContaining({ gpu: expect.any(Array) }), true, false, false],
      ]);
      expect(await plain.done).toEqual([{}, false, false, false]);
    });
  }

  it('that fails, or whose result cannot be cloned, is a failed job', async () => {
    const queue = makeQueue();
    const failing = queue.submit({ writes: 'a', task: 'fail' });
    const next = queue.submit({ reads: 'a', run: ({ recovered }) => recovered });
    expect(await failureOf(failing.done)).toEqual(new RangeError('no canvas'));
    expect(await next.done).toEqual(['a']);
    expect(await failureOf(queue.submit({ task: 'failOddly' }).done)).toEqual(
      new Error('Error: not to be cloned'),
    );
    const unspeakable = (await failureOf(queue.submit({ task: 'returnOddly' }).done)) as Error;
    expect(unspeakable.message).toContain('could not be cloned');
    expect(await failureOf(queue.submit({ task: 'nobody knows' }).done)).toMatchObject({
      name: 'TypeError',
    });
    const unclonable = queue.submit({ task: 'echo', data: () => {} });
    expect(await failureOf(unclonable.done)).toMatchObject({ name: 'DataCloneError' });
    expect(await queue.submit({ task: 'echo', data: 'still well' }).done).toBe('still well');
    queue.submit({ writes: 'a', run: () => {} });
    await queue.drain();
  });

  it.each(['exit', 'crash'])(
    'whose worker ends by %s fails, and the next gets a new worker',
    async (task) => {
      const queue = makeQueue();
      const failing = queue.submit({ writes: 'a', task });
      const next = queue.submit({ writes: 'a', task: 'echo', data: 'next' });
      const error = await failureOf(failing.done);
      expect(error).toMatchObject({ code: 'KDS_UNAVAILABLE' });
      expect((error as Error).message).toContain(`"${task}"`);
      if (task === 'crash') expect((error as Error).cause).toEqual(new Error('crashed'));
      expect(await next.done).toBe('next');
      expect(workers).toHaveLength(2);
    },
  );

  it('that hangs fails when its worker is terminated', async () => {
    const queue = makeQueue();
    const hanging = queue.submit({ writes: 'a', task: 'hang' });
    await hanging.started;
    await workers[0]?.terminate();
    expect(await failureOf(hanging.done)).toMatchObject({ code: 'KDS_UNAVAILABLE' });
    expect(await queue.submit({ writes: 'a', task: 'echo', data: 1 }).done).toBe(1);
  });

  it('has its signal aborted by a cancel', async () => {
    const queue = makeQueue();
    const job = queue.submit({ task: 'heed' });
    await job.started;
    const reason = { kind: 'of the caller' };
    expect(job.cancel(reason)).toBe(false);
    expect(await failureOf(job.done)).toBe(reason);
    expect(job.state).toBe('cancelled');
  });

  it('that is cancelled while it waits for a worker leaves the worker to others', async () => {
    const queue = makeQueue();
    const busy = queue.submit({ task: 'heed' });
    const waiting = queue.submit({ task: 'echo', data: 1 });
    const behind = queue.submit({ task: 'echo', data: 2 });
    await busy.started;
    expect(waiting.cancel('not needed')).toBe(true);
    busy.cancel('enough');
    expect(await behind.done).toBe(2);
    expect(await failureOf(busy.done)).toBe('enough');
    expect(workers).toHaveLength(1);
  });

  it('fails if no worker can be started, and so does each after it, holding nothing', async () => {
    let attempts = 0;
    const queue = createJobQueue(domain, {
      workers: {
        count: 2,
        start: () => {
          attempts++;
          throw new Error('no more threads');
        },
      },
      onFailure: () => {},
    });
    const jobs = [1, 2, 3].map(() => queue.submit({ writes: 'a', task: 'echo' }));
    for (const job of jobs) {
      expect(await failureOf(job.done)).toMatchObject({
        code: 'KDS_UNAVAILABLE',
        cause: new Error('no more threads'),
      });
    }
    expect(attempts).toBe(3);
  });

  it('fails if its worker ends before it has served anything', async () => {
    const queue = createJobQueue(domain, {
      workers: { count: 1, start: () => new Worker('not JavaScript at all', { eval: true }) },
      onFailure: () => {},
    });
    const job = queue.submit({ writes: 'a', task: 'echo' });
    const error = (await failureOf(job.done)) as Error;
    expect(error).toMatchObject({ code: 'KDS_UNAVAILABLE' });
    expect(error.cause).toMatchObject({ name: 'SyntaxError' });
  });
});
