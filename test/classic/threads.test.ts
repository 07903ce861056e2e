/** Drivers in several threads, which share the resources in their buffers, as those of 2012 do. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createDomain, InvalidSetError, ResourceBusyError } from 'kds';
import {
  classic,
  ERESTARTSYS,
  ERR_PTR,
  IS_ERR,
  KDS_FLAG_LOCKED_WAIT,
  type kds_callback,
  PTR_ERR,
} from 'kds/classic';
import { createArena, openThreadsDomain } from 'kds/threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from '../threads/bundle.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./classic-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

/** Two buffers held by this thread, and another driver that waits for them in its own. */
async function waitingDriver() {
  const arena = createArena();
  const domain = openThreadsDomain(arena);
  const kds = classic(domain);
  const buffers = [{ kds: {} }, { kds: {} }];
  const list = buffers.map((buffer) => buffer.kds);
  for (const resource of list) kds.kds_resource_init(resource);
  const held = { value: kds.kds_waitall(2, [0b10], list, 0) };
  const worker = new Worker(bundle.path, { workerData: arena });
  workers.push(worker);
  const [{ agent }] = await once(worker, 'message');
  const answer = once(worker, 'message').then(([message]) => message as unknown);
  worker.postMessage(buffers);
  while ((await domain.query()).pending.length < 1) await new Promise(setImmediate);
  return { domain, kds, list, held, agent: agent as number, answer };
}

describe('a resource of several threads', () => {
  it('goes with its buffer to another thread, and is the same there', async () => {
    const { domain, kds, list, held, answer } = await waitingDriver();
    expect(() => kds.kds_resource_term(list[0] as object)).toThrow(ResourceBusyError);
    kds.kds_resource_set_release(held);
    expect(await answer).toEqual({ owned: 2 });
    for (const resource of list) expect(kds.kds_resource_term(resource)).toBe(0);
    await domain.close();
  });

  it('kds_waitall returns ERR_PTR(-ERESTARTSYS) where another thread interrupts it', async () => {
    const { domain, kds, held, agent, answer } = await waitingDriver();
    expect(domain.interrupt(agent)).toBe(true);
    expect(await answer).toEqual({ errno: -ERESTARTSYS });
    expect((await domain.query()).pending).toEqual([]);
    kds.kds_resource_set_release(held);
    await domain.close();
  });

  it('is the same in two domains of one arena, and of no other one', async () => {
    const arena = createArena();
    const [one, two] = [openThreadsDomain(arena), openThreadsDomain(arena)];
    const others = [openThreadsDomain(createArena()), createDomain()];
    const resource = {};
    classic(one).kds_resource_init(resource);
    const held = { value: classic(one).kds_waitall(1, [1], [resource], 0) };
    expect(classic(two).kds_waitall(1, [1], [resource], 0)).toBeNull();
    for (const other of others) {
      const wait = () => classic(other).kds_waitall(1, [1], [resource], 0);
      expect(wait).toThrow(InvalidSetError);
    }
    classic(one).kds_resource_set_release(held);
    classic(one).kds_resource_term(resource);
    await Promise.all([one, two, ...others].map((domain) => domain.close()));
  });

  it('a copy is the same, also for a callback', () => {
    const kds = classic(createDomain());
    const resource = {};
    kds.kds_resource_init(resource);
    const copy = structuredClone(resource);
    const held = { value: kds.kds_waitall(1, [1], [copy], 0) };
    const log: string[] = [];
    const cb: kds_callback<string, null> = {};
    kds.kds_callback_init(cb, true, (name) => log.push(name));
    const rset = { value: null };
    kds.kds_async_waitall(rset, KDS_FLAG_LOCKED_WAIT, cb, 'granted', null, 1, [1], [resource]);
    expect(log).toEqual([]);
    kds.kds_resource_set_release(held);
    expect(log).toEqual(['granted']);
    kds.kds_resource_set_release(rset);
    expect(kds.kds_resource_term(copy)).toBe(0);
    expect(() => kds.kds_resource_init({ waiters: 7 } as never)).toThrow(TypeError);
  });
});

describe('error pointers', () => {
  it('have a negative errno, and are no sets', () => {
    const kds = classic(createDomain());
    const pointer = ERR_PTR(-ERESTARTSYS);
    expect(IS_ERR(pointer)).toBe(true);
    expect(PTR_ERR(pointer)).toBe(-512);
    expect(() => kds.kds_resource_set_release({ value: pointer })).toThrow('is an error, -512');
    expect(IS_ERR(null)).toBe(false);
    expect(() => PTR_ERR(null)).toThrow(TypeError);
    const rset = { value: kds.kds_waitall(0, [], [], 0) };
    expect(IS_ERR(rset.value)).toBe(false);
    expect(() => PTR_ERR(rset.value)).toThrow(TypeError);
    kds.kds_resource_set_release(rset);
    for (const none of [0, 1, -4096, 0.5, Number.NaN]) {
      expect(() => ERR_PTR(none)).toThrow(RangeError);
    }
  });
});
