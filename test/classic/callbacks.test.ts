import { ResourceBusyError } from 'kds';
import { KDS_FLAG_LOCKED_WAIT, type kds_callback } from 'kds/classic';
import { describe, expect, it } from 'vitest';
import { exclusive, shared, World } from './world.ts';

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('kds_callback_init and kds_callback_term', () => {
  it('a callback gets both of its parameters, by identity', () => {
    const { kds } = new World();
    const resource = {};
    kds.kds_resource_init(resource);
    const cb: kds_callback<object, object> = {};
    const seen: object[] = [];
    expect(kds.kds_callback_init(cb, 1, (one, other) => seen.push(one, other))).toBe(0);
    const [one, other] = [{}, {}];
    const rset = { value: null };
    kds.kds_async_waitall(rset, KDS_FLAG_LOCKED_WAIT, cb, one, other, 1, exclusive, [resource]);
    expect(seen[0]).toBe(one);
    expect(seen[1]).toBe(other);
  });

  it('a direct callback runs inside the call that causes the grant', () => {
    const world = new World();
    const resource = world.resource();
    const first = world.ask('first', exclusive, [resource]);
    expect(world.log).toEqual(['first']);
    world.ask('second', exclusive, [resource]);
    expect(world.log).toEqual(['first']);
    world.release(first);
    expect(world.log).toEqual(['first', 'second']);
  });

  it('a queued callback runs inside nobody’s call', async () => {
    const world = new World();
    const resource = world.resource();
    const first = world.ask('first', exclusive, [resource], { cb: world.queued });
    expect(world.log).toEqual([]);
    await soon();
    world.ask('second', exclusive, [resource], { cb: world.queued });
    world.release(first);
    expect(world.log).toEqual(['first']);
    await soon();
    expect(world.log).toEqual(['first', 'second']);
  });

  it('sets granted by one release are reported in arrival order', () => {
    const world = new World();
    const [a, b] = [world.resource(), world.resource()];
    const holder = world.ask('holder', [0b11], [a, b]);
    for (const name of ['1', '2', '3']) world.ask(name, shared, [name === '2' ? b : a]);
    world.release(holder);
    expect(world.log).toEqual(['holder', '1', '2', '3']);
  });

  it('a chain of direct callbacks that each release needs no stack', () => {
    const world = new World();
    const resource = world.resource();
    const cb: kds_callback<{ value: null }, null> = {};
    let count = 0;
    world.kds.kds_callback_init(cb, true, (own) => {
      count++;
      world.release(own);
    });
    const holder = world.ask('holder', exclusive, [resource]);
    for (let index = 0; index < 20_000; index++) {
      const own = { value: null };
      world.kds.kds_async_waitall(own, 2, cb, own, null, 1, exclusive, [resource]);
    }
    world.release(holder);
    expect(count).toBe(20_000);
  });

  it('ending a callback runs what is due at once, and no request is taken with it any more', () => {
    const world = new World();
    const resource = world.resource();
    world.ask('due', exclusive, [resource], { cb: world.queued });
    world.kds.kds_callback_term(world.queued);
    expect(world.log).toEqual(['due']);
    expect(() => world.ask('late', shared, [resource], { cb: world.queued })).toThrow(TypeError);
  });

  it('a callback with requests that wait does not end', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    const waiter = world.ask('waiter', exclusive, [resource], { cb: world.queued });
    expect(() => world.kds.kds_callback_term(world.queued)).toThrow(ResourceBusyError);
    world.release(waiter);
    world.kds.kds_callback_term(world.queued);
    world.release(holder);
    expect(world.log).toEqual(['holder']);
  });

  it('an ended callback can be initialised again', () => {
    const world = new World();
    const { kds, direct, log } = world;
    kds.kds_callback_term(direct);
    kds.kds_callback_init(direct, true, (name) => log.push(`${name}, again`));
    world.ask('owner', exclusive, [world.resource()]);
    expect(log).toEqual(['owner, again']);
  });

  it('initialising twice, ending twice and what is no function or callback throw', () => {
    const { kds, direct } = new World();
    expect(() => kds.kds_callback_init(direct, true, () => {})).toThrow('initialised already');
    kds.kds_callback_term(direct);
    expect(() => kds.kds_callback_term(direct)).toThrow('not initialised');
    expect(() => kds.kds_callback_term(undefined as never)).toThrow(TypeError);
    expect(() => kds.kds_callback_init(null as never, true, () => {})).toThrow(TypeError);
    expect(() => kds.kds_callback_init({}, true, 'no function' as never)).toThrow(TypeError);
  });
});
