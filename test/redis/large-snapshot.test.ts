/** A snapshot of many who wait in redis: neither the server nor the client is stopped for long. */

import { Redis } from 'ioredis';
import { openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../broker/programs.ts';
import { longestStopIn, stopMsMax } from '../sync-domain/stops.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

const waiterCount = 40_000;

describeWithRedis(`a snapshot of ${waiterCount} waiters in redis`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());

  it(`stops nobody for longer than ${stopMsMax} ms, and tells of all`, async () => {
    const clients = [0, 1].map(() => new Redis({ port: server.port, host: '127.0.0.1' }));
    const [one, two] = await Promise.all(
      clients.map((client) => openRedisDomain(client, { name: 'crowded', leaseMs: 60_000 })),
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

    const serverMs: number[] = [];
    const clientMs: number[] = [];
    // What else the machine has to do can only add to them.
    for (let round = 0; round < 5; round++) {
      await admin.slowlog('RESET');
      await admin.config('SET', 'slowlog-log-slower-than', '1000');
      clientMs.push(await longestStopIn(() => two.query()));
      const log = (await admin.slowlog('GET', 100)) as [number, number, number, string[]][];
      const scripts = log.filter(([, , , [command]]) => command?.startsWith('EVAL'));
      expect(scripts.length).toBeGreaterThan(5);
      serverMs.push(Math.max(...scripts.map(([, , us]) => us)) / 1000);
    }
    const inWords = (ms: readonly number[]) => ms.map((each) => each.toFixed(0)).join(', ');
    console.info(`server: ${inWords(serverMs)} ms at a time; client: ${inWords(clientMs)} ms`);
    expect(Math.min(...serverMs)).toBeLessThan(stopMsMax);
    expect(Math.min(...clientMs)).toBeLessThan(stopMsMax);

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
