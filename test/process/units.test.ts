/** Units of resources with a capacity, in one event loop. */

import {
  type CapacityError,
  createDomain,
  type Grant,
  type SetSpec,
  type SyncDomain,
  watchEvents,
} from 'kds';
import { describe, expect, it } from 'vitest';
import { ChildProcesses } from './child.ts';

const now = { timeoutMs: 0 };

async function refusal(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('it was granted');
    },
    (error: Error) => error,
  );
}

function gpus(names = ['gpu0', 'gpu1', 'gpu2', 'gpu3']): SyncDomain {
  return createDomain({ capacity: { gpu: names } });
}

describe('a capacity', () => {
  it('limits the units that are out at once, in arrival order', async () => {
    const domain = createDomain();
    domain.setCapacity('gpu', 4);
    const two = await domain.acquire({ units: { gpu: 2 } });
    const one = await domain.acquire({ units: { gpu: 1 } });
    expect(domain.capacity('gpu')).toEqual({ capacity: 4, taken: 3, waiting: 0 });
    const order: string[] = [];
    const big = domain.run({ units: { gpu: 3 } }, () => void order.push('big'));
    const small = domain.run({ units: { gpu: 1 } }, () => void order.push('small'));
    expect(domain.capacity('gpu')).toEqual({ capacity: 4, taken: 3, waiting: 2 });
    expect(domain.tryAcquireSync({ units: { gpu: 1 } })).toBeNull();
    one.release();
    await Promise.resolve();
    expect(order).toEqual([]);
    two.release();
    await Promise.all([big, small]);
    expect(order).toEqual(['big', 'small']);
    expect(domain.capacity('gpu')).toEqual({ capacity: 4, taken: 0, waiting: 0 });
  });

  it('is shared one by one, and taken whole by an exclusive set', () => {
    const domain = createDomain({ capacity: { db: 2 } });
    const readers = [1, 2].map(() => domain.acquireSync({ shared: 'db' }));
    expect(domain.tryAcquireSync({ shared: 'db' })).toBeNull();
    for (const reader of readers) reader.release();
    const writer = domain.acquireSync({ exclusive: 'db' });
    expect(domain.capacity('db')?.taken).toBe(2);
    expect(writer.units).toEqual({ db: [0, 1] });
    expect(domain.tryAcquireSync({ units: { db: 1 } })).toBeNull();
  });

  it('outlives its last set, a handle that is closed, and other idle resources', async () => {
    const domain = gpus();
    await domain.resource('gpu').close();
    for (let index = 0; index < 3000; index++) domain.acquireSync({ shared: `${index}` }).release();
    expect(domain.capacity('gpu')).toEqual({
      capacity: 4,
      taken: 0,
      waiting: 0,
      names: ['gpu0', 'gpu1', 'gpu2', 'gpu3'],
    });
    const handle = domain.resource('gpu');
    const grant = domain.acquireSync({ units: new Map([[handle, 1]]) });
    expect(grant.units).toEqual({ gpu: ['gpu0'] });
    expect(domain.resource('gpu')).toBe(handle);
  });

  it('of a handle without a name ends with the handle', async () => {
    const domain = createDomain();
    const pool = domain.resource();
    domain.setCapacity(pool, 2);
    const grant = domain.acquireSync({ units: new Map([[pool, 2]]) });
    expect(grant.units).toEqual({ '#1': [0, 1] });
    grant.release();
    await pool.close();
    expect(() => domain.setCapacity(pool, 2)).toThrow('is closed');
  });

  it('can be asserted by a set, for as long as the resource is in use', () => {
    const domain = createDomain();
    const grant = domain.acquireSync({ units: { gpu: { take: 2, of: 4 } } });
    expect(domain.capacity('gpu')).toEqual({ capacity: 4, taken: 2, waiting: 0 });
    const other = domain.acquireSync({ units: { gpu: 1 } });
    expect(() => domain.acquireSync({ units: { gpu: { take: 1, of: 8 } } })).toThrow(
      'resource "gpu" has 4 units, and the set asserts 8',
    );
    grant.release();
    other.release();
    expect(domain.capacity('gpu')).toBeUndefined();
    domain.acquireSync({ units: { gpu: { take: 5, of: 8 } } });
    expect(domain.capacity('gpu')?.capacity).toBe(8);
  });

  it('that was asserted by a set that is refused leaves nothing behind', async () => {
    const domain = createDomain({ capacity: { ram: 4 } });
    const sets: SetSpec[] = [
      { units: { gpu: { take: 2, of: 4 }, ram: 5 } },
      { units: { gpu: { take: 2, of: 4 }, ram: { take: 1, of: 5 } } },
      { units: { gpu: { take: 2, of: 4 }, disk: 1 } },
    ];
    for (const set of sets) {
      expect(await refusal(domain.acquire(set))).toMatchObject({ code: 'KDS_CAPACITY' });
      expect(domain.capacity('gpu')).toBeUndefined();
    }
    using _ = domain.acquireSync({ exclusive: 'ram' });
    const set = { exclusive: 'ram', units: { gpu: { take: 2, of: 4 } } };
    expect(domain.tryAcquireSync(set)).toBeNull();
    expect(domain.capacity('gpu')).toBeUndefined();
  });

  it('is refused where the resource is in use without one', () => {
    const domain = createDomain();
    using _ = domain.acquireSync({ shared: 'gpu' });
    expect(() => domain.acquireSync({ units: { gpu: { take: 1, of: 4 } } })).toThrow(
      'is in use without a capacity, and the set asserts 4',
    );
    domain.setCapacity('gpu', 2);
    expect(domain.acquireSync({ units: { gpu: 1 } }).isHeld).toBe(true);
    expect(domain.capacity('gpu')).toEqual({ capacity: 2, taken: 2, waiting: 0 });
  });
});

