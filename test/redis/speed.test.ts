import { Redis } from 'ioredis';
import { openRedisDomain } from 'kds/redis';
import { it } from 'vitest';
import { startRedisServer } from './server.ts';
it('speed', async () => {
  const server = await startRedisServer();
  const redis = new Redis({ port: server.port, host: '127.0.0.1' });
  const domain = await openRedisDomain(redis, { name: 'x' });
  const stat = async (label: string) => {
    const info = await redis.info('commandstats');
    console.log(label, info.split('\n').filter((l) => /evalsha|subscribe|publish|set:|del:/.test(l)).join('\n'));
    await redis.config('RESETSTAT');
  };
  const time = async (label: string, n: number, fn: () => Promise<unknown>) => {
    for (let i = 0; i < 200; i++) await fn();
    const t0 = performance.now();
    for (let i = 0; i < n; i++) await fn();
    const us = ((performance.now() - t0) * 1000) / n;
    console.log(label, us.toFixed(1), 'us');
    await stat(label);
  };
  await time('set+del', 3000, async () => {
    await redis.set('k', 'v', 'PX', 10000, 'NX');
    await redis.del('k');
  });
  await time('acquire+release 1', 3000, async () => {
    const g = await domain.acquire({ exclusive: 'a' });
    await g.release();
  });
  await time('acquire+release 8', 2000, async () => {
    const g = await domain.acquire({ exclusive: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] });
    await g.release();
  });
  const t0 = performance.now();
  let count = 0;
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 5000; i++) {
      domain.enqueue({ exclusive: 'a' }, (g) => {
        void g.release();
        if (++count === 5000) resolve();
      });
    }
  });
  console.log('chain per step us', ((performance.now() - t0) * 1000) / 5000);
  await stat('chain');
  await domain.close();
  redis.disconnect();
  await server.stop();
});
