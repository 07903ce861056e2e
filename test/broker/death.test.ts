/** The death of clients and of the broker, by kill -9 and by being stopped. */

import { once } from 'node:events';
import { type BrokerDomain, type BrokerOptions, openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  bundleBroker,
  bundleProgram,
  heard,
  isRunning,
  removePrograms,
  startClient,
  until,
} from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const domains: BrokerDomain[] = [];
const graceMs = 500;
let holder = '';

async function open(socket: string, options: BrokerOptions = {}): Promise<BrokerDomain> {
  const domain = await openBrokerDomain({ socket, idleMs: 200, graceMs, ...options });
  domains.push(domain);
  return domain;
}

async function killBroker({ brokerPid }: BrokerDomain): Promise<void> {
  process.kill(brokerPid, 'SIGKILL');
  await until(() => !isRunning(brokerPid), 'the broker is dead');
}

beforeAll(async () => {
  await bundleBroker();
  holder = await bundleProgram(new URL('./holder.ts', import.meta.url));
});

afterEach(async () => {
  for (const domain of domains.splice(0)) await domain.close();
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

describe('when a client is killed', () => {
  it('what it held goes to the next holder at once, as recovered', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const child = startClient(holder, socket, 'a');
    await heard(child);
    expect(await domain.tryAcquire({ shared: 'a' })).toBe(null);
    const waiting = domain.acquire({ exclusive: ['a', 'b'] });
    child.kill('SIGKILL');
    const grant = await waiting;
    expect(grant.recovered).toEqual(['a']);
    grant.release();
    expect((await domain.acquire({ exclusive: 'a' })).recovered).toEqual([]);
  });

  it('those who waited behind it move up', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const reader = await domain.acquire({ shared: 'a' });
    const child = startClient(holder, socket, 'a');
    await until(async () => (await domain.query()).pending.length === 1, 'the writer waits');
    const next = domain.acquire({ shared: 'a' });
    child.kill('SIGKILL');
    (await next).release();
    reader.release();
  });

  it('one that ends in order sets no recovered flag', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const child = startClient(holder, socket, 'a');
    await heard(child);
    const exited = once(child, 'exit');
    child.send('end');
    expect((await domain.acquire({ exclusive: 'a' })).recovered).toEqual([]);
    expect(await exited).toEqual([0, null]);
  });
});

describe('a process that holds something and expects nothing', () => {
  it('and releases right before it exits, has released', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    await once(startClient(holder, socket, 'a', 'exit'), 'exit');
    const grant = await domain.acquire({ exclusive: 'a' });
    expect(grant.recovered).toEqual([]);
  });

  it('ends by itself, and then holds nothing', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const child = startClient(holder, socket, 'a', 'leave');
    const exited = once(child, 'exit');
    expect(await exited).toEqual([0, null]);
    const grant = await domain.acquire({ exclusive: 'a' });
    expect(grant.recovered).toEqual(['a']);
  });
});

