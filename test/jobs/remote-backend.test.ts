/**
 * Jobs and a display in a domain that answers later, as a server's domain does: each call is a
 * message to a worker, grants are messages back, and a release is a promise.
 */

import { createDisplay, manualVsync } from 'kds/display';
import { createJobQueue } from 'kds/jobs';
import { createArena } from 'kds/threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainPool } from '../threads/domain-pool.ts';
import { failureOf, turn } from './domains.ts';
import { cellCount, inOrder, nameOf, randomFrom, randomSteps, take } from './steps.ts';

const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);

let pool: DomainPool;
beforeAll(async () => {
  pool = await DomainPool.start(1);
});
afterAll(() => pool.end());

describe('on a remote backend', () => {
  it(`2,000 random jobs do what they do in order (KDS_SEED=${seed})`, async () => {
    const domain = await pool.open(createArena(), 0);
    const queue = createJobQueue(domain, { capacity: 2 ** 11, concurrency: 16 });
    const random = randomFrom(seed);
    const steps = randomSteps(2_000, random);
    const cells = new Int32Array(cellCount);
    for (const step of steps) {
      const [reads, writes] = [step.reads.map(nameOf), step.writes.map(nameOf)];
      const isSlow = random(20) === 0;
      const run = async (): Promise<void> => {
        const own = cells.slice();
        if (isSlow) await turn();
        take(own, step);
        for (const cell of step.writes) cells[cell] = own[cell] as number;
      };
      queue.submit({ reads, writes, run });
    }
    expect(await queue.drain()).toMatchObject({ done: 2_000, failed: 0 });
    expect([...cells]).toEqual([...inOrder(steps)]);
    // A job has ended when its release has been heard.
    expect(await domain.query()).toEqual({ held: [], pending: [] });
    await domain.close();
  });

  it('a job that fails is reported, sets the recovered flag, and holds nothing', async () => {
    const domain = await pool.open(createArena(), 0);
    const queue = createJobQueue(domain, { onFailure: () => {} });
    const failing = queue.submit({ writes: 'a', run: () => Promise.reject(new Error('bad')) });
    const next = queue.submit({ writes: 'a', run: (job) => [job.recovered, job.covers({})] });
    expect(await failureOf(failing.done)).toEqual(new Error('bad'));
    expect(await next.done).toEqual([['a'], true]);
    expect(await domain.query()).toEqual({ held: [], pending: [] });
    await domain.close();
  });

  it('a sub-job in a deadlock fails with a DeadlockError', async () => {
    const domain = await pool.open(createArena(), 0);
    const queue = createJobQueue(domain, { onFailure: () => {} });
    const parent = queue.submit({
      reads: 'a',
      run: async (job) => {
        await job.submit({ reads: 'a', run: () => 'delegated' }).done;
        return failureOf(job.submit({ writes: 'a', run: () => 'never' }).done);
      },
    });
    expect(await parent.done).toMatchObject({ code: 'KDS_DEADLOCK' });
    await domain.close();
  });

  it('a display flips, and a deadlock through it rejects the outcome', async () => {
    const domain = await pool.open(createArena(), 0);
    const vsync = manualVsync();
    const buffers = [{ resource: 'F0' }, { resource: 'F1' }, { resource: 'F2' }] as const;
    const display = createDisplay(domain, { buffers, vsync });
    const playUntil = async (isOver: () => boolean): Promise<void> => {
      while (!isOver()) {
        await turn();
        vsync.tick();
      }
    };
    const first = display.present(buffers[0]);
    await playUntil(() => first.state === 'shown');
    const both = domain.acquire({ exclusive: ['F0', 'F1'] });
    const told = failureOf(display.present(buffers[1]).outcome);
    expect(await told).toMatchObject({ code: 'KDS_DEADLOCK' });

    // The same where it is not known yet as the flip is presented.
    const drawing = await domain.acquire({ exclusive: 'F2' });
    const second = display.present(buffers[2]);
    const both2 = domain.acquire({ exclusive: ['F1', 'F2'] });
    const third = display.present(buffers[1]);
    const later = failureOf(third.outcome);
    await drawing.release();
    await playUntil(() => third.state === 'refused');
    expect(second.state).toBe('shown');
    expect(await later).toMatchObject({ code: 'KDS_DEADLOCK' });
    await (await both).release();
    await display.close();
    await (await both2).release();
    expect(await domain.query()).toEqual({ held: [], pending: [] });
    await domain.close();
  });
});
