import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { withRedisServer } from './opened.ts';
import { readAll, ScriptedDomain, type ScriptedSession } from './scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

/** Commands of a call about some, and about twice as many. */
function checkIsBounded([some = 0, twice = 0]: readonly number[]): void {
  // Scripts that the server did not know yet are a few more.
  expect(twice).toBeLessThan(1.05 * some);
}

/** More than two calls get through with. */
const many = 300;

describeWithRedis('one call of a script', () => {
  let server: RedisServer;
  let domain: ScriptedDomain;
  let domainLast = 0;

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    domain = new ScriptedDomain(server.port, `bounded ${++domainLast}`);
  });
  afterEach(() => domain.close());

  const askMany = async (session: ScriptedSession, links: readonly string[], count = many) => {
    for (let index = 0; index < count; index++) await session.ask(links);
  };
  /** How many commands the server ran for a call, scripts' own included. */
  const commandsOf = async (call: () => Promise<unknown>): Promise<number> => {
    await domain.redis.config('RESETSTAT');
    await call();
    const info = await domain.redis.info('commandstats');
    return [...info.matchAll(/calls=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  /** Heartbeats of a session until nothing is left to do. Returns how many it took. */
  const beatOn = async (session: ScriptedSession): Promise<number> => {
    for (let count = 1; ; count++) {
      const [, , , more] = await session.beat('renew');
      await readAll(domain);
      if (more !== 'more') return count;
      expect(count).toBeLessThan(50);
    }
  };
  /** Requests in the order in which a session was told of them. */
  const toldOf = (session: ScriptedSession): readonly number[] =>
    session.notifications.map((line) => Number(line.split('\t')[2]));
  const upTo = (count: number): readonly number[] =>
    Array.from({ length: count }, (_, index) => index + 1);

  it('grants a bounded number of those who wait; heartbeats go on, in order', async () => {
    const counts: number[] = [];
    for (const count of [many, 2 * many]) {
      const [writer, readers] = [await domain.session(), await domain.session()];
      const name = `x${count}`;
      await writer.ask([name], { number: 1 });
      await askMany(readers, [`s${name.slice(1)}`], count);
      counts.push(await commandsOf(() => writer.change('R1')));
      await readAll(domain);
      expect(await beatOn(readers)).toBeGreaterThan(1);
      const told = toldOf(readers);
      expect(told).toEqual([...told].sort((one, two) => one - two));
      const lines = await readers.audit(0, 2 * count);
      expect(lines.filter((line) => line.includes('\tgranted\t'))).toHaveLength(count);
    }
    checkIsBounded(counts);
  });

  it('leaves the rest to the heartbeat of anybody, also if its client is gone', async () => {
    const [writer, readers] = [await domain.session(), await domain.session()];
    const other = await domain.session();
    await writer.ask(['xa'], { number: 1 });
    await askMany(readers, ['sa']);
    await writer.change('R1');
    await writer.beat('abandon');
    await beatOn(other);
    expect((await readAll(domain)).every(({ token }) => token !== undefined)).toBe(true);
  });

  it('grants by arrival what waits for different names, also over many calls', async () => {
    const [holder, waiter] = [await domain.session(), await domain.session()];
    await holder.ask(['xa', 'xb', 'xc', 'xd']);
    // Its own calls bring the news with the answers.
    for (let index = 0; index < many; index++) await waiter.ask([`s${'abc'[index % 3]}`]);
    await waiter.ask(['xd']);
    await holder.beat('close');
    const tokens = async () => {
      const sets = await readAll(domain);
      return sets.filter(({ token }) => token !== undefined).map(({ number }) => number);
    };
    // What is granted is a prefix of all that wait, at each moment.
    for (let more: string | undefined = 'more'; more === 'more'; ) {
      const granted = await tokens();
      expect(granted).toEqual(upTo(granted.length));
      more = (await waiter.beat('renew'))[3];
    }
    expect(await tokens()).toEqual(upTo(many + 1));
    const sets = await readAll(domain);
    const sorted = sets.map(({ token }) => token ?? 0).sort((one, two) => one - two);
    expect(sets.map(({ token }) => token)).toEqual(sorted);
  });

  it('lets nobody overtake those who are due', async () => {
    const [holder, waiter] = [await domain.session(), await domain.session()];
    const late = await domain.session();
    await holder.ask(['xa', 'xb', 'xc']);
    await askMany(waiter, ['sa']);
    await waiter.ask(['xb']);
    await holder.change('R1');
    // Of b nothing is triggered as yet: the writer there came after all those readers.
    expect((await late.ask(['xb'], { number: 1 }))[0]).toBe('waiting');
    expect((await late.ask(['sa'], { number: 2 }))[0]).toBe('waiting');
    expect((await late.ask(['xc'], { number: 3 }))[0]).toBe('granted');
    await beatOn(late);
    const lines = await late.audit();
    expect(lines).toContainEqual(expect.stringMatching(/^1\twaiting/));
    expect(lines).toContainEqual(expect.stringMatching(/^2\tgranted/));
  });

  it('asks for another try where a name is due', async () => {
    const [holder, waiter] = [await domain.session(), await domain.session()];
    await holder.ask(['xa'], { number: 1 });
    await askMany(waiter, ['sa']);
    await holder.change('R1');
    const answers: (string | undefined)[] = [];
    do answers.push((await holder.ask(['sa'], { how: 'now' }))[0]);
    while (answers.at(-1) === 'over' && answers.length < 20);
    expect(answers.length).toBeGreaterThan(1);
    expect(answers.at(-1)).toBe('granted');
  });

  it('ends a bounded number of observers', async () => {
    const counts: number[] = [];
    for (const count of [many, 2 * many]) {
      const [holder, observer] = [await domain.session(), await domain.session()];
      await holder.ask([`x${count}`], { number: 1 });
      for (let index = 0; index < count; index++) {
        await observer.ask([`${index % 2 === 0 ? 'x' : 's'}${count}`], { how: 'observe' });
      }
      counts.push(await commandsOf(() => holder.change('R1')));
      await beatOn(holder);
      const lines = await observer.audit(0, 2 * count);
      expect(lines.filter((line) => line.endsWith('\tsettled'))).toHaveLength(count);
    }
    checkIsBounded(counts);
  });

  it('takes a name from a bounded number of holders; the steal is repeated', async () => {
    const [readers, stealing] = [await domain.session(), await domain.session()];
    const waiter = await domain.session();
    await askMany(readers, ['sa'], 3 * many);
    await waiter.ask(['xa'], { number: 1 });
    const commands: number[] = [];
    const answers: (string | undefined)[] = [];
    do {
      const ask = async () => answers.push((await stealing.ask(['xa'], { how: 'steal' }))[0]);
      commands.push(await commandsOf(ask));
      await readAll(domain);
      // Who waits is not granted it in between.
      expect((await waiter.audit())[2]).toMatch(/^1\twaiting/);
    } while (answers.at(-1) === 'over' && answers.length < 30);
    expect(answers.at(-1)).toBe('granted');
    expect(answers.length).toBeGreaterThan(2);
    const [first = 0] = commands;
    for (const count of commands) expect(count).toBeLessThan(3 * first);
    expect(await readers.audit()).toHaveLength(2);
  });

  it('clears away dead sets by the number of their names', async () => {
    const counts: number[] = [];
    for (const setCount of [10, 20]) {
      const [dead, other] = [await domain.session(), await domain.session()];
      for (let index = 0; index < setCount; index++) {
        await dead.ask(Array.from({ length: 300 }, (_, at) => `x${setCount} ${index} ${at}`));
      }
      await domain.redis.zadd(`${domain.root}sessions`, '1', dead.id);
      counts.push(await commandsOf(() => other.beat('renew')));
      expect(await beatOn(other)).toBeGreaterThan(1);
      expect(await readAll(domain)).toEqual([]);
    }
    checkIsBounded(counts);
  });
});

describeWithRedis('a domain whose queues are due', () => {
  const redis = withRedisServer();

  it('grants all in arrival order, and a try among them', async () => {
    const [writer, readers] = [await redis.open(), await redis.open()];
    // A script that the server does not know yet may be overtaken by the next call.
    await (await writer.acquire({ exclusive: 'a' })).release();
    const grant = await writer.acquire({ exclusive: ['a', 'b'] });
    const granted: number[] = [];
    const all = Array.from({ length: 2 * many }, (_, index) => index);
    const waiting = all.map(async (index) => {
      const shared = index % 2 === 0 ? 'a' : 'b';
      granted.push((await readers.acquire({ shared })).token);
    });
    await readers.query();
    const released = grant.release();
    expect(await writer.tryAcquire({ shared: 'a' })).not.toBeNull();
    await released;
    await Promise.all(waiting);
    expect(granted).toEqual([...granted].sort((one, two) => one - two));
  });

  it('is closed, and those behind its sets are granted', async () => {
    const [holder, waiter] = [await redis.open(), await redis.open()];
    const session = holder.session();
    const names = Array.from({ length: 2 * many }, (_, index) => `n${index}`);
    for (const exclusive of names) await session.acquire({ exclusive });
    const waiting = names.map((exclusive) => waiter.acquire({ exclusive }));
    await waiter.query();
    await session.close();
    await Promise.all(waiting);
    const again = names.map((exclusive) => holder.acquire({ exclusive }));
    await holder.query();
    await waiter.close();
    await Promise.all(again);
  });

  it('takes changes of large sets in more than one call', async () => {
    const domain = await redis.open();
    const grants = [];
    for (let index = 0; index < 8; index++) {
      const exclusive = Array.from({ length: 400 }, (_, at) => `${index} ${at}`);
      grants.push(await domain.acquire({ exclusive }));
    }
    await redis.admin.config('RESETSTAT');
    await Promise.all(grants.map((grant) => grant.release()));
    const info = await redis.admin.info('commandstats');
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1])).toBeGreaterThan(3);
    expect((await domain.query()).held).toEqual([]);
  });
});
