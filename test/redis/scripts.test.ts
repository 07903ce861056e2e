import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readAll, ScriptedDomain } from './scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

describeWithRedis('the scripts', () => {
  let server: RedisServer;
  let domain: ScriptedDomain;
  let domainLast = 0;

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    domain = new ScriptedDomain(server.port, `scripts ${++domainLast}`);
  });
  afterEach(() => domain.close());

  const heldBy = async () => {
    const sets = await readAll(domain);
    return sets.flatMap(({ session, token }) => (token === undefined ? [] : [session]));
  };
  /** How many commands the server ran for a call, scripts' own included. */
  const commandsOf = async (call: () => Promise<unknown>): Promise<number> => {
    await domain.redis.config('RESETSTAT');
    await call();
    const info = await domain.redis.info('commandstats');
    return [...info.matchAll(/calls=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  };

  it('a request that is repeated is queued once, and gets the answer of the first', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    const granted = await one.ask(['xa', 'sb'], { number: 1 });
    expect(granted[0]).toBe('granted');
    expect(await one.ask(['xa', 'sb'], { number: 1 })).toEqual(granted);
    const waiting = await two.ask(['xa'], { number: 1 });
    expect(waiting[0]).toBe('waiting');
    expect(await two.ask(['xa'], { number: 1 })).toEqual(waiting);
    expect(await readAll(domain)).toHaveLength(2);
    await one.change('R1');
    expect((await two.ask(['xa'], { number: 1 }))[0]).toBe('granted');
  });

  it('a request that comes once more after its release is over', async () => {
    const one = await domain.session();
    await one.ask(['xa'], { number: 1 });
    await one.change('R1');
    expect(await one.ask(['xa'], { number: 1 })).toEqual(['over']);
    expect(await readAll(domain)).toEqual([]);
  });

  it('a cancel that overtakes its request keeps it out', async () => {
    const one = await domain.session();
    one.numberLast = 5;
    await one.change('C5');
    expect(await one.ask(['xa'], { number: 5 })).toEqual(['over']);
    expect(await readAll(domain)).toEqual([]);
  });

  it('a release that is repeated takes nothing from later holders', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await one.ask(['xa'], { number: 1 });
    await one.change('R1');
    await two.ask(['xa']);
    await one.change('R1', 'A1', 'D1\na\n', 'P1\na\n');
    expect(await heldBy()).toEqual([two.id]);
    await two.change('R1');
    expect(await domain.keys()).not.toContain('recovered');
  });

  it('a session that nobody opened, or whose lease has ended, is refused', async () => {
    const [one, other] = [await domain.session(), await domain.session(1)];
    await other.beat('close');
    expect(await other.ask(['xa'])).toEqual(['expired']);
    expect(await other.change('R1')).toEqual(['expired']);
    expect(await other.audit()).toEqual(['expired']);
    expect(await other.beat('renew')).toEqual(['expired']);
    expect(await one.ask(['xa'], { how: 'now' })).toHaveLength(2);
    const late = await domain.session(1);
    await expect.poll(() => late.ask(['xb']), { timeout: 600_000 }).toEqual(['expired']);
  });

  it('a grant in another’s call is notified, and notifications are numbered', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await one.ask(['xa'], { number: 1 });
    await one.ask(['xa'], { number: 2 });
    await two.ask(['sa'], { number: 1 });
    await one.change('R1');
    expect(one.notifications).toEqual([expect.stringMatching(/^1\tgranted\t2\t\d+\t\d+$/)]);
    const messages: string[] = [];
    const subscriber = domain.redis.duplicate();
    subscriber.on('message', (_channel, text) => messages.push(text));
    await subscriber.subscribe(`${domain.root}c:${two.id}`);
    await one.change('R2');
    await expect.poll(() => messages, { timeout: 600_000 }).toHaveLength(1);
    expect(messages[0]).toMatch(new RegExp(`^${two.id}\n1\tgranted\t1\t\\d+\t\\d+$`));
    subscriber.disconnect();
  });

  it('tokens go on from the time of day where the last one is forgotten', async () => {
    const one = await domain.session();
    const tokenOf = async (number: number) => {
      const [, text = ''] = await one.ask(['sa'], { number });
      return Number(text.split('\t')[1]);
    };
    const first = await tokenOf(1);
    expect(Math.abs(first / 1000 - Date.now())).toBeLessThan(60_000);
    await domain.redis.del(`${domain.root}seq`);
    const second = await tokenOf(2);
    expect(second).toBeGreaterThan(first);
    await domain.redis.set(`${domain.root}seq`, String(2 ** 52));
    expect(await tokenOf(3)).toBe(2 ** 52 + 1);
    expect(await tokenOf(4)).toBe(2 ** 52 + 2);
  });

  it('a key of another type is reported by its name, and nothing is written', async () => {
    const one = await domain.session();
    for (const key of ['t:a', 'w:a', 'seq', `l:${one.id}`]) {
      const full = domain.root + key;
      // Something for the reader to find, so that the queue behind is looked at.
      if (key === 'w:a') await one.ask(['sa'], { number: 100 });
      const isThere = (await domain.redis.exists(full)) === 1;
      if (isThere) await domain.redis.rename(full, `${full}:aside`);
      await domain.redis.hset(full, 'whose', 'mine');
      const keys = await domain.keys();
      const number = one.numberLast + 1;
      const refused = one.ask(['sb', 'sa'], { number });
      await expect(refused).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
      await expect(refused).rejects.toThrow(full);
      expect(await domain.keys()).toEqual(keys);
      await domain.redis.del(full);
      if (isThere) await domain.redis.rename(`${full}:aside`, full);
    }
  });

  it('a release goes on past a key of another type, and reports it', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await one.ask(['xa', 'xb'], { number: 1 });
    await two.ask(['xb']);
    const damaged = `${domain.root}t:a`;
    await domain.redis.del(damaged);
    await domain.redis.set(damaged, 'mine');
    const { damage } = await domain.run('change', one.id, '2', 'R1');
    expect(damage).toContain(damaged);
    expect(await domain.redis.get(damaged)).toBe('mine');
    await domain.redis.del(damaged);
    expect(await heldBy()).toEqual([two.id]);
  });

  it('what a dead session held is recovered by the next, at anybody’s heartbeat', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await one.ask(['xa', 'xb', 'sc']);
    await two.ask(['xb', 'sa', 'xc'], { number: 1 });
    await domain.redis.hset(`${domain.root}s:${one.id}`, 'until', '1');
    await domain.redis.zadd(`${domain.root}sessions`, '1', one.id);
    await two.beat('renew');
    expect(two.notifications).toHaveLength(1);
    expect(two.notifications[0]).toMatch(/^1\tgranted\t1\t\d+\t\d+\tb\ta$/);
    expect(await heldBy()).toEqual([two.id]);
    await two.change('R1');
    // Read only, and so not made whole.
    expect(await domain.redis.smembers(`${domain.root}recovered`)).toEqual(['a']);
  });

  it('a steal that becomes a reader keeps its position before observers', async () => {
    const one = await domain.session();
    await one.ask(['xa'], { number: 1 });
    await one.ask(['xa'], { number: 2, how: 'observe' });
    await one.ask(['xa'], { number: 3, how: 'steal' });
    one.notifications.length = 0;
    await one.change('D3\na\n');
    expect(one.notifications).toEqual([]);
    await one.change('R3');
    expect(one.notifications).toEqual([expect.stringMatching(/\tsettled\t2$/)]);
  });

  it('a dead session of many sets is cleared away in bounded steps', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await one.ask(['xa']);
    for (let index = 0; index < 600; index++) await one.ask([index % 2 === 0 ? 'sa' : 'xb']);
    await two.ask(['xa', 'xb']);
    await domain.redis.zadd(`${domain.root}sessions`, '1', one.id);
    const steps: string[] = [];
    do {
      steps.push((await two.beat('renew'))[3] ?? '');
      await readAll(domain);
    } while (steps.at(-1) === 'more' && steps.length < 20);
    expect(steps.length).toBeGreaterThan(2);
    expect(steps.at(-1)).toBe('');
    expect(await heldBy()).toEqual([two.id]);
  });

  it('a lease does not last longer because the clock was set back', async () => {
    const [one, two] = [await domain.session(60_000), await domain.session(60_000)];
    const far = String(Date.now() + 3_600_000);
    await domain.redis.zadd(`${domain.root}sessions`, far, one.id);
    await domain.redis.hset(`${domain.root}s:${one.id}`, 'until', far);
    await two.beat('renew', 60_000);
    const until = Number(await domain.redis.zscore(`${domain.root}sessions`, one.id));
    expect(until).toBeLessThan(Date.now() + 120_000);
  });

  it('a server without memory refuses new sets, and takes releases and heartbeats', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await one.ask(['xa'], { number: 1 });
    await two.ask(['sa']);
    await domain.redis.config('SET', 'maxmemory', '1');
    try {
      const before = await domain.keys();
      const refused = one.ask(['xb'], { number: 2 });
      await expect(refused).rejects.toMatchObject({ code: 'KDS_LIMIT' });
      expect(await domain.keys()).toEqual(before);
      expect((await two.beat('renew'))[0]).toBe('alive');
      await one.change('R1');
      expect(await heldBy()).toEqual([two.id]);
    } finally {
      await domain.redis.config('SET', 'maxmemory', '0');
    }
  });

  it('scripts that the server has forgotten are given to it again', async () => {
    const one = await domain.session();
    await domain.redis.script('FLUSH');
    expect((await one.ask(['xa']))[0]).toBe('granted');
  });

  it('an audit lists all that is live, page by page', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    await two.ask(['xb']);
    for (const link of ['xa', 'xb', 'sa', 'sc']) await one.ask([link]);
    await one.ask(['xa'], { how: 'observe' });
    const first = await one.audit(0, 3);
    const second = await one.audit(4, 3);
    const told = (lines: readonly string[]) => lines.map((line) => /^\d+\t\w+/.exec(line)?.[0]);
    expect(told(first)).toEqual([undefined, undefined, '1\tgranted', '2\twaiting', '3\twaiting']);
    expect(told(second).slice(2)).toEqual(['4\tgranted', '5\twaiting']);
  });

  it('to take one’s turn costs the same however many wait', async () => {
    const counts: number[] = [];
    // So that the server knows the scripts.
    await (await domain.session()).change('R1');
    for (const waiterCount of [5, 500]) {
      const [one, two] = [await domain.session(), await domain.session()];
      const links = [`xa${waiterCount}`, `sb${waiterCount}`];
      await one.ask(links, { number: 1 });
      for (let index = 0; index < waiterCount; index++) await two.ask(links);
      counts.push(await commandsOf(() => two.ask(links)));
      counts.push(await commandsOf(() => one.change('R1')));
      counts.push(await commandsOf(() => two.change('C3')));
    }
    expect(counts.slice(3)).toEqual(counts.slice(0, 3));
  });

  it('nothing is left of what is over but the last number', async () => {
    const [one, two] = [await domain.session(), await domain.session()];
    for (let round = 0; round < 50; round++) {
      const first = one.numberLast + 1;
      await one.ask(['xa', 'sb']);
      await two.ask(['sb', 'xc']);
      await two.ask(['xa'], { how: 'now' });
      await one.ask(['xc'], { keeps: [first] });
      await one.ask(['xb'], { how: 'observe' });
      await two.change(`R${two.numberLast - 1}`);
      await one.change(...[0, 1, 2].map((index) => `R${first + index}`));
    }
    const ofSessions = [one, two].flatMap(({ id }) => [`l:${id}`, `s:${id}`]);
    expect(await domain.keys()).toEqual([...ofSessions, 'seq', 'sessions'].sort());
    await one.beat('close');
    await two.beat('close');
    expect(await domain.keys()).toEqual(['seq']);
  });
});
