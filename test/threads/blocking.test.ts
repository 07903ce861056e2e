/** Threads that block: real workers, and the main thread that looks on. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Order } from './blocking-worker.ts';
import { type Bundle, bundleWorker } from './bundle.ts';

interface Answer {
  readonly granted?: string;
  readonly refused?: string;
  readonly name?: string;
  readonly message?: string;
  readonly listeners?: number;
  readonly lost?: string;
}

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./blocking-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

const world = () => {
  const arena = createArena();
  const domain = openThreadsDomain(arena, { label: 'main' });
  const start = async (label: string) => {
    const worker = new Worker(bundle.path, { workerData: { arena, label } });
    workers.push(worker);
    domain.attachWorker(worker);
    const [{ agent }] = await once(worker, 'message');
    const tell = async (order: Order | 'listeners' | 'loss'): Promise<Answer> => {
      const answered = once(worker, 'message');
      worker.postMessage(order);
      return (await answered)[0];
    };
    return { worker, agent: agent as number, tell };
  };
  /** Resolves when so many requests wait. */
  const pending = async (count: number): Promise<void> => {
    while ((await domain.query()).pending.length < count) await new Promise(setImmediate);
  };
  return { domain, start, pending };
};

describe('a thread that blocks', () => {
  it('goes on when another thread lets go', async () => {
    const { domain, start, pending } = world();
    const one = await start('one');
    const grant = await domain.acquire({ exclusive: 'x' });
    const answer = one.tell({ exclusive: 'x' });
    await pending(1);
    grant.release();
    expect(await answer).toEqual({ granted: 'x' });
    await domain.close();
  });

  it('is notified if its grant is revoked before it has gone on', async () => {
    const { domain, start, pending } = world();
    const one = await start('one');
    const grant = await domain.acquire({ exclusive: 'x' });
    const answer = one.tell({ exclusive: 'x' });
    await pending(1);
    grant.release();
    const steal = await domain.acquire({ exclusive: 'x' }, { steal: true });
    // What it was told of before it is told of still, and then of the loss.
    expect(await answer).toEqual({ granted: 'x' });
    expect(await one.tell('loss')).toEqual({ lost: 'GrantLostError' });
    expect((await domain.query()).held).toMatchObject([{ token: steal.token }]);
    await domain.close();
  });

  it('gives up when its time is over, and names the holder', async () => {
    const { domain, start } = world();
    const one = await start('one');
    await domain.acquire({ exclusive: 'x' }, { label: 'the migration' });
    const answer = await one.tell({ exclusive: 'x', timeoutMs: 30 });
    expect(answer).toMatchObject({ refused: 'x', name: 'TimeoutError' });
    expect(answer.message).toContain('the migration');
    expect((await domain.query()).pending).toEqual([]);
    await domain.close();
  });

  it('is interrupted, and only if it is blocked', async () => {
    const { domain, start, pending } = world();
    const one = await start('one');
    const grant = await domain.acquire({ exclusive: 'x' });
    expect(domain.interrupt(one.agent)).toBe(false);
    const answer = one.tell({ exclusive: 'x' });
    await pending(1);
    expect(domain.interrupt(one.agent)).toBe(true);
    expect(await answer).toMatchObject({ refused: 'x', name: 'InterruptedError' });
    expect((await domain.query()).pending).toEqual([]);
    grant.release();
    expect(await one.tell({ exclusive: 'x' })).toEqual({ granted: 'x' });
    await domain.close();
  });

  it('is not interrupted by what is no agent of the arena', async () => {
    const { domain } = world();
    for (const agent of ['x', undefined, null, 1n] as never[]) {
      expect(() => domain.interrupt(agent)).toThrow(/^agent is a number, not /);
    }
    for (const agent of [-1, 1.5, Number.NaN, 64, 9999, -30]) {
      expect(() => domain.interrupt(agent)).toThrow(/^agent is a whole number from 0 to 63, not /);
    }
    // No domain has the last number.
    expect([domain.interrupt(63), domain.interrupt(domain.agent)]).toEqual([false, false]);
    await domain.close();
  });

  it('is not interrupted once it has ended', async () => {
    const { domain, start, pending } = world();
    const one = await start('one');
    await domain.acquire({ exclusive: 'x' });
    void one.tell({ exclusive: 'x' });
    await pending(1);
    await one.worker.terminate();
    while ((await domain.query()).pending.length > 0) await new Promise(setImmediate);
    expect(domain.interrupt(one.agent)).toBe(false);
    await domain.close();
  });

  it('is released by its end, and its successor is notified', async () => {
    const { domain, start, pending } = world();
    const [one, two] = [await start('one'), await start('two')];
    expect(await one.tell({ exclusive: 'x' })).toEqual({ granted: 'x' });
    void two.tell({ exclusive: 'x' });
    await pending(1);
    const asked = domain.acquire({ exclusive: 'x' });
    await pending(2);
    await two.worker.terminate();
    await one.worker.terminate();
    expect((await asked).recovered).toEqual(['x']);
    await domain.close();
  });
});

describe('threads that block on each other for certain', () => {
  it.each([2, 3])('%i of them: one gets the error, and the others go on', async (count) => {
    const { domain, start } = world();
    const all = [];
    for (let index = 0; index < count; index++) all.push(await start(`thread ${index}`));
    for (const [index, { tell }] of all.entries()) await tell({ exclusive: `own ${index}` });
    const answers = all.map(({ worker, tell }, index) =>
      tell({ exclusive: `own ${(index + 1) % count}` }).then(async (answer) => {
        // Who is refused gives up all; then everybody else comes through, one after another.
        await worker.terminate();
        return answer;
      }),
    );
    const told = await Promise.all(answers);
    const refused = told.filter(({ name }) => name === 'DeadlockError');
    expect(refused.length).toBe(1);
    expect(refused[0]?.message).toContain('thread 0');
    expect(told.filter(({ granted }) => granted !== undefined).length).toBe(count - 1);
    await domain.close();
  });

  it('not if one of them could still let go', async () => {
    const { domain, start, pending } = world();
    const [one, two] = [await start('one'), await start('two')];
    const mine = await domain.acquire({ exclusive: 'main' });
    await one.tell({ exclusive: 'a' });
    const [first, second] = [one.tell({ exclusive: 'main' }), two.tell({ exclusive: 'a' })];
    await pending(2);
    // Twice as long as it takes to look for a circle.
    await new Promise((resolve) => setTimeout(resolve, 250));
    await pending(2);
    mine.release();
    expect(await first).toEqual({ granted: 'main' });
    await one.worker.terminate();
    expect(await second).toEqual({ granted: 'a' });
    await domain.close();
  });
});

it('domains that come and go add no listeners for the end of their thread', async () => {
  const { domain, start } = world();
  const one = await start('one');
  expect((await one.tell('listeners')).listeners).toBe(0);
  await domain.close();
});
