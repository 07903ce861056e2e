/** Events of clients of Redis and of etcd, of their own requests. */

import { Redis } from 'ioredis';
import type { Domain, Grant } from 'kds';
import { openEtcdDomain } from 'kds/etcd';
import { openRedisDomain, type RedisDomain } from 'kds/redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EtcdCluster, hasEtcd } from '../etcd/server.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';
import { EventRecorder } from './event-recorder.ts';

/** All that can happen to requests and grants of two clients, but deaths. */
async function useBoth(domain: Domain, other: Domain): Promise<EventRecorder> {
  const recorder = new EventRecorder('recorded');
  const one = await domain.acquire({ exclusive: ['a', 'b'] }, { label: 'one' });
  const two = domain.acquire({ exclusive: 'a', shared: 'c' }, { label: 'two' });
  await recorder.recorded('request.miss two');
  await domain.tryAcquire({ shared: 'a' }, { label: 'three' });
  await domain.acquire({ shared: 'a' }, { label: 'four', timeoutMs: 0 }).catch(() => undefined);
  domain.enqueue({ shared: 'a' }, () => undefined, { label: 'five' }).cancel();
  await one.release('b');
  await one.abandon();
  const second = await two;
  await second.downgrade();
  await second[Symbol.asyncDispose]();
  const third = await domain.acquire({ exclusive: 'a' }, { label: 'six' });
  const lost = once(third);
  await (await other.acquire({ exclusive: 'a' }, { steal: true })).release();
  await lost;
  await domain.acquire({ exclusive: 'b' }, { label: 'seven' });
  await domain.close();
  recorder.stop();
  return recorder;
}

const allLines = [
  'request.start one',
  'request.grant one',
  'request.end one granted',
  'request.start two',
  'request.miss two',
  'request.start three',
  'request.end three denied',
  'request.start four',
  'request.end four timed-out',
  'request.start five',
  'request.end five cancelled',
  'grant.weaken one',
  'grant.release one',
  'request.grant two',
  'grant.recovered two',
  'request.end two granted',
  'grant.weaken two',
  'grant.release two',
  'request.start six',
  'request.grant six',
  'request.end six granted',
  'grant.lost six stolen',
  'request.start seven',
  'request.grant seven',
  'request.end seven granted',
  'grant.lost seven closed',
];

function once({ signal }: Grant): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
}

describeWithRedis('a client of redis reports', () => {
  let server: RedisServer;
  let clients: Redis[] = [];
  let domains: RedisDomain[] = [];

  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    clients = [];
    domains = [];
  });
  afterEach(async () => {
    for (const client of clients) client.disconnect();
    for (const domain of domains) await domain.close();
  });

  const connect = (): Redis => {
    const client = new Redis({ port: server.port, host: '127.0.0.1' });
    clients.push(client);
    return client;
  };
  const open = async (label: string, leaseMs: number): Promise<RedisDomain> => {
    const domain = await openRedisDomain(connect(), { name: 'shop', label, leaseMs });
    domains.push(domain);
    return domain;
  };

  it('how its requests and grants fare, and in which domain', async () => {
    const recorder = await useBoth(await open('recorded', 60_000), await open('other', 60_000));
    expect(recorder.lines).toEqual(allLines);
    expect([...recorder.domains]).toEqual(['redis shop recorded']);
  });

  it('of a grant that is lost as the server has forgotten all, and of each miss once', async () => {
    const [one, two] = [await open('one', 900), await open('two', 900)];
    const recorder = new EventRecorder('one', 'two');
    await one.acquire({ exclusive: 'a' }, { label: 'holder' });
    const waiting = two.acquire({ exclusive: 'a' }, { label: 'waiter' });
    await recorder.recorded('request.miss waiter');
    await connect().flushall();
    await recorder.recorded('grant.lost holder died');
    await (await waiting).release();
    recorder.stop();
    const ofWaiter = recorder.lines.filter((line) => line.includes('waiter'));
    expect(ofWaiter).toEqual([
      'request.start waiter',
      'request.miss waiter',
      'request.grant waiter',
      'request.end waiter granted',
      'grant.release waiter',
    ]);
  });

  it('of what it takes over from a client that has died', async () => {
    const [dead, heir] = [await open('dead', 600), await open('heir', 600)];
    const recorder = new EventRecorder('dead', 'heir');
    await dead.acquire({ exclusive: 'a' }, { label: 'holder' });
    const waiting = heir.acquire({ exclusive: 'a' }, { label: 'heir' });
    await recorder.recorded('request.miss heir');
    // As if it had been killed: the server hears no more of it.
    clients[0]?.disconnect();
    await waiting;
    await recorder.recorded('grant.lost holder died');
    recorder.stop();
    expect(recorder.lines).toContain('grant.recovered heir');
    // The one that died knew before the other had it.
    const [lost, granted] = ['grant.lost holder died', 'request.grant heir'];
    expect(recorder.lines.indexOf(lost)).toBeLessThan(recorder.lines.indexOf(granted));
  });
});

describe.skipIf(!hasEtcd)(hasEtcd ? 'a client of etcd publishes' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  it('how its requests and grants fare, and in which domain', async () => {
    const options = { name: 'shop', leaseSeconds: 60 };
    const domain = await openEtcdDomain(cluster.hosts, { ...options, label: 'recorded' });
    const other = await openEtcdDomain(cluster.hosts, { ...options, label: 'other' });
    const recorder = await useBoth(domain, other);
    await other.close();
    expect(recorder.lines).toEqual(allLines);
    expect([...recorder.domains]).toEqual(['etcd shop recorded']);
  });
});
