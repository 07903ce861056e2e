/** The command line on a domain in Redis: a real server, and real processes. */

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { openRedisDomain, type RedisDomain } from 'kds/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../broker/programs.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';
import { CliHarness, freshName, type Running } from './cli-harness.ts';

const password = 'p@ss w:rd/';

describe('where the domain is', () => {
  const cli = new CliHarness();
  beforeAll(() => cli.open());
  afterAll(() => cli.close());

  const ls = (domain: string, ...args: readonly string[]) =>
    cli.kds(['ls', '--domain', domain, ...args]).ended;

  it.each([
    ['', 'must be redis://HOST'],
    ['redis://', 'must be redis://HOST'],
    ['http://db.example', 'must be redis://HOST'],
    ['redis://db.example/x', 'database of --domain must be a number'],
    ['redis://db.example/0?nmae=x', 'has the unknown parameter "nmae"'],
    ['redis://db.example?name=a&name=b', 'the parameter name twice'],
    ['redis://db.example?lease=soon', 'must be a time in seconds'],
    ['redis://:%@db.example', 'not percent-encoded'],
  ])('is no %j, and nothing is requested', async (domain, message) => {
    const ended = await ls(domain);
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain(message);
  });

  it('is one address, not two', async () => {
    const both = ['--domain', 'redis://db.example', '--socket', cli.socket];
    const ended = await cli.kds(['run', ...both, 'true']).ended;
    expect(ended).toMatchObject({ code: 64 });
    expect(ended.stderr).toContain('cannot be used together');
  });

  it('is unavailable with 69, and the password is not printed', async () => {
    const secret = 'redis://me:secret@127.0.0.1:1';
    const both = [
      ls(`${secret}/0?name=n`),
      cli.kds(['run', '-x', 'a', '--', 'true'], { env: { KDS_DOMAIN: secret } }).ended,
    ];
    for (const ended of await Promise.all(both)) {
      expect(ended).toMatchObject({ code: 69, stdout: '' });
      expect(ended.stderr).toContain('redis://127.0.0.1:1/0?name=');
      expect(ended.stderr).toContain('ECONNREFUSED');
      expect(ended.stderr).not.toContain('secret');
    }
  });

  it('is 69 without a client library, and names those to install', async () => {
    const alone = mkdtempSync(join(tmpdir(), 'kds-alone-'));
    cpSync(dirname(cli.program), alone, { recursive: true });
    const args = [
      join(alone, 'cli.cjs'),
      'run',
      '--domain',
      'redis://127.0.0.1:1',
      '-x',
      'a',
      'true',
    ];
    const ended = await cli.start(process.execPath, args).ended;
    rmSync(alone, { recursive: true });
    expect(ended).toMatchObject({ code: 69, stdout: '' });
    expect(ended.stderr).toContain('npm install ioredis (or redis, or iovalkey)');
  });
});