describe('a resize', () => {
  it('grants waiting sets in their order, or refuses those that can never fit', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    const held = domain.acquireSync({ units: { gpu: 4 } });
    const three = refusal(domain.acquire({ units: { gpu: 3 } }));
    const two = domain.acquire({ units: { gpu: 2 } });
    const all = domain.acquire({ exclusive: 'gpu' });
    domain.setCapacity('gpu', 2);
    expect(await three).toMatchObject({
      code: 'KDS_CAPACITY',
      message: 'resource "gpu" has 2 units now: the request can never be granted',
    });
    expect(held.isHeld).toBe(true);
    expect(domain.capacity('gpu')).toEqual({ capacity: 2, taken: 4, waiting: 2 });
    domain.setCapacity('gpu', 6);
    expect((await two).units).toEqual({ gpu: [4, 5] });
    held.release();
    (await two).release();
    expect((await all).units['gpu']).toHaveLength(6);
  });

  it('keeps the names of units that are in use', () => {
    const domain = gpus(['a', 'b', 'c']);
    const grant = domain.acquireSync({ units: { gpu: 2 } });
    expect(grant.units['gpu']).toEqual(['a', 'b']);
    for (const names of [['b', 'a', 'c'], ['c'], ['a', 'x']]) {
      expect(() => domain.setCapacity('gpu', names)).toThrow('units of resource "gpu" are in use');
    }
    expect(() => domain.setCapacity('gpu', 3)).toThrow('units of resource "gpu" are in use');
    domain.setCapacity('gpu', ['a']);
    expect(grant.units['gpu']).toEqual(['a', 1]);
    domain.setCapacity('gpu', ['a', 'b', 'c', 'd']);
    expect(grant.units['gpu']).toEqual(['a', 'b']);
    grant.release();
    domain.setCapacity('gpu', ['z']);
    expect(domain.acquireSync({ exclusive: 'gpu' }).units['gpu']).toEqual(['z']);
  });

  it('is done with 10,000 sets in line, and for 10,000 names', async () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `unit ${index}`);
    const domain = gpus(names);
    const held = domain.acquireSync({ units: { gpu: 10_000 } });
    expect(held.units['gpu']).toEqual(names);
    let refused = 0;
    const waiting = names.map((_, index) =>
      domain
        .run({ units: { gpu: 1 + (index % 2) * 5000 } }, () => undefined)
        .catch(() => refused++),
    );
    domain.setCapacity('gpu', names.slice(0, 5000));
    held.release();
    await Promise.all(waiting);
    expect(refused).toBe(5000);
    expect(domain.capacity('gpu')).toMatchObject({ capacity: 5000, taken: 0, waiting: 0 });
  });
});

