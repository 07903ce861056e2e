/** Fences in shared memory, among real threads. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createFenceArena, Fence, type FenceArena, openFence } from 'kds/fences';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from '../threads/bundle.ts';
import { failureOf } from '../web-locks/holding.ts';
import type { FenceOrder, Seen } from './fence-worker.ts';

let bundle: Bundle;
const hired: Hired[] = [];

beforeAll(async () => {
  bundle = await bundleWorker(new URL('./fence-worker.ts', import.meta.url));
});
afterEach(async () => {
  for (const { worker } of hired.splice(0)) await worker.terminate();
});
afterAll(() => bundle.remove());

class Hired {
  readonly worker: Worker;
  readonly #said: Seen[] = [];
  readonly #waiting: ((seen: Seen) => void)[] = [];

  constructor(arena: FenceArena) {
    this.worker = new Worker(bundle.path, { workerData: arena });
    this.worker.on('message', (seen: Seen) => {
      const hear = this.#waiting.shift();
      if (hear === undefined) this.#said.push(seen);
      else hear(seen);
    });
  }

  next(): Promise<Seen> {
    const seen = this.#said.shift();
    if (seen !== undefined) return Promise.resolve(seen);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async says(): Promise<unknown> {
    return (await this.next()).is;
  }

  tell(order: FenceOrder): Promise<unknown> {
    this.worker.postMessage(order);
    return this.says();
  }
}

async function hire(arena: FenceArena): Promise<Hired> {
  const worker = new Hired(arena);
  hired.push(worker);
  expect(await worker.says()).toBe('ready');
  return worker;
}

describe('a fence of several threads', () => {
  it('is signalled in one, and all see it: by blocking, awaiting, and callbacks', async () => {
    const arena = createFenceArena(1);
    const workers = [await hire(arena), await hire(arena), await hire(arena)] as const;
    expect(await workers[0].tell({ do: 'block', fence: 0 })).toBe('blocking');
    expect(await workers[1].tell({ do: 'wait', fence: 0 })).toBe('waiting');
    expect(await workers[2].tell({ do: 'add callback', fence: 0 })).toBe('added');
    const mine = openFence(arena, 0);
    expect(mine.status).toBe('pending');
    expect(openFence(arena, 0).signal()).toBe(true);
    expect(mine.status).toBe('ok');
    expect(await Promise.all(workers.map((worker) => worker.says()))).toEqual(['ok', 'ok', 'ok']);
    expect(await workers[2].tell({ do: 'add callback', fence: 0 })).toBe('refused');
    expect(await workers[0].tell({ do: 'signal', fence: 0 })).toBe(false);
  });

  it('is failed in another thread, and is awaited here', async () => {
    const arena = createFenceArena(3);
    const worker = await hire(arena);
    const fence = openFence(arena, 2, { label: 'frame 7' });
    const waiting = failureOf(fence.wait());
    expect(await worker.tell({ do: 'fail', fence: 2, error: 5 })).toBe(true);
    const error = await waiting;
    expect(error).toMatchObject({ code: 'KDS_FENCE_FAILED', number: 5 });
    expect((error as Error).message).toBe('the fence "frame 7" failed with error 5');
    expect(fence.error).toBe(error);
    expect([0, 1].map((index) => openFence(arena, index).status)).toEqual(['pending', 'pending']);
  });

  it('a blocked wait ends with its time-out, or with the error', async () => {
    const arena = createFenceArena(1);
    const worker = await hire(arena);
    await worker.tell({ do: 'block', fence: 0, timeoutMs: 1 });
    expect(await worker.says()).toBe('KDS_WAIT_TIMEOUT');
    await worker.tell({ do: 'block', fence: 0 });
    openFence(arena, 0).fail(2 ** 29);
    expect(await worker.says()).toBe('KDS_FENCE_FAILED');
    expect(() => openFence(arena, 0).waitSync()).toThrow('error 536870912');
  });

  it('of many that two threads end at one time, each has one first, as all agree', async () => {
    const count = 20_000;
    const arena = createFenceArena(count + 1);
    const workers = [await hire(arena), await hire(arena)] as const;
    for (const worker of workers) {
      expect(await worker.tell({ do: 'race', count, start: count })).toBe('ready');
    }
    openFence(arena, count).signal();
    const seen = await Promise.all(workers.map((worker) => worker.next()));
    const won = seen.flatMap((each) => each.won ?? []);
    expect(won).toHaveLength(count);
    expect(new Set(won).size).toBe(count);
    const error = openFence(arena, 8).error as { number: number };
    expect(error.number).toBe(2);
  });

  it('an error that is set keeps it pending, and decides how it ends', async () => {
    const arena = createFenceArena(1);
    const worker = await hire(arena);
    const fence = openFence(arena, 0);
    await worker.tell({ do: 'add callback', fence: 0 });
    expect([fence.setError(3), fence.setError(4), fence.status]).toEqual([true, false, 'pending']);
    expect(fence.signal()).toBe(true);
    expect(await worker.says()).toBe('error');
    expect(fence.error).toMatchObject({ number: 3 });
  });

  it('goes with fences of one thread', async () => {
    const arena = createFenceArena(2);
    const worker = await hire(arena);
    const all = Fence.all([openFence(arena, 0), openFence(arena, 1), new Fence()].slice(0, 2));
    await worker.tell({ do: 'signal', fence: 1 });
    expect(all.status).toBe('pending');
    await worker.tell({ do: 'fail', fence: 0, error: 1 });
    expect(await failureOf(all.wait())).toMatchObject({ number: 1 });
  });

  it('hints at a deadline are seen in all threads', () => {
    const arena = createFenceArena(2);
    const [here, there] = [openFence(arena, 0), openFence(arena, 0)];
    expect(here.deadlineMs).toBe(Number.POSITIVE_INFINITY);
    const atMs = Date.now() + 1000;
    expect(there.hintDeadline(atMs)).toBe(true);
    expect(here.deadlineMs).toBe(atMs);
    expect([here.hintDeadline(atMs + 1), here.hintDeadline(atMs - 500)]).toEqual([false, true]);
    expect(there.deadlineMs).toBe(atMs - 500);
    expect(openFence(arena, 1).deadlineMs).toBe(Number.POSITIVE_INFINITY);
    here.hintDeadline(Number.NEGATIVE_INFINITY);
    expect(there.deadlineMs).toBeLessThan(atMs - 500);
  });

  it('a worker that ends leaves it pending, and a wait with a limit ends', async () => {
    const arena = createFenceArena(1);
    const { worker } = await hire(arena);
    const ended = once(worker, 'exit');
    await worker.terminate();
    await ended;
    const error = await failureOf(openFence(arena, 0).wait({ timeoutMs: 1 }));
    expect(error).toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
  });
});

describe('bad input', () => {
  it.each([0, -1, 1.5, 2 ** 20 + 1, Number.NaN])('an arena of %s fences is refused', (count) => {
    expect(() => createFenceArena(count)).toThrow(RangeError);
  });

  it.each([
    [undefined, 0, TypeError],
    [{}, 0, TypeError],
    [{ kind: 'kds-fences', version: 1, buffer: new ArrayBuffer(64) }, 0, TypeError],
    [{ kind: 'kds-fences', version: 2, buffer: new SharedArrayBuffer(64) }, 0, Error],
    [{ kind: 'kds-fences', version: 1, buffer: new SharedArrayBuffer(4) }, 0, RangeError],
    [createFenceArena(2), 2, RangeError],
    [createFenceArena(2), -1, RangeError],
    [createFenceArena(2), '0', RangeError],
  ])('what is no fence of an arena is refused: %#', (arena, index, kind) => {
    expect(() => openFence(arena as never, index as never)).toThrow(kind);
  });

  it.each([
    ['5', TypeError],
    [new Error('on purpose'), TypeError],
    [0, RangeError],
    [-1, RangeError],
    [1.5, RangeError],
    [2 ** 29 + 1, RangeError],
  ])('what is no number of an error is refused, and changes nothing: %s', (error, kind) => {
    const fence = openFence(createFenceArena(1), 0);
    expect(() => fence.fail(error)).toThrow(kind);
    expect(() => fence.setError(error)).toThrow(kind);
    expect(fence.signal()).toBe(true);
    expect(fence.status).toBe('ok');
  });

  it('time-outs that are none are refused', () => {
    const fence = openFence(createFenceArena(1), 0);
    expect(() => fence.waitSync({ timeoutMs: -1 })).toThrow(RangeError);
    expect(() => fence.waitSync(5 as never)).toThrow(TypeError);
    expect(() => fence.waitSync({ timeoutMs: 0 })).toThrow('not signalled within 0 ms');
  });
});
