/** Workers that end by themselves, with nobody told to watch them: they leave in good order. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from './bundle.ts';
import type { Ending } from './ending-worker.ts';
import { findArenaFaults } from './faults/soundness.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./ending-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

it.each([
  ['exits', 7],
  ['fails', 1],
  ['fails in a callback of ours', 1],
  ['has no more to do', 0],
] as [Ending, number][])('a worker that %s lets go of all', async (ending, code) => {
  const arena = createArena({ agentsMax: 2 });
  const domain = openThreadsDomain(arena);
  const mine = await domain.acquire({ exclusive: 'y' });
  const worker = new Worker(bundle.path, { workerData: { arena, ending } });
  worker.on('error', ({ message }) => expect(message).toBe('on purpose'));
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await once(worker, 'message');
  const asked = domain.acquire({ exclusive: 'x' });
  worker.postMessage('end');
  expect((await asked).recovered).toEqual([]);
  expect(await ended).toBe(code);
  expect(domain.querySync()).toMatchObject({ held: [{}, {}], pending: [] });
  mine.release();
  // Its place is free again.
  await openThreadsDomain(arena).close();
  await domain.close();
  expect(findArenaFaults(arena)).toEqual([]);
});
