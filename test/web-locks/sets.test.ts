/** What kds adds to the standard: sets of names, and the grant beneath a lock. */

import { createDomain } from 'kds';
import { grantOf, type Lock, LockManager } from 'kds/web-locks';
import { describe, expect, it } from 'vitest';
import { failureOf, Gate, Holder, pending, unreached } from './holding.ts';

const open = (): LockManager => new LockManager(createDomain(), { clientId: 'me' });

describe('a list of names', () => {
  it('is granted as a whole: one lock for each name, in the order of the names', async () => {
    const locks = open();
    const told = await locks.request(['b', 'a', 'b'], (granted) =>
      granted?.map(({ name, mode }) => [name, mode]),
    );
    expect(told).toEqual([
      ['b', 'exclusive'],
      ['a', 'exclusive'],
    ]);
  });

  it('waits for all of them, and holds none meanwhile', async () => {
    const locks = open();
    const holder = await Holder.take(locks, 'a');
    const gate = new Gate();
    const both = locks.request(['a', 'b'], { mode: 'shared' }, () => gate.passed);
    expect(await locks.query()).toEqual({
      held: [{ name: 'a', mode: 'exclusive', clientId: 'me' }],
      pending: [
        { name: 'a', mode: 'shared', clientId: 'me' },
        { name: 'b', mode: 'shared', clientId: 'me' },
      ],
    });
    await holder.release();
    const { held, pending } = await locks.query();
    expect([held.length, pending.length]).toEqual([2, 0]);
    gate.open();
    await both;
  });

  it('opposite orders do not deadlock', async () => {
    const locks = open();
    const order: string[] = [];
    await Promise.all([
      locks.request(['a', 'b'], () => order.push('ab')),
      locks.request(['b', 'a'], () => order.push('ba')),
      locks.request(['c', 'a'], () => order.push('ca')),
    ]);
    expect(order).toEqual(['ab', 'ba', 'ca']);
  });

  it('of which one is held is not available', async () => {
    const locks = open();
    const holder = await Holder.take(locks, 'b');
    expect(await locks.request(['a', 'b'], { ifAvailable: true }, (granted) => granted)).toBe(null);
    await holder.release();
  });

  it('steals from all who hold any of them, and is lost as a whole', async () => {
    const locks = open();
    const holders = [await Holder.take(locks, 'a'), await Holder.take(locks, 'b')];
    const granted = new Gate();
    const steal = locks.request(['a', 'b', 'c'], { steal: true }, () => {
      granted.open();
      return new Promise(() => {});
    });
    for (const { done } of holders) expect(await failureOf(done)).toMatchObject({ code: 20 });
    await granted.passed;
    const revoked = failureOf(steal);
    await locks.request('c', { steal: true }, () => {});
    expect(await revoked).toMatchObject({ name: 'AbortError' });
    expect(await locks.request('a', { ifAvailable: true }, (lock) => lock?.name)).toBe('a');
  });

  it('can be aborted', async () => {
    const locks = open();
    const holder = await Holder.take(locks, 'a');
    const controller = new AbortController();
    const both = locks.request(['a', 'b'], { signal: controller.signal }, unreached);
    await pending(locks, 'b', 1);
    controller.abort('enough');
    expect(await failureOf(both)).toBe('enough');
    expect(await locks.request('b', { ifAvailable: true }, (lock) => lock?.name)).toBe('b');
    await holder.release();
  });

  it('that is empty is granted at once, with no locks', async () => {
    expect(await open().request([], (granted) => granted)).toEqual([]);
  });
});

describe('the grant beneath a lock', () => {
  it('has a token that grows, and a signal that aborts when the lock is stolen', async () => {
    const locks = open();
    const first = await Holder.take(locks, 'a');
    const grant = grantOf(first.lock as Lock);
    const token = await locks.request('a', { steal: true }, (lock) => grantOf(lock as Lock)?.token);
    expect(token).toBeGreaterThan(grant?.token as number);
    expect(grant?.signal.aborted).toBe(true);
    expect(await failureOf(first.done)).toMatchObject({ cause: grant?.signal.reason });
  });

  it('is one for all locks of a set', async () => {
    const grants = await open().request(['a', 'b'], (granted) => granted?.map(grantOf));
    expect(grants?.[0]?.token).toBeTypeOf('number');
    expect(grants?.[1]).toBe(grants?.[0]);
  });

  it('if a release takes a while, the request ends after that', async () => {
    const gate = new Gate();
    let isReleased = false;
    const done = open().request('a', (lock) => {
      const grant = grantOf(lock as Lock) as { release(): void | Promise<void> };
      const release = grant.release.bind(grant);
      grant.release = async () => {
        await gate.passed;
        release();
        isReleased = true;
      };
    });
    setImmediate(() => gate.open());
    await done;
    expect(isReleased).toBe(true);
  });

  it('can be let go of while the callback goes on', async () => {
    const locks = open();
    const result = await locks.request('a', async (lock) => {
      await grantOf(lock as Lock)?.release();
      return locks.request('a', (second) => second?.name);
    });
    expect(result).toBe('a');
  });
});
