/**
 * What one holder wrote, the next one sees (docs/threads.md). Plain loads and stores, in code that
 * is compiled and optimised, between threads on different cores: a lost or torn update shows in the
 * count. And idle names leave a bounded arena.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from './bundle.ts';
import { findArenaFaults } from './faults/soundness.ts';
import type { PassingData } from './passing-worker.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./passing-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

describe('what was written plainly before a release is there after the next grant, for who', () => {
  const workerCount = 3;
  it.each([
    ['blocks', 10_000],
    ['waits', 10_000],
    ['spins', 10_000],
    ['in turns', 10_000],
  ] as const)('%s', async (way, turnCount) => {
    const arena = createArena();
    const words = new SharedArrayBuffer(4 * 512);
    const workerData: PassingData = { arena, words, turnCount, way };
    const stale = Array.from({ length: workerCount }, async () => {
      const [staleCount] = await once(new Worker(bundle.path, { workerData }), 'message');
      return staleCount;
    });
    expect(await Promise.all(stale)).toEqual(Array(workerCount).fill(0));
    expect(new Int32Array(words)[0]).toBe(workerCount * turnCount);
    expect(findArenaFaults(arena)).toEqual([]);
  });
});

it('a million names that fell idle leave an arena of a fixed size, and are found', async () => {
  const arena = createArena();
  const [a, b] = [openThreadsDomain(arena), openThreadsDomain(arena)];
  const sizes = new Set<number>();
  for (let turn = 0; turn < 100_000; turn++) {
    const names = Array.from({ length: 10 }, (_, index) => `name ${turn} ${index}`);
    const domain = turn % 2 === 0 ? a : b;
    domain.tryAcquireSync({ exclusive: names })?.release();
    if (turn > 10_000) sizes.add(arena.buffer.byteLength);
  }
  expect(sizes.size).toBe(1);
  if ('grow' in SharedArrayBuffer.prototype) expect(Math.max(...sizes)).toBeLessThan(2 ** 21);
  const grant = a.tryAcquireSync({ exclusive: 'name 0 0' });
  expect(b.tryAcquireSync({ shared: 'name 0 0' })).toBe(null);
  grant?.release();
  await Promise.all([a.close(), b.close()]);
  expect(findArenaFaults(arena)).toEqual([]);
});