describe('the units of a grant', () => {
  it('are the lowest free ones, and never those of another grant', () => {
    const domain = gpus();
    const grants = [1, 2, 1].map((gpu) => domain.acquireSync({ units: { gpu } }));
    expect(grants.map(({ units }) => units['gpu'])).toEqual([['gpu0'], ['gpu1', 'gpu2'], ['gpu3']]);
    grants[0]?.release();
    expect(grants[0]?.units).toEqual({});
    grants[2]?.release();
    expect(domain.acquireSync({ units: { gpu: 2 } }).units['gpu']).toEqual(['gpu0', 'gpu3']);
  });

  it('become fewer by a downgrade, which gives back the highest', () => {
    const domain = gpus();
    const grant = domain.acquireSync({ exclusive: 'gpu', units: {} });
    grant.downgrade({ units: { gpu: 3 } });
    expect(grant.units['gpu']).toEqual(['gpu0', 'gpu1', 'gpu2']);
    expect(domain.acquireSync({ units: { gpu: 1 } }).units['gpu']).toEqual(['gpu3']);
    grant.downgrade({ units: new Map([['gpu', 1]]) });
    expect(grant.units['gpu']).toEqual(['gpu0']);
    expect(() => grant.downgrade({ units: { gpu: 2 } })).toThrow(
      'a downgrade leaves at most as many units as before',
    );
    expect(() => grant.downgrade({ units: { other: 1 } })).toThrow(
      'does not hold all of that part',
    );
    grant.downgrade();
    expect(domain.capacity('gpu')?.taken).toBe(2);
  });

  it('need a capacity to be left of an exclusive resource', () => {
    const domain = createDomain();
    const grant = domain.acquireSync({ exclusive: ['a', 'b'] });
    expect(() => grant.downgrade({ units: { a: 1 } })).toThrow('resource "a" has no capacity');
    domain.setCapacity('a', 2);
    expect(() => grant.downgrade({ units: { a: 3 } })).toThrow('resource "a" has 2 units');
    // Nothing was left chosen by the calls that failed.
    grant.downgrade('b');
    expect(grant.covers({ exclusive: 'a', shared: 'b' })).toBe(true);
    expect(grant.covers({ exclusive: 'b' })).toBe(false);
  });

  it('are covered up to their number', () => {
    const domain = gpus();
    const grant = domain.acquireSync({ units: { gpu: 2 }, exclusive: 'db' });
    expect(grant.covers({ units: { gpu: 2 } })).toBe(true);
    expect(grant.covers({ shared: ['gpu', 'db'] })).toBe(true);
    expect(grant.covers({ units: { gpu: 3 } })).toBe(false);
    expect(grant.covers({ exclusive: 'gpu' })).toBe(false);
    expect(grant.covers({ units: { db: 1 } })).toBe(false);
  });

  it('become all by an upgrade that nobody is in the way of', () => {
    const domain = gpus();
    const grant = domain.acquireSync({ units: { gpu: 2 }, shared: 'config' });
    const other = domain.acquireSync({ shared: 'gpu' });
    expect(grant.tryUpgrade()).toBe(false);
    expect(grant.tryUpgrade('config')).toBe(true);
    expect(grant.covers({ exclusive: 'config' })).toBe(true);
    other.release();
    expect(grant.tryUpgrade('gpu')).toBe(true);
    expect(grant.units['gpu']).toHaveLength(4);
    expect(domain.tryAcquireSync({ shared: 'gpu' })).toBeNull();
    expect(() => grant.tryUpgrade('other')).toThrow('does not hold all of that part');
    grant.release();
    expect(() => grant.tryUpgrade()).toThrow('was released before');
  });

  it('that are stolen are recovered only where all were taken', async () => {
    const domain = gpus();
    const two = domain.acquireSync({ units: { gpu: 2 } });
    const operator = await domain.acquire({ exclusive: 'gpu' }, { steal: true });
    expect(two.isHeld).toBe(false);
    expect(two.units).toEqual({});
    expect(operator.recovered).toEqual([]);
    const next = await domain.acquire({ exclusive: 'gpu' }, { steal: true });
    expect(next.recovered).toEqual(['gpu']);
  });
});

