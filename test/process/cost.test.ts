/**
 * What an operation costs, in words of memory that it touches: the same whatever stands in the
 * queues and however many resources there are (I5).
 */

import type { SyncDomain, SyncGrant } from 'kds';
import { describe, expect, it } from 'vitest';
import { ProcessBackend } from '../../src/backends/process/backend.ts';
import { Memory } from '../../src/core/index.ts';
import { domainOf } from './inside.ts';

class CountingMemory extends Memory {
  count = 0;

  constructor() {
    super({ wordsMin: 2 ** 21 });
    this.words = new Proxy(this.words, {
      get: (words, key) => {
        this.count++;
        const value = Reflect.get(words, key, words);
        return typeof value === 'function' ? value.bind(words) : value;
      },
      set: (words, key, value) => {
        this.count++;
        return Reflect.set(words, key, value, words);
      },
    });
  }
}

class World {
  readonly #memory = new CountingMemory();
  readonly domain: SyncDomain = domainOf(new ProcessBackend(undefined, this.#memory));

  cost<R>(operation: () => R): { readonly count: number; readonly result: R } {
    const before = this.#memory.count;
    const result = operation();
    return { count: this.#memory.count - before, result };
  }
}

const both = { exclusive: ['a', 'b'] };
const direct = { delivery: 'direct' } as const;

/** Behind so many others: what each operation touches. */
function costsInQueue(length: number): Record<string, number> {
  const world = new World();
  const { domain } = world;
  const costs: Record<string, number> = {};
  const step = <R>(name: string, operation: () => R): R => {
    const { count, result } = world.cost(operation);
    costs[name] = count;
    return result;
  };

  let owner: SyncGrant | undefined;
  const own = (grant: SyncGrant) => {
    owner = grant;
  };
  domain.enqueue(both, own, direct);
  const waiters = Array.from({ length }, () => domain.enqueue(both, own, direct));
  const reader = () => domain.enqueue({ shared: ['a', 'b'] }, own, direct);
  step('try', () => domain.tryAcquireSync(both));
  step('settled', () => void domain.settled(both).catch(() => {}));
  step('enqueue at the end', reader).cancel();
  step('cancel the last', () => waiters[length - 1]?.cancel());
  step('cancel in the middle', () => waiters[length >> 1]?.cancel());
  step('cancel the first', () => waiters[0]?.cancel());
  step('hand over', () => owner?.release());
  step('hand over a part', () => owner?.release('a'));
  step('another name', () => domain.tryAcquireSync({ exclusive: 'other' }))?.release();
  return costs;
}

/** With so many resources in use, and some that were. */
function costsAmong(resourceCount: number): Record<string, number> {
  const world = new World();
  const { domain } = world;
  domain.tryAcquireSync({ exclusive: ['p', 'q'] })?.release();
  for (let number = 0; number < resourceCount; number++) {
    domain.tryAcquireSync({ exclusive: `held ${number}` });
  }
  const set = { exclusive: 'p', shared: 'q' };
  domain.tryAcquireSync(set)?.release();
  const taken = world.cost(() => domain.tryAcquireSync(set) as SyncGrant);
  const released = world.cost(() => taken.result.release());
  return { take: taken.count, release: released.count };
}

describe('the cost of an operation', () => {
  it('does not depend on the length of the queues', () => {
    const short = costsInQueue(10);
    expect(costsInQueue(1000)).toEqual(short);
    expect(costsInQueue(20_000)).toEqual(short);
    for (const count of Object.values(short)) expect(count).toBeLessThan(200);
  });

  it('does not depend on the number of resources', () => {
    expect(costsAmong(1000)).toEqual(costsAmong(10));
    // Beyond the idle queues that are kept, one that was is let go of here and there.
    const few = costsAmong(2000);
    expect(costsAmong(20_000)).toEqual(few);
    for (const count of Object.values(few)) expect(count).toBeLessThan(200);
  });
});
