import { Cluster, Redis } from 'ioredis';
import { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey';
import type { RedisClient } from 'kds/redis';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { describe, expect, it } from 'vitest';
import { aborted, withRedisServer } from './opened.ts';
import { startWatched } from './sentinel.ts';
import { describeWithRedis, startRedisServer } from './server.ts';

describeWithRedis('a client', () => {
  const redis = withRedisServer();
  const place = () => ({ port: redis.server.port, host: '127.0.0.1' });

  const withoutQueue: Readonly<Record<string, () => Promise<RedisClient>>> = {
    'ioredis, ready': async () => {
      const client = redis.client({ enableOfflineQueue: false });
      await new Promise((resolve) => client.once('ready', resolve));
      return client;
    },
    'ioredis, connecting': async () => redis.client({ enableOfflineQueue: false }),
    'ioredis, not asked to connect': async () =>
      redis.client({ enableOfflineQueue: false, lazyConnect: true }),
    'iovalkey, connecting': async () => {
      const client = new Valkey({ ...place(), enableOfflineQueue: false });
      redis.atEnd(() => client.disconnect());
      return client;
    },
    'node-redis': async () => {
      const client = createClient({ socket: place(), disableOfflineQueue: true });
      redis.atEnd(() => client.destroy());
      return client.connect();
    },
  };
  it.each(Object.keys(withoutQueue))('may have no queue of its own: %s', async (kind) => {
    const makeClient = withoutQueue[kind] as () => Promise<RedisClient>;
    const [one, two] = [await redis.open(await makeClient()), await redis.open()];
    const grant = await two.acquire({ exclusive: 'a' });
    const waiting = one.acquire({ exclusive: 'a' });
    await one.query();
    await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await grant.release();
    expect((await waiting).signal.aborted).toBe(false);
  });

  const unusable: Readonly<Record<string, () => unknown>> = {
    'a pool of node-redis': () => createClientPool({ socket: place() }),
    'what a sentinel lends': () => ({ isReady: true, sendCommand: () => undefined }),
  };
  it.each(Object.keys(unusable))('is refused in words: %s', async (kind) => {
    const client = unusable[kind]?.() as RedisClient;
    const promise = redis.open(client);
    await expect(promise).rejects.toThrow(TypeError);
    await expect(promise).rejects.toThrow('createSentinel');
  });

  const clusters: Readonly<Record<string, () => unknown>> = {
    ioredis: () => new Cluster([place()], { lazyConnect: true }),
    iovalkey: () => new ValkeyCluster([place()], { lazyConnect: true }),
    'node-redis': () => createCluster({ rootNodes: [{ socket: place() }] }),
  };
  it.each(Object.keys(clusters))('of a cluster is refused by what it is: %s', async (library) => {
    const promise = redis.open(clusters[library]?.() as RedisClient);
    await expect(promise).rejects.toMatchObject({ code: 'KDS_UNSUPPORTED' });
    await expect(promise).rejects.toThrow('cluster');
  });

  it.each([
    ['ioredis', '-info'],
    ['node-redis', '-info'],
  ])('of %s to a node of a cluster is refused, with %s', async (library, ...rights) => {
    const node = await startRedisServer('--cluster-enabled', 'yes');
    redis.atEnd(() => node.stop());
    const admin = new Redis({ port: node.port, host: '127.0.0.1', enableReadyCheck: false });
    redis.atEnd(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'kds', 'on', '>secret', '+@all', '~*', '&*', ...rights);
    const user = { username: 'kds', password: 'secret' };
    const where = { port: node.port, host: '127.0.0.1' };
    let client: RedisClient;
    if (library === 'ioredis') {
      // Without HELLO a client speaks the protocol that needs none.
      const made = new Redis({ ...where, ...user, protocol: 2, enableReadyCheck: false });
      made.on('error', () => undefined);
      redis.atEnd(() => made.disconnect());
      client = made;
    } else {
      const made = createClient({ socket: where, ...user });
      redis.atEnd(() => made.destroy());
      client = await made.connect();
    }
    const promise = redis.open(client);
    await expect(promise).rejects.toMatchObject({
      code: 'KDS_UNSUPPORTED',
      message: expect.stringContaining('cluster'),
    });
  });
});

describeWithRedis('a server with a replica and a sentinel', () => {
  const redis = withRedisServer();

  const kinds: Readonly<Record<string, (sentinelPort: number) => Promise<RedisClient>>> = {
    'ioredis with sentinels': async (sentinelPort) => {
      const sentinels = [{ host: '127.0.0.1', port: sentinelPort }];
      const client = new Redis({ sentinels, name: 'main', sentinelRetryStrategy: () => 50 });
      client.on('error', () => undefined);
      redis.atEnd(() => client.disconnect());
      return client;
    },
    'createSentinel of node-redis': async (sentinelPort) => {
      const client = createSentinel({
        name: 'main',
        sentinelRootNodes: [{ host: '127.0.0.1', port: sentinelPort }],
      });
      client.on('error', () => undefined);
      redis.atEnd(() => client.destroy());
      return client.connect();
    },
  };
  describe.each(Object.keys(kinds))('%s', (kind) => {
    it('takes turns, and goes on after a failover', async () => {
      const watched = await startWatched();
      redis.atEnd(() => watched.stop());
      const make = kinds[kind] as (sentinelPort: number) => Promise<RedisClient>;
      const [one, two] = [
        await redis.open(await make(watched.sentinelPort)),
        await redis.open(await make(watched.sentinelPort)),
      ];
      const before = await one.acquire({ exclusive: 'a' });
      const waiting = two.acquire({ exclusive: 'a' });
      await two.query();
      await before.release();
      const next = await waiting;
      expect(next.token).toBeGreaterThan(before.token);
      await watched.failOver();
      const after = one.acquire({ exclusive: 'a' });
      await one.query();
      await next.release();
      expect((await after).token).toBeGreaterThan(next.token);
    });
  });
});

describeWithRedis('a client that its owner uses, as the manual has it', () => {
  const redis = withRedisServer();

  it('loses its grants if a blocking command lasts longer than the lease', async () => {
    const client = redis.client();
    const domain = await redis.open(client, { leaseMs: 600 });
    const grant = await domain.acquire({ exclusive: 'a' });
    client.blpop('jobs', 0).catch(() => undefined);
    expect(await aborted(grant.signal)).toMatchObject({ code: 'KDS_GRANT_LOST' });
    await redis.admin.lpush('jobs', 'one');
  });

  it('loses its grants if another database is selected', async () => {
    const client = redis.client();
    const domain = await redis.open(client, { leaseMs: 600 });
    const grant = await domain.acquire({ exclusive: 'a' });
    await client.select(1);
    expect(await aborted(grant.signal)).toMatchObject({ code: 'KDS_GRANT_LOST' });
  });

  it('may run transactions by multi()', async () => {
    const client = redis.client();
    const domain = await redis.open(client);
    const multi = client.multi().set('mine', '1');
    const grant = await domain.acquire({ exclusive: 'a' });
    expect(await multi.exec()).toHaveLength(1);
    await grant.release();
    expect(grant.signal.aborted).toBe(false);
  });
});
