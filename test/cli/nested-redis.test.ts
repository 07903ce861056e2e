/** `kds run` within `kds run`, in a domain in Redis: what would hang is refused there too. */

import { Redis } from 'ioredis';
import { openRedisDomain, type RedisDomain } from 'kds/redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../broker/programs.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';
import { CliHarness, freshName, type Running } from './cli-harness.ts';

describeWithRedis('kds run within kds run, in Redis', () => {
  const cli = new CliHarness();
  let word = '';
  let server: RedisServer;
  let redis: Redis;
  let domain: RedisDomain;
  let url = '';

  beforeAll(async () => {
    await cli.open();
    ({ quotedCommand: word } = cli);
    server = await startRedisServer();
    const { port } = server;
    url = `redis://127.0.0.1:${port}/0?name=nested&lease=60s`;
    redis = new Redis({ port, host: '127.0.0.1' });
    domain = await openRedisDomain(redis, { name: 'nested', leaseMs: 60_000 });
  });
  afterAll(async () => {
    await domain?.close();
    redis?.disconnect();
    await cli.close();
    await server?.stop();
  });

  const kds = (...args: readonly string[]): Running => cli.kds(args, { env: { KDS_DOMAIN: url } });
  const waiting = (name: string): Promise<void> =>
    until(async () => {
      const { pending } = await domain.query();
      return pending.some(({ set }) => [...set.exclusive, ...set.shared].includes(name));
    }, `somebody waits for ${name}`);

  /** A shell under a set, which goes on when it is sent a line. */
  async function hold(set: readonly string[], script: string): Promise<Running> {
    const running = cli.kds(['run', ...set, 'sh', '-c', `echo begun; read line; ${script}`], {
      env: { KDS_DOMAIN: url },
    });
    await running.prints(/begun/);
    return running;
  }

  it('is refused at once if it wants what the outer one holds, which goes on', async () => {
    const name = freshName();
    const script = `${word} run -x '${name}' echo never; echo "inner $?"`;
    const { code, stdout, stderr } = await kds('run', '-x', name, 'sh', '-c', script).ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'inner 64\n' });
    expect(stderr).toContain(`waits for exclusive "${name}" (held by `);
    expect(stderr).toContain('outer kds run');
  });

  it('is refused by the outermost of three too', async () => {
    const [a, b] = [freshName(), freshName()];
    const script = `${word} run -x '${b}' sh -c "${word} run -s '${a}' true"`;
    expect(await kds('run', '-x', a, 'sh', '-c', script).ended).toMatchObject({ code: 64 });
  });

  it('takes what is free, or shared by both', async () => {
    const [a, b] = [freshName(), freshName()];
    const script = `${word} run -s '${a}' -x '${b}' echo inner`;
    const ended = await kds('run', '-s', a, 'sh', '-c', script).ended;
    expect(ended).toMatchObject({ code: 0, stdout: 'inner\n', stderr: '' });
  });

  it('in opposite orders: one of the two is refused, and both end', async () => {
    const [a, b] = [freshName(), freshName()];
    const one = await hold(['-x', a], `${word} run -x '${b}' true`);
    const other = await hold(['-x', b], `${word} run -x '${a}' true`);
    one.child.stdin?.end('\n');
    await waiting(b);
    other.child.stdin?.end('\n');
    expect(await other.ended).toMatchObject({ code: 64 });
    expect(await one.ended).toMatchObject({ code: 0 });
  });

  it('may wait for one that does not wait for it, with KDS_UNDER unset', async () => {
    const name = freshName();
    const inner = `env -u KDS_UNDER ${word} run -x '${name}' echo inner`;
    const outer = await hold(['-x', name], `${inner} & read line`);
    outer.child.stdin?.write('\n');
    await waiting(name);
    outer.child.stdin?.end('\n');
    expect(await outer.ended).toMatchObject({ code: 0, stdout: 'begun\ninner\n' });
  });

  it('is known to kds batch, on both sides', async () => {
    const name = freshName();
    const line = (run: string) => JSON.stringify({ run, writes: name });
    const input = line(`${word} run -s '${name}' true`);
    const inBatch = cli.kds(['batch', '-'], { input, env: { KDS_DOMAIN: url } });
    expect(await inBatch.ended).toMatchObject({ code: 2 });
    const batch = `echo '${line('true').replaceAll("'", "'\\''")}' | ${word} batch -`;
    const inRun = await kds('run', '-x', name, 'sh', '-c', batch).ended;
    expect(inRun).toMatchObject({ code: 2 });
    expect(inRun.stderr).toContain('deadlock: ');
  });

  it('has nothing to do with one of the same name in another domain', async () => {
    const name = freshName();
    const own = `env -u KDS_DOMAIN ${word} run -x '${name}'`;
    const inner = `${word} run -x '${name}-inner' ${own} echo both`;
    const ended = await kds('run', '-x', name, 'sh', '-c', inner).ended;
    expect(ended).toMatchObject({ code: 0, stdout: 'both\n', stderr: '' });
  });

  it('is refused in either domain by the grant that it runs under there', async () => {
    const name = freshName();
    const inRedis = `KDS_DOMAIN='${url}' ${word} run -x '${name}' true`;
    const script = `${word} run -x '${name}' sh -c "${inRedis}"`;
    const inner = `env -u KDS_DOMAIN ${script}`;
    const { code, stderr } = await kds('run', '-x', name, 'sh', '-c', inner).ended;
    expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringContaining('deadlock') });
  });

  it('ignores grants that it cannot have, and requests that are none', async () => {
    const session = `${'0'.repeat(32)}.1`;
    const key = { session, number: 1 };
    for (const under of [
      [{ token: 1, pid: 1, key }],
      [{ token: 1, pid: 1, key: { session: '*', number: 1 } }],
      [{ token: 1, pid: 1, key: { session, number: '1 2' } }],
    ]) {
      const env = { KDS_DOMAIN: url, KDS_UNDER: JSON.stringify(under) };
      const name = freshName();
      const ended = cli.kds(['run', '-x', name, 'true'], { env }).ended;
      expect(await ended).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
