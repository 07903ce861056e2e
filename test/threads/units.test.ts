/** Units of resources with a capacity, in an arena: what several threads make of them. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type CapacityError, GrantLostError } from 'kds';
import { type Arena, createArena, openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from './bundle.ts';
import { DomainPool } from './domain-pool.ts';
import { findArenaFaults, setCountOf } from './faults/soundness.ts';
import { takeUnits } from './stress/units-run.ts';
import type { Answer, Order } from './units-worker.ts';

const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const names = ['gpu0', 'gpu1', 'gpu2', 'gpu3'];

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./units-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

async function start(arena: Arena, domain: ThreadsDomain) {
  const worker = new Worker(bundle.path, { workerData: { arena } });
  workers.push(worker);
  domain.attachWorker(worker);
  const [{ agent }] = await once(worker, 'message');
  const tell = async (order: Order): Promise<Answer> => {
    const answered = once(worker, 'message');
    worker.postMessage(order);
    return (await answered)[0];
  };
  return { worker, agent: agent as number, tell };
}

/** Resolves when this many sets wait for the units. */
async function waiting(domain: ThreadsDomain, count: number): Promise<void> {
  while (domain.capacity('gpu')?.waiting !== count) await new Promise(setImmediate);
}

async function expectEmpty(arena: Arena, domains: readonly ThreadsDomain[]): Promise<void> {
  for (const domain of domains) await domain.close();
  expect(findArenaFaults(arena)).toEqual([]);
  expect(setCountOf(arena)).toBe(0);
}

function refused(ask: () => unknown): string {
  try {
    ask();
  } catch (error) {
    return (error as CapacityError).code;
  }
  return 'granted';
}

it('no unit is out twice, and never too many, in threads that take them in every way', async () => {
  const stress = await bundleWorker(new URL('./stress/units-worker.ts', import.meta.url));
  console.info(`units: KDS_SEED=${seed}`);
  const { faults, left } = await takeUnits(stress.path, 20_000, seed);
  stress.remove();
  expect(faults).toEqual([]);
  expect(left).toEqual({ out: 0, exclusive: 0, sets: 0 });
});

describe('a resize by another thread', () => {
  it('wakes a thread that is blocked for more units than are left, and only that', async () => {
    const arena = createArena();
    const domain = openThreadsDomain(arena, { capacity: { gpu: names } });
    const [three, two] = [await start(arena, domain), await start(arena, domain)];
    const held = domain.acquireSync({ units: { gpu: 4 } });
    const first = three.tell({ do: 'block', set: { units: { gpu: 3 }, exclusive: 'x' } });
    await waiting(domain, 1);
    const second = two.tell({ do: 'block', set: { units: { gpu: 2 }, exclusive: 'x' } });
    await waiting(domain, 2);
    domain.setCapacity('gpu', ['gpu0', 'gpu1']);
    expect(domain.interrupt(three.agent)).toBe(false);
    expect(await first).toEqual({
      code: 'KDS_CAPACITY',
      message:
        'a resource has fewer units than the set takes now: the request can never be granted',
    });
    held.release();
    expect(await second).toEqual({ units: { gpu: ['gpu0', 'gpu1'] } });
    // It is free for the next request, and blocks again.
    const third = three.tell({ do: 'block', set: { shared: 'gpu' } });
    await waiting(domain, 1);
    await two.tell({ do: 'release' });
    expect(await third).toEqual({ units: { gpu: ['gpu0'] } });
    await Promise.all([three, two].map(({ tell }) => tell({ do: 'close' })));
    await expectEmpty(arena, [domain]);
  });

  it('rejects a request that waits in an event loop, and grants those behind it', async () => {
    const arena = createArena();
    const domain = openThreadsDomain(arena, { capacity: { gpu: 4 } });
    const other = openThreadsDomain(arena);
    const { tell } = await start(arena, domain);
    const held = domain.acquireSync({ units: { gpu: 1 } });
    const asked = tell({ do: 'acquire', set: { units: { gpu: 4 } } });
    await waiting(domain, 1);
    const elsewhere = other.acquire({ units: { gpu: 4 } }).catch((error) => error);
    const behind = other.acquire({ units: { gpu: 2 } });
    other.setCapacity('gpu', 3);
    expect(await asked).toMatchObject({ code: 'KDS_CAPACITY' });
    expect(await elsewhere).toMatchObject({ message: expect.stringContaining('has 3 units now') });
    expect((await behind).units).toEqual({ gpu: [1, 2] });
    held.release();
    await tell({ do: 'close' });
    await expectEmpty(arena, [domain, other]);
  });

  it('refuses a set whose thread ends before it is notified: nothing of it is left', async () => {
    const arena = createArena();
    const domain = openThreadsDomain(arena, { capacity: { gpu: 4 } });
    const { worker, tell } = await start(arena, domain);
    const held = domain.acquireSync({ units: { gpu: 4 } });
    const hung = new Int32Array(new SharedArrayBuffer(4));
    void tell({ do: 'wait and hang', set: { units: { gpu: 3 } }, hung });
    await waiting(domain, 1);
    domain.setCapacity('gpu', 2);
    expect(findArenaFaults(arena)).toEqual([]);
    // It is in the inbox of its thread, and in no queue.
    expect([setCountOf(arena), domain.capacity('gpu')?.waiting]).toEqual([2, 0]);
    await worker.terminate();
    while (setCountOf(arena) > 1) await new Promise(setImmediate);
    held.release();
    await expectEmpty(arena, [domain]);
  });
});

