/** Many requests of one client end at one moment: it is gone, it cancels them, the broker ends. */

import { openBrokerDomain } from 'kds/broker';
import { afterAll, describe, expect, it } from 'vitest';
import { serveDomain } from '../../src/backends/broker/server/broker.ts';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { sessionCountMax } from '../../src/backends/broker/wire/limits.ts';
import { createServedDomain } from '../../src/backends/process/domain.ts';
import { owned, RawClient, shared, type Told } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

afterAll(removePlaces);

interface Granted extends Told {
  readonly id: number;
  readonly token: number;
}

/** The next grants that a client is told of. */
async function grantsOf(client: RawClient, count: number): Promise<readonly Granted[]> {
  const grants: Granted[] = [];
  while (grants.length < count) grants.push((await client.next('granted')) as Granted);
  return grants;
}

function growing(grants: readonly Granted[]): boolean {
  return grants.every(({ token }, at) => at === 0 || token > (grants[at - 1] as Granted).token);
}

const acquire = (id: number, ...names: readonly string[]) => ({
  ...{ do: 'acquire', id },
  ...owned(...names),
});
const read = (id: number, ...names: readonly string[]) => ({
  ...{ do: 'acquire', id },
  ...shared(...names),
});

/** A client that holds c, b and a, taken in this order, and waits for d and a; one behind it. */
async function twoClients(socketPath: string) {
  const first = await RawClient.greeted(socketPath);
  first.say(acquire(1, 'c'), acquire(2, 'b'), acquire(3, 'a'), acquire(4, 'd', 'a'));
  await first.next('waiting');
  const second = await RawClient.greeted(socketPath);
  second.say(acquire(1, 'a'), acquire(2, 'b'), acquire(3, 'c'), acquire(4, 'd'));
  for (let count = 0; count < 4; count++) await second.next('waiting');
  return { first, second };
}

describe('what many requests of one client leave is granted in arrival order', () => {
  it('as its socket closes', async () => {
    const socketPath = freshSocketPath();
    const broker = await runBroker({ socketPath });
    const { first, second } = await twoClients(socketPath);
    first.socket.destroy();
    const grants = await grantsOf(second, 4);
    expect(grants.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(growing(grants)).toBe(true);
    expect(grants.map((grant) => grant['recovered'])).toEqual([['a'], ['b'], ['c'], undefined]);
    await broker?.close();
  });

  it('as it cancels them, what was granted meanwhile too', async () => {
    const socketPath = freshSocketPath();
    const broker = await runBroker({ socketPath });
    const { first, second } = await twoClients(socketPath);
    first.say({ do: 'cancel', ids: [1, 2, 3, 4] });
    const grants = await grantsOf(second, 4);
    expect(grants.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(growing(grants)).toBe(true);
    expect(grants.every((grant) => grant['recovered'] === undefined)).toBe(true);
    await broker?.close();
  });

  it('as it cancels them while they wait: none of its own is granted in between', async () => {
    const socketPath = freshSocketPath();
    const broker = await runBroker({ socketPath });
    const holder = await RawClient.greeted(socketPath);
    holder.say(read(1, 'a', 'b'));
    await holder.next('granted');
    const client = await RawClient.greeted(socketPath);
    client.say(acquire(1, 'b'), acquire(2, 'a'), read(3, 'a'), read(4, 'a'), read(5, 'b'));
    for (let count = 0; count < 5; count++) await client.next('waiting');
    client.say({ do: 'cancel', ids: [3, 1, 2] }, { do: 'query', id: 9 });
    const told: Told[] = [];
    while (told.at(-1)?.['is'] !== 'snapshot') {
      const next = client.told.shift();
      if (next === undefined) await new Promise(setImmediate);
      else told.push(next);
    }
    const granted = told.filter(({ is }) => is === 'granted').map(({ id }) => id);
    expect(granted).toEqual([4, 5]);
    await broker?.close();
  });
});

describe('a broker that ends', () => {
  it('grants to no client what another one can claim from the next broker', async () => {
    const socketPath = freshSocketPath();
    const broker = await serveDomain(createServedDomain(), {
      socketPath,
      idleMs: Number.POSITIVE_INFINITY,
      graceMs: 100,
    });
    const { first, second } = await twoClients(socketPath);
    await broker?.close();
    await first.closed();
    await second.closed();
    expect(second.told.filter(({ is }) => is === 'granted')).toEqual([]);
  });
});

describe('a client with more sessions than the broker keeps', () => {
  it('has the request refused with LimitError, and nothing else happens to it', async () => {
    const socketPath = freshSocketPath();
    const broker = await runBroker({ socketPath });
    const domain = await openBrokerDomain({ socket: socketPath, start: false });
    const grant = await domain.acquire({ exclusive: 'a' });
    let session = domain.session();
    for (let count = 0; count < sessionCountMax; count++) session = session.session();
    await expect(session.acquire({ exclusive: 'b' })).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    expect(grant.signal.aborted).toBe(false);
    expect((await domain.query()).held).toHaveLength(1);
    await domain.close();
    await broker?.close();
  });
});
