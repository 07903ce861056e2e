/** The end of a domain or session is one moment: what waits is refused, then what is held ends. */

import { createDomain, DomainClosedError, GrantLostError, type SyncGrant } from 'kds';
import { describe, expect, it, vi } from 'vitest';
import type { LocalSession } from '../../src/local/session.ts';
import { outcomeOf, outcomesOf, tracesIn } from './inside.ts';

const exclusive = { exclusive: 'a' };
const shared = { shared: 'a' };

describe('closing', () => {
  it('a session grants nothing as its own requests leave', async () => {
    const domain = createDomain();
    const session = domain.session();
    const holder = await domain.acquire(shared);
    const writer = session.acquire(exclusive);
    const reader = session.acquire(shared);
    await session.close();
    expect(await outcomesOf(writer, reader)).toEqual(['DomainClosedError', 'DomainClosedError']);
    holder.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a domain grants nothing as its requests leave', async () => {
    const domain = createDomain();
    await domain.acquire(shared);
    const writer = domain.acquire(exclusive);
    const reader = domain.acquire(shared);
    await domain.close();
    expect(await outcomesOf(writer, reader)).toEqual(['DomainClosedError', 'DomainClosedError']);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('what a session within it held goes to none of those that wait outside of it', async () => {
    for (const outer of [createDomain(), createDomain().session()]) {
      const inner = outer.session();
      const grant = await inner.acquire(exclusive);
      const waiter = outer.acquire(exclusive);
      await outer.close();
      expect(await outcomeOf(waiter)).toBe('DomainClosedError');
      expect(grant.signal.aborted).toBe(true);
      expect(tracesIn(outer)).toEqual([]);
    }
  });

  it('those who wait are refused in the order in which they came', async () => {
    const domain = createDomain();
    const outer = domain.session();
    const inner = outer.session();
    await domain.acquire(exclusive);
    const order: number[] = [];
    for (let number = 0; number < 6; number++) {
      const scope = number % 2 === 0 ? outer : inner;
      scope.acquire(exclusive).catch(() => order.push(number));
    }
    await outer.close();
    await new Promise(setImmediate);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('so it is with and without a label, and none is an unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const domain = createDomain();
    await domain.acquire(exclusive);
    const order: number[] = [];
    for (let number = 0; number < 6; number++) {
      const options = number % 2 === 0 ? { label: 'labelled' } : undefined;
      const request = number === 3 ? domain.settled(shared) : domain.acquire(exclusive, options);
      request.catch((error) => {
        order.push(error instanceof DomainClosedError ? number : Number.NaN);
      });
    }
    await domain.close();
    await new Promise(setImmediate);
    process.off('unhandledRejection', unhandled);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('a promise that nobody handles is one unhandled rejection, with the reason', async () => {
    const unhandled = vi.fn();
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', unhandled);
    const domain = createDomain();
    await domain.acquire(exclusive);
    const promise = domain.acquire(exclusive);
    await domain.close();
    await new Promise(setImmediate);
    process.off('unhandledRejection', unhandled);
    for (const other of others) process.on('unhandledRejection', other);
    expect(unhandled).toHaveBeenCalledExactlyOnceWith(expect.any(DomainClosedError), promise);
  });

  it('a request that its signal ends rejects before the next one is granted', async () => {
    const domain = createDomain();
    const holder = await domain.acquire(shared);
    const controller = new AbortController();
    const order: string[] = [];
    domain.acquire(exclusive, { signal: controller.signal }).catch(() => order.push('refused'));
    void domain.acquire(shared).then(() => order.push('granted'));
    controller.abort();
    await new Promise(setImmediate);
    expect(order).toEqual(['refused', 'granted']);
    holder.release();
  });

  it('others are granted what a session held only once all of it has ended', async () => {
    const domain = createDomain();
    const session = domain.session();
    await session.acquire(exclusive);
    await session.acquire({ exclusive: 'b' });
    let seen: unknown;
    const onGrant = () => {
      seen = domain.querySync().held.map(({ set }) => set.exclusive);
    };
    domain.enqueue(exclusive, onGrant, { delivery: 'direct' });
    await session.close();
    expect(seen).toEqual([['a']]);
  });

  it('a holder is notified of its loss before its successor begins', async () => {
    const domain = createDomain();
    const session = domain.session();
    const grant = await session.acquire(exclusive);
    const order: string[] = [];
    grant.signal.addEventListener('abort', () => order.push('lost'));
    domain.enqueue(exclusive, () => order.push('begins'), { delivery: 'direct' });
    await session.close();
    expect(order).toEqual(['lost', 'begins']);
  });

  it('the function of a run does not begin when its grant has ended meanwhile', async () => {
    const domain = createDomain();
    const session = domain.session();
    let began = false;
    const run = session.run(exclusive, () => {
      began = true;
    });
    const closing = session.close();
    await expect(run).rejects.toBeInstanceOf(GrantLostError);
    await closing;
    expect(began).toBe(false);
  });

  it('a request whose grant ends before its callback has begun is refused', async () => {
    const domain = createDomain();
    const session = domain.session();
    const reasons: unknown[] = [];
    const begin = () => expect.unreachable();
    session.enqueue(exclusive, begin, { onRefused: (reason) => reasons.push(reason) });
    await session.close();
    await new Promise(setImmediate);
    expect(reasons).toEqual([expect.any(GrantLostError)]);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a request that is revoked before its callback has begun is refused', async () => {
    const domain = createDomain();
    const reasons: unknown[] = [];
    const begin = () => expect.unreachable();
    const waiter = domain.enqueue(exclusive, begin, {
      onRefused: (reason) => reasons.push(reason),
    });
    const steal = await domain.acquire(exclusive, { steal: true });
    await new Promise(setImmediate);
    expect(waiter.cancel()).toBe(false);
    expect(reasons).toEqual([expect.any(GrantLostError)]);
    steal.release();
  });

  it('cancel() of a revoked request returns false', async () => {
    const domain = createDomain();
    const reasons: unknown[] = [];
    const begin = () => expect.unreachable();
    const waiter = domain.enqueue(exclusive, begin, {
      onRefused: (reason) => reasons.push(reason),
    });
    void domain.acquire(exclusive, { steal: true });
    expect(waiter.cancel()).toBe(false);
    await new Promise(setImmediate);
    expect(reasons).toEqual([expect.any(GrantLostError)]);
  });

  it('a callback may close the domain that calls it', async () => {
    const domain = createDomain();
    const holder = await domain.acquire(exclusive);
    let told = 0;
    const close = () => {
      told++;
      void domain.close();
    };
    domain.enqueue(shared, close, { delivery: 'direct' });
    domain.enqueue(shared, close, { delivery: 'direct' });
    const last = domain.acquire(exclusive);
    holder.release();
    expect(told).toBe(1);
    await expect(last).rejects.toBeInstanceOf(DomainClosedError);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('an abort listener may close, release and ask again', async () => {
    const domain = createDomain();
    const session = domain.session();
    const first = await session.acquire(exclusive);
    const second = await session.acquire({ exclusive: 'b' });
    let late: Promise<SyncGrant> | undefined;
    first.signal.addEventListener('abort', () => {
      first.release();
      second.release();
      void session.close();
      late = session.acquire(shared);
    });
    await session.close();
    await expect(late).rejects.toBeInstanceOf(DomainClosedError);
    expect(second.signal.aborted).toBe(true);
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a session keeps nothing of a grant that was stolen', async () => {
    const domain = createDomain();
    const session = domain.session() as LocalSession;
    await session.acquire(exclusive);
    await domain.acquire(exclusive, { steal: true });
    expect(session.scope.tracked?.size).toBe(0);
    await session.close();
  });

  it('a domain that is closed has no timer any more', async () => {
    vi.useFakeTimers();
    try {
      const domain = createDomain({ holdWarningMs: 1e9, onHoldWarning: () => {} });
      await domain.acquire(exclusive);
      const waiting = domain.acquire(exclusive, { timeoutMs: 1e9 });
      const closing = domain.close();
      await expect(waiting).rejects.toBeInstanceOf(DomainClosedError);
      await closing;
      vi.advanceTimersByTime(10);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