describe('a worker that is terminated', () => {
  it('gives its units back, which are recovered only if it had all', async () => {
    const arena = createArena();
    const domain = openThreadsDomain(arena, { capacity: { gpu: names } });
    for (const gpu of [3, 4]) {
      const { worker, tell } = await start(arena, domain);
      expect((await tell({ do: 'block', set: { units: { gpu } } })).units?.['gpu']).toHaveLength(
        gpu,
      );
      const next = domain.acquire({ units: { gpu: 2 } });
      await waiting(domain, 1);
      await worker.terminate();
      const grant = await next;
      expect(grant.recovered).toEqual(gpu === 4 ? ['gpu'] : []);
      expect(grant.units).toEqual({ gpu: ['gpu0', 'gpu1'] });
      grant.release();
    }
    expect(domain.capacity('gpu')).toEqual({ capacity: 4, taken: 0, waiting: 0, names });
    await expectEmpty(arena, [domain]);
  });

  it('leaves the capacity that it has declared', async () => {
    const arena = createArena();
    const domain = openThreadsDomain(arena);
    const [one, two] = [await start(arena, domain), await start(arena, domain)];
    await one.tell({ do: 'declare', names });
    expect(domain.capacity('gpu')?.names).toEqual(names);
    await one.worker.terminate();
    // What this agent has read is not taken for what another one declares.
    await two.tell({ do: 'declare', names: ['a', 'b'] });
    expect(domain.acquireSync({ units: { gpu: 1 } }).units).toEqual({ gpu: ['a'] });
    await two.tell({ do: 'close' });
    expect(domain.capacity('gpu')).toEqual({
      capacity: 2,
      taken: 1,
      waiting: 0,
      names: ['a', 'b'],
    });
    await expectEmpty(arena, [domain]);
    const last = openThreadsDomain(arena);
    expect(last.capacity('gpu')?.names).toEqual(['a', 'b']);
    await last.close();
  });
});

