/** A snapshot of many who wait in redis: neither the server nor the client is stopped for long. */

import { Redis } from 'ioredis';
import { openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { until } from '../broker/programs.ts';
import { sliceCountMin, slicesOf } from '../local/stops.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

vi.mock(import('../../src/runtime/real-time.ts'), async (original) => {
  const { countingTurns } = await import('../local/stops.ts');
  return countingTurns(original);
});

const waiterCount = 40_000;
/** Of sets that one script reads. */
const pageSize = 4000;

describeWithRedis(`a snapshot of ${waiterCount} waiters in redis`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());

  it('is read by pages, and put together in slices', async () => {
    const clients = [0, 1].map(() => new Redis({ port: server.port, host: '127.0.0.1' }));
    const [one, two] = await Promise.all(
      clients.map((client) => openRedisDomain(client, { name: 'crowded', leaseMs: 3_600_000 })),
    );
    const [admin] = clients;
    if (one === undefined || two === undefined || admin === undefined) throw new Error('none');
    await one.acquire({ exclusive: ['a', 'b'] }, { label: 'first' });
    const refused: Promise<unknown>[] = [];
    for (let count = 0; count < waiterCount; count++) {
      const set = count % 2 === 0 ? { exclusive: 'a' } : { shared: ['a', 'b'] };
      const by = count % 3 === 0 ? one : two;
      refused.push(by.acquire(set, { label: `waiter ${count}` }).catch((error) => error));
    }
    const queue = '{kds:crowded}:w:a';
    await until(async () => (await admin.zcard(queue)) === waiterCount, 'all of them wait');

    await admin.config('RESETSTAT');
    const sliceCount = await slicesOf(() => two.query());
    const statistics = await admin.info('commandstats');
    const scriptCount = Number(/cmdstat_evalsha:calls=(\d+)/.exec(statistics)?.[1]);
    console.info(`${scriptCount} scripts, ${sliceCount} slices`);
    expect(scriptCount).toBeGreaterThanOrEqual(waiterCount / pageSize);
    // Each set is gone through six times.
    expect(sliceCount).toBeGreaterThanOrEqual(6 * sliceCountMin(waiterCount));

    const { held, pending } = await two.query();
    expect(held).toMatchObject([{ label: 'first' }]);
    expect(pending).toHaveLength(waiterCount);
    const labels = new Set(pending.map(({ label }) => label));
    expect(labels.size).toBe(waiterCount);
    const ids = pending.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(pending[1]?.waitingFor).toEqual([held[0]?.id, pending[0]?.id]);
    await Promise.all([one.close(), two.close()]);
    const errors = new Set((await Promise.all(refused)).map((error) => (error as Error).name));
    expect([...errors]).toEqual(['DomainClosedError']);
    for (const client of clients) client.disconnect();
  });
});
