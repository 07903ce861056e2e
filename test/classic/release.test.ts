import type { kds_callback, kds_resource_set_pointer } from 'kds/classic';
import { describe, expect, it } from 'vitest';
import { exclusive, shared, World } from './world.ts';

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('kds_resource_set_release', () => {
  it('nulls the pointer, before any callback runs', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    const cb: kds_callback<kds_resource_set_pointer, null> = {};
    const seen: unknown[] = [];
    world.kds.kds_callback_init(cb, true, (of) => seen.push(of.value));
    const own = { value: null };
    world.kds.kds_async_waitall(own, 2, cb, holder, null, 1, exclusive, [resource]);
    world.release(holder);
    expect(seen).toEqual([null]);
  });

  it('of null, or a second time, does nothing', () => {
    const world = new World();
    const resource = world.resource();
    world.release({ value: null });
    const holder = world.ask('holder', exclusive, [resource]);
    world.release(holder);
    const next = world.ask('next', exclusive, [resource]);
    world.release(holder);
    world.ask('last', exclusive, [resource]);
    expect(world.log).toEqual(['holder', 'next']);
    world.release(next);
    expect(world.log).toEqual(['holder', 'next', 'last']);
  });

  it('through a copy of the pointer does nothing more (scenario 3 of kds.txt)', () => {
    const world = new World();
    const resource = world.resource();
    const rset = world.ask('first', exclusive, [resource]);
    const copy = { value: rset.value };
    world.release(rset);
    world.ask('second', exclusive, [resource]);
    world.release(copy);
    world.ask('third', exclusive, [resource]);
    expect(world.log).toEqual(['first', 'second']);
    expect(copy.value).toBeNull();
  });

  it('of a set that waits cancels it: its callback never runs', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    const waiter = world.ask('waiter', exclusive, [resource]);
    world.ask('last', exclusive, [resource]);
    world.release(waiter);
    expect(waiter.value).toBeNull();
    world.release(holder);
    expect(world.log).toEqual(['holder', 'last']);
  });

  it('a release that races with the grant: granted, released, never reported', async () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    const waiter = world.ask('waiter', exclusive, [resource], { cb: world.queued });
    world.ask('last', exclusive, [resource]);
    world.release(holder);
    world.release(waiter);
    expect(world.log).toEqual(['holder', 'last']);
    await soon();
    expect(world.log).toEqual(['holder', 'last']);
  });

  it('a release that races with the grant: reported first, and then released once', async () => {
    const world = new World();
    const resource = world.resource();
    const waiter = world.ask('waiter', exclusive, [resource], { cb: world.queued });
    await soon();
    world.release(waiter);
    world.release(waiter);
    expect(world.log).toEqual(['waiter']);
    expect(world.kds.kds_resource_term(resource)).toBe(0);
  });

  it('one direct callback may cancel another that the same release granted', () => {
    const world = new World();
    const resource = world.resource();
    const cb: kds_callback<kds_resource_set_pointer, null> = {};
    world.kds.kds_callback_init(cb, true, (of) => {
      world.log.push('canceller');
      world.release(of);
    });
    const holder = world.ask('holder', exclusive, [resource]);
    const victim: kds_resource_set_pointer = { value: null };
    const own: kds_resource_set_pointer = { value: null };
    const list = [resource];
    world.kds.kds_async_waitall(own, 2, cb, victim, null, 1, shared, list);
    world.kds.kds_async_waitall(victim, 2, world.direct, 'victim', null, 1, shared, list);
    world.release(holder);
    expect(world.log).toEqual(['holder', 'canceller']);
    world.release(own);
    expect(world.kds.kds_resource_term(resource)).toBe(0);
  });

  it('what is no pointer to a set throws', () => {
    const world = new World();
    for (const pointer of [null, undefined, {}, { value: {} }, { value: undefined }] as never[]) {
      expect(() => world.release(pointer)).toThrow(TypeError);
    }
  });

  it('of a set whose domain was closed does nothing', async () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    const waiter = world.ask('waiter', exclusive, [resource]);
    await world.domain.close();
    world.release(holder);
    world.release(waiter);
    expect(world.log).toEqual(['holder']);
  });
});