describeWithRedis('kds on a domain in Redis', () => {
  const cli = new CliHarness();
  let server: RedisServer;
  let redis: Redis;
  let domain: RedisDomain;
  let url = '';

  beforeAll(async () => {
    await cli.open();
    server = await startRedisServer('--requirepass', password);
    const { port } = server;
    url = `redis://127.0.0.1:${port}/3?name=a%20shop&lease=1s`;
    redis = new Redis({ port, host: '127.0.0.1', db: 3, password });
    domain = await openRedisDomain(redis, { name: 'a shop', label: 'the test' });
  });
  afterAll(async () => {
    await domain?.close();
    redis?.disconnect();
    await cli.close();
    await server?.stop();
  });

  const env = () => ({ KDS_DOMAIN: url, REDISCLI_AUTH: password });
  const kds = (...args: readonly string[]): Running => cli.kds(args, { env: env() });
  const waiting = async (name: string): Promise<void> => {
    await until(async () => {
      const { pending } = await domain.query();
      return pending.some(({ set }) => set.exclusive.includes(name));
    }, `somebody waits for ${name}`);
  };

  it('run holds a set while its command runs, and waits for its turn', async () => {
    const name = freshName();
    const grant = await domain.acquire({ exclusive: name });
    const running = kds('run', '-x', name, '--', 'sh', '-c', 'echo "$KDS_TOKEN"');
    await waiting(name);
    expect((await kds('run', '-n', '-x', name, 'true').ended).code).toBe(75);
    await grant.release();
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    expect(Number(stdout)).toBeGreaterThan(grant.token);
    const next = await domain.tryAcquire({ exclusive: name });
    expect(next?.recovered).toEqual([]);
    await next?.release();
  });

  it('takes the password of the URL rather than that of the environment', async () => {
    const whole = url.replace('//', `//:${encodeURIComponent(password)}@`);
    const right = cli.kds(['ls', '--domain', whole], { env: { REDISCLI_AUTH: 'wrong' } });
    expect(await right.ended).toMatchObject({ code: 0, stderr: '' });
    const wrong = await cli.kds(['ls', '--domain', url], { env: { REDISCLI_AUTH: 'wrong' } }).ended;
    expect(wrong.code).toBe(69);
    expect(wrong.stderr).toMatch(/WRONGPASS|AUTH/);
  });

  it('ls and why print holders and waiters, with their processes, and no password', async () => {
    const name = freshName();
    const whole = url.replace('//', `//:${encodeURIComponent(password)}@`);
    const holder = cli.kds([
      'run',
      '--domain',
      whole,
      '-x',
      name,
      '--',
      'sh',
      '-c',
      'echo held; read x',
    ]);
    await holder.prints(/held/);
    const { stdout } = await kds('ls').ended;
    const fields = stdout.trimEnd().split('\t');
    expect(fields[0]).toBe('held');
    expect(fields[4]).toMatch(new RegExp(`:${holder.pid}$`));
    expect(fields[8]).toBe('sh -c echo held; read x');
    const why = await kds('why', '--json', name).ended;
    expect(JSON.parse(why.stdout).held).toHaveLength(1);
    const kept = JSON.stringify(await redis.hgetall(`${await sessionKeyOf(holder.pid)}`));
    expect(kept).not.toContain('ss w');
    holder.child.stdin?.end('\n');
    await holder.ended;
    expect((await kds('why', name).ended).code).toBe(1);
  });

  async function sessionKeyOf(pid: number): Promise<string> {
    for (const key of await redis.keys('*:s:*')) {
      if ((await redis.hget(key, 'about'))?.includes(`"pid":${pid}`)) return key;
    }
    throw new Error(`no session of ${pid}`);
  }

  it('break takes a name away, and the command is ended', async () => {
    const name = freshName();
    const holder = kds('run', '-x', name, '--', 'sh', '-c', 'echo held; exec sleep 600');
    await holder.prints(/held/);
    const broken = await kds('break', '--yes', name).ended;
    expect(broken.code).toBe(0);
    expect(broken.stdout).toContain('revoked: ');
    expect((await holder.ended).code).toBe(128 + 15);
    const next = await domain.tryAcquire({ exclusive: name });
    expect(next?.recovered).toEqual([name]);
    await next?.release();
  });

  it('batch runs its commands under sets of that domain', async () => {
    const name = freshName();
    const grant = await domain.acquire({ exclusive: name });
    const input = `${JSON.stringify({ run: 'echo done', writes: name })}\n`;
    const running = cli.kds(['batch', '-'], { env: env(), input });
    await waiting(name);
    expect(running.stdout).toBe('');
    await grant.release();
    expect(await running.ended).toMatchObject({ code: 0, stdout: 'done\n' });
  });

  it('a kds that is killed lets go when its lease has ended', async () => {
    const name = freshName();
    const holder = kds('run', '-x', name, '--', 'sh', '-c', 'echo held; read line');
    await holder.prints(/held/);
    const { held } = await domain.query();
    const command = held.find(({ set }) => set.exclusive.includes(name));
    expect(command?.client.pid).toBe(holder.pid);
    holder.kill('SIGKILL');
    const grant = await domain.acquire({ exclusive: name });
    expect(grant.recovered).toEqual([name]);
    await grant.release();
    // Its command is still there, and ends with its input.
    holder.child.stdin?.end();
    await holder.ended;
  });
});
