/** Where memory is at its end: an error for who asks, no harm to others, and then it goes on. */

import { LimitError, type SyncDomain, type SyncGrant } from 'kds';
import { describe, expect, it } from 'vitest';
import { domainIn, faultsOf, outcomeOf, tracesIn } from './inside.ts';

/** The header takes two slots; the rest is for sets, links and resources. */
const domainOfSlots = (slots: number) => domainIn({ wordsMin: 16, wordsMax: 16 + 8 * slots });

/** Takes names until there is no memory for more. */
function fill(domain: SyncDomain, prefix: string): readonly SyncGrant[] {
  const grants: SyncGrant[] = [];
  try {
    for (;;) grants.push(domain.acquireSync({ exclusive: `${prefix} ${grants.length}` }));
  } catch (error) {
    expect(error).toBeInstanceOf(LimitError);
  }
  return grants;
}

describe('at the end of memory', () => {
  it('every kind of request gets a LimitError', async () => {
    const domain = domainOfSlots(30);
    const grants = fill(domain, 'name');
    expect(grants).toHaveLength(10);
    const set = { exclusive: ['name 0', 'name 1', 'name 2'] };
    const before = domain.querySync();
    const asks = [
      () => domain.acquire(set),
      () => domain.acquire(set, { timeoutMs: 0 }),
      () => domain.acquire(set, { steal: true }),
      () => domain.run(set, () => {}),
      () => domain.tryAcquire(set),
      () => domain.settled(set),
      async () => domain.enqueue(set, () => {}),
      async () => domain.tryAcquireSync(set),
      async () => domain.acquireSync(set),
      () => domain.acquire({ exclusive: 'another' }),
    ];
    for (const ask of asks) {
      await expect(ask()).rejects.toBeInstanceOf(LimitError);
      expect(faultsOf(domain)).toEqual([]);
    }
    expect(domain.querySync()).toEqual(before);
  });

  it('nobody else is harmed: who waits is granted, who holds may weaken and release', async () => {
    const domain = domainOfSlots(12);
    const holder = await domain.acquire({ exclusive: ['a', 'b'] });
    const reader = domain.acquire({ shared: 'a' });
    const writer = domain.acquire({ exclusive: ['a', 'b'] });
    await expect(domain.acquire({ exclusive: 'c' })).rejects.toBeInstanceOf(LimitError);
    holder.downgrade('a');
    (await reader).release();
    expect(await outcomeOf(writer)).toBe('pending');
    holder.release('b');
    holder.release();
    (await writer).release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('a declared holding that finds none is refused, and leaves no trace', async () => {
    const domain = domainOfSlots(7);
    const held = await domain.acquire({ exclusive: 'a' });
    const other = await domain.acquire({ exclusive: 'b' });
    other.release('b');
    const blocker = await domain.acquire({ exclusive: 'b' });
    // A set and a link fit; the edge that says what is held meanwhile does not.
    const asked = domain.acquire({ exclusive: 'b' }, { holding: held });
    expect(await outcomeOf(asked)).toBe('LimitError');
    blocker.release();
    held.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('it goes on when something has been released, with any names', () => {
    const domain = domainOfSlots(60);
    for (let round = 0; round < 20; round++) {
      const grants = fill(domain, `round ${round}`);
      expect(grants.length).toBeGreaterThan(round === 0 ? 19 : 0);
      for (const grant of grants) grant.release();
      expect(tracesIn(domain)).toEqual([]);
    }
  });

  it('after one refusal all that is idle has gone, and memory serves in full again', () => {
    const domain = domainOfSlots(60);
    for (const grant of fill(domain, 'first')) grant.release();
    // Idle names take what is left: this finds out.
    for (const grant of fill(domain, 'second')) grant.release();
    expect(fill(domain, 'third')).toHaveLength(20);
  });

  it('a prepared set that found no memory is good once there is some', () => {
    const domain = domainOfSlots(30);
    const prepared = domain.prepare({ exclusive: ['p', 'q'], shared: ['r', 's'] });
    const grants = fill(domain, 'name');
    for (let count = 0; count < 3; count++) {
      expect(() => domain.acquireSync(prepared)).toThrow(LimitError);
    }
    for (const grant of grants) grant.release();
    const grant = domain.tryAcquireSync(prepared);
    const [entry] = domain.querySync().held;
    expect(entry?.set).toEqual({ exclusive: ['p', 'q'], shared: ['r', 's'] });
    grant?.release();
    expect(tracesIn(domain)).toEqual([]);
  });
});
