/** `fence.lua`, before a script of a user's own, on a real server. */

import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { fenceScript, openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

describeWithRedis('the fence', () => {
  let server: RedisServer;
  let redis: Redis;
  let keyLast = 0;
  beforeAll(async () => {
    server = await startRedisServer();
    redis = new Redis({ port: server.port, host: '127.0.0.1' });
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const script = `${fenceScript}\nreturn kds_fence(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0`;

  function freshFence() {
    const key = `fence ${++keyLast}`;
    const ask = async (...args: string[]) => (await redis.eval(script, 1, key, ...args)) === 1;
    return {
      writes: (token: number) => ask(String(token)),
      reads: (token: number) => ask(String(token), 'shared'),
    };
  }

  it('refuses a writer whose grant was revoked, once its successor has written', async () => {
    const { writes } = freshFence();
    const domain = await openRedisDomain(redis, { name: 'fence' });
    const slow = await domain.acquire({ exclusive: 'a' });
    const steal = await domain.acquire({ exclusive: 'a' }, { steal: true });
    expect(await writes(slow.token)).toBe(true);
    expect(await writes(steal.token)).toBe(true);
    expect(await writes(slow.token)).toBe(false);
    await domain.close();
  });

  it('lets a token by as often as it comes, and greater ones', async () => {
    const { writes } = freshFence();
    expect(await writes(5)).toBe(true);
    expect(await writes(5)).toBe(true);
    expect(await writes(6)).toBe(true);
    expect(await writes(5)).toBe(false);
  });

  it('refuses a writer once a later reader has been seen', async () => {
    const { writes, reads } = freshFence();
    expect(await writes(5)).toBe(true);
    expect(await reads(6)).toBe(true);
    expect(await writes(5)).toBe(false);
  });

  it('refuses a reader once a later writer has been seen, and not for a later reader', async () => {
    const { writes, reads } = freshFence();
    expect(await reads(6)).toBe(true);
    expect(await reads(5)).toBe(true);
    expect(await writes(7)).toBe(true);
    expect(await reads(6)).toBe(false);
    expect(await reads(8)).toBe(true);
    expect(await writes(7)).toBe(false);
  });

  it('distinguishes tokens up to 2^53', async () => {
    const { writes } = freshFence();
    const greatest = Number.MAX_SAFE_INTEGER;
    expect(await writes(greatest - 1)).toBe(true);
    expect(await writes(greatest)).toBe(true);
    expect(await writes(greatest - 1)).toBe(false);
  });

  it('takes nothing else for a token or a mode', async () => {
    for (const token of ['', 'x', '0', '-1', '1.5', '9007199254740993']) {
      await expect(redis.eval(script, 1, 'any', token), token).rejects.toThrow('a token is');
    }
    await expect(redis.eval(script, 1, 'any', '1', 'reader')).rejects.toThrow('a mode is');
    expect(await redis.exists('any')).toBe(0);
  });

  it('is the same as a file', () => {
    const file = new URL('../../src/backends/redis/lua/fence.lua', import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(fenceScript);
  });
});