describe('a capacity in an arena', () => {
  it('is seen, asserted and changed by all of its domains', async () => {
    const arena = createArena();
    const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
    const grant = a.acquireSync({ units: { gpu: { take: 2, of: 3 } } });
    expect(refused(() => b.acquireSync({ units: { gpu: { take: 1, of: 4 } } }))).toBe(
      'KDS_CAPACITY',
    );
    expect(b.acquireSync({ units: { gpu: 1 } }).units).toEqual({ gpu: [2] });
    expect(b.tryAcquireSync({ shared: 'gpu' })).toBeNull();
    grant.release();
    await b.close();
    expect(a.capacity('gpu')).toBeUndefined();
    a.setCapacity('gpu', names);
    const c = openThreadsDomain(arena, { capacity: { gpu: [...names, 'gpu4'] } });
    const held = c.acquireSync({ exclusive: 'gpu' });
    expect(held.units['gpu']).toHaveLength(5);
    expect(refused(() => openThreadsDomain(arena, { capacity: { gpu: ['x'] } }))).toBe(
      'KDS_CAPACITY',
    );
    held.downgrade({ units: { gpu: 1 } });
    expect(a.acquireSync({ units: { gpu: 1 } }).units).toEqual({ gpu: ['gpu1'] });
    await expectEmpty(arena, [a, c]);
    // The domain that was refused has left no entry in the table of domains.
    expect(openThreadsDomain(arena).agent).toBe(0);
  });

  it('ends with a handle without a name, and outlives one with a name', async () => {
    const arena = createArena();
    const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
    const pool = a.resource();
    a.setCapacity(pool, names);
    a.acquireSync({ units: new Map([[pool, 4]]) }).release();
    await pool.close();
    const handle = a.resource('gpu');
    const prepared = a.prepare({ units: new Map([[handle, 1]]) });
    b.setCapacity('gpu', names);
    a.acquireSync(prepared).release();
    await handle.close();
    expect(() => a.acquireSync(prepared)).toThrow('is closed');
    expect(a.acquireSync({ units: { gpu: 1 } }).units).toEqual({ gpu: ['gpu0'] });
    await expectEmpty(arena, [a, b]);
  });

  it('has 10,000 names, which every domain knows, and snapshots too', async () => {
    const arena = createArena();
    const many = Array.from({ length: 10_000 }, (_, index) => `unit ${index} \u{1f600} \ud800`);
    const [a, b] = [
      openThreadsDomain(arena, { capacity: { gpu: many } }),
      openThreadsDomain(arena),
    ];
    const grant = b.acquireSync({ units: { gpu: 10_000 } });
    expect(grant.units['gpu']).toEqual(many);
    expect(a.querySync().capacities?.[0]?.names).toEqual(many);
    a.setCapacity('gpu', many.slice(0, 2));
    expect(b.capacity('gpu')?.names).toEqual(many.slice(0, 2));
    grant.release();
    a.setCapacity('gpu', 2);
    expect(b.acquireSync({ units: { gpu: 2 } }).units).toEqual({ gpu: [0, 1] });
    await expectEmpty(arena, [a, b]);
  });
});