describe('when the broker is killed', () => {
  it('what is held stays held, with its token, and nobody else is granted it', async () => {
    const socket = freshSocketPath();
    const [one, two] = [await open(socket), await open(socket)];
    const grant = await one.acquire({ exclusive: ['a', 'b'], shared: 'c' }, { label: 'kept' });
    grant.downgrade('b');
    await one.query();
    const { brokerPid } = one;
    await killBroker(one);
    const [denied, reader] = await Promise.all([
      two.tryAcquire({ shared: 'a' }),
      two.acquire({ shared: ['b', 'c'] }),
    ]);
    expect(denied).toBe(null);
    expect(reader.token).toBeGreaterThan(grant.token);
    expect(two.brokerPid).not.toBe(brokerPid);
    const { held } = await one.query();
    expect(held[0]?.set).toEqual({ exclusive: ['a'], shared: ['c', 'b'] });
    expect(held[0]).toMatchObject({ token: grant.token, label: 'kept' });
    expect(grant.signal.aborted).toBe(false);
    grant.release();
    const next = await two.acquire({ exclusive: 'a' });
    expect(next.token).toBeGreaterThan(reader.token);
  });

  it('those who wait keep their order, across clients', async () => {
    const socket = freshSocketPath();
    const clients = await Promise.all([1, 2, 3].map(() => open(socket)));
    const first = await (clients[0] as BrokerDomain).acquire({ exclusive: 'a' });
    const told: number[] = [];
    const all: Promise<void>[] = [];
    for (let index = 0; index < 12; index++) {
      // Never in the order in which the clients come back.
      const client = clients[(index * 7 + 2) % 3] as BrokerDomain;
      const run = client.run({ exclusive: 'a' }, () => void told.push(index));
      all.push(run);
      await client.query();
    }
    for (let round = 0; round < 2; round++) {
      await killBroker(clients[1] as BrokerDomain);
      const { pending } = await (clients[0] as BrokerDomain).query();
      expect(pending.length).toBeLessThanOrEqual(12);
      await until(async () => {
        const snapshots = await Promise.all(clients.map((client) => client.query()));
        return snapshots.every((snapshot) => snapshot.pending.length === 12);
      }, 'all are back');
    }
    first.release();
    await Promise.all(all);
    expect(told).toEqual(Array.from({ length: 12 }, (_, index) => index));
  });

  it('what is released, cancelled and asked for meanwhile is as if it had not died', async () => {
    const socket = freshSocketPath();
    const [one, two] = [await open(socket), await open(socket)];
    const grant = await one.acquire({ exclusive: 'a' });
    const told: string[] = [];
    const waiter = two.enqueue({ exclusive: 'a' }, () => told.push('cancelled'));
    const controller = new AbortController();
    const stopped = two.acquire({ exclusive: 'a' }, { signal: controller.signal });
    await two.query();
    process.kill(one.brokerPid, 'SIGKILL');
    expect(waiter.cancel()).toBe(true);
    controller.abort('enough');
    await expect(stopped).rejects.toBe('enough');
    grant.release();
    const next = await two.acquire({ exclusive: 'a' });
    expect(told).toEqual([]);
    expect((await one.query()).held).toHaveLength(1);
    next.release();
  });

  it('a wait that is limited ends in time although there is no broker', async () => {
    const socket = freshSocketPath();
    const [one, two] = [await open(socket), await open(socket)];
    const grant = await one.acquire({ exclusive: 'a' }, { label: 'the holder' });
    const late = two.acquire({ exclusive: 'a' }, { timeoutMs: 2000 });
    await two.query();
    await killBroker(one);
    await expect(late).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
    await expect(late).rejects.toThrow(/"the holder"/);
    grant.release();
  });

  it('a client that is stopped cannot claim what it held, and learns so', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const child = startClient(holder, socket, 'a');
    await heard(child);
    child.kill('SIGSTOP');
    await killBroker(domain);
    // Only when the time of grace is over.
    const grant = await domain.acquire({ exclusive: 'a' });
    const lost = heard(child);
    child.kill('SIGCONT');
    expect(await lost).toMatchObject({ lost: expect.stringContaining('stop using') });
    expect((await domain.query()).held).toHaveLength(1);
    grant.release();
  });

  it('nobody can claim what was held once the time of grace is over, free or not', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const child = startClient(holder, socket, 'a');
    await heard(child);
    child.kill('SIGSTOP');
    await killBroker(domain);
    // It may have been held, and released, by others.
    (await domain.acquire({ exclusive: 'a' })).release();
    const lost = heard(child);
    child.kill('SIGCONT');
    await lost;
    await domain.acquire({ exclusive: 'a' });
  });
});

describe('a client that is stopped', () => {
  it('keeps what it holds while the broker lives, and disturbs nobody', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const child = startClient(holder, socket, 'a');
    await heard(child);
    child.kill('SIGSTOP');
    expect(await domain.tryAcquire({ shared: 'a' })).toBe(null);
    await domain.run({ exclusive: 'b' }, () => undefined);
    const next = domain.acquire({ exclusive: 'a' });
    child.kill('SIGCONT');
    child.send('end');
    expect((await next).recovered).toEqual([]);
  });
});