describe('bad input', () => {
  it.each<[unknown, string, RegExp]>([
    [{ units: { gpu: 0 } }, 'RangeError', /whole number from 1 to 67108863, not 0/],
    [{ units: { gpu: -1 } }, 'RangeError', /not -1/],
    [{ units: { gpu: 1.5 } }, 'RangeError', /not 1.5/],
    [{ units: { gpu: Number.NaN } }, 'RangeError', /not NaN/],
    [{ units: { gpu: 2 ** 26 } }, 'RangeError', /not 67108864/],
    [{ units: { gpu: '2' } }, 'TypeError', /units of "gpu" are a number, not "2"/],
    [{ units: { gpu: null } }, 'TypeError', /not null/],
    [{ units: { gpu: { take: 1 } } }, 'TypeError', /'of' of the units of "gpu"/],
    [{ units: { gpu: { take: 0, of: 4 } } }, 'RangeError', /'take' of the units/],
    [{ units: { gpu: { take: 5, of: 4 } } }, 'CapacityError', /has 4 units: 5 can never/],
    [{ units: { gpu: 1 } }, 'CapacityError', /has no capacity/],
    [{ units: undefined }, 'InvalidSetError', /'units' of a set is undefined/],
    [{ exclusive: 'a', units: undefined }, 'InvalidSetError', /is undefined/],
    [{ exclusive: 'a', shared: 'b', units: undefined }, 'InvalidSetError', /is undefined/],
    [{ units: 'gpu' }, 'InvalidSetError', /'units' is an object like \{ gpu: 2 \}/],
    [{ units: ['gpu'] }, 'InvalidSetError', /not an array/],
    [{ units: new Set(['gpu']) }, 'InvalidSetError', /'units' is an object/],
    [{ units: Promise.resolve({ gpu: 1 }) }, 'InvalidSetError', /'units' is an object/],
    [{ units: new Map([[5, 1]]) }, 'InvalidSetError', /a name or a handle/],
    [{ unit: { gpu: 1 } }, 'InvalidSetError', /a set has no "unit"/],
  ])('is refused: %j', async (set, name, message) => {
    const domain = createDomain();
    const error = await refusal(domain.acquire(set as SetSpec));
    expect(error.name).toBe(name);
    expect(error.message).toMatch(message);
    expect(domain.querySync()).toEqual({ held: [], pending: [] });
  });

  it.each<[unknown, string]>([
    [0, 'RangeError'],
    [2 ** 26, 'RangeError'],
    [1.5, 'RangeError'],
    ['4', 'TypeError'],
    [undefined, 'TypeError'],
    [[], 'RangeError'],
    [['a', 'a'], 'TypeError'],
    [['a', 5], 'TypeError'],
    [['a'.repeat(70_000)], 'LimitError'],
    [new Array(70_000).fill('a'), 'LimitError'],
  ])('is no capacity: %j', (capacity, name) => {
    const domain = createDomain();
    expect(() => domain.setCapacity('gpu', capacity as number)).toThrow(
      expect.objectContaining({ name }),
    );
    expect(() => createDomain({ capacity: { gpu: capacity as number } })).toThrow(
      expect.objectContaining({ name }),
    );
    expect(domain.capacity('gpu')).toBeUndefined();
  });

  it('is read once, though a getter calls back into the domain', async () => {
    const domain = gpus();
    const inner: Grant[] = [];
    let reads = 0;
    const count = {
      get take() {
        reads++;
        inner.push(domain.acquireSync({ units: { gpu: 1 } }));
        return 2;
      },
      of: 4,
    };
    const grant = await domain.acquire({ units: { gpu: count } });
    expect(reads).toBe(1);
    expect(inner[0]?.units['gpu']).toEqual(['gpu0']);
    expect(grant.units['gpu']).toEqual(['gpu1', 'gpu2']);
  });
});

