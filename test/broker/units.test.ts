/** Units of resources with a capacity, among processes. */

import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type BrokerDomain, type BrokerOptions, openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  capacityBytesMax,
  capacityCountMax,
  frameBytesMax,
} from '../../src/backends/broker/wire/limits.ts';
import {
  bundleBroker,
  bundleProgram,
  heard,
  isRunning,
  removePrograms,
  startClient,
  until,
} from './programs.ts';
import { RawClient } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const domains: BrokerDomain[] = [];
const names = ['gpu0', 'gpu1', 'gpu2', 'gpu3'];
let program = '';
let socket = '';

async function open(options: BrokerOptions = {}): Promise<BrokerDomain> {
  const domain = await openBrokerDomain({ socket, idleMs: 200, graceMs: 2000, ...options });
  domains.push(domain);
  return domain;
}

async function killBroker({ brokerPid }: BrokerDomain): Promise<void> {
  process.kill(brokerPid, 'SIGKILL');
  await until(() => !isRunning(brokerPid), 'the broker is dead');
}

/** Another process that holds some units of the resource `gpu`. */
async function holderOf(take: number, of = 0) {
  const child = startClient(program, socket, String(take), String(of));
  const { units } = (await heard(child)) as { units: readonly (string | number)[] };
  return { child, units };
}

beforeAll(async () => {
  await bundleBroker();
  program = await bundleProgram(new URL('./units-client.ts', import.meta.url));
});

