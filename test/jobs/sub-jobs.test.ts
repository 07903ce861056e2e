/** Jobs within jobs: delegated resources, requests for the rest, slots. */

import { createDomain } from 'kds';
import { createJobQueue, type Job, type RunningJob } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, failureOf, Gate, nothing, turn } from './domains.ts';

const quiet = { onFailure: (): void => {} };

describe.each(backends)('a sub-job on the backend %s', (_, open) => {
  it('is delegated the set of its parent, and no other caller gets in between', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { concurrency: 1 });
    const log: string[] = [];
    queue.submit({
      writes: ['a', 'b'],
      run: async (job) => {
        log.push('parent');
        await job.submit({ writes: 'a', run: () => void log.push('sub a') }).done;
        await job.submit({ reads: ['a', 'b'], run: () => void log.push('sub ab') }).done;
        log.push('parent again');
      },
    });
    const other = queue.submit({ writes: 'a', run: () => void log.push('other') });
    await other.done;
    expect(log).toEqual(['parent', 'sub a', 'sub ab', 'parent again', 'other']);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('waits for its siblings by what they declare, in the order of submission', async () => {
    const queue = createJobQueue(open(), { concurrency: 8 });
    const log: string[] = [];
    const sub = (job: RunningJob, name: string, set: object): Job =>
      job.submit({
        ...set,
        run: async () => {
          log.push(`${name} begins`);
          await turn();
          log.push(`${name} ends`);
        },
      });
    const parent = queue.submit({
      writes: 'a',
      reads: 'b',
      run: async (job) => {
        const subs = [
          sub(job, 'w', { writes: 'a' }),
          sub(job, 'r1', { reads: 'a' }),
          sub(job, 'r2', { reads: ['a', 'b'] }),
        ];
        await Promise.all(subs.map(({ done }) => done));
      },
    });
    await parent.done;
    expect(log).toEqual(['w begins', 'w ends', 'r1 begins', 'r2 begins', 'r1 ends', 'r2 ends']);
  });

  it('runs at any depth with one slot in all', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { concurrency: 1, capacity: 1 });
    const descend = async (job: RunningJob, depth: number): Promise<number> => {
      if (depth === 0) return 1;
      const spec = { writes: 'a', run: (sub: RunningJob) => descend(sub, depth - 1) };
      const two = [job.submit(spec), job.submit(spec)];
      const [left, right] = await Promise.all(two.map(({ done }) => done));
      return (left ?? 0) + (right ?? 0);
    };
    const job = queue.submit({ writes: 'a', run: (self) => descend(self, 5) });
    expect(await job.done).toBe(32);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('keeps its parent from ending before it', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const gate = new Gate();
    let sub: Job | undefined;
    const parent = queue.submit({
      writes: 'a',
      run: (job) => {
        sub = job.submit({ writes: 'a', run: () => gate.passed });
        return 'parent is through';
      },
    });
    await turn();
    expect(parent.state).toBe('running');
    expect(domain.querySync().held.map(({ set }) => set.exclusive)).toContainEqual(['a']);
    gate.open();
    expect(await parent.done).toBe('parent is through');
    expect(sub?.state).toBe('done');
  });

  it('is refused as its queue is closed, and cancels a parent that needs it', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const gate = new Gate();
    const needing = queue.submit({
      writes: 'a',
      run: async (job) => {
        await gate.passed;
        return job.submit({ writes: 'a', run: () => 'never' }).done;
      },
    });
    const coping = queue.submit({
      writes: 'b',
      run: async (job) => {
        await gate.passed;
        return failureOf((async () => job.submit({ run: () => 'never' }).done)());
      },
    });
    await Promise.all([needing.started, coping.started]);
    const closed = queue.close();
    gate.open();
    expect(await failureOf(needing.done)).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    expect(await coping.done).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    await closed;
    expect(queue.counts).toEqual({ done: 1, failed: 0, skipped: 0, cancelled: 1 });
    expect(domain.querySync()).toEqual(nothing);
  });

  it('that runs is waited for by close, and one that waits is cancelled', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const gate = new Gate();
    const begun = new Gate();
    const subs: Job[] = [];
    queue.submit({
      writes: 'a',
      run: (job) => {
        const run = (): Promise<void> => {
          begun.open();
          return gate.passed;
        };
        subs.push(job.submit({ writes: 'a', run }), job.submit({ writes: 'a', run }));
      },
    });
    await begun.passed;
    const refused = failureOf(subs[1]?.done as Promise<unknown>);
    let isClosed = false;
    const closed = queue.close().then(() => {
      isClosed = true;
    });
    expect(await refused).toMatchObject({ code: 'KDS_DOMAIN_CLOSED' });
    await turn();
    expect([subs[0]?.state, isClosed]).toEqual(['running', false]);
    gate.open();
    await closed;
    expect(subs.map(({ state }) => state)).toEqual(['done', 'cancelled']);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('is requested with what its parent keeps, so a deadlock is refused', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const begun = new Gate();
    const both = new Gate();
    const first = queue.submit({
      writes: 'a',
      run: async (job) => {
        begun.open();
        await both.passed;
        return failureOf((async () => job.submit({ writes: 'b', run: () => 'never' }).done)());
      },
    });
    await begun.passed;
    const second = queue.submit({ writes: ['a', 'b'], run: () => 'second' });
    both.open();
    expect(await first.done).toMatchObject({ code: 'KDS_DEADLOCK' });
    expect(await second.done).toBe('second');
    const upgrade = queue.submit({
      reads: 'a',
      run: (job) => failureOf((async () => job.submit({ writes: 'a', run: () => 1 }).done)()),
    });
    expect(await upgrade.done).toMatchObject({ code: 'KDS_DEADLOCK' });
    expect(domain.querySync()).toEqual(nothing);
  });

  it('that fails leaves recovered flags for its siblings, under the declared names', async () => {
    const domain = open();
    let delegated: readonly string[] = [];
    const queue = createJobQueue(domain, quiet);
    const parent = queue.submit({
      writes: ['a', 'b'],
      run: async (job) => {
        const failing = job.submit({
          writes: 'a',
          run: () => {
            throw new Error('bad');
          },
        });
        const next = job.submit({ reads: ['a', 'b'], run: ({ recovered }) => recovered });
        delegated = domain.querySync().held.flatMap(({ set }) => set.exclusive);
        await failureOf(failing.done);
        return next.done;
      },
    });
    expect(await parent.done).toEqual(['a']);
    // No flag is left on the names under which it was delegated.
    expect(delegated.filter((name) => name !== 'a' && name !== 'b')).toHaveLength(1);
    expect((await domain.acquire({ exclusive: delegated })).recovered).toEqual([]);
    await domain.query().then(({ held }) => expect(held).toHaveLength(1));
    await domain.close();
  });

  it('that fails leaves its parent to decide whether it fails', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const parent = queue.submit({
      writes: 'a',
      run: async (job) => {
        const failing = job.submit({ writes: 'a', run: () => Promise.reject(new Error('bad')) });
        return failureOf(failing.done);
      },
    });
    expect(await parent.done).toEqual(new Error('bad'));
    const later = queue.submit({ writes: 'a', run: ({ recovered }) => recovered });
    expect(await later.done).toEqual([]);
    expect(domain.querySync()).toEqual(nothing);
  });

  it('covers what it declared while it runs, and nothing else', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const handle = domain.resource();
    let kept: RunningJob | undefined;
    const parent = queue.submit({
      writes: ['a', handle],
      run: (job) =>
        job.submit({
          reads: 'a',
          writes: handle,
          run: (sub) => {
            kept = sub;
            return [
              sub.covers({ shared: ['a', handle] }),
              sub.covers({ exclusive: handle }),
              sub.covers({ exclusive: 'a' }),
              job.covers({ exclusive: domain.resource('a') }),
            ];
          },
        }).done,
    });
    expect(await parent.done).toEqual([true, true, false, true]);
    expect(kept?.covers({ shared: 'a' })).toBe(false);
  });
});

describe('sub-jobs deeper than a stack has frames for', () => {
  const depth = 20_000;

  it('are listed, and end from the innermost to the outermost', async () => {
    const queue = createJobQueue(createDomain());
    const ended: number[] = [];
    const [innermost, all] = [new Gate(), new Gate()];
    const nest = async (job: RunningJob, at: number): Promise<void> => {
      if (at === depth) {
        all.open();
        await innermost.passed;
        return;
      }
      void job.submit({ run: (sub) => nest(sub, at + 1) }).done.then(() => ended.push(at));
    };
    const outermost = queue.submit({ run: (job) => nest(job, 1) });
    await all.passed;
    expect(queue.graph().jobs).toHaveLength(depth);
    expect(queue.check()).toEqual([]);
    innermost.open();
    await outermost.done;
    expect(ended).toEqual(Array.from({ length: depth - 1 }, (_, index) => depth - 1 - index));
  });
});
