import { describe, expect, it } from 'vitest';
import { errorOf } from '../../src/backends/redis/refusals.ts';
import { soon, withRedisServer } from './opened.ts';
import { describeWithRedis } from './server.ts';

describe('an error of the server', () => {
  const texts: Readonly<Record<string, string>> = {
    READONLY: "READONLY You can't write against a read only replica.",
    NOREPLICAS: 'NOREPLICAS Not enough good replicas to write.',
    LOADING: 'LOADING Redis is loading the dataset in memory',
    MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    TRYAGAIN: 'TRYAGAIN Multiple keys request during rehashing of slot',
    CLUSTERDOWN: 'CLUSTERDOWN The cluster is down',
    BUSY: 'BUSY Redis is busy running a script.',
    MISCONF: 'MISCONF Redis is configured to save RDB snapshots, but is unable to persist to disk.',
    OOM: "OOM command not allowed when used memory > 'maxmemory'.",
    NOPERM: "NOPERM this user has no permissions to run the 'evalsha' command",
    NOAUTH: 'NOAUTH Authentication required.',
    WRONGPASS: 'WRONGPASS invalid username-password pair or user is disabled.',
    SYNTAX: 'ERR syntax error',
  };
  const expected = (code: string): string => {
    if (code === 'OOM') return 'KDS_LIMIT';
    return /NOPERM|NOAUTH|WRONGPASS|SYNTAX/.test(code) ? 'KDS_PROTOCOL' : 'KDS_UNAVAILABLE';
  };
  const digest = 'a4928215becf357ee8df018ae28d9e0596d37f81';
  /** What scripts that pass an error on make of it, by the version of the server. */
  const forms: Readonly<Record<string, (text: string) => string>> = {
    alone: (text) => text,
    'raised by redis 7.0': (text) => `${text} script: ${digest}, on @user_script:1.`,
    'passed on by redis 7.0': (text) => `ERR ${text} script: ${digest}, on @user_script:1.`,
    'raised by redis 6.2': (text) =>
      `ERR Error running script (call to f_${digest}): @user_script:1: @user_script: 1: ${text} `,
    'passed on by redis 6.2': (text) =>
      `ERR Error running script (call to f_${digest}): @user_script:79: ${text} `,
  };
  it.each(Object.keys(forms))('is known by its code, %s', (form) => {
    const wrap = forms[form] as (text: string) => string;
    for (const [code, text] of Object.entries(texts)) {
      const error = errorOf(new Error(wrap(text)));
      expect([code, error]).toEqual([code, expect.objectContaining({ code: expected(code) })]);
      expect(error.message).toContain(text);
    }
  });

  it('is not taken for another because of a name in it', () => {
    const damaged = 'ERR KDS_DAMAGED {kds:a}:t:READONLY OOM WRONGTYPE Operation against a key';
    expect(errorOf(new Error(damaged))).toMatchObject({ code: 'KDS_PROTOCOL' });
    const unknown = "ERR unknown command 'READONLY', with args beginning with: ";
    expect(errorOf(new Error(unknown))).toMatchObject({ code: 'KDS_PROTOCOL' });
  });

  it('that it is part of a cluster is reported in plain words', () => {
    const moved = errorOf(new Error('MOVED 3999 127.0.0.1:6381'));
    expect(moved).toMatchObject({ code: 'KDS_UNSUPPORTED' });
    expect(moved.message).toContain('cluster');
  });
});