it('has the greatest capacity there is, and takes all but one of its units', () => {
  const domain = createDomain({ capacity: { slots: 2 ** 26 - 1 } });
  const grant = domain.acquireSync({ units: { slots: 2 ** 26 - 2 } });
  const last = domain.acquireSync({ units: { slots: 1 } });
  expect(last.units['slots']).toEqual([2 ** 26 - 2]);
  expect(domain.tryAcquireSync({ shared: 'slots' })).toBeNull();
  // Units are listed by number only where they are few.
  expect(domain.querySync().held.map(({ units }) => units)).toEqual([
    undefined,
    { slots: [2 ** 26 - 2] },
  ]);
  grant.release();
});

describe('reports', () => {
  it('say by sums who is in the way', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    domain.acquireSync({ units: { gpu: 2 } }, { label: 'A' });
    domain.acquireSync({ units: { gpu: 1 } }, { label: 'B' });
    void domain.acquire({ units: { gpu: 2 } }, { label: 'C' });
    const error = await refusal(domain.acquire({ units: { gpu: 2 } }, now));
    expect(error.message).toBe(
      'not granted within 0 ms: "gpu": needs 2 of 4; 3 are held by "A" (2) and "B" (1); ' +
        'ahead in line: "C" (2). Wait longer; query() shows the holders and the queue.',
    );
    const all = await refusal(domain.acquire({ exclusive: 'gpu' }, now));
    expect(all.message).toContain('"gpu": needs all 4; 3 are held by');
  });

  it('of a snapshot have units, blockers and capacities', () => {
    const domain = gpus();
    domain.acquireSync({ units: { gpu: 3 }, shared: 'models' });
    domain.acquireSync({ shared: 'gpu' });
    void domain.acquire({ units: { gpu: 1 } });
    void domain.acquire({ units: { gpu: 2 } });
    const { held, pending, capacities } = domain.querySync();
    expect(held.map(({ set, units }) => [set, units])).toEqual([
      [{ exclusive: [], shared: ['models'], units: { gpu: 3 } }, { gpu: ['gpu0', 'gpu1', 'gpu2'] }],
      [{ exclusive: [], shared: [], units: { gpu: 1 } }, { gpu: ['gpu3'] }],
    ]);
    expect(pending.map(({ waitingFor }) => waitingFor)).toEqual([
      held.map(({ id }) => id),
      [pending[0]?.id],
    ]);
    expect(capacities).toEqual([
      {
        resource: 'gpu',
        capacity: 4,
        taken: 4,
        waiting: 2,
        names: ['gpu0', 'gpu1', 'gpu2', 'gpu3'],
      },
    ]);
  });

  it('are events of declarations, upgrades and refusals', async () => {
    const seen: [string, unknown, unknown][] = [];
    const stop = watchEvents((name, event) => {
      const { set, ...rest } = event;
      const { outcome, isAsserted } = rest as { outcome?: string; isAsserted?: boolean };
      seen.push([name, set.units, outcome ?? isAsserted]);
    });
    const domain = createDomain();
    const grant = await domain.acquire({ units: { gpu: { take: 1, of: 2 } } });
    const refused = refusal(domain.acquire({ units: { gpu: 2 } }));
    expect(grant.tryUpgrade()).toBe(true);
    domain.setCapacity('gpu', 1);
    expect(((await refused) as CapacityError).code).toBe('KDS_CAPACITY');
    stop();
    expect(seen).toEqual([
      ['kds.resource.capacity', { gpu: 2 }, true],
      ['kds.request.start', { gpu: 1 }, undefined],
      ['kds.request.grant', { gpu: 1 }, undefined],
      ['kds.request.end', { gpu: 1 }, 'granted'],
      ['kds.request.start', { gpu: 2 }, undefined],
      ['kds.request.miss', { gpu: 2 }, undefined],
      ['kds.grant.upgrade', undefined, undefined],
      ['kds.resource.capacity', { gpu: 1 }, false],
      ['kds.request.end', { gpu: 2 }, 'refused'],
    ]);
  });
});

