/**
 * Workers that end by themselves, and that nobody watches: they let go of all. What they have not
 * released by then is `recovered` for the next holder, unless they have closed their domain.
 */

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
  ['exits with 0', 0],
  ['rejects unhandled', 1],
  ['fails', 1],
  ['fails in a callback of ours', 1],
  ['has no more to do', 0],
] as [Ending, number][])(
  'the grants of a worker that %s are released, and the next holder is notified',
  async (ending, code) => {
    const arena = createArena({ agentsMax: 2 });
    const domain = openThreadsDomain(arena);
    const mine = await domain.acquire({ exclusive: 'y' });
    const worker = new Worker(bundle.path, { workerData: { arena, ending } });
    worker.on('error', ({ message }) => expect(message).toBe('on purpose'));
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    // Not once(), which would reject: an error may be told before this message is.
    await new Promise((resolve) => worker.once('message', resolve));
    const asked = domain.acquire({ exclusive: 'x' });
    worker.postMessage('end');
    // Whoever ends without a release may have left it half done, however orderly the end.
    expect((await asked).recovered).toEqual(['x']);
    expect(await ended).toBe(code);
    expect(domain.querySync()).toMatchObject({ held: [{}, {}], pending: [] });
    mine.release();
    // Its place is free again.
    await openThreadsDomain(arena).close();
    await domain.close();
    expect(findArenaFaults(arena)).toEqual([]);
  },
);

it('what waits for several sets of one terminated worker is granted in arrival order', async () => {
  const arena = createArena();
  const domain = openThreadsDomain(arena);
  const ending: Ending = 'holds several sets';
  const worker = new Worker(bundle.path, { workerData: { arena, ending } });
  domain.attachWorker(worker);
  await new Promise((resolve) => worker.once('message', resolve));
  // Not in the order in which the worker took them.
  const names = ['three', 'one', 'x', 'two'];
  const granted: string[] = [];
  const asked = names.map(async (name) => {
    const grant = await domain.acquire({ exclusive: name });
    granted.push(name);
    return grant;
  });
  await worker.terminate();
  const grants = await Promise.all(asked);
  expect(granted).toEqual(names);
  expect(grants.map(({ recovered }) => recovered)).toEqual(names.map((name) => [name]));
  const tokens = grants.map(({ token }) => token);
  expect(tokens).toEqual([...tokens].sort((one, other) => one - other));
  await domain.close();
  expect(findArenaFaults(arena)).toEqual([]);
});

it('a worker that closes its domain at its end leaves nothing to recover', async () => {
  const arena = createArena({ agentsMax: 2 });
  const domain = openThreadsDomain(arena);
  const worker = new Worker(bundle.path, { workerData: { arena, ending: 'closes its domain' } });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  const asked = domain.acquire({ exclusive: 'x' });
  worker.postMessage('end');
  expect((await asked).recovered).toEqual([]);
  expect(await ended).toBe(0);
  await domain.close();
});
