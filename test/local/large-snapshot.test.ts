/** A snapshot of many who wait: the domain is not stopped for it, and it is of one moment. */

import { createDomain, type SyncDomain } from 'kds';
import { createArena, openThreadsDomain } from 'kds/threads';
import { describe, expect, it, vi } from 'vitest';
import { sliceCountMin, slicesOf } from './stops.ts';

vi.mock(import('../../src/runtime/real-time.ts'), async (original) => {
  const { countingTurns } = await import('./stops.ts');
  return countingTurns(original);
});

const waiterCount = 100_000;

const hosts: Readonly<Record<string, () => SyncDomain>> = {
  'one event loop': () => createDomain(),
  'an arena': () => openThreadsDomain(createArena({ bytesMax: 2 ** 26 })),
};

describe.each(Object.entries(hosts))('a snapshot of 100,000 waiters of %s', (_, open) => {
  function crowded(): { domain: SyncDomain; release: () => void } {
    const domain = open();
    const first = domain.acquireSync({ exclusive: ['a', 'b'] }, { label: 'first' });
    for (let count = 0; count < waiterCount; count++) {
      const set = count % 2 === 0 ? { exclusive: 'a' } : { shared: ['a', 'b'] };
      domain.enqueue(set, (grant) => grant.release(), { label: `waiter ${count}` });
    }
    return { domain, release: () => first.release() };
  }

  it('is of one moment, and lets others work', async () => {
    const { domain, release } = crowded();
    let turnCount = 0;
    let isAsking = true;
    const look = (): void => {
      turnCount++;
      if (isAsking) setImmediate(look);
    };
    const asked = domain.query();
    setImmediate(look);
    // All of them are through before it is answered, and nothing of that is in it.
    release();
    const { held, pending } = await asked;
    isAsking = false;
    expect(turnCount).toBeGreaterThan(5);
    expect(held.map(({ label }) => label)).toEqual(['first']);
    expect(pending).toHaveLength(waiterCount);
    const [firstId] = held.map(({ id }) => id);
    expect(pending[0]).toMatchObject({ label: 'waiter 0', waitingFor: [firstId] });
    expect(pending[1]).toMatchObject({ label: 'waiter 1', waitingFor: [firstId, pending[0]?.id] });
    expect(pending[2]).toMatchObject({ label: 'waiter 2', waitingFor: [pending[1]?.id] });
    const ids = pending.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(await domain.query()).toEqual({ held: [], pending: [] });
    await domain.close();
  });

  it('is made in slices of a thousand sets, between which others work', async () => {
    const { domain, release } = crowded();
    const sliceCount = await slicesOf(() => domain.query());
    console.info(`${sliceCount} slices`);
    // Read, put in order, and linked to those in their way: each set is gone through five times.
    expect(sliceCount).toBeGreaterThanOrEqual(5 * sliceCountMin(waiterCount));
    release();
    await domain.close();
  });
});