describe('nested runs', () => {
  it('share the units of the grant around them, and name the same ones', async () => {
    const domain = gpus();
    await domain.acquire({ units: { gpu: 1 } });
    const outer = await domain.acquire({ units: { gpu: 2 } });
    const seen: unknown[] = [];
    let running = 0;
    const step = async ({ units }: Grant): Promise<void> => {
      running++;
      expect(running).toBeLessThanOrEqual(2);
      seen.push(units['gpu']);
      await Promise.resolve();
      running--;
    };
    await Promise.all([1, 1, 2].map((gpu) => outer.run({ units: { gpu } }, step)));
    expect(seen).toEqual([['gpu1'], ['gpu2'], ['gpu1', 'gpu2']]);
    const error = await refusal(outer.run({ units: { gpu: 3 } }, step));
    expect(error.message).toContain('does not hold 3 units of "gpu"');
  });

  it('end with the units that the grant gives back, and no others', async () => {
    const domain = gpus();
    const outer = await domain.acquire({ exclusive: 'gpu' });
    let end = (): void => undefined;
    const kept = outer.run({ units: { gpu: 1 } }, () => new Promise<void>((done) => (end = done)));
    const lost = refusal(outer.run({ units: { gpu: 1 } }, ({ signal }) => until(signal)));
    await Promise.resolve();
    await Promise.resolve();
    outer.downgrade({ units: { gpu: 1 } });
    expect(await lost).toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(domain.tryAcquireSync({ units: { gpu: 3 } })?.units['gpu']).toEqual([
      'gpu1',
      'gpu2',
      'gpu3',
    ]);
    end();
    await kept;
    await outer.run({ units: { gpu: 1 } }, ({ units }) => expect(units['gpu']).toEqual(['gpu0']));
  });

  it('see the units of an upgrade', async () => {
    const domain = gpus();
    const first = domain.acquireSync({ units: { gpu: 1 } });
    const outer = domain.acquireSync({ units: { gpu: 1 } });
    await outer.run({ shared: 'gpu' }, ({ units }) => expect(units['gpu']).toEqual(['gpu1']));
    first.release();
    expect(outer.tryUpgrade()).toBe(true);
    await outer.run({ exclusive: 'gpu' }, ({ units }) => {
      expect(units['gpu']?.toSorted()).toEqual(['gpu0', 'gpu1', 'gpu2', 'gpu3']);
    });
  });

  it('keep the numbers of the grant, whether these begin at 0 or not', async () => {
    const domain = createDomain({ capacity: { gpu: 6 } });
    const first = domain.acquireSync({ units: { gpu: 2 } });
    const outer = domain.acquireSync({ units: { gpu: 2 } });
    const all = { exclusive: 'gpu' };
    const seen = (set: SetSpec) => outer.run(set, ({ units }) => units['gpu']);
    expect(await seen({ units: { gpu: 2 } })).toEqual([2, 3]);
    first.release();
    let end = (): void => undefined;
    const kept = outer.run({ units: { gpu: 1 } }, async (grant) => {
      await new Promise<void>((done) => (end = done));
      return grant.units['gpu'];
    });
    await Promise.resolve();
    expect(outer.tryUpgrade()).toBe(true);
    expect(await seen({ units: { gpu: 2 } })).toEqual([3, 0]);
    end();
    expect(await kept).toEqual([2]);
    outer.downgrade({ units: { gpu: 3 } });
    expect(await seen({ units: { gpu: 3 } })).toEqual([0, 1, 2]);
    outer.downgrade({ units: { gpu: 1 } });
    expect(outer.tryUpgrade()).toBe(true);
    expect(await seen(all)).toEqual([0, 1, 2, 3, 4, 5]);
    domain.setCapacity('gpu', 4);
    outer.downgrade({ units: { gpu: 4 } });
    expect(await seen({ units: { gpu: 4 } })).toEqual([0, 1, 2, 3]);
  });

  it('have the units by which the capacity has grown since', async () => {
    const domain = createDomain({ capacity: { gpu: 2, slot: ['left'] } });
    const outer = domain.acquireSync({ exclusive: ['gpu', 'slot'] });
    const seen = (set: SetSpec) => outer.run(set, ({ units }) => units);
    expect(await seen({ exclusive: ['gpu', 'slot'] })).toEqual({ gpu: [0, 1], slot: ['left'] });
    let end = (): void => undefined;
    const kept = outer.run({ units: { gpu: 1 } }, async (grant) => {
      await new Promise<void>((done) => (end = done));
      return grant.isHeld;
    });
    await Promise.resolve();
    domain.setCapacity('gpu', 4);
    domain.setCapacity('slot', ['left', 'right']);
    expect(await seen({ units: { gpu: 3 } })).toEqual({ gpu: [1, 2, 3] });
    expect(await seen({ units: { slot: 2 } })).toEqual({ slot: ['left', 'right'] });
    end();
    expect(await kept).toBe(true);
    expect(await seen({ exclusive: 'gpu' })).toEqual({ gpu: [0, 1, 2, 3] });
    domain.setCapacity('gpu', 1);
    await expect(seen({ units: { gpu: 2 } })).rejects.toThrow('does not hold');
  });

  it('list no units but their own, however many the grant has', async () => {
    const children = await ChildProcesses.prepare();
    const program = `
      import { createDomain } from './kds.js';
      const slots = 2 ** 26 - 1;
      const domain = createDomain({ capacity: { slots }, nested: 'reentrant' });
      const seen = [];
      const note = ({ units }) => seen.push(units.slots);
      await domain.run({ exclusive: 'slots' }, async () => {
        await domain.run({ units: { slots: 2 } }, () => domain.run({ shared: 'slots' }, note));
      });
      const outer = domain.acquireSync({ exclusive: 'slots' });
      await outer.run({ exclusive: 'slots' }, ({ token }) => seen.push(token === outer.token));
      const first = outer.run({ units: { slots: slots - 1 } }, async () => {
        await outer.run({ units: { slots: 1 } }, note);
        outer.downgrade({ units: { slots: slots - 1 } });
      });
      await first;
      await outer.run({ shared: 'slots' }, note);
      console.log(JSON.stringify(seen));`;
    // A list of all would take 512 MB.
    const seen = children.ask(program, ['--max-old-space-size=64']);
    expect(seen).toEqual([[0], true, [2 ** 26 - 2], [0]]);
  });

  it('are reentrant for units too', async () => {
    const domain = createDomain({ nested: 'reentrant', capacity: { gpu: 2 } });
    await domain.run({ units: { gpu: 2 } }, async () => {
      const inner = await domain.acquire({ units: { gpu: 2 } }, now);
      expect(inner.units['gpu']).toEqual([0, 1]);
      expect(domain.tryAcquireSync({ shared: 'gpu' })).toBeNull();
      inner.release();
    });
  });
});

