/** An extension by kds: locks that take units of a resource with a capacity. */

import { createDomain } from 'kds';
import { grantOf, type Lock, LockManager } from 'kds/web-locks';
import { describe, expect, it } from 'vitest';
import { failureOf, Gate, Holder, pending, unreached } from './holding.ts';

const open = async (capacity: number | string[] = ['gpu0', 'gpu1', 'gpu2', 'gpu3']) => {
  const domain = createDomain();
  const locks = new LockManager(domain, { clientId: 'me' });
  await locks.setCapacity('gpu', capacity);
  return { domain, locks };
};

describe('a request with units', () => {
  it('is granted while there are enough, in the order of requests', async () => {
    const { domain, locks } = await open();
    const first = await Holder.take(locks, 'gpu', { units: 2 });
    const second = await Holder.take(locks, 'gpu', { units: 1 });
    expect(first.lock?.units).toEqual(['gpu0', 'gpu1']);
    expect(second.lock?.units).toEqual(['gpu2']);
    expect(second.lock?.mode).toBe('shared');
    const order: unknown[] = [];
    const note = (lock: Lock | null): void => void order.push(lock?.units.length);
    const three = locks.request('gpu', { units: 3 }, note);
    const one = locks.request('gpu', { units: 1 }, note);
    await pending(locks, 'gpu', 2);
    expect(await locks.query()).toEqual({
      held: [2, 1].map((units) => ({ name: 'gpu', mode: 'shared', clientId: 'me', units })),
      pending: [3, 1].map((units) => ({ name: 'gpu', mode: 'shared', clientId: 'me', units })),
    });
    expect(order).toEqual([]);
    await first.release();
    await Promise.all([three, one]);
    expect(order).toEqual([3, 1]);
    expect(first.lock?.units).toEqual([]);
    await second.release();
    expect(domain.capacity('gpu')?.taken).toBe(0);
  });

  it('shares with shared locks, which take one, and not with exclusive ones', async () => {
    const { locks } = await open(2);
    const reader = await Holder.take(locks, 'gpu', { mode: 'shared' });
    expect(reader.lock?.units).toEqual([0]);
    const available = { units: 2, ifAvailable: true };
    expect(await locks.request('gpu', available, (lock) => lock)).toBeNull();
    const one = { units: 1, ifAvailable: true };
    expect(await locks.request('gpu', one, (lock) => lock?.units)).toEqual([1]);
    await reader.release();
    const writer = await Holder.take(locks, 'gpu');
    expect(writer.lock?.units).toEqual([0, 1]);
    expect(await locks.request('gpu', one, (lock) => lock)).toBeNull();
    await writer.release();
  });

  it('of a list takes as many of each name', async () => {
    const { locks } = await open(2);
    await locks.setCapacity('ram', ['low', 'high', 'top']);
    const units = await locks.request(['gpu', 'ram', 'gpu'], { units: 2 }, (granted) =>
      granted?.map((lock) => [lock.name, lock.units]),
    );
    expect(units).toEqual([
      ['gpu', [0, 1]],
      ['ram', ['low', 'high']],
    ]);
  });

  it('can assert the capacity, and have its wait aborted', async () => {
    const { locks } = await open(2);
    const holder = await Holder.take(locks, 'gpu', { units: { take: 2, of: 2 } });
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = locks.request('gpu', { units: 1, signal }, unreached);
    await pending(locks, 'gpu', 1);
    controller.abort('enough');
    expect(await failureOf(waiting)).toBe('enough');
    await holder.release();
    const other = locks.request('gpu', { units: { take: 1, of: 3 } }, unreached);
    expect(await failureOf(other)).toMatchObject({ code: 'KDS_CAPACITY' });
  });

  it('is revoked by a steal, and has no units then', async () => {
    const { locks } = await open(2);
    const holder = await Holder.take(locks, 'gpu', { units: 2 });
    await locks.request('gpu', { steal: true }, () => {});
    expect(await failureOf(holder.done)).toMatchObject({ name: 'AbortError' });
    expect(holder.lock?.units).toEqual([]);
    expect(grantOf(holder.lock as Lock)?.isHeld).toBe(false);
  });

  it.each<[object, string]>([
    [{ units: 1, mode: 'shared' }, 'NotSupportedError'],
    [{ units: 1, mode: 'exclusive' }, 'NotSupportedError'],
    [{ units: 1, steal: true }, 'NotSupportedError'],
    [{ units: 0 }, 'RangeError'],
    [{ units: 1.5 }, 'RangeError'],
    [{ units: '1' }, 'TypeError'],
    [{ units: null }, 'TypeError'],
    [{ units: 5 }, 'CapacityError'],
  ])('is refused with %j', async (options, name) => {
    const { locks } = await open();
    expect(await failureOf(locks.request('gpu', options, unreached))).toMatchObject({ name });
    expect(await locks.query()).toEqual({ held: [], pending: [] });
  });

  it('of a resource without a capacity is refused', async () => {
    const { locks } = await open();
    const request = locks.request('ram', { units: 1 }, unreached);
    expect(await failureOf(request)).toMatchObject({ code: 'KDS_CAPACITY' });
    expect(await locks.request('ram', (lock) => lock?.units)).toEqual([]);
  });
});

describe('setCapacity', () => {
  it('grants waiting requests as there is more', async () => {
    const { locks } = await open(1);
    const holder = await Holder.take(locks, 'gpu', { units: 1 });
    const gate = new Gate<unknown>();
    const waiting = locks.request('gpu', { units: 1 }, (lock) => gate.open(lock?.units));
    await locks.setCapacity('gpu', 2);
    expect(await gate.passed).toEqual([1]);
    await waiting;
    await holder.release();
  });

  it('rejects reserved names, invalid capacities and a closed manager', async () => {
    const { locks } = await open();
    const fails = async (name: string, capacity: unknown): Promise<unknown> =>
      failureOf(locks.setCapacity(name, capacity as number));
    expect(await fails('-gpu', 2)).toMatchObject({ name: 'NotSupportedError' });
    expect(await fails('gpu', 0)).toMatchObject({ name: 'RangeError' });
    expect(await fails('gpu', 'two')).toMatchObject({ name: 'TypeError' });
    await locks.close();
    expect(await fails('gpu', 2)).toMatchObject({ name: 'InvalidStateError' });
  });
});
