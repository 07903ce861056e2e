/** A resize for which many wait at a broker: its messages are sent in slices, in order. */

import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type RunningBroker, serveDomain } from '../../src/backends/broker/server/broker.ts';
import { createServedDomain, type ServedDomain } from '../../src/backends/process/domain.ts';
import { sliceCountMin, slicesOf } from '../local/stops.ts';
import { until } from './programs.ts';
import { owned, RawClient } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

vi.mock(import('../../src/runtime/real-time.ts'), async (original) => {
  const { countingTurns } = await import('../local/stops.ts');
  return countingTurns(original);
});

const waitingCount = 20_000;
/** Messages of one call that are sent within it. */
const withinCall = 2000;
const capacity = 10;
let domain: ServedDomain;
let broker: RunningBroker;
let owner: RawClient;
let crowd: RawClient;

/** The owner has all units, and as many requests of the crowd wait for some. */
async function crowdFor(units: number): Promise<void> {
  owner.say(
    { do: 'declare', id: 1, resource: 'pool', capacity },
    { do: 'acquire', id: 2, parts: [['pool', capacity, 0]] },
  );
  await owner.next('granted');
  const requests = Array.from({ length: waitingCount }, (_, index) => {
    return { do: 'acquire', id: index + 1, parts: [['pool', units, 0]] };
  });
  crowd.say(...requests);
  await until(() => domain.querySync().pending.length === waitingCount, 'all wait');
  await until(() => crowd.told.length === waitingCount, 'all are told so');
  crowd.told.splice(0);
}

const resize = (units: number) => {
  owner.say({ do: 'declare', id: 3, resource: 'pool', capacity: units });
};

beforeEach(async () => {
  const socketPath = freshSocketPath();
  domain = createServedDomain();
  const options = { socketPath, idleMs: Number.POSITIVE_INFINITY, graceMs: 0 };
  broker = (await serveDomain(domain, options)) as RunningBroker;
  owner = await RawClient.greeted(socketPath);
  crowd = await RawClient.greeted(socketPath);
});

afterEach(async () => {
  for (const { socket } of [owner, crowd]) socket.destroy();
  await broker.close();
});

afterAll(removePlaces);

it.each([
  ['refuses', 5, 3],
  ['grants', 1, 2 ** 20],
] as const)('that %s many does so at once, and tells them in slices', async (_, units, after) => {
  await crowdFor(units);
  const areRefused = after < capacity;
  const sliceCount = await slicesOf(async () => {
    resize(after);
    await owner.next('declared');
    expect(domain.querySync().pending).toEqual([]);
    await until(() => crowd.told.length === waitingCount, 'all are told');
  });
  expect(sliceCount).toBeGreaterThanOrEqual(sliceCountMin(waitingCount - withinCall));
  const ids = Array.from({ length: waitingCount }, (_, index) => index + 1);
  expect(crowd.told.map(({ id }) => id)).toEqual(ids);
  expect(crowd.told.map(({ is }) => is)).toEqual(
    new Array(waitingCount).fill(areRefused ? 'refused' : 'granted'),
  );
  if (areRefused) return;
  const numbers = crowd.told.map((each) => (each['units'] as [{ ranges: unknown }])[0].ranges);
  expect(numbers).toEqual(ids.map((id) => [[capacity + id - 1, 1]]));
  const tokens = crowd.told.map(({ token }) => token as number);
  expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
});

it('serves others meanwhile, and a client that is notified afterwards', async () => {
  await crowdFor(1);
  const setCapacity = domain.setCapacity.bind(domain);
  const served: string[] = [];
  vi.spyOn(domain, 'setCapacity').mockImplementation((ref, units) => {
    setCapacity(ref, units);
    crowd.say({ do: 'try', id: waitingCount + 1, ...owned('a') }, { do: 'query', id: 1 });
    owner.say({ do: 'try', id: 4, ...owned('b') });
  });
  await slicesOf(async () => {
    resize(2 ** 20);
    await until(() => owner.told.some(({ id }) => id === 4), 'the owner is served');
    served.push(`owner behind ${crowd.told.length < waitingCount ? 'some' : 'all'}`);
    await until(() => crowd.told.some(({ is }) => is === 'snapshot'), 'the crowd is served');
  });
  expect(served).toEqual(['owner behind some']);
  expect(crowd.told).toHaveLength(waitingCount + 2);
  expect(crowd.told.at(-2)).toMatchObject({ is: 'granted', id: waitingCount + 1 });
  expect(crowd.told.at(-1)).toMatchObject({ is: 'snapshot', id: 1 });
});

it('leaves nothing of a client that goes before it has been told all', async () => {
  await crowdFor(1);
  const setCapacity = domain.setCapacity.bind(domain);
  vi.spyOn(domain, 'setCapacity').mockImplementation((ref, units) => {
    setCapacity(ref, units);
    crowd.socket.destroy();
  });
  resize(2 ** 20);
  await owner.next('declared');
  await until(() => domain.querySync().held.length === 1, 'what the crowd held has ended');
  owner.say({ do: 'try', id: 4, parts: [['pool', 2 ** 20 - capacity, 0]] });
  expect(await owner.next('granted')).toMatchObject({ id: 4 });
});