it('prepares sets with units once, for many requests', async () => {
  const domain = gpus();
  const set = domain.prepare({
    units: new Map<string, number | { take: number; of: number }>([['gpu', { take: 2, of: 4 }]]),
    shared: ['models', 'gpu'],
  });
  expect(set.units).toEqual(new Map([['gpu', { take: 2, of: 4 }]]));
  expect(set.shared).toEqual(['models']);
  for (let round = 0; round < 3; round++) {
    const grants = [domain.acquireSync(set), domain.acquireSync(set)];
    expect(grants[1]?.units['gpu']).toEqual(['gpu2', 'gpu3']);
    for (const grant of grants) grant.release();
  }
  domain.setCapacity('gpu', ['gpu0']);
  expect(() => domain.acquireSync(set)).toThrow('has 1 units, and the set asserts 4');
});

it('settles when the units would fit', async () => {
  const domain = gpus();
  const three = domain.acquireSync({ units: { gpu: 3 } });
  await domain.settled({ units: { gpu: 1 } }, now);
  const settled = domain.settled({ units: { gpu: 2 } });
  await expect(domain.settled({ units: { gpu: 2 } }, now)).rejects.toThrow('not settled now');
  await expect(domain.settled({ units: { gpu: 5 } })).rejects.toThrow('can never be taken');
  three.downgrade({ units: { gpu: 2 } });
  await settled;
});

