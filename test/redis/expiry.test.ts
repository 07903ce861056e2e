import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { calmLeaseMs, soon } from './opened.ts';
import { readAll, ScriptedDomain, type ScriptedSession } from './scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

/** Nothing expires by itself while a test runs. */
const longLeaseMs = 600_000;
/** Leases for which a key lasts that nobody renews, and that are left after each renewal. */
const [leasesLasting, leasesLeft] = [6, 5];
const lasting = ['recovered', 'seq'];

describeWithRedis('a key of a domain', () => {
  let server: RedisServer;
  let domain: ScriptedDomain;
  let domainLast = 0;

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    domain = new ScriptedDomain(server.port, `expiring ${++domainLast}`);
  });
  afterEach(() => domain.close());

  const lifetimes = async (): Promise<ReadonlyMap<string, number>> => {
    const found = new Map<string, number>();
    for (const key of await domain.keys()) {
      found.set(key, await domain.redis.pttl(domain.root + key));
    }
    return found;
  };
  /** As if that time had passed since the last renewal of all keys. */
  const age = async (ms: number): Promise<void> => {
    for (const [key, leftMs] of await lifetimes()) {
      if (leftMs > 0) await domain.redis.pexpire(domain.root + key, Math.max(1, leftMs - ms));
    }
    for (const key of (await domain.keys()).filter((each) => each.startsWith('s:'))) {
      const renewedAt = Number(await domain.redis.hget(domain.root + key, 'renewedAt'));
      await domain.redis.hset(domain.root + key, 'renewedAt', renewedAt - ms);
    }
  };
  /** As if all that has a time to live had come to its end. */
  const expireAll = async (): Promise<void> => {
    const keys = (await domain.keys()).filter((key) => !lasting.includes(key));
    await domain.redis.del(...keys.map((key) => domain.root + key));
  };
  const expireSet = async (session: ScriptedSession, number: number): Promise<void> => {
    const [id] = await domain.redis.zrangebyscore(`${domain.root}l:${session.id}`, number, number);
    await domain.redis.del(`${domain.root}q:${id}`, `${domain.root}s:${session.id}`);
    await domain.redis.del(`${domain.root}l:${session.id}`);
    await domain.redis.zrem(`${domain.root}sessions`, session.id);
  };
  /** Uses all kinds of keys. */
  const useAll = async (one: ScriptedSession, two: ScriptedSession): Promise<void> => {
    await one.ask(['xa', 'sb'], { number: 1 });
    await two.ask(['sb', 'xc'], { number: 1 });
    await one.ask(['xc'], { number: 2, keeps: [1] });
    await two.ask(['sa'], { number: 2 });
    await two.ask(['xb'], { number: 3, how: 'observe' });
    await two.ask(['sd'], { number: 4 });
    await one.ask(['sd'], { number: 3 });
    await one.change('D3\nd\n');
    await two.ask(['xd'], { number: 6, how: 'steal' });
    await two.change('D6\nd\n');
  };
  const kindsOf = (keys: Iterable<string>): readonly string[] =>
    [...new Set([...keys].map((key) => key.split(':')[0] as string))].sort();

  it('has a time to live, but for those that are to stay', async () => {
    const [one, two] = [await domain.session(longLeaseMs), await domain.session(longLeaseMs)];
    await useAll(one, two);
    const found = await lifetimes();
    const kinds = ['k', 'l', 'observers', 'ox', 'q', 'recovered', 's', 'seq', 'sessions', 't', 'w'];
    expect(kindsOf(found.keys())).toEqual(kinds);
    for (const [key, leftMs] of found) {
      if (lasting.includes(key)) expect([key, leftMs]).toEqual([key, -1]);
      else expect([key, leftMs > (leasesLasting - 1) * longLeaseMs]).toEqual([key, true]);
    }
    for (let round = 0; round < 3; round++) {
      await one.change('R1');
      await one.change('C2');
      await two.change('R1');
      await one.ask(['xa', 'xb', 'xc']);
      await two.beat('renew', longLeaseMs);
    }
    for (const [key, leftMs] of await lifetimes()) {
      expect([key, leftMs > 0]).toEqual([key, !lasting.includes(key)]);
    }
  });

  it('is renewed by the heartbeats of its session, for as long as that lives', async () => {
    const [one, two] = [await domain.session(longLeaseMs), await domain.session(longLeaseMs)];
    await useAll(one, two);
    const keys = await domain.keys();
    for (let leases = 0; leases < 4 * leasesLasting; leases += 1.5) {
      await age(1.5 * longLeaseMs);
      await one.beat('renew', longLeaseMs);
      await two.beat('renew', longLeaseMs);
      for (const [key, leftMs] of await lifetimes()) {
        if (lasting.includes(key)) continue;
        expect([key, leftMs > (leasesLeft - 1) * longLeaseMs]).toEqual([key, true]);
      }
    }
    expect(await domain.keys()).toEqual(keys);
    expect((await readAll(domain)).length).toBeGreaterThan(4);
  });

  it('is renewed a bounded number at a time, all of them before the lease is over', async () => {
    const one = await domain.session(longLeaseMs);
    const setCount = 600;
    for (let index = 0; index < setCount; index++) await one.ask([`x${index}`]);
    await age(2 * longLeaseMs);
    let beatCount = 0;
    for (let more: string | undefined = 'more'; more === 'more'; beatCount++) {
      more = (await one.beat('renew', longLeaseMs))[3];
    }
    expect(beatCount).toBeGreaterThan(2);
    for (const [key, leftMs] of await lifetimes()) {
      if (!lasting.includes(key)) expect(leftMs).toBeGreaterThan((leasesLeft - 1) * longLeaseMs);
    }
  });

  it('lasts for the longest lease of those who share it, and is never made shorter', async () => {
    const long = await domain.session(longLeaseMs);
    const short = await domain.session(1000);
    await long.ask(['sa'], { number: 1 });
    await short.ask(['sa'], { number: 1 });
    await short.ask(['xb'], { number: 2 });
    await long.ask(['xb'], { number: 2 });
    await short.change('R2');
    await short.beat('renew', 1000);
    for (const key of ['t:a', 't:b', 'sessions', `s:${short.id}`]) {
      const leftMs = await domain.redis.pttl(domain.root + key);
      expect([key, leftMs > (leasesLeft - 1) * longLeaseMs]).toEqual([key, true]);
    }
  });

  it('of a session that joins with a longer lease lasts as long, also in a queue', async () => {
    const short = await domain.session(60_000);
    await short.ask(['xa'], { number: 1 });
    await short.ask(['xb', 'sc'], { number: 2 });
    const long = await domain.session(longLeaseMs);
    await long.ask(['xa'], { number: 1 });
    await long.ask(['sc'], { number: 2 });
    await short.change('R1', 'R2');
    for (const key of ['t:a', 't:c']) {
      const leftMs = await domain.redis.pttl(domain.root + key);
      expect([key, leftMs > (leasesLeft - 1) * longLeaseMs]).toEqual([key, true]);
    }
  });

  it('that has expired leaves its flag, and no token falls back', async () => {
    const one = await domain.session(longLeaseMs);
    const [, held] = await one.ask(['xa', 'sb']);
    await one.ask(['xc'], { number: 2 });
    await one.change('R2');
    await expireAll();
    const two = await domain.session(longLeaseMs);
    const [word, granted = ''] = await two.ask(['xa', 'xb', 'xc']);
    const [, token, ...recovered] = granted.split('\t');
    expect([word, recovered]).toEqual(['granted', ['a']]);
    expect(Number(token)).toBeGreaterThan(Number(held?.split('\t')[1]));
    await two.change(`R${two.numberLast}`);
    expect(await domain.keys()).not.toContain('recovered');
  });

  it('of a set whose grant was undelivered leaves the flags as they were', async () => {
    const one = await domain.session(longLeaseMs);
    await one.ask(['xa'], { number: 1 });
    await one.change('A1');
    await one.ask(['xa', 'xb'], { number: 3 });
    await one.change('C3');
    expect(await domain.redis.smembers(`${domain.root}recovered`)).toEqual(['a']);
    const again = await one.ask(['xa', 'xb'], { number: 5 });
    expect(again[1]?.split('\t').slice(2)).toEqual(['a']);
    const repeated = await one.ask(['xa', 'xb'], { number: 5 });
    expect(repeated).toEqual(again);
  });

  it('of a set that has expired stands in nobody’s way', async () => {
    const [dead, other] = [await domain.session(longLeaseMs), await domain.session(longLeaseMs)];
    const third = await domain.session(longLeaseMs);
    await dead.ask(['xa'], { number: 1 });
    await other.ask(['xa'], { number: 1 });
    await expireSet(dead, 1);
    expect((await third.ask(['xa'], { how: 'now' }))[0]).toBe('over');
    await other.beat('renew', longLeaseMs);
    expect((await other.audit())[2]).toMatch(/^1\tgranted\t\d+\t\d+\ta$/);
  });

  it('of a set that has expired is removed by the heartbeat of one that waits', async () => {
    const [dead, other] = [await domain.session(longLeaseMs), await domain.session(longLeaseMs)];
    await dead.ask(['sa'], { number: 1 });
    await other.ask(['xa'], { number: 1 });
    await other.ask(['xa'], { number: 2, how: 'observe' });
    await expireSet(dead, 1);
    await age(2 * longLeaseMs);
    await other.beat('renew', longLeaseMs);
    expect((await other.audit())[2]).toMatch(/^1\tgranted/);
    await readAll(domain);
  });

  it('of a triggered queue that has expired lets nobody overtake those who wait', async () => {
    const [dead, other] = [await domain.session(longLeaseMs), await domain.session(longLeaseMs)];
    await dead.ask(['xa'], { number: 1 });
    await other.ask(['xa'], { number: 1 });
    await expireSet(dead, 1);
    await domain.redis.del(`${domain.root}t:a`);
    const late = await domain.session(longLeaseMs);
    expect((await late.ask(['xa'], { number: 1 }))[0]).toBe('waiting');
    expect((await other.audit())[2]).toMatch(/^1\tgranted/);
    await readAll(domain);
  });

  it('is removed from a queue, and not waited for, by one that steals', async () => {
    const [dead, other] = [await domain.session(longLeaseMs), await domain.session(longLeaseMs)];
    await dead.ask(['sa'], { number: 1 });
    await expireSet(dead, 1);
    expect((await other.ask(['xa'], { how: 'steal' }))[0]).toBe('granted');
    expect(await readAll(domain)).toHaveLength(1);
  });

  it('of a late session is there, and of one that is too late is given up', async () => {
    const one = await domain.session(longLeaseMs);
    await one.ask(['xa'], { number: 1 });
    const key = `${domain.root}s:${one.id}`;
    const endAt = async (untilMs: number): Promise<void> => {
      await domain.redis.hset(key, 'until', untilMs);
      await domain.redis.zadd(`${domain.root}sessions`, untilMs, one.id);
    };
    await endAt(Date.now() - longLeaseMs / 2);
    expect((await one.beat('renew', longLeaseMs))[0]).toBe('alive');
    expect(await readAll(domain)).toHaveLength(1);
    await endAt(Date.now() - 1.5 * longLeaseMs);
    expect((await one.beat('renew', longLeaseMs))[0]).toBe('expired');
    expect(await readAll(domain)).toEqual([]);
  });

  it('goes when all clients are gone; a flag stays', async () => {
    const [one, two] = [await domain.session(400), await domain.session(500)];
    await useAll(one, two);
    await vi.waitFor(async () => expect(await domain.keys()).toEqual(lasting), {
      ...soon,
      timeout: calmLeaseMs,
    });
    const flags = await domain.redis.smembers(`${domain.root}recovered`);
    expect(flags.sort()).toEqual(['a', 'c']);
  });
});
