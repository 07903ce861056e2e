import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aborted, calmLeaseMs, soon, withRedisServer } from './opened.ts';
import { describeWithRedis } from './server.ts';

/** By the first column of the table in the manual. */
function rightsFor(row: string): readonly string[] {
  const manual = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8');
  const line = manual.split('\n').find((each) => each.startsWith(`| ${row} |`)) ?? '';
  return [...line.matchAll(/`(\+[a-z]+)`/g)].map(([, right]) => right as string);
}

/** Not by `expect`, as some runs end after their test. */
function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`it is not so that ${what}`);
}

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'none',
    (error) => error.code,
  );
}

function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

const needed = [...rightsFor('calls'), ...rightsFor('within scripts')];

describeWithRedis('a user with the least rights of the manual', () => {
  const redis = withRedisServer();
  let warned: string[] = [];
  const onWarning = (warning: Error): void => void warned.push(warning.message);
  beforeAll(() => void process.on('warning', onWarning));
  afterAll(() => void process.off('warning', onWarning));

  const allow = async (rights: readonly string[]): Promise<void> => {
    // A pattern has no spaces.
    redis.name = redis.name.replace(' ', '-');
    const places = [`~{kds:${redis.name}}:*`, `&{kds:${redis.name}}:*`];
    await redis.admin.call(
      'ACL',
      'SETUSER',
      'least',
      'reset',
      'on',
      '>secret',
      ...places,
      ...rights,
    );
  };

  const connect = (): readonly Redis[] =>
    [0, 1].map(() => {
      const user = { username: 'least', password: 'secret' };
      return redis.client({ ...user, protocol: 2, enableReadyCheck: false });
    });

  /** All that a domain can do; in words what was refused, if anything was. */
  const useAll = async (clients: readonly Redis[], leaseMs: number): Promise<string> => {
    warned = [];
    const open = (client: Redis | undefined) =>
      openRedisDomain(client as Redis, { name: redis.name, leaseMs });
    try {
      const one = await open(clients[0]);
      const two = await open(clients[1]);
      try {
        const a = await one.acquire({ exclusive: 'a' });
        const b = await two.acquire({ exclusive: 'b' });
        check((await two.tryAcquire({ exclusive: 'a' })) === null, 'a is held');
        const late = two.acquire({ shared: 'a' }, { timeoutMs: 1 });
        check((await codeOf(late)) === 'KDS_WAIT_TIMEOUT', 'a is held for longer');
        const settled = quiet(two.settled({ shared: 'a', exclusive: 'a' }));
        const waiting = quiet(one.acquire({ exclusive: 'b' }, { holding: a }));
        await one.query();
        const circle = two.acquire({ exclusive: 'a' }, { holding: b });
        check((await codeOf(circle)) === 'KDS_DEADLOCK', 'each waits for the other');
        await a.downgrade();
        await b.abandon();
        check((await waiting).recovered.join() === 'b', 'b was abandoned');
        const steal = await two.acquire({ exclusive: 'a' }, { steal: true });
        await aborted(a.signal);
        await steal.release();
        await settled;
        await (await waiting).release('b');
        await (await two.acquire({ shared: 'c' })).release();
        await one.resource('a').close();
      } finally {
        await Promise.all([one.close(), two.close()]);
      }
    } catch (error) {
      return String(error);
    }
    // Warnings come by the next turn of the event loop.
    await new Promise(setImmediate);
    return warned.join('\n');
  };

  it('can do all that there is', async () => {
    expect(needed.length).toBeGreaterThan(20);
    await allow(needed);
    expect(await useAll(connect(), calmLeaseMs)).toBe('');
  });

  it.each(needed)('is denied something without %s', async (right) => {
    await allow(needed.filter((other) => other !== right));
    await redis.admin.call('ACL', 'LOG', 'RESET');
    // So that they are sent as a whole.
    await redis.admin.script('FLUSH');
    useAll(connect(), 1000).catch(() => undefined);
    const denied = async () => JSON.stringify(await redis.admin.call('ACL', 'LOG'));
    await expect.poll(denied, soon).toContain(`"object","${right.slice(1)}"`);
  });
});