describe('an arena without memory', () => {
  const small = { bytesMax: 2 ** 16, agentsMax: 4 };

  /** Holds resources until not more than this many slots are free. */
  function fill(domain: ThreadsDomain, freeCount: number): void {
    const kept = Array.from({ length: freeCount }, () => domain.tryAcquireSync({}));
    for (let index = 0; refused(() => domain.acquireSync({ shared: `${index}` })) === 'granted'; )
      index++;
    while (refused(() => domain.acquireSync({})) === 'granted');
    for (const grant of kept) grant?.release();
  }

  interface Held {
    readonly domain: ThreadsDomain;
    readonly units: ReturnType<ThreadsDomain['acquireSync']>;
  }
  const nothing = (): void => undefined;
  const operations: [name: string, (held: Held) => unknown][] = [
    ['takes units', ({ domain }) => void domain.acquireSync({ units: { ram: 1 } })],
    ['waits for units', ({ domain }) => void domain.enqueue({ units: { gpu: 3 } }, nothing)],
    ['asserts', ({ domain }) => void domain.acquireSync({ units: { free: { take: 1, of: 2 } } })],
    ['declares', ({ domain }) => domain.setCapacity('free', 3)],
    ['declares names', ({ domain }) => domain.setCapacity('free', ['a', 'b'])],
    ['resizes', ({ domain }) => domain.setCapacity('gpu', [...names, 'gpu4', 'gpu5'])],
    ['downgrades', ({ units }) => units.downgrade({ units: { gpu: 1 } })],
    ['upgrades', ({ units }) => void units.tryUpgrade('gpu')],
    ['settles', ({ domain }) => domain.settled({ units: { gpu: 3 } })],
  ];

  /** Of what is refused at once, or not. */
  async function outcomeOf(operate: () => unknown): Promise<string> {
    try {
      const atOnce = new Promise((resolve) => setImmediate(resolve));
      await Promise.race([operate(), atOnce]);
    } catch (error) {
      return (error as CapacityError).code;
    }
    return 'done';
  }

  it.each(operations)('refuses what it cannot undo, as it %s', async (name, operate) => {
    const outcomes = new Set<string>();
    for (let freeCount = 0; freeCount < 12; freeCount++) {
      const arena = createArena(small);
      const [domain, other] = [openThreadsDomain(arena), openThreadsDomain(arena)];
      domain.setCapacity('gpu', names);
      domain.setCapacity('ram', 2);
      const units = domain.acquireSync({ units: { gpu: 2 } });
      const waits = other.acquire({ exclusive: ['gpu', 'mine'] });
      const before = domain.capacity('gpu');
      fill(domain, freeCount);
      const outcome = await outcomeOf(() => operate({ domain, units }));
      outcomes.add(outcome);
      expect(findArenaFaults(arena)).toEqual([]);
      if (outcome !== 'done') expect(domain.capacity('gpu')).toEqual(before);
      // To end sets takes no memory, nor to grant those behind them.
      await domain.close();
      expect((await waits).units['gpu']).toBeDefined();
      await expectEmpty(arena, [other]);
    }
    // An upgrade takes numbers that are there.
    const isWithoutMemory = name === 'upgrades';
    expect([...outcomes].sort()).toEqual(isWithoutMemory ? ['done'] : ['KDS_LIMIT', 'done']);
  });
});

describe('domains in several workers', () => {
  let pool: DomainPool;
  beforeAll(async () => {
    pool = await DomainPool.start(3);
  });
  afterAll(() => pool.end());

  it('take units, give some back, upgrade, and are refused', async () => {
    const arena = createArena();
    const [a, b, c] = await Promise.all([0, 1, 2].map((number) => pool.open(arena, number)));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three were opened');
    await a.setCapacity('gpu', names);
    const grant = await b.acquire({ units: { gpu: { take: 3, of: 4 } }, shared: 'models' });
    expect(grant.units).toEqual({ gpu: ['gpu0', 'gpu1', 'gpu2'] });
    const waits = c.acquire({ units: { gpu: 2 } });
    const never = c.acquire({ units: { gpu: 4 } }).catch((error) => error);
    while ((await b.capacity('gpu'))?.waiting !== 2);
    expect(await b.capacity('gpu')).toEqual({ capacity: 4, taken: 3, waiting: 2, names });
    await a.setCapacity('gpu', names.slice(0, 3));
    expect(await never).toMatchObject({ code: 'KDS_CAPACITY' });
    await grant.downgrade({ units: { gpu: 1 } });
    expect([grant.units, (await waits).units]).toEqual([
      { gpu: ['gpu0'] },
      { gpu: ['gpu1', 'gpu2'] },
    ]);
    expect(await grant.tryUpgrade('gpu')).toBe(false);
    await (await waits).release();
    expect(await grant.tryUpgrade('gpu')).toBe(true);
    expect(grant.units['gpu']).toHaveLength(3);
    const prepared = c.prepare({ units: { gpu: 1 }, shared: 'gpu' });
    expect([prepared.units, prepared.shared]).toEqual([new Map([['gpu', 1]]), []]);
    expect(await c.tryAcquire(prepared)).toBeNull();
    await grant.abandon();
    expect(grant.units).toEqual({});
    expect((await c.acquire(prepared)).recovered).toEqual(['gpu']);
    await expect(grant.downgrade({ units: { gpu: 1 } })).rejects.toThrow(GrantLostError);
    await expect(c.acquire({ units: { gpu: 9 } })).rejects.toMatchObject({ code: 'KDS_CAPACITY' });
    expect(await c.capacity('models')).toBeUndefined();
    await Promise.all([a.close(), b.close(), c.close()]);
    expect(findArenaFaults(arena)).toEqual([]);
  });
});
