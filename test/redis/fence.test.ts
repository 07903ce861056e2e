import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { fenceScript, openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

const write = `${fenceScript}
if not kds_fence(KEYS[2], ARGV[1]) then return redis.error_reply('STALE token') end
return redis.call('SET', KEYS[1], ARGV[2])`;
const look = `${fenceScript}
if not kds_fence(KEYS[2], ARGV[1]) then return redis.error_reply('STALE token') end
return redis.call('GET', KEYS[1])`;

describeWithRedis('the fence', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedisServer();
    redis = new Redis({ port: server.port, host: '127.0.0.1' });
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
  });

  const run = (script: string, key: string, token: number | string, value = '') =>
    redis.eval(script, 2, key, `${key}:fence`, `${token}`, value);

  it('a writer who was robbed is refused once his successor has written', async () => {
    const domain = await openRedisDomain(redis, { name: 'fence' });
    const slow = await domain.acquire({ exclusive: 'a' });
    await run(write, 'a', slow.token, 'first');
    const thief = await domain.acquire({ exclusive: 'a' }, { steal: true });
    await run(write, 'a', slow.token, 'second');
    await run(write, 'a', thief.token, 'third');
    await expect(run(write, 'a', slow.token, 'late')).rejects.toThrow('STALE');
    expect(await redis.get('a')).toBe('third');
    await domain.close();
  });

  it('a writer is refused once a later reader has looked, and other readers are not', async () => {
    await run(write, 'b', 10, 'first');
    expect(await run(look, 'b', 20)).toBe('first');
    await expect(run(write, 'b', 10, 'late')).rejects.toThrow('STALE');
    expect(await run(look, 'b', 20)).toBe('first');
    expect(await run(look, 'b', 21)).toBe('first');
    await expect(run(look, 'b', 20)).rejects.toThrow('STALE');
  });

  it('tokens are told apart up to 2^53, and what is none is refused', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    await run(write, 'c', most - 1, 'first');
    await run(write, 'c', most, 'second');
    await expect(run(write, 'c', most - 1, 'late')).rejects.toThrow('STALE');
    for (const wrong of ['', 'x', '1.5', '-1', '0', '1e300', 'nan', 'inf']) {
      await expect(run(write, 'c', wrong, 'wrong')).rejects.toThrow('token');
    }
    expect(await redis.get('c')).toBe('second');
  });

  it('is the same as a file', () => {
    const file = new URL('../../src/hosts/redis/lua/fence.lua', import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(fenceScript);
  });
});
