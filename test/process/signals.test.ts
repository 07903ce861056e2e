/** One AbortSignal for many requests, and signals that are not the platform's. */

import { getEventListeners } from 'node:events';
import { createDomain } from 'kds';
import { describe, expect, it } from 'vitest';
import { outcomeOf, outcomesOf, tracesIn } from './inside.ts';

const exclusive = { exclusive: 'a' };
const shared = { shared: 'a' };

/** A signal of a library, with only what a signal needs. */
class ForeignSignal {
  aborted = false;
  reason: unknown = undefined;
  readonly listeners = new Set<() => void>();

  addEventListener(_: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.listeners) listener();
  }

  asSignal(): AbortSignal {
    return this as unknown as AbortSignal;
  }
}

describe('a signal', () => {
  it('that several wait with aborts them at one moment, and none is granted by it', async () => {
    const domain = createDomain();
    const stop = new AbortController();
    const holder = await domain.acquire(shared);
    const writer = domain.acquire(exclusive, { signal: stop.signal });
    const reader = domain.acquire(shared, { signal: stop.signal });
    stop.abort('enough');
    expect(await outcomesOf(writer, reader)).toEqual(['enough', 'enough']);
    holder.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('lets those move up that do not wait with it, in a callback that sees all of it', async () => {
    const domain = createDomain();
    const stop = new AbortController();
    await domain.acquire(shared);
    const options = { signal: stop.signal };
    const ends = [domain.acquire(exclusive, options), domain.acquire(shared, options)];
    let pendingCount = -1;
    const look = () => {
      pendingCount = domain.querySync().pending.length;
    };
    domain.enqueue(shared, look, { delivery: 'direct' });
    ends.push(domain.acquire(exclusive, options));
    stop.abort('enough');
    expect(pendingCount).toBe(0);
    expect(await outcomesOf(...ends)).toEqual(['enough', 'enough', 'enough']);
  });

  it('refuses in the order in which they came', async () => {
    const domain = createDomain();
    const stop = new AbortController();
    await domain.acquire(exclusive);
    const order: number[] = [];
    for (let number = 0; number < 5; number++) {
      domain.acquire(exclusive, { signal: stop.signal }).catch(() => order.push(number));
    }
    stop.abort();
    await new Promise(setImmediate);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('has one listener while anybody waits with it, and none after', async () => {
    const domain = createDomain();
    const { signal } = new AbortController();
    const holder = await domain.acquire(exclusive, { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const waiters = [0, 1, 2].map(() => domain.enqueue(exclusive, () => {}, { signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const waiter of waiters) waiter.cancel();
    // Not within the call, as it may run code of the signal's own.
    await Promise.resolve();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    holder.release();
  });

  it('of a library does, though it has no more than a signal needs', async () => {
    const domain = createDomain();
    const foreign = new ForeignSignal();
    const options = { signal: foreign.asSignal() };
    const holder = await domain.acquire(exclusive, options);
    const waiting = domain.acquire(exclusive, options);
    const settled = domain.settled(exclusive, options);
    foreign.abort('enough');
    expect(await outcomesOf(waiting, settled)).toEqual(['enough', 'enough']);
    expect(foreign.listeners.size).toBe(0);
    expect(await outcomeOf(domain.acquire({}, options))).toBe('enough');
    expect(await outcomeOf(domain.settled({}, options))).toBe('enough');
    holder.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('that refuses the listener rejects with its error, and nothing waits with it', async () => {
    const domain = createDomain();
    const foreign = new ForeignSignal();
    const listen = foreign.addEventListener;
    foreign.addEventListener = () => {
      throw new Error('no listener taken');
    };
    const options = { signal: foreign.asSignal(), timeoutMs: 1e9 };
    const holder = await domain.acquire(exclusive);
    await expect(domain.acquire(exclusive, options)).rejects.toThrow('no listener taken');
    await expect(domain.settled(exclusive, options)).rejects.toThrow('no listener taken');
    expect(() => domain.enqueue(exclusive, () => {}, options)).toThrow('no listener taken');
    expect(domain.querySync().pending).toEqual([]);

    foreign.addEventListener = listen;
    const waiting = domain.acquire(exclusive, options);
    foreign.abort('enough');
    expect(await outcomeOf(waiting)).toBe('enough');
    holder.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('that aborts while the set is being read refuses it', async () => {
    const domain = createDomain();
    const stop = new AbortController();
    const holder = await domain.acquire(exclusive);
    const set = {
      get exclusive() {
        stop.abort('enough');
        return 'a';
      },
    };
    const options = { signal: stop.signal };
    expect(await outcomeOf(domain.acquire(set, options))).toBe('enough');
    expect(await outcomeOf(domain.settled(set, options))).toBe('enough');
    holder.release();
    expect(tracesIn(domain)).toEqual([]);
  });
});