describeWithRedis('a server that refuses for a moment', () => {
  const redis = withRedisServer();
  const config = (name: string, value: string) => redis.admin.config('SET', name, value);

  interface Moment {
    begin(): Promise<unknown>;
    end(): Promise<unknown>;
  }
  const moments: Readonly<Record<string, Moment>> = {
    READONLY: {
      begin: () => redis.admin.replicaof('127.0.0.1', '1'),
      end: () => redis.admin.replicaof('NO', 'ONE'),
    },
    NOREPLICAS: {
      begin: () => config('min-replicas-to-write', '1'),
      end: () => config('min-replicas-to-write', '0'),
    },
    MASTERDOWN: {
      begin: async () => {
        await config('replica-serve-stale-data', 'no');
        await redis.admin.replicaof('127.0.0.1', '1');
      },
      end: async () => {
        await redis.admin.replicaof('NO', 'ONE');
        await config('replica-serve-stale-data', 'yes');
      },
    },
  };
  /** Until it has refused so many scripts since, or questions whether it knows them. */
  const refused = async (count: number): Promise<void> => {
    const refusedCount = async (): Promise<number> => {
      const info = await redis.admin.info('commandstats');
      const counts = info.matchAll(
        /cmdstat_(?:evalsha|script\|exists):.*rejected_calls=(\d+),failed_calls=(\d+)/g,
      );
      return [...counts].reduce((sum, [, one, two]) => sum + Number(one) + Number(two), 0);
    };
    await expect.poll(refusedCount, soon).toBeGreaterThanOrEqual(count);
  };
  const all = Object.keys(moments);

  it.each(all)('is asked again: %s at a request, a release, a heartbeat, a query', async (code) => {
    const { begin, end } = moments[code] as Moment;
    const [one, two] = [await redis.open(), await redis.open()];
    const held = await one.acquire({ exclusive: 'held' });
    const waiting = two.acquire({ exclusive: 'held' });
    await two.query();
    await redis.admin.config('RESETSTAT');
    await begin();
    redis.atEnd(end);
    const released = held.release();
    const free = two.acquire({ exclusive: 'free' }, { timeoutMs: 60_000 });
    const tried = one.tryAcquire({ exclusive: 'tried' });
    const snapshot = one.query();
    // The calls, and heartbeats after them.
    await refused(4);
    await end();
    await released;
    expect((await waiting).signal.aborted).toBe(false);
    expect((await free).signal.aborted).toBe(false);
    expect(await tried).not.toBeNull();
    expect((await snapshot).held).toBeDefined();
  });

  it.each(all)('is asked again: %s while a domain is opened', async (code) => {
    const { begin, end } = moments[code] as Moment;
    await redis.admin.config('RESETSTAT');
    await begin();
    redis.atEnd(end);
    const opening = redis.open(redis.client());
    await refused(2);
    await end();
    expect(await (await opening).tryAcquire({ exclusive: 'a' })).not.toBeNull();
  });

  it('is asked again: BUSY, by a script of somebody else', async () => {
    const domain = await redis.open();
    await config('busy-reply-threshold', '1');
    await redis.admin.config('RESETSTAT');
    const other = redis.client();
    const endless = other.eval('while true do end', 0).catch(() => undefined);
    const asking = domain.acquire({ exclusive: 'a' });
    // The server answers nothing else but that it is busy.
    const kill = async () => redis.admin.call('SCRIPT', 'KILL').catch(() => undefined);
    await expect.poll(kill, soon).toBe('OK');
    await endless;
    expect((await asking).signal.aborted).toBe(false);
  });

  it('ends a request whose own time is over meanwhile', async () => {
    const domain = await redis.open();
    await moments['READONLY']?.begin();
    redis.atEnd(() => moments['READONLY']?.end());
    const promise = domain.acquire({ exclusive: 'a' }, { timeoutMs: 300 });
    await expect(promise).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
  });
});

describeWithRedis('a server that refuses for good', () => {
  const redis = withRedisServer();

  it('memory at its end refuses a request at once, and a release never', async () => {
    const domain = await redis.open();
    const grant = await domain.acquire({ exclusive: 'a' });
    await redis.admin.config('SET', 'maxmemory', '1');
    redis.atEnd(() => redis.admin.config('SET', 'maxmemory', '0'));
    await expect(domain.acquire({ exclusive: 'b' })).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    await expect(domain.tryAcquire({ exclusive: 'b' })).rejects.toMatchObject({
      code: 'KDS_LIMIT',
    });
    await grant.release();
    expect((await domain.query()).held).toEqual([]);
  });

  it('rights that are taken away end those who wait, and those who ask', async () => {
    await redis.admin.call('ACL', 'SETUSER', 'kds', 'on', 'nopass', '+@all', '~*', '&*');
    const client = redis.client({ username: 'kds', password: 'any' });
    const domain = await redis.open(client, { leaseMs: 2000 });
    const holder = await redis.open();
    const grant = await holder.acquire({ exclusive: 'a' });
    const waiting = domain.acquire({ exclusive: 'a' });
    await domain.query();
    await redis.admin.call('ACL', 'SETUSER', 'kds', '-evalsha', '-eval');
    const refused = { code: 'KDS_PROTOCOL', message: expect.stringContaining('NOPERM') };
    await expect(waiting).rejects.toMatchObject(refused);
    await expect(domain.acquire({ exclusive: 'b' })).rejects.toMatchObject(refused);
    // With the rights come back, so does the domain, and nothing waits there any more.
    await redis.admin.call('ACL', 'SETUSER', 'kds', '+evalsha', '+eval');
    await grant.release();
    const again = async () => domain.tryAcquire({ exclusive: 'a' }).catch(() => null);
    await expect.poll(again, soon).not.toBeNull();
  });

  it('a key that was damaged does not keep other changes of the same call back', async () => {
    const [one, two] = [await redis.open(), await redis.open()];
    const first = await one.acquire({ exclusive: 'a' });
    const second = await one.acquire({ exclusive: 'b' });
    const waiting = two.acquire({ exclusive: 'a' });
    const snapshot = await two.query();
    const damaged = snapshot.held.find(({ set }) => set.exclusive?.includes('b'));
    await redis.admin.set(`${redis.root}q:${damaged?.id}`, 'mine');
    const ended = [first.release(), second.release()];
    expect((await waiting).signal.aborted).toBe(false);
    await Promise.all(ended);
  });
});