afterEach(async () => {
  for (const domain of domains.splice(0)) await domain.close();
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

describe('a capacity', () => {
  it('is one for all processes, as are the units', async () => {
    socket = freshSocketPath();
    const domain = await open({ capacity: { gpu: names, ram: 64 } });
    const { child, units } = await holderOf(2);
    expect(units).toEqual(['gpu0', 'gpu1']);
    const grant = await domain.acquire({ units: { gpu: 1, ram: 8 }, shared: 'gpu' });
    expect(grant.units).toEqual({ gpu: ['gpu2'], ram: [0, 1, 2, 3, 4, 5, 6, 7] });
    expect(await domain.capacity('gpu')).toEqual({ capacity: 4, taken: 3, waiting: 0, names });
    expect(await domain.capacity('other')).toBeUndefined();
    expect(await domain.tryAcquire({ units: { gpu: 2 } })).toBeNull();
    const { held, capacities } = await domain.query();
    expect(held.map((entry) => [entry.set.units, entry.units])).toEqual([
      [{ gpu: 2 }, { gpu: ['gpu0', 'gpu1'] }],
      [
        { gpu: 1, ram: 8 },
        { gpu: ['gpu2'], ram: [0, 1, 2, 3, 4, 5, 6, 7] },
      ],
    ]);
    expect(capacities).toEqual([
      { resource: 'gpu', capacity: 4, taken: 3, waiting: 0, names },
      { resource: 'ram', capacity: 64, taken: 8, waiting: 0 },
    ]);
    const waiting = domain.acquire({ units: { gpu: 2 } });
    child.kill('SIGKILL');
    const next = await waiting;
    expect(next.units).toEqual({ gpu: ['gpu0', 'gpu1'] });
    expect(next.recovered).toEqual([]);
  });

  it('outlives its client and idleness, and is resized by any client', async () => {
    socket = freshSocketPath();
    const observer = await open();
    const first = await openBrokerDomain({ socket, capacity: { gpu: 2 } });
    const grant = await first.acquire({ units: { gpu: 2 } });
    const three = observer.acquire({ units: { gpu: 3 } });
    await expect(three).rejects.toMatchObject({ code: 'KDS_CAPACITY' });
    await observer.setCapacity('gpu', 5);
    const next = observer.acquire({ units: { gpu: 3 } });
    expect((await next).units).toEqual({ gpu: [2, 3, 4] });
    const waiting = observer.acquire({ units: { gpu: 4 } });
    const refused = expect(waiting).rejects.toThrow('resource "gpu" has 3 units now');
    await first.setCapacity('gpu', 3);
    await refused;
    await grant.release();
    await first.close();
    (await next).release();
    expect(await observer.capacity('gpu')).toEqual({ capacity: 3, taken: 0, waiting: 0 });
  });

  it('can be asserted, and of a resource without a name', async () => {
    socket = freshSocketPath();
    const domain = await open();
    const asserted = await domain.acquire({ units: { gpu: { take: 1, of: 2 } } });
    const other = domain.acquire({ units: { gpu: { take: 1, of: 3 } } });
    await expect(other).rejects.toThrow('has 2 units, and the set asserts 3');
    await asserted.release();
    expect(await domain.capacity('gpu')).toBeUndefined();
    const pool = domain.resource();
    await domain.setCapacity(pool, ['a', 'b']);
    const grant = await domain.acquire({ units: new Map([[pool, 1]]) });
    expect(grant.units).toEqual({ '#1': ['a'] });
    await grant.release();
    await pool.close();
    await expect(domain.setCapacity(pool, 2)).rejects.toThrow('is closed');
  });

  it('is refused with the others if one of the options cannot be declared', async () => {
    socket = freshSocketPath();
    const domain = await open({ capacity: { gpu: names } });
    await domain.acquire({ units: { gpu: 1 } });
    await expect(open({ capacity: { ram: 4, gpu: ['x'] } })).rejects.toMatchObject({
      code: 'KDS_CAPACITY',
    });
    await expect(open({ capacity: { gpu: 0 } })).rejects.toThrow(RangeError);
    // It has two clients no more.
    expect((await domain.query()).held).toHaveLength(1);
  });

  it('is refused beyond what a broker keeps', async () => {
    socket = freshSocketPath();
    const domain = await open();
    const long = Array.from({ length: 60 }, (_, at) => `${at}`.padEnd(60_000, 'x'));
    for (const name of ['a', 'b']) await domain.setCapacity(name, long);
    expect(2 * 60 * 60_000).toBeLessThan(capacityBytesMax);
    await expect(domain.setCapacity('c', long)).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    await domain.setCapacity('a', 1);
    await domain.setCapacity('c', long);
    const bytes = Array.from({ length: 80 }, (_, at) => `${at}`.padEnd(60_000, 'x'));
    expect(80 * 60_000).toBeGreaterThan(frameBytesMax);
    await expect(domain.setCapacity('d', bytes)).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    const many = Array.from({ length: capacityCountMax }, (_, at) =>
      domain.setCapacity(`${at}`, 1),
    );
    const outcomes = await Promise.allSettled(many);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    expect(await domain.capacity('a')).toMatchObject({ capacity: 1 });
  });
});

describe('a grant of units', () => {
  it('is downgraded to fewer, which are for others at once', async () => {
    socket = freshSocketPath();
    const domain = await open({ capacity: { gpu: names } });
    const grant = await domain.acquire({ exclusive: 'gpu' });
    expect(grant.units).toEqual({ gpu: names });
    grant.downgrade({ units: { gpu: 3 } });
    expect(grant.units).toEqual({ gpu: ['gpu0', 'gpu1', 'gpu2'] });
    expect((await domain.acquire({ units: { gpu: 1 } })).units).toEqual({ gpu: ['gpu3'] });
    expect(() => grant.downgrade({ units: { gpu: 4 } })).toThrow('at most as many units');
    grant.downgrade();
    expect(await domain.capacity('gpu')).toMatchObject({ taken: 2 });
  });

  it('keeps more than its client relies on if the capacity was reduced meanwhile', async () => {
    socket = freshSocketPath();
    const domain = await open({ capacity: { gpu: 4 } });
    const grant = await domain.acquire({ exclusive: 'gpu' });
    void domain.setCapacity('gpu', 2);
    grant.downgrade({ units: { gpu: 3 } });
    expect(grant.units).toEqual({ gpu: [0, 1, 2] });
    expect(await domain.tryAcquire({ shared: 'gpu' })).toBeNull();
    grant.downgrade({ units: { gpu: 1 } });
    expect((await domain.acquire({ shared: 'gpu' })).units).toEqual({ gpu: [1] });
  });

  it('is upgraded if nobody is in the way; what is called meanwhile comes after it', async () => {
    socket = freshSocketPath();
    const domain = await open({ capacity: { gpu: names } });
    const other = await domain.acquire({ units: { gpu: 2 } });
    const grant = await domain.acquire({ units: { gpu: 2 }, shared: 'db' });
    expect(await grant.tryUpgrade()).toBe(false);
    expect(await grant.tryUpgrade('db')).toBe(true);
    expect(await domain.tryAcquire({ shared: 'db' })).toBeNull();
    await other.release();
    const upgrading = grant.tryUpgrade('gpu');
    const downgraded = grant.downgrade({ units: { gpu: 1 } });
    const again = grant.tryUpgrade('gpu');
    const released = grant.release('db');
    expect(grant.units).toEqual({ gpu: ['gpu2', 'gpu3'] });
    expect(await upgrading).toBe(true);
    await downgraded;
    // As the units of an upgraded grant begin with the lowest.
    expect(grant.units).toEqual({ gpu: ['gpu0'] });
    expect(await again).toBe(true);
    await released;
    expect(grant.units).toEqual({ gpu: names });
    await expect(domain.acquire({ exclusive: 'db' })).resolves.toBeDefined();
    const late = grant.tryUpgrade();
    const nothing = grant.downgrade();
    grant.release();
    expect([await late, await nothing]).toEqual([false, undefined]);
    await expect(grant.tryUpgrade()).rejects.toThrow('was released before');
  });
});

describe('when the broker is killed', () => {
  it('each grant keeps the very units that it had, and no unit has two holders', async () => {
    socket = freshSocketPath();
    const domain = await open({ capacity: { gpu: [...names, 'gpu4', 'gpu5', 'gpu6', 'gpu7'] } });
    const [one, two, three] = [await holderOf(2), await holderOf(3), await holderOf(1)];
    one.child.kill('SIGKILL');
    await until(async () => (await domain.query()).held.length === 2, 'its units are free');
    two.child.send('downgrade');
    expect(await heard(two.child)).toEqual({ units: ['gpu2'] });
    const own = await domain.acquire({ units: { gpu: 1 } });
    expect([own.units, three.units]).toEqual([{ gpu: ['gpu0'] }, ['gpu5']]);
    const waiting = domain.acquire({ units: { gpu: 6 } });
    await killBroker(domain);
    // After the time of grace, behind the set that waits.
    expect(await domain.tryAcquire({ units: { gpu: 2 } })).toBeNull();
    const { held, capacities } = await domain.query();
    expect(held.map(({ units }) => units)).toEqual([
      { gpu: ['gpu2'] },
      { gpu: ['gpu5'] },
      { gpu: ['gpu0'] },
    ]);
    expect(capacities?.[0]).toMatchObject({ capacity: 8, taken: 3, waiting: 1 });
    three.child.kill('SIGKILL');
    expect((await waiting).units['gpu']).toEqual(['gpu1', 'gpu3', 'gpu4', 'gpu5', 'gpu6', 'gpu7']);
    expect(own.isHeld).toBe(true);
  });

  it('units of an asserted capacity, and of a shared set, are claimed in any order', async () => {
    socket = freshSocketPath();
    const domain = await open();
    const { child, units } = await holderOf(2, 5);
    const own = await Promise.all([
      domain.acquire({ shared: 'gpu' }),
      domain.acquire({ units: { gpu: 1 } }),
    ]);
    expect([units, ...own.map((each) => each.units['gpu'])]).toEqual([[0, 1], [2], [3]]);
    await killBroker(domain);
    const last = await domain.acquire({ units: { gpu: { take: 1, of: 5 } } });
    expect(last.units).toEqual({ gpu: [4] });
    child.kill('SIGKILL');
    expect((await domain.acquire({ units: { gpu: 2 } })).units).toEqual({ gpu: [0, 1] });
    for (const grant of own) expect(grant.isHeld).toBe(true);
    // As one that came with a request it ends with the last set.
    await domain.query();
  });

  it('a capacity is declared again though nothing is held, the last one of several', async () => {
    socket = freshSocketPath();
    const first = await open({ capacity: { gpu: 2, ram: ['a'] } });
    const second = await open({ capacity: { gpu: 3 } });
    await killBroker(first);
    const third = await open();
    await until(async () => (await third.capacity('gpu')) !== undefined, 'it is declared again');
    await until(async () => (await third.capacity('ram')) !== undefined, 'so is the other one');
    expect(await third.capacity('gpu')).toMatchObject({ capacity: 3 });
    expect(await second.capacity('ram')).toMatchObject({ names: ['a'] });
  });
});

describe('messages that are wrong', () => {
  const wrong: readonly [what: string, frame: object][] = [
    ['a capacity of 0', { do: 'declare', id: 2, resource: 'a', capacity: 0 }],
    ['a capacity that is a text', { do: 'declare', id: 2, resource: 'a', capacity: 'a' }],
    ['names that are numbers', { do: 'declare', id: 2, resource: 'a', capacity: [5] }],
    ['a capacity of nothing', { do: 'declare', id: 2, capacity: 5 }],
    ['a question without a resource', { do: 'capacity', id: 2 }],
    ['an upgrade without a grant', { do: 'upgrade', id: 2, part: [] }],
    ['an upgrade without a part', { do: 'upgrade', id: 2, grant: 1 }],
    ['an upgrade of what is not held', { do: 'upgrade', id: 2, grant: 1, part: ['b'] }],
    ['units and a part', { do: 'downgrade', id: 1, part: ['a'], units: [['a', 1]] }],
    ['units that are 0', { do: 'downgrade', id: 1, units: [['a', 0]] }],
    ['more units than are held', { do: 'downgrade', id: 1, units: [['a', 3]] }],
    ['units of what is not held', { do: 'downgrade', id: 1, units: [['b', 1]] }],
    ...[
      5,
      [5],
      [{ resource: 'a', ranges: [], capacity: 4 }],
      [{ resource: 'a', ranges: [[0, 0]], capacity: 4 }],
      [
        {
          resource: 'a',
          ranges: [
            [2, 2],
            [3, 1],
          ],
          capacity: 4,
        },
      ],
      [{ resource: 'a', ranges: [[2 ** 26, 1]], capacity: 4 }],
      [{ resource: 'a', ranges: [[0, 1]], capacity: 0 }],
      [{ resource: 'a', ranges: [[0, 1]], capacity: 4, names: ['x', 'y'] }],
      [{ resource: 'a', ranges: [[0, 1]], capacity: 4, declared: 1 }],
    ].map((units): [string, object] => [
      `a claim of ${JSON.stringify(units)}`,
      { do: 'reclaim', id: 2, token: 1, parts: [['a', 1, 0]], units },
    ]),
  ];

  it.each(wrong)('%s', async (_, frame) => {
    socket = freshSocketPath();
    await open();
    const client = await RawClient.greeted(socket);
    client.say({ do: 'acquire', id: 1, parts: [['a', 2, 4]] }, frame);
    expect(await client.next('granted')).toMatchObject({
      units: [{ resource: 'a', ranges: [[0, 2]], capacity: 4 }],
    });
    expect(await client.next('error')).toMatchObject({ code: 'KDS_PROTOCOL' });
    await client.closed();
  });
});

it('never gives a unit to two, nor more than there are, while brokers are killed', {
  timeout: 3_600_000,
}, async () => {
  socket = freshSocketPath();
  const rounds = Number(process.env['KDS_UNITS_ROUNDS'] ?? 100);
  const capacity = 9;
  const journal = `${socket}.journal`;
  writeFileSync(journal, '');
  const domain = await open({ capacity: { gpu: capacity }, graceMs: 5000 });
  const clients = Array.from({ length: 6 }, (_, index) => {
    return startClient(program, socket, '4', '0', String(rounds), String(index + 1), journal);
  });
  const ends = clients.map((child) => once(child, 'exit'));
  for (let kill = 0; kill < 2; kill++) {
    const bytes = statSync(journal).size;
    await until(() => statSync(journal).size > bytes + 50 * rounds, 'they take units');
    await killBroker(domain);
  }
  expect(await Promise.all(ends)).toEqual(clients.map(() => [0, null]));
  const out = new Map<number, number>();
  let sum = 0;
  let looks = 0;
  const faults: string[] = [];
  for (const line of readFileSync(journal, 'utf8').trimEnd().split('\n')) {
    const { begin, units, lost } = JSON.parse(line);
    looks++;
    for (const unit of units as readonly number[]) {
      const count = (out.get(unit) ?? 0) + (begin ? 1 : -1);
      out.set(unit, count);
      sum += begin ? 1 : -1;
      if (count !== 0 && count !== 1)
        faults.push(`look ${looks}: unit ${unit} is out ${count} times`);
      if (unit >= capacity) faults.push(`look ${looks}: unit ${unit} of ${capacity}`);
    }
    if (sum > capacity) faults.push(`look ${looks}: ${sum} are out`);
    if (lost) faults.push(`look ${looks}: a grant was lost`);
  }
  expect(faults).toEqual([]);
  expect(looks).toBe(2 * 6 * rounds);
  console.log(`${looks} looks at the units that are out`);
});
