/** Time-outs where the state is kept elsewhere: they keep a process alive, and may be faked. */

import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { Domain } from 'kds';
import { openBrokerDomain } from 'kds/broker';
import { openEtcdDomain } from 'kds/etcd';
import { openRedisDomain } from 'kds/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleBroker, bundleProgram, removePrograms, startClient } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { EtcdCluster, hasEtcd } from '../etcd/server.ts';
import { describeWithRedis, startRedisServer } from '../redis/server.ts';
import { fakeTimers } from './fake-timers.ts';

const timeoutMs = 50_000;
/** Clients of engines do not work while what they do next is faked. */
const usual = ['setTimeout and Date', 'setTimeout and performance', 'setTimeout of node:test'];

let program = '';
beforeAll(async () => {
  await bundleBroker();
  program = await bundleProgram(new URL('./far-client.ts', import.meta.url));
});
afterEach(() => {
  for (const fake of Object.values(fakeTimers)) fake.restore();
});
afterAll(() => {
  removePrograms();
  removePlaces();
});

function testFaked(open: () => Promise<Domain>, names: readonly string[]): void {
  it.each(names)('a request is refused when the fake time has passed: %s', async (name) => {
    const fake = fakeTimers[name];
    if (fake === undefined) throw new Error(`there are no fake timers ${name}`);
    const exclusive = { exclusive: name };
    const holding = await open();
    const held = await holding.acquire(exclusive, { label: 'the holder' });
    const waiting = await open();
    fake.install();
    const refused = [
      waiting.acquire(exclusive, { timeoutMs }),
      waiting.settled(exclusive, { timeoutMs }),
    ].map((asked) => asked.catch((error: unknown) => error));
    fake.pass(timeoutMs - 1);
    // Whatever else is asked is answered meanwhile.
    expect(await waiting.tryAcquire(exclusive)).toBe(null);
    expect((await waiting.query()).pending.length).toBeGreaterThan(0);
    fake.pass(1);
    for (const error of await Promise.all(refused)) {
      expect(error).toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
      expect((error as Error).message).toMatch(/^not \w+ within 50000 ms: /);
    }
    expect((await waiting.query()).pending).toEqual([]);
    fake.restore();
    await held.release();
    await (await waiting.acquire(exclusive, { timeoutMs })).release();
    await waiting.close();
    await holding.close();
  });
}

function testAlive(backend: string, address: () => string, open: () => Promise<Domain>): void {
  it.each([
    ['acquire', 'KDS_WAIT_TIMEOUT'],
    ['settled', 'KDS_WAIT_TIMEOUT'],
    ['enqueue', 'KDS_WAIT_TIMEOUT'],
    ['cancel', undefined],
    ['idle', undefined],
  ])('a process lives until it has been told, and no longer: %s', async (task, code) => {
    const domain = await open();
    await domain.acquire({ exclusive: 'a' });
    const child = startClient(program, backend, address(), task);
    const told: unknown[] = [];
    child.on('message', (message) => told.push(message));
    const [exitCode] = await once(child, 'close');
    expect([told, exitCode]).toEqual([code === undefined ? [] : [code], 0]);
    await domain.close();
  });
}

describe('by way of a broker', () => {
  let socket = '';
  const open = () => openBrokerDomain({ socket });
  beforeAll(() => {
    socket = freshSocketPath();
  });
  testFaked(open, Object.keys(fakeTimers));
  testAlive('broker', () => socket, open);
});

describe.skipIf(!hasEtcd)(hasEtcd ? 'in etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());
  const open = () => openEtcdDomain(cluster.hosts, { name: 'far', leaseSeconds: 60 });
  testFaked(open, usual);
  testAlive('etcd', () => [cluster.hosts].flat().join(','), open);
});

describeWithRedis('in redis', () => {
  let server: Awaited<ReturnType<typeof startRedisServer>>;
  const clients: Redis[] = [];
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
  });
  const open = () => {
    const client = new Redis({ port: server.port, host: '127.0.0.1' });
    clients.push(client);
    return openRedisDomain(client, { name: 'far', leaseMs: 60_000 });
  };
  testFaked(open, usual);
});
