/** How jobs end otherwise than well: failures, what comes after them, cancels, closing. */

import { createDomain } from 'kds';
import { createJobQueue, type Job, type JobQueue } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, failureOf, Gate, nothing, turn } from './domains.ts';

const quiet = { onFailure: (): void => {} };

describe.each(backends)('a job on the backend %s', (_, open) => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('bad');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('bad');
      },
    ],
  ])('that %s lets go, and those who share its resources run and can see it', async (_, run) => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const failing = queue.submit({ writes: ['a', 'b'], run });
    const reader = queue.submit({ reads: 'a', run: (job) => job.recovered });
    const repair = queue.submit({ writes: ['a', 'b'], run: (job) => [...job.recovered].sort() });
    const later = queue.submit({ reads: ['a', 'b'], run: (job) => job.recovered });
    expect(await failureOf(failing.done)).toEqual(new Error('bad'));
    expect(await reader.done).toEqual(['a']);
    expect(await repair.done).toEqual(['a', 'b']);
    expect(await later.done).toEqual([]);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('that comes after others runs when they have ended, whatever they share', async () => {
    const queue = createJobQueue(open());
    const gate = new Gate();
    const first = queue.submit({ reads: 'a', run: () => gate.passed });
    const second = queue.submit({ reads: 'b', run: () => {} });
    const after = [first, second, first];
    const last = queue.submit({ reads: 'c', after, run: () => first.state });
    await second.done;
    await turn();
    expect(last.state).toBe('enqueued');
    gate.open();
    expect(await last.done).toBe('done');
    const late = queue.submit({ after: [first, first], run: () => 'at once' });
    expect(await late.done).toBe('at once');
  });

  it('that comes after a failure is skipped, runs, or fails fast, as declared', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const gate = new Gate();
    const other = queue.submit({ run: () => gate.passed });
    const failing = queue.submit({
      label: 'compile',
      run: () => {
        throw new Error('bad');
      },
    });
    const after = [other, failing];
    const skipped = queue.submit({ writes: 'a', after, run: () => 1 });
    const dependent = queue.submit({ writes: 'a', after: skipped, run: () => 2 });
    const running = queue.submit({ after, afterFailure: 'run', run: () => 3 });
    const fast = queue.submit({ writes: 'a', after, afterFailure: 'fail', run: () => 4 });
    expect(await failureOf(fast.done)).toEqual(new Error('bad'));
    expect([skipped.state, running.state]).toEqual(['enqueued', 'enqueued']);
    gate.open();
    expect(await running.done).toBe(3);
    const error = (await failureOf(skipped.done)) as Error & { code: string };
    expect(error).toMatchObject({ code: 'KDS_JOB_SKIPPED', cause: new Error('bad') });
    expect(error.message).toContain('"compile"');
    expect(await failureOf(dependent.done)).toMatchObject({ code: 'KDS_JOB_SKIPPED' });
    const late = queue.submit({ after: failing, run: () => 5 });
    expect(await failureOf(late.done)).toMatchObject({ code: 'KDS_JOB_SKIPPED' });
    expect(queue.counts).toEqual({ done: 2, failed: 2, skipped: 3, cancelled: 0 });
    expect(domain.querySync()).toEqual(nothing);
  });

  it('at the end of a chain of 50,000 is skipped without a stack of that depth', async () => {
    const queue = createJobQueue(open(), { ...quiet, capacity: 2 ** 16 });
    const gate = new Gate();
    let last: Job = queue.submit({
      run: async () => {
        await gate.passed;
        throw new Error('bad');
      },
    });
    for (let index = 0; index < 50_000; index++) last = queue.submit({ after: last, run: turn });
    gate.open();
    expect(await queue.drain()).toMatchObject({ failed: 1, skipped: 50_000 });
    expect(last.state).toBe('skipped');
  });

  it('that is cancelled before its start never runs; a running one is aborted', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const begun = new Gate();
    const heeding = queue.submit({
      writes: 'a',
      run: ({ signal }) => {
        begun.open();
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    const stop = new AbortController();
    const waiting = queue.submit({ writes: 'a', signal: stop.signal, run: () => 'never' });
    const behind = queue.submit({ writes: 'a', run: (job) => job.recovered });
    await begun.passed;
    stop.abort('enough');
    expect(await failureOf(waiting.done)).toBe('enough');
    expect(waiting.cancel()).toBe(false);
    expect(heeding.cancel('stop that')).toBe(false);
    expect(await failureOf(heeding.done)).toBe('stop that');
    expect(heeding.state).toBe('cancelled');
    expect(await behind.done).toEqual(['a']);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('that is cancelled while it runs and still succeeds is done', async () => {
    const queue = createJobQueue(open());
    const gate = new Gate();
    const job = queue.submit({ run: () => gate.passed.then(() => 'through') });
    await job.started;
    job.cancel();
    gate.open();
    expect(await job.done).toBe('through');
  });

  it('whose grant is stolen has its signal abort, and fails when its function ends', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const aborted = new Gate();
    const covered: boolean[] = [];
    const job = queue.submit({
      writes: 'a',
      run: async (self) => {
        self.signal.addEventListener('abort', aborted.open);
        covered.push(self.covers({ exclusive: 'a' }));
        await aborted.passed;
        covered.push(self.covers({ exclusive: 'a' }));
      },
    });
    await job.started;
    (await domain.acquire({ exclusive: 'a' }, { steal: true })).release();
    await expect(job.done).rejects.toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect([job.state, covered]).toEqual(['failed', [true, false]]);
  });

  it('whose grant is stolen ends as its function does, if afterLoss is ignore', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const stolen = new Gate();
    const job = queue.submit({
      writes: 'a',
      afterLoss: 'ignore',
      run: async () => {
        await stolen.passed;
        return 'done all the same';
      },
    });
    const dependent = queue.submit({ after: job, run: () => job.state });
    await job.started;
    (await domain.acquire({ exclusive: 'a' }, { steal: true })).release();
    stolen.open();
    expect(await job.done).toBe('done all the same');
    expect(await dependent.done).toBe('done');
  });

  it('whose grant is stolen before it starts never does', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { ...quiet, isPaused: true });
    let hasRun = false;
    const job = queue.submit({
      writes: 'a',
      run: () => {
        hasRun = true;
      },
    });
    await job.enqueued;
    await domain.query();
    (await domain.acquire({ exclusive: 'a' }, { steal: true })).release();
    await domain.query();
    queue.resume();
    await expect(job.done).rejects.toMatchObject({ code: 'KDS_GRANT_LOST' });
    await expect(job.started).rejects.toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(hasRun).toBe(false);
  });

  it('fails with the reason if its domain is closed while it waits', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    domain.acquireSync({ exclusive: 'a' });
    const job = queue.submit({ writes: 'a', run: () => 1 });
    await domain.close();
    expect(await failureOf(job.done)).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect(() => queue.submit({ writes: 'b', run: () => 1 })).toThrow('closed');
    expect(queue.size).toBe(0);
  });

  it('of a closed queue is cancelled, and the close waits for what runs', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const gate = new Gate();
    const running = queue.submit({ writes: 'a', run: () => gate.passed });
    const waiting = queue.submit({ writes: 'a', run: () => 1 });
    await running.started;
    let isClosed = false;
    const closed = queue.close().then(() => {
      isClosed = true;
    });
    expect(await failureOf(waiting.done)).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect(() => queue.submit({ run: () => 1 })).toThrow('closed');
    await turn();
    expect(isClosed).toBe(false);
    gate.open();
    await closed;
    expect(running.state).toBe('done');
    expect(domain.querySync()).toEqual(nothing);
  });
});

describe('a failure', () => {
  it('that is not awaited is an unhandled rejection, unless the queue has onFailure', async () => {
    const heard: unknown[] = [];
    const listener = (reason: unknown): void => void heard.push(reason);
    const before = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', listener);
    try {
      const fail = (queue: JobQueue, reason: string): void => {
        queue.submit({
          run: () => {
            throw reason;
          },
        });
      };
      const told: unknown[] = [];
      fail(createJobQueue(createDomain()), 'loud');
      fail(createJobQueue(createDomain(), { onFailure: (_, error) => told.push(error) }), 'told');
      await turn();
      await turn();
      expect(heard).toEqual(['loud']);
      expect(told).toEqual(['told']);
    } finally {
      process.off('unhandledRejection', listener);
      for (const each of before) process.on('unhandledRejection', each);
    }
  });
});