it('refuses a wait that would be a deadlock, and only then', async () => {
  const domain = createDomain({ nested: 'checked', capacity: { gpu: 4 } });
  await domain.run({ units: { gpu: 2 } }, async () => {
    const other = domain.acquireSync({ units: { gpu: 2 } });
    // The other caller can go on, so this is no deadlock.
    const third = domain.acquire({ units: { gpu: 2 } });
    other.release();
    (await third).release();
    const error = await refusal(domain.acquire({ units: { gpu: 3 } }));
    expect(error).toMatchObject({ code: 'KDS_DEADLOCK' });
    expect(error.message).toContain('waits for 3 units of "gpu"');
  });
});

function until(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

it('counts a resource once, as it was named with the most units', () => {
  const domain = createDomain();
  const named: SetSpec = { exclusive: 'a', units: { a: { take: 1, of: 2 } } };
  for (const set of [named, domain.prepare(named)]) {
    const grant = domain.acquireSync(set);
    expect(domain.capacity('a')).toBeUndefined();
    expect(grant.covers({ exclusive: 'a' })).toBe(true);
    grant.release();
  }
  const handle = domain.resource('b');
  const units = new Map<string | typeof handle, number | { take: number; of: number }>([
    [handle, { take: 3, of: 4 }],
    ['b', { take: 2, of: 9 }],
  ]);
  const grant = domain.acquireSync({ units, shared: ['b', 'c'], exclusive: ['d'] });
  expect(domain.capacity('b')).toEqual({ capacity: 4, taken: 3, waiting: 0 });
  expect(grant.covers({ shared: 'c', exclusive: 'd', units: { b: 3 } })).toBe(true);
});

it('never has more units out than there are', async () => {
  // KDS_CHECKS=360000 for a campaign.
  const lookCount = Number(process.env['KDS_CHECKS'] ?? 20_000);
  const domain = createDomain({ capacity: { gpu: 5 } });
  const out = new Set<unknown>();
  const random = xorshift(20_261_201);
  let capacity = 5;
  let looks = 0;
  const look = (own: readonly unknown[]): void => {
    looks++;
    for (const unit of own) {
      if (out.has(unit)) throw new Error(`unit ${unit} is out twice`);
      out.add(unit);
    }
    // After a reduction there may be more, until those that hold them have released.
    if (out.size > 7) throw new Error(`${out.size} of ${capacity} units are out`);
    if (capacity === 7 && out.size > capacity) throw new Error(`${out.size} of 7 are out`);
  };
  const use = async (): Promise<void> => {
    while (looks < lookCount) {
      const kind = random(8);
      const set: SetSpec =
        kind === 0
          ? { exclusive: 'gpu' }
          : kind < 3
            ? { shared: 'gpu' }
            : { units: { gpu: kind - 2 } };
      const grant = await domain.acquire(set).catch((error: CapacityError) => {
        if (error.code !== 'KDS_CAPACITY') throw error;
        return undefined;
      });
      if (grant === undefined) continue;
      let own = grant.units['gpu'] ?? [];
      look(own);
      for (let turn = random(4); turn > 0; turn--) await null;
      if (kind > 4 && random(2) === 0) {
        grant.downgrade({ units: { gpu: 1 } });
        const left = grant.units['gpu'] ?? [];
        for (const unit of own) if (!left.includes(unit)) out.delete(unit);
        own = left;
        await null;
      }
      for (const unit of own) out.delete(unit);
      grant.release();
      if (random(500) === 0) {
        capacity = 4 + random(4);
        domain.setCapacity('gpu', capacity);
      }
    }
  };
  await Promise.all(Array.from({ length: 12 }, use));
  expect(out.size).toBe(0);
  expect(domain.capacity('gpu')?.taken).toBe(0);
});

/** Numbers from 0 to below `end`, the same in each run. */
function xorshift(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
}
