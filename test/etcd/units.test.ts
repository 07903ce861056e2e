/** Units of resources with a capacity: clients of one etcd, which no server decides between. */

import { type EtcdDomain, type EtcdOptions, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prefixRange, rangeIn, toBase64 } from '../../src/backends/etcd/calls.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import type { Grant, SetSpec } from '../../src/index.ts';
import { randomFrom } from '../stress/random.ts';
import { Follower } from './follower.ts';
import { EtcdCluster, type EtcdMember, hasEtcd } from './server.ts';

const now = { timeoutMs: 0 };
const names = ['gpu0', 'gpu1', 'gpu2', 'gpu3'];

async function refusal(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('it was granted');
    },
    (error: Error) => error,
  );
}

describe.skipIf(!hasEtcd)(hasEtcd ? 'units in etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  let member: EtcdMember;
  let name = '';
  let count = 0;
  const opened: EtcdDomain[] = [];

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    member = cluster.members[0] as EtcdMember;
  });
  afterAll(() => cluster.remove());
  beforeEach(() => {
    name = `units ${++count}`;
  });
  afterEach(async () => {
    for (const domain of opened.splice(0)) await domain.close();
  });

  async function open(options: Partial<EtcdOptions> = {}): Promise<EtcdDomain> {
    const domain = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60, ...options });
    opened.push(domain);
    return domain;
  }

  async function pair(): Promise<[EtcdDomain, EtcdDomain]> {
    return [await open(), await open()];
  }

  it('limit what is out at once, in arrival order, for all clients', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', 4);
    const two = await one.acquire({ units: { gpu: 2 } });
    const single = await other.acquire({ units: { gpu: 1 } });
    expect([two.units, single.units]).toEqual([{ gpu: [0, 1] }, { gpu: [2] }]);
    expect(await other.capacity('gpu')).toEqual({ capacity: 4, taken: 3, waiting: 0 });
    const order: string[] = [];
    const big = one.run({ units: { gpu: 3 } }, () => void order.push('big'));
    await one.query();
    const small = other.run({ units: { gpu: 1 } }, () => void order.push('small'));
    expect(await other.capacity('gpu')).toEqual({ capacity: 4, taken: 3, waiting: 2 });
    expect(await one.tryAcquire({ units: { gpu: 1 } })).toBeNull();
    await single.release();
    await one.query();
    expect(order).toEqual([]);
    await two.release();
    await Promise.all([big, small]);
    // A run does not await its release; a query comes after it.
    await other.query();
    expect(await one.capacity('gpu')).toEqual({ capacity: 4, taken: 0, waiting: 0 });
  });

  it('are shared one by one, and taken whole by an exclusive set', async () => {
    const [one, other] = await pair();
    await one.setCapacity('db', 2);
    const readers = [await one.acquire({ shared: 'db' }), await other.acquire({ shared: 'db' })];
    expect(readers.map(({ units }) => units)).toEqual([{ db: [0] }, { db: [1] }]);
    expect(await other.tryAcquire({ shared: 'db' })).toBeNull();
    for (const reader of readers) await reader.release();
    const writer = await other.acquire({ exclusive: 'db' });
    expect(writer.units).toEqual({ db: [0, 1] });
    expect((await one.capacity('db'))?.taken).toBe(2);
    expect(await one.tryAcquire({ units: { db: 1 } })).toBeNull();
  });

  it('are not waited for, as a query shows, by a request that has been refused', async () => {
    const [one, other] = await pair();
    const holding = await one.acquire({ exclusive: 'a' });
    for (let round = 0; round < 30; round++) {
      const set = { exclusive: 'a', units: { [`db ${round}`]: { take: 1, of: 2 } } };
      const refused = refusal(one.acquire(set, { holding }));
      expect((await one.query()).pending).toEqual([]);
      expect((await other.query()).pending).toEqual([]);
      expect((await refused).name).toBe('DeadlockError');
    }
  });

  it('are given in grant order where one end grants sets of several clients', async () => {
    const [one, other] = await pair();
    const third = await open();
    await third.setCapacity('gpu', 8);
    for (let round = 0; round < 10; round++) {
      const gate = await third.acquire({ exclusive: 'gate' });
      const waiting: Promise<Grant>[] = [];
      for (const domain of [one, other, third, other, one]) {
        waiting.push(domain.acquire({ shared: 'gate', units: { gpu: 1 } }));
        await domain.query();
      }
      await gate.release();
      const granted = await Promise.all(waiting);
      expect(granted.map(({ units }) => units['gpu'])).toEqual([[0], [1], [2], [3], [4]]);
      await Promise.all(granted.map((grant) => grant.release()));
    }
  });

  it('have the same numbers for a client that comes later, in any history', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', names);
    const [a, b] = [
      await one.acquire({ units: { gpu: 1 } }),
      await other.acquire({ units: { gpu: 1 } }),
    ];
    await a.release();
    const c = await one.acquire({ units: { gpu: 1 } });
    expect([b.units, c.units]).toEqual([{ gpu: ['gpu1'] }, { gpu: ['gpu0'] }]);
    const late = await open();
    const { held, capacities } = await late.query();
    expect(held.map(({ units }) => units)).toEqual([{ gpu: ['gpu1'] }, { gpu: ['gpu0'] }]);
    expect(capacities).toEqual([{ resource: 'gpu', capacity: 4, taken: 2, waiting: 0, names }]);
    expect((await late.acquire({ units: { gpu: 2 } })).units).toEqual({ gpu: ['gpu2', 'gpu3'] });
  });

  it('are never two grants one, though many are granted at once', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => open()));
    await clients[0]?.setCapacity('gpu', 6);
    const out = new Set<unknown>();
    let grants = 0;
    const use = async (domain: EtcdDomain, random: () => number): Promise<void> => {
      for (let round = 0; round < 12; round++) {
        const gpu = 1 + Math.floor(random() * 3);
        await domain.run({ units: { gpu } }, async ({ units }) => {
          grants++;
          expect(units['gpu']).toHaveLength(gpu);
          for (const unit of units['gpu'] ?? []) {
            expect(out.has(unit), `unit ${unit}`).toBe(false);
            out.add(unit);
          }
          expect(out.size).toBeLessThanOrEqual(6);
          await new Promise((resolve) => setTimeout(resolve, random() * 3));
          for (const unit of units['gpu'] ?? []) out.delete(unit);
        });
      }
    };
    await Promise.all(
      clients.flatMap((domain, index) =>
        [0, 1, 2].map((lane) => use(domain, randomFrom(10 * index + lane))),
      ),
    );
    expect(grants).toBe(108);
  });

  it('can be asserted by a set, for as long as the resource is in use', async () => {
    const [one, other] = await pair();
    const grant = await one.acquire({ units: { gpu: { take: 2, of: 4 } } });
    expect(await other.capacity('gpu')).toEqual({ capacity: 4, taken: 2, waiting: 0 });
    const second = await other.acquire({ units: { gpu: 1 } });
    expect(await refusal(other.acquire({ units: { gpu: { take: 1, of: 8 } } }))).toMatchObject({
      code: 'KDS_CAPACITY',
      message: expect.stringContaining('has 4 units, and the set asserts 8'),
    });
    await grant.release();
    const late = await open();
    expect(await late.capacity('gpu')).toEqual({ capacity: 4, taken: 1, waiting: 0 });
    await second.release();
    expect(await one.capacity('gpu')).toBeUndefined();
    expect(await refusal(one.acquire({ units: { gpu: 1 } }))).toMatchObject({
      code: 'KDS_CAPACITY',
    });
    const eight = await other.acquire({ units: { gpu: { take: 5, of: 8 } } });
    expect((await one.capacity('gpu'))?.capacity).toBe(8);
    await eight.release();
  });

  it('asserted by two clients at once have one capacity, and one set is refused', async () => {
    const [one, other] = await pair();
    for (let round = 0; round < 10; round++) {
      const gpu = `gpu ${round}`;
      const outcomes = await Promise.allSettled([
        one.acquire({ units: { [gpu]: { take: 1, of: 4 } } }),
        other.acquire({ units: { [gpu]: { take: 1, of: 8 } } }),
      ]);
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      expect(refused).toMatchObject([{ reason: { code: 'KDS_CAPACITY' } }]);
    }
  });

  it('asserted by a set that is refused leave nothing behind', async () => {
    const domain = await open({ capacity: { ram: 4 } });
    const sets: SetSpec[] = [
      { units: { gpu: { take: 2, of: 4 }, ram: 5 } },
      { units: { gpu: { take: 2, of: 4 }, ram: { take: 1, of: 5 } } },
      { units: { gpu: { take: 2, of: 4 }, disk: 1 } },
      { units: { gpu: { take: 5, of: 4 } } },
    ];
    for (const set of sets) {
      expect(await refusal(domain.acquire(set))).toMatchObject({ code: 'KDS_CAPACITY' });
      expect(await domain.capacity('gpu')).toBeUndefined();
    }
    const { items } = rangeIn(
      (await member.call('/v3/kv/range', prefixRange(new Keys(name).capacities))) ?? {},
    );
    expect(items).toHaveLength(1);
  });

  it('are refused where the resource is in use without a capacity', async () => {
    const [one, other] = await pair();
    const readers = await Promise.all([1, 2, 3].map(() => one.acquire({ shared: 'gpu' })));
    expect(await refusal(other.acquire({ units: { gpu: { take: 1, of: 4 } } }))).toMatchObject({
      message: expect.stringContaining('is in use without a capacity, and the set asserts 4'),
    });
    // Those that are held stay so, also for one who comes later.
    await other.setCapacity('gpu', 2);
    await one.query();
    expect(readers.every(({ isHeld }) => isHeld)).toBe(true);
    expect(await (await open()).capacity('gpu')).toEqual({ capacity: 2, taken: 3, waiting: 0 });
    const unit = other.acquire({ units: { gpu: 1 } });
    await readers[0]?.release();
    expect(await other.capacity('gpu')).toEqual({ capacity: 2, taken: 2, waiting: 1 });
    await readers[1]?.release();
    expect((await unit).units).toEqual({ gpu: [0] });
  });

  it('that become fewer refuse sets that wait for more, and take no grant back', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', 4);
    const held = await one.acquire({ units: { gpu: 4 }, exclusive: 'db' });
    const three = refusal(other.acquire({ units: { gpu: 3 }, shared: 'x' }));
    const behind = one.acquire({ exclusive: 'x' });
    const two = one.acquire({ units: { gpu: 2 } });
    await one.query();
    const all = other.acquire({ exclusive: 'gpu' });
    await other.query();
    await other.setCapacity('gpu', 2);
    expect(await three).toMatchObject({
      code: 'KDS_CAPACITY',
      message: 'resource "gpu" has 2 units now: the request can never be granted',
    });
    await (await behind).release();
    expect(held.isHeld).toBe(true);
    const late = await open();
    expect(await late.capacity('gpu')).toMatchObject({ capacity: 2, taken: 4 });
    expect((await late.query()).held).toMatchObject([{ set: { units: { gpu: 4 } } }]);
    await one.setCapacity('gpu', 6);
    expect((await two).units).toEqual({ gpu: [4, 5] });
    await held.release();
    await (await two).release();
    expect((await all).units['gpu']).toHaveLength(6);
  });

  it('keep their names while they are in use', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', ['a', 'b', 'c']);
    const grant = await one.acquire({ units: { gpu: 2 } });
    for (const wrong of [['b', 'a', 'c'], ['c'], ['a', 'x'], 3]) {
      expect((await refusal(Promise.resolve(other.setCapacity('gpu', wrong)))).message).toContain(
        'units of resource "gpu" are in use',
      );
    }
    await other.setCapacity('gpu', ['a', 'b', 'c', 'd']);
    await grant.release();
    await other.setCapacity('gpu', ['z']);
    expect((await one.acquire({ exclusive: 'gpu' })).units['gpu']).toEqual(['z']);
  });

  it('become fewer by a downgrade, which gives back the highest', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', names);
    const grant = await one.acquire({ exclusive: 'gpu' });
    await grant.downgrade({ units: { gpu: 3 } });
    expect(grant.units['gpu']).toEqual(['gpu0', 'gpu1', 'gpu2']);
    const last = await other.acquire({ units: { gpu: 1 } });
    expect(last.units['gpu']).toEqual(['gpu3']);
    await grant.downgrade({ units: { gpu: 1 } });
    expect((await other.acquire({ units: { gpu: 2 } })).units['gpu']).toEqual(['gpu1', 'gpu2']);
    expect(() => grant.downgrade({ units: { gpu: 2 } })).toThrow('at most as many units as before');
    expect((await (await open()).query()).held.map(({ units }) => units)).toEqual([
      { gpu: ['gpu0'] },
      { gpu: ['gpu3'] },
      { gpu: ['gpu1', 'gpu2'] },
    ]);
  });

  it('become all by an upgrade that nobody is in the way of', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', names);
    const grant = await one.acquire({ units: { gpu: 2 }, shared: 'config' });
    const reader = await other.acquire({ shared: 'gpu' });
    expect(await grant.tryUpgrade()).toBe(false);
    expect(await grant.tryUpgrade('config')).toBe(true);
    expect(await other.tryAcquire({ shared: 'config' })).toBeNull();
    await reader.release();
    const waiting = other.acquire({ units: { gpu: 3 } });
    await other.query();
    expect(await grant.tryUpgrade('gpu')).toBe(true);
    expect(grant.guard()).toHaveLength(3);
    expect(grant.units['gpu']).toEqual(names);
    const { held } = await (await open()).query();
    expect(held).toMatchObject([{ set: { exclusive: ['gpu', 'config'] }, units: { gpu: names } }]);
    await grant.downgrade({ units: { gpu: 1 } });
    expect((await waiting).units['gpu']).toEqual(['gpu1', 'gpu2', 'gpu3']);
  });

  it('are upgraded by one of two grants at most', async () => {
    const [one, other] = await pair();
    for (let round = 0; round < 10; round++) {
      const grants = await Promise.all([
        one.acquire({ shared: 'a' }),
        other.acquire({ shared: 'a' }),
      ]);
      const upgrades = await Promise.all(grants.map((grant) => grant.tryUpgrade()));
      expect(upgrades).toEqual([false, false]);
      await grants[0]?.release();
      expect(await grants[1]?.tryUpgrade()).toBe(true);
      await grants[1]?.release();
    }
  });

  it('that are stolen are recovered only where all were taken', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', names);
    const two = await one.acquire({ units: { gpu: 2 } });
    const first = await other.acquire({ exclusive: 'gpu' }, { steal: true });
    expect(first.units['gpu']).toEqual(names);
    await one.query();
    expect([two.isHeld, two.units, first.recovered]).toEqual([false, {}, []]);
    const next = await one.acquire({ exclusive: 'gpu' }, { steal: true });
    expect(next.recovered).toEqual(['gpu']);
    await next.release();
    const all = await one.acquire({ units: { gpu: 4 } });
    const last = await other.acquire({ exclusive: 'gpu' }, { steal: true });
    expect(last.recovered).toEqual(['gpu']);
    await one.query();
    expect(all.isHeld).toBe(false);
  });

  it('settle when they would fit', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', 4);
    const three = await one.acquire({ units: { gpu: 3 } });
    await other.settled({ units: { gpu: 1 } }, now);
    const settled = other.settled({ units: { gpu: 2 } });
    await expect(other.settled({ units: { gpu: 2 } }, now)).rejects.toThrow('needs 2 of 4');
    await expect(other.settled({ units: { gpu: 5 } })).rejects.toThrow('can never be taken');
    await three.downgrade({ units: { gpu: 2 } });
    await settled;
  });

  it('say by sums who is in the way', async () => {
    const [one, other] = await pair();
    await one.setCapacity('gpu', 4);
    await one.acquire({ units: { gpu: 2 } }, { label: 'A' });
    await other.acquire({ units: { gpu: 1 } }, { label: 'B' });
    void one.acquire({ units: { gpu: 2 } }, { label: 'C' }).catch(() => undefined);
    await one.query();
    const error = await refusal(other.acquire({ units: { gpu: 2 } }, now));
    expect(error.message).toBe(
      'not granted within 0 ms: "gpu": needs 2 of 4; 3 are held by "A" (2) and "B" (1); ' +
        'ahead in line: "C" (2). Wait longer; query() shows the holders and the queue.',
    );
  });

  it('of a resource without a name are its own client’s', async () => {
    const [one] = await pair();
    const pool = one.resource();
    await one.setCapacity(pool, 2);
    const grant: Grant = await one.acquire({ units: new Map([[pool, 2]]) });
    expect(grant.units).toEqual({ '#1': [0, 1] });
    await grant.release();
    await pool.close();
    await expect(one.setCapacity(pool, 2)).rejects.toThrow('is closed');
  });

  it('are declared by a domain that is opened, and survive it', async () => {
    const domain = await open({ capacity: { gpu: names, ram: 64 } });
    await domain.close();
    const next = await open();
    expect(await next.capacity('gpu')).toEqual({ capacity: 4, taken: 0, waiting: 0, names });
    expect((await next.acquire({ units: { ram: 63 } })).units['ram']).toHaveLength(63);
    await expect(open({ capacity: { gpu: 0 } })).rejects.toThrow(RangeError);
  });

  it('leave no key of an asserted capacity that is out of use for long', async () => {
    const domain = await open({ leaseSeconds: 2 });
    await domain.run({ units: { job: { take: 1, of: 2 } } }, () => undefined);
    const range = prefixRange(new Keys(name).capacities);
    await expect
      .poll(async () => rangeIn((await member.call('/v3/kv/range', range)) ?? {}).count, {
        timeout: 60_000,
      })
      .toBe(0);
  });

  it('are recorded under the key of the set, and cost sets without them nothing', async () => {
    const domain = await open();
    await domain.setCapacity('gpu', 2 ** 26 - 1);
    const follower = await Follower.of(cluster.hosts, name);
    const before = follower.news.length;
    await (await domain.acquire({ exclusive: 'a', shared: 'b' })).release();
    await domain.query();
    await follower.log.reach(10_000);
    expect(follower.news.length - before).toBe(2);
    // One more, for the numbers.
    await (await domain.acquire({ units: { gpu: 1 } })).release();
    await domain.query();
    await follower.log.reach(10_000);
    expect(follower.news.length - before).toBe(5);
    const grant = await domain.acquire({ units: { gpu: 2 ** 26 - 2 } });
    const guard = grant.guard();
    const { items } = rangeIn(
      (await member.call('/v3/kv/range', { key: toBase64(guard[0].key) })) ?? {},
    );
    expect(items[0]?.value.length).toBeLessThan(200);
    expect((await domain.acquire({ units: { gpu: 1 } })).units['gpu']).toEqual([2 ** 26 - 2]);
    follower.close();
  });
});
