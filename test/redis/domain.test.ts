import { Cluster, Redis } from 'ioredis';
import { openRedisDomain, type RedisClient, type RedisDomain, type RedisOptions } from 'kds/redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { libraries, type Made } from './clients.ts';
import { readAll, ScriptedDomain } from './scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

/** Long enough for a busy machine not to lose it, unless a test stops the beats. */
const calmLeaseMs = 60_000;
const soon = { timeout: 600_000, interval: 10 };

describeWithRedis('a domain in redis', () => {
  let server: RedisServer;
  let admin: Redis;
  let scripted: ScriptedDomain;
  let name = '';
  let nameLast = 0;
  let ends: (() => unknown)[] = [];

  beforeAll(async () => {
    server = await startRedisServer();
    admin = new Redis({ port: server.port, host: '127.0.0.1' });
  });
  afterAll(async () => {
    admin?.disconnect();
    await server?.stop();
  });
  beforeEach(() => {
    name = `domain ${++nameLast}`;
    scripted = new ScriptedDomain(server.port, name);
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    ends = [];
    await scripted.close();
  });

  const make = async (library = 'ioredis'): Promise<Made> => {
    const made = await (libraries[library] as (port: number) => Promise<Made>)(server.port);
    ends.push(() => made.end());
    return made;
  };
  const open = async (
    client?: RedisClient,
    options: Partial<RedisOptions> = {},
  ): Promise<RedisDomain> => {
    const own = client ?? (await make()).client;
    const domain = await openRedisDomain(own, { name, leaseMs: calmLeaseMs, ...options });
    ends.push(() => domain.close());
    return domain;
  };
  const aborted = (signal: AbortSignal): Promise<unknown> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve(signal.reason);
      signal.addEventListener('abort', () => resolve(signal.reason));
    });
  /** The lease of every session ends, and the next beat of anybody clears them away. */
  const endLeases = async () => {
    for (const session of await admin.zrange(`${scripted.root}sessions`, '0', '-1')) {
      await admin.hset(`${scripted.root}s:${session}`, 'until', '1');
      await admin.zadd(`${scripted.root}sessions`, '1', session);
    }
    const sweeper = await scripted.session(calmLeaseMs);
    await sweeper.beat('close');
  };

  describe('opening', () => {
    it('refuses what is no client, and options that are none', async () => {
      const { client } = await make();
      const bad = (value: unknown) => value as RedisClient;
      for (const wrong of [undefined, null, {}, 'redis://localhost', { status: 'ready' }]) {
        await expect(openRedisDomain(bad(wrong), { name })).rejects.toThrow(TypeError);
      }
      for (const leaseMs of [0, 299, Number.NaN, 86_400_001, Number.POSITIVE_INFINITY]) {
        await expect(openRedisDomain(client, { name, leaseMs })).rejects.toThrow(RangeError);
      }
      for (const options of [{}, { name: 5 }, { name, leaseMs: '9' }, { name, label: 5 }, null]) {
        const promise = openRedisDomain(client, options as unknown as RedisOptions);
        await expect(promise).rejects.toThrow(TypeError);
      }
      expect(await scripted.session()).toBeDefined();
    });

    it('refuses a cluster at once, with the reason', async () => {
      const cluster = new Cluster([{ port: server.port }], { lazyConnect: true });
      const promise = openRedisDomain(cluster as unknown as RedisClient, { name });
      await expect(promise).rejects.toMatchObject({ code: 'KDS_UNSUPPORTED' });
      await expect(promise).rejects.toThrow('not rolled back');
      const node = await startRedisServer('--cluster-enabled', 'yes');
      const client = new Redis({ port: node.port, host: '127.0.0.1', enableReadyCheck: false });
      try {
        const refused = openRedisDomain(client, { name });
        await expect(refused).rejects.toMatchObject({ code: 'KDS_UNSUPPORTED' });
      } finally {
        client.disconnect();
        await node.stop();
      }
    });

    it('waits for a client that is about to be connected', async () => {
      const client = new Redis({ port: server.port, host: '127.0.0.1', lazyConnect: true });
      ends.push(() => client.disconnect());
      const domain = await open(client);
      expect(await domain.tryAcquire({ exclusive: 'a' })).not.toBeNull();
    });

    it('reports a server that refuses', async () => {
      await admin.call('ACL', 'SETUSER', 'nobody', 'on', 'nopass', '+ping', '+info', '&*', '~*');
      const client = new Redis({ port: server.port, host: '127.0.0.1', username: 'nobody' });
      client.on('error', () => undefined);
      ends.push(() => client.disconnect());
      const promise = openRedisDomain(client, { name });
      await expect(promise).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
    });
  });

  describe('clients of each kind', () => {
    const variants: Readonly<Record<string, () => Promise<RedisClient>>> = {
      'ioredis with RESP2': async () =>
        new Redis({ port: server.port, host: '127.0.0.1', protocol: 2 }),
      'ioredis with numbers as strings': async () =>
        new Redis({ port: server.port, host: '127.0.0.1', stringNumbers: true }),
      'ioredis with a key prefix': async () =>
        new Redis({ port: server.port, host: '127.0.0.1', keyPrefix: 'mine:' }),
      'node-redis with RESP2': async () =>
        createClient({ socket: { port: server.port, host: '127.0.0.1' }, RESP: 2 }).connect(),
      'node-redis with replies as buffers': async () => {
        const client = createClient({ socket: { port: server.port, host: '127.0.0.1' } });
        await client.connect();
        return client.withTypeMapping({ 36: Buffer }) as unknown as RedisClient;
      },
    };
    it.each(Object.keys(variants))('%s take turns, and are woken', async (variant) => {
      const makeVariant = variants[variant] as () => Promise<RedisClient>;
      const clients = [await makeVariant(), await makeVariant()] as const;
      const [one, two] = [
        await openRedisDomain(clients[0], { name }),
        await openRedisDomain(clients[1], { name }),
      ];
      const first = await one.acquire({ exclusive: 'a' });
      const second = two.acquire({ exclusive: ['a', 'é\ud800'] });
      await two.query();
      await first.release();
      await (await second).release();
      await one.resource('a').close();
      for (const domain of [one, two]) await domain.close();
      for (const client of clients) {
        if ('disconnect' in client) (client as { disconnect(): void }).disconnect();
        else (client as unknown as { destroy(): void }).destroy();
      }
    });
  });

  it('domains of other names have nothing in common', async () => {
    const names = ['', 'a', 'a}', 'a}:t:b', '{a}', 'A', '\ud800', '\\ud800', '\0'];
    const { client } = await make();
    for (const each of names) {
      const domain = await open(client, { name: each });
      expect(await domain.tryAcquire({ exclusive: 'b' })).not.toBeNull();
    }
    for (const each of names) {
      const domain = await open(client, { name: each });
      expect(await domain.tryAcquire({ exclusive: 'b' })).toBeNull();
    }
  });

  it('a set of any size is acquired and released in two commands', async () => {
    const domain = await open();
    for (const count of [1, 2, 8, 32]) {
      const exclusive = Array.from({ length: count }, (_, index) => `${index}`);
      await (await domain.acquire({ exclusive })).release();
      await admin.config('RESETSTAT');
      await (await domain.acquire({ exclusive })).release();
      const info = await admin.info('commandstats');
      const calls = /cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1];
      expect(Number(calls)).toBe(2);
    }
  });

  it('what is released is free for the next call, on a server without the scripts', async () => {
    await admin.script('FLUSH');
    const domain = await open();
    const grant = await domain.acquire({ exclusive: 'a' });
    void grant.release();
    expect((await domain.query()).held).toEqual([]);
  });

  it('what is released in one go is sent in one command', async () => {
    const domain = await open();
    const grants = [];
    for (const each of 'abcdefgh') grants.push(await domain.acquire({ exclusive: each }));
    await admin.config('RESETSTAT');
    await Promise.all(grants.map((grant) => grant.release()));
    const info = await admin.info('commandstats');
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1]).toBe('1');
  });

  it('a key of another type is reported by its name, and the domain goes on', async () => {
    const domain = await open();
    await admin.set(`${scripted.root}t:a`, 'mine');
    const promise = domain.acquire({ exclusive: ['b', 'a'] });
    await expect(promise).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
    await expect(promise).rejects.toThrow(`${scripted.root}t:a`);
    expect(await admin.get(`${scripted.root}t:a`)).toBe('mine');
    await admin.del(`${scripted.root}t:a`);
    expect(await domain.tryAcquire({ exclusive: ['b', 'a'] })).not.toBeNull();
  });

  it('a snapshot has the owner of each set', async () => {
    const { client } = await make();
    const domain = await open(client, { label: 'import', command: 'node import.js' });
    await domain.acquire({ exclusive: 'a' });
    const { held } = await (await open()).query();
    const { session, ...whose } = held[0]?.client ?? {};
    expect(session).toMatch(/^[\w-]{22}\.1$/);
    expect(whose).toMatchObject({ label: 'import', pid: process.pid, command: 'node import.js' });
  });

  describe('when something is lost', () => {
    it('a wake-up that was not sent is made good by the next heartbeat', async () => {
      await admin.call('ACL', 'SETUSER', 'mute', 'on', 'nopass', '+@all', '~*', 'resetchannels');
      const holder = new ScriptedDomain(server.port, name);
      ends.push(() => holder.redis.disconnect());
      await holder.redis.auth('mute', '');
      const session = await holder.session();
      await session.ask(['xa'], { number: 1 });
      const domain = await open(undefined, { leaseMs: 1500 });
      const waiting = domain.acquire({ exclusive: 'a' });
      await domain.query();
      const { damage } = await holder.run('change', session.id, '2', 'R1');
      expect(damage).toContain(`${scripted.root}c:`);
      await (await waiting).release();
    });

    it('connections that are cut are made again, and nobody waits for ever', async () => {
      for (const library of Object.keys(libraries)) {
        const [one, two] = [await open((await make(library)).client), await open()];
        const grant = await two.acquire({ exclusive: 'a' });
        const waiting = [one.acquire({ exclusive: 'a' }), one.acquire({ shared: ['a', 'b'] })];
        await one.query();
        for (const type of ['pubsub', 'normal']) {
          await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
        }
        await grant.release();
        for (const each of waiting) await (await each).release();
        expect(grant.signal.aborted).toBe(false);
        await expect.poll(async () => (await readAll(scripted)).length, soon).toBe(0);
      }
    });

    it('what a dead client held is granted when its lease has ended, as recovered', async () => {
      for (const library of Object.keys(libraries)) {
        const dead = await make(library);
        const holder = await openRedisDomain(dead.client, { name, leaseMs: 600 });
        const grant = await holder.acquire({ exclusive: 'a', shared: 'b' });
        const domain = await open(undefined, { leaseMs: 900 });
        const waiting = domain.acquire({ exclusive: ['a', 'b'] });
        await domain.query();
        dead.end();
        const next = await waiting;
        expect(next.recovered).toEqual(['a']);
        expect(next.token).toBeGreaterThan(grant.token);
        await aborted(grant.signal);
        await next.release();
        await holder.close();
      }
    });

    // Within two heartbeats of that: sim/redis/run.ts holds it to this, in virtual time.
    it('a single dead holder is succeeded when its lease is over', async () => {
      const leaseMs = 1500;
      const dead = await make();
      const holder = await openRedisDomain(dead.client, { name, leaseMs });
      await holder.acquire({ exclusive: 'a' });
      const domain = await open(undefined, { leaseMs });
      const waiting = domain.acquire({ exclusive: 'a' });
      await domain.query();
      dead.end();
      expect((await waiting).recovered).toEqual(['a']);
      await holder.close();
    });

    it('a grant is lost here before the server can give it to another', async () => {
      const own = await startRedisServer();
      const clients = [0, 1].map(() => new Redis({ port: own.port, host: '127.0.0.1' }));
      try {
        const [one, two] = [
          await openRedisDomain(clients[0] as Redis, { name, leaseMs: 600 }),
          await openRedisDomain(clients[1] as Redis, { name, leaseMs: 600 }),
        ];
        const grant = await one.acquire({ exclusive: 'a' });
        const waiting = two.acquire({ exclusive: 'a' });
        await two.query();
        process.kill(own.pid, 'SIGSTOP');
        const reason = (await aborted(grant.signal)) as Error & { code: string };
        expect(reason.code).toBe('KDS_GRANT_LOST');
        expect(reason.message).toContain('lease');
        process.kill(own.pid, 'SIGCONT');
        const next = await waiting;
        expect(next.token).toBeGreaterThan(grant.token);
        expect(next.recovered).toEqual(['a']);
        await next.release();
        await (await one.acquire({ exclusive: 'a' })).release();
        await one.close();
        await two.close();
      } finally {
        for (const client of clients) client.disconnect();
        process.kill(own.pid, 'SIGCONT');
        await own.stop();
      }
    });

    it('a release, and the end of a domain, do not wait for a server that is stopped', async () => {
      const own = await startRedisServer();
      const client = new Redis({ port: own.port, host: '127.0.0.1' });
      try {
        const domain = await openRedisDomain(client, { name, leaseMs: 600 });
        const grant = await domain.acquire({ exclusive: 'a' });
        const session = domain.session();
        await session.acquire({ exclusive: 'b' });
        process.kill(own.pid, 'SIGSTOP');
        await Promise.all([grant.release(), session.close()]);
        await domain.close();
      } finally {
        client.disconnect();
        process.kill(own.pid, 'SIGCONT');
        await own.stop();
      }
    });

    it('a session that the server let go loses its grants; who waits is asked again', async () => {
      const one = await open(undefined, { leaseMs: 1500 });
      const grant = await one.acquire({ exclusive: 'a' });
      const waiting = one.acquire({ exclusive: 'a' });
      await one.query();
      await endLeases();
      await expect(aborted(grant.signal)).resolves.toMatchObject({ code: 'KDS_GRANT_LOST' });
      const next = await waiting;
      expect(next.recovered).toEqual(['a']);
      expect((await one.query()).held[0]?.client.session).toMatch(/\.[2-9]$/);
      await grant.release();
      expect((await one.query()).held).toHaveLength(1);
      await next.release();
    });

    it('a server that has forgotten everything gets all requests again', async () => {
      const [one, two] = [
        await open(undefined, { leaseMs: 1500 }),
        await open(undefined, { leaseMs: 1500 }),
      ];
      const grant = await one.acquire({ exclusive: 'a' });
      const waiting = two.acquire({ exclusive: 'a' });
      await two.query();
      await admin.flushall();
      const next = await waiting;
      await aborted(grant.signal);
      expect(next.token).toBeGreaterThan(grant.token);
      await next.release();
    });

    it('a release outlasts its connection, and does not reject', async () => {
      const [one, two] = [await open(), await open()];
      const grant = await one.acquire({ exclusive: 'a' });
      const waiting = two.acquire({ exclusive: 'a' });
      await two.query();
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await grant.release();
      await (await waiting).release();
      await one.close();
      await grant.release();
    });

    it('a set that the server restored from before its release is given back', async () => {
      const domain = await open(undefined, { leaseMs: 1500 });
      const grant = await domain.acquire({ exclusive: 'a' });
      const before = new Map<string, Buffer>();
      for (const key of await scripted.keys()) {
        before.set(scripted.root + key, (await admin.dumpBuffer(scripted.root + key)) as Buffer);
      }
      await grant.release();
      for (const [key, dump] of before) {
        await admin.del(key);
        await admin.restore(key, 0, dump);
      }
      expect((await domain.query()).held).toHaveLength(1);
      await expect.poll(async () => (await domain.query()).held, soon).toEqual([]);
    });

    it('a grant that the server has no trace of is lost', async () => {
      const domain = await open(undefined, { leaseMs: 1500 });
      await (await domain.acquire({ exclusive: 'b' })).release();
      const before = new Map<string, Buffer>();
      for (const key of await scripted.keys()) {
        before.set(scripted.root + key, (await admin.dumpBuffer(scripted.root + key)) as Buffer);
      }
      const grant = await domain.acquire({ exclusive: 'a' });
      const waiting = domain.acquire({ exclusive: 'a' });
      await domain.query();
      for (const key of await scripted.keys()) await admin.del(scripted.root + key);
      for (const [key, dump] of before) await admin.restore(key, 0, dump);
      await expect(aborted(grant.signal)).resolves.toMatchObject({ code: 'KDS_GRANT_LOST' });
      expect((await waiting).token).toBeGreaterThan(grant.token);
    });
  });
});
