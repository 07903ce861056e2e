/** A job's specification is read once, and its function runs in the context of the submitter. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { createJobQueue, type RunSpec } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends } from './domains.ts';

const quiet = { onFailure: (): void => {} };

describe.each(backends)('a job on the backend %s', (_, open) => {
  it('runs in the asynchronous context of the call that submitted it', async () => {
    const storage = new AsyncLocalStorage<string>();
    const failed: unknown[] = [];
    const queue = createJobQueue(open(), {
      concurrency: 1,
      onFailure: (job) => failed.push([job.label, storage.getStore()]),
    });
    const run = async (): Promise<string | undefined> => {
      await new Promise(setImmediate);
      return storage.getStore();
    };
    const submit = (label: string) =>
      storage.run(label, () => queue.submit({ writes: 'a', label, run }));
    const jobs = [submit('one'), queue.submit({ writes: 'a', run }), submit('two')];
    storage.run('three', () =>
      queue.submit({
        label: 'three',
        run: () => {
          throw new Error('on purpose');
        },
      }),
    );
    expect(await Promise.all(jobs.map(({ done }) => done))).toEqual(['one', undefined, 'two']);
    await queue.drain();
    expect(failed).toEqual([['three', 'three']]);
    await queue.close();
  });

  it('is read once, and runs with its own object as this', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const reads: PropertyKey[] = [];
    const spec = {
      answer: 42,
      writes: new Proxy(['a', 'b'], {
        get: (list, key) => {
          void domain.tryAcquire({ shared: ['x', 'y', 'z'] }).then((grant) => grant?.release());
          return Reflect.get(list, key);
        },
      }),
      run(this: { answer: number }, job: Parameters<RunSpec<unknown>['run']>[0]) {
        return [this.answer, job.covers({ exclusive: ['a', 'b'] }), job.covers({ shared: 'x' })];
      },
    };
    const noting = new Proxy(spec, {
      get: (target, key) => {
        reads.push(key);
        return Reflect.get(target, key);
      },
    });
    const job = queue.submit(noting);
    expect(reads.filter((key, index) => reads.indexOf(key) !== index)).toEqual([]);
    reads.length = 0;
    expect(await job.done).toEqual([42, true, false]);
    expect(reads).toEqual(['answer']);
    await queue.close();
  });

  it('whose signal aborts as it is listened to never runs, and holds nothing', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const reason = new Error('while it was listened to');
    const eager = {
      aborted: false,
      reason,
      addEventListener: (_: string, listener: () => void) => {
        eager.aborted = true;
        listener();
      },
      removeEventListener: () => undefined,
    };
    const signal = eager as unknown as AbortSignal;
    const job = queue.submit({ writes: 'a', signal, run: () => 'never' });
    await expect(job.done).rejects.toBe(reason);
    expect(job.state).toBe('cancelled');
    await (await domain.acquire({ exclusive: 'a' })).release();
    await queue.close();
  });
});
