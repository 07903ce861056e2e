/** An arena at its end: who asks is refused, nobody else notices, all goes on after releases. */

import { createArena, openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import { describe, expect, it } from 'vitest';
import { findArenaFaults } from './faults/soundness.ts';

type Grant = ReturnType<ThreadsDomain['acquireSync']>;

const small = { bytesMax: 2 ** 16, agentsMax: 4 };

/** Takes one thing after another, until no more fits. */
function fill(domain: ThreadsDomain, prefix: string): readonly Grant[] {
  const grants: Grant[] = [];
  for (;;) {
    try {
      const grant = domain.tryAcquireSync({
        exclusive: `${prefix}${grants.length}`,
        shared: 'all',
      });
      if (grant !== null) grants.push(grant);
    } catch (error) {
      expect(error).toMatchObject({ code: 'KDS_LIMIT' });
      return grants;
    }
  }
}

describe('a full arena', () => {
  it('refuses who asks, and lets the others go on', async () => {
    const arena = createArena(small);
    const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
    const held = await b.acquire({ exclusive: 'held' });
    const waits = b.acquire({ exclusive: 'held' });
    const grants = fill(a, 'name ');
    expect(grants.length).toBeGreaterThan(100);
    expect(findArenaFaults(arena)).toEqual([]);
    const refused = { code: 'KDS_LIMIT' };
    const more = { exclusive: ['two', 'more'], shared: 'all' };
    await expect(a.acquire(more)).rejects.toMatchObject(refused);
    await expect(b.acquire(more)).rejects.toMatchObject(refused);
    expect(findArenaFaults(arena)).toEqual([]);
    // What is there already takes nothing more to be handed on, made weaker, or looked at.
    held.release();
    const next = await waits;
    next.downgrade();
    next.release();
    expect(a.querySync().held.length).toBe(grants.length);
    for (const grant of grants) grant.release();
    expect(fill(b, 'other ').length).toBeGreaterThan(grants.length - 5);
    expect(findArenaFaults(arena)).toEqual([]);
    await Promise.all([a.close(), b.close()]);
    expect(findArenaFaults(arena)).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'drops idle names for new ones, and none that the request at hand has found (%i held)',
    async (heldCount) => {
      const arena = createArena(small);
      const domain = openThreadsDomain(arena);
      const prepared = domain.prepare({ exclusive: ['p', 'q'], shared: 'r' });
      for (let held = 0; held < heldCount; held++)
        domain.tryAcquireSync({ shared: `held ${held}` });
      for (let turn = 0; turn < 700; turn++) {
        const set = { exclusive: `x${turn}`, shared: ['old', `s${turn}`] };
        const [grant, other] = [domain.tryAcquireSync(set), domain.tryAcquireSync(prepared)];
        expect(domain.tryAcquireSync({ shared: `x${turn}` })).toBe(null);
        expect(domain.tryAcquireSync({ exclusive: 'r' })).toBe(null);
        grant?.release();
        other?.release();
        if (turn % 10 === 0) expect(findArenaFaults(arena)).toEqual([]);
      }
      await domain.close();
      expect(findArenaFaults(arena)).toEqual([]);
    },
  );

  it('refuses one domain too many, until another one is closed', async () => {
    const arena = createArena({ agentsMax: 2 });
    const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
    expect(() => openThreadsDomain(arena)).toThrow(expect.objectContaining({ code: 'KDS_LIMIT' }));
    const grant = await b.acquire({ exclusive: 'x' });
    await a.close();
    const c = openThreadsDomain(arena);
    const asked = c.acquire({ exclusive: 'x' });
    grant.release();
    (await asked).release();
    await Promise.all([b.close(), c.close()]);
    expect(findArenaFaults(arena)).toEqual([]);
  });
});

describe('an arena that grows', () => {
  it('is seen to by the agents that opened it before', async () => {
    const arena = createArena({ bytesMax: 2 ** 22 });
    const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
    const [mine] = [await b.acquire({ exclusive: 'mine' })];
    const bytesBefore = arena.buffer.byteLength;
    const grants = Array.from({ length: 3000 }, (_, n) => a.tryAcquireSync({ exclusive: `n${n}` }));
    if ('grow' in SharedArrayBuffer.prototype) {
      expect(arena.buffer.byteLength).toBeGreaterThan(bytesBefore);
    }
    expect(b.tryAcquireSync({ shared: 'n2999' })).toBe(null);
    const asked = a.acquire({ exclusive: ['mine', 'n3000'] });
    mine.release();
    (await asked).release();
    expect(b.querySync().held.length).toBe(3000);
    for (const grant of grants) grant?.release();
    await Promise.all([a.close(), b.close()]);
    expect(findArenaFaults(arena)).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4])('does so for what a request keeps meanwhile (%i more)', async (more) => {
    const arena = createArena({ bytesMax: 2 ** 22, agentsMax: 2 });
    const domain = openThreadsDomain(arena);
    const kept = await domain.acquire({ exclusive: 'kept' });
    await domain.acquire({ exclusive: 'in the way' });
    for (let index = 0; index < more; index++) domain.tryAcquireSync({});
    const asked: Promise<string>[] = [];
    // Three slots a turn, beyond where the arena begins to grow: each is once the last.
    for (let turn = 0; turn < 2500; turn++) {
      domain.tryAcquireSync({ shared: ['all', 'of us'] });
      const stop = new AbortController();
      const terms = { holding: kept, signal: stop.signal };
      const refused = domain.acquire({ exclusive: 'in the way' }, terms);
      asked.push(refused.then(String, (error: Error) => error.name));
      stop.abort();
    }
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['AbortError']));
    expect(findArenaFaults(arena)).toEqual([]);
    await domain.close();
  });
});

it.each([Number.NaN, -1, 1e9, '5'])(
  'a spin of %s µs is refused, and nothing waits',
  async (spin) => {
    const domain = openThreadsDomain(createArena());
    await domain.acquire({ exclusive: 'x' });
    const options = { timeoutMs: 1, spinUs: spin as number };
    expect(() => domain.acquireSync({ exclusive: 'x' }, options)).toThrow(/spinUs/);
    expect(domain.querySync().pending).toEqual([]);
    await domain.close();
  },
);
