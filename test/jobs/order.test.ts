/** When jobs run: by what they declare, by the order of submission, by slots, by the ring. */

import { createJobQueue, type Job } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, failureOf, Gate, nothing, turn } from './domains.ts';

describe.each(backends)('a job queue on the backend %s', (_, open) => {
  it('runs readers at the same time, and a writer alone, in the order of submission', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const log: string[] = [];
    const gates = [new Gate(), new Gate(), new Gate(), new Gate()];
    const job = (name: string, index: number, set: object): Job =>
      queue.submit({
        ...set,
        label: name,
        run: async () => {
          log.push(`${name} begins`);
          await gates[index]?.passed;
          log.push(`${name} ends`);
        },
      });
    job('w1', 0, { writes: 'a' });
    job('r1', 1, { reads: 'a' });
    job('r2', 2, { reads: ['a', 'b'] });
    job('w2', 3, { writes: ['a', 'b'] });
    await turn();
    expect(log.splice(0)).toEqual(['w1 begins']);
    gates[0]?.open();
    await turn();
    expect(log.splice(0)).toEqual(['w1 ends', 'r1 begins', 'r2 begins']);
    gates[2]?.open();
    await turn();
    expect(log.splice(0)).toEqual(['r2 ends']);
    gates[1]?.open();
    await turn();
    expect(log.splice(0)).toEqual(['r1 ends', 'w2 begins']);
    gates[3]?.open();
    expect(await queue.drain()).toEqual({ done: 4, failed: 0, skipped: 0, cancelled: 0 });
    expect(domain.querySync()).toEqual(nothing);
  });

  it('has a set in all queues once submit has returned', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const job = queue.submit({ writes: 'frame', label: 'render', run: () => 'drawn' });
    await job.enqueued;
    let seen = '';
    const shown = domain.run({ shared: 'frame' }, () => {
      seen = job.state;
    });
    expect(await job.done).toBe('drawn');
    await shown;
    expect(seen).toBe('done');
  });

  it('reports enqueued, started and done, also when they are read late', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const held = domain.acquireSync({ exclusive: 'a' });
    const job = queue.submit({ writes: 'a', run: () => 7 });
    await job.enqueued;
    expect(job.state).toBe('enqueued');
    const started = job.started.then(() => job.state);
    held.release();
    expect(await started).toMatch(/running|done/);
    expect(await job.done).toBe(7);
    await Promise.all([job.enqueued, job.started]);
    expect(await job.done).toBe(7);
  });

  it('takes a slot only for a job whose set is granted', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { concurrency: 1 });
    const held = domain.acquireSync({ exclusive: 'a' });
    const first = queue.submit({ writes: 'a', run: () => 'first' });
    const second = queue.submit({ writes: 'b', run: () => 'second' });
    expect(await second.done).toBe('second'); // though it came later, and there is one slot
    expect(first.state).toBe('enqueued');
    held.release();
    expect(await first.done).toBe('first');
  });

  it('runs no more jobs at the same time than it has slots', async () => {
    const queue = createJobQueue(open(), { concurrency: 3 });
    let running = 0;
    let runningMax = 0;
    for (let index = 0; index < 50; index++) {
      queue.submit({
        writes: `r${index}`,
        run: async () => {
          running++;
          runningMax = Math.max(runningMax, running);
          await turn();
          running--;
        },
      });
    }
    expect((await queue.drain()).done).toBe(50);
    expect(runningMax).toBe(3);
  });

  it('has no enqueued for a job without a set, in the ring or waiting for room in it', async () => {
    const queue = createJobQueue(open(), { capacity: 1, isPaused: true });
    const jobs = [{}, { reads: [], writes: [] }].map((set) =>
      queue.submit({ ...set, run: () => undefined }),
    );
    expect(jobs.map(({ enqueued, state }) => ({ enqueued, state }))).toEqual([
      { enqueued: undefined, state: 'ready' },
      { enqueued: undefined, state: 'submitted' },
    ]);
    expect(() => queue.submit({ run: () => undefined })).toThrow('job.started');
    queue.resume();
    await jobs[1]?.started;
    expect((await queue.drain()).done).toBe(2);
  });

  it('makes jobs wait for room in the ring, and keeps their order', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { capacity: 2 });
    const held = domain.acquireSync({ exclusive: 'a' });
    const log: number[] = [];
    const submit = (number: number): Job =>
      queue.submit({ writes: 'a', run: () => void log.push(number) });
    const jobs = [1, 2, 3, 4].map(submit);
    expect(jobs.map(({ state }) => state)).toEqual([
      'enqueued',
      'enqueued',
      'submitted',
      'submitted',
    ]);
    expect(() => submit(5)).toThrow(expect.objectContaining({ code: 'KDS_LIMIT' }));
    expect(domain.querySync().pending).toHaveLength(2);
    held.release();
    await jobs[3]?.enqueued;
    submit(5);
    await queue.drain();
    expect(log).toEqual([1, 2, 3, 4, 5]);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('removes a job that waits for the ring when it is cancelled', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { capacity: 1 });
    const held = domain.acquireSync({ exclusive: 'a' });
    const [first, second, third] = [1, 2, 3].map((n) => {
      try {
        return queue.submit({ writes: 'a', run: () => n });
      } catch {
        return undefined;
      }
    });
    expect(third).toBeUndefined();
    expect(second?.cancel('not needed')).toBe(true);
    expect(await failureOf(second?.enqueued as Promise<void>)).toBe('not needed');
    const last = queue.submit({ writes: 'a', run: () => 'last' });
    held.release();
    expect([await first?.done, await last.done]).toEqual([1, 'last']);
    expect(queue.size).toBe(0);
  });

  it('starts nothing while it is paused', async () => {
    const queue = createJobQueue(open(), { isPaused: true });
    const job = queue.submit({ writes: 'a', run: () => 'ran' });
    await turn();
    expect(job.state).toBe('ready');
    queue.resume();
    expect(await job.done).toBe('ran');
    queue.pause();
    const other = queue.submit({ run: () => 'ran too' });
    await turn();
    expect(other.state).toBe('ready');
    queue.resume();
    expect(await other.done).toBe('ran too');
  });
});
