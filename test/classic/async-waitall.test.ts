import { DomainClosedError, InvalidSetError, setSizeMax } from 'kds';
import {
  EBUSY,
  ENOMEM,
  KDS_FLAG_LOCKED_ACTION,
  KDS_FLAG_LOCKED_FAIL,
  KDS_FLAG_LOCKED_IGNORE,
  KDS_FLAG_LOCKED_WAIT,
  type kds_bitmap,
  type kds_callback,
  type kds_resource_set_pointer,
} from 'kds/classic';
import { describe, expect, it } from 'vitest';
import { exclusive, shared, World } from './world.ts';

describe('kds_async_waitall', () => {
  it('returns 0 for what is granted at once and for what waits', () => {
    const world = new World();
    const resource = world.resource();
    expect(world.ask('first', exclusive, [resource]).errno).toBe(0);
    expect(world.ask('second', exclusive, [resource]).errno).toBe(0);
    expect(world.log).toEqual(['first']);
  });

  it('takes all of a list at one moment, and holds none of it while it waits', () => {
    const world = new World();
    const [a, b] = [world.resource(), world.resource()];
    const holder = world.ask('holder of b', exclusive, [b]);
    const both = world.ask('both', [0b11], [a, b]);
    world.release(both);
    world.ask('a', exclusive, [a]);
    world.release(holder);
    expect(world.log).toEqual(['holder of b', 'a']);
  });

  it('the flags have the values of kds.h', () => {
    expect(KDS_FLAG_LOCKED_FAIL).toBe(0);
    expect(KDS_FLAG_LOCKED_IGNORE).toBe(1);
    expect(KDS_FLAG_LOCKED_WAIT).toBe(2);
    expect(KDS_FLAG_LOCKED_ACTION).toBe(3);
  });

  it('flags that choose no action are refused', () => {
    const world = new World();
    for (const flags of [3, 4, -1, 0.5, Number.NaN, '0' as never]) {
      expect(() => world.ask('nobody', shared, [world.resource()], { flags })).toThrow(RangeError);
    }
    expect(world.log).toEqual([]);
  });

  it('LOCKED_FAIL returns -EBUSY while a synchronous caller holds one of the resources', () => {
    const world = new World();
    const [a, b] = [world.resource(), world.resource()];
    const taken = world.take(shared, [b]);
    const refused = world.ask('refused', [0], [a, b], { flags: KDS_FLAG_LOCKED_FAIL });
    expect(refused.errno).toBe(-EBUSY);
    expect(refused.value).toBeNull();
    expect(world.kds.kds_resource_term(a)).toBe(0);
    world.release(taken);
    const entered = world.ask('let in', exclusive, [b], { flags: KDS_FLAG_LOCKED_FAIL });
    expect(entered.errno).toBe(0);
    expect(world.log).toEqual(['let in']);
  });

  it('LOCKED_FAIL waits like any where nobody synchronous is in the way', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    world.ask('waiter', exclusive, [resource], { flags: KDS_FLAG_LOCKED_FAIL });
    expect(world.log).toEqual(['holder']);
    world.release(holder);
    expect(world.log).toEqual(['holder', 'waiter']);
  });

  it('LOCKED_IGNORE goes past a synchronous caller, and others wait for both', () => {
    const world = new World();
    const resource = world.resource();
    const taken = world.take(exclusive, [resource]);
    const past = world.ask('past', exclusive, [resource], { flags: KDS_FLAG_LOCKED_IGNORE });
    world.ask('behind', exclusive, [resource]);
    expect(world.log).toEqual(['past']);
    world.release(taken);
    expect(world.log).toEqual(['past']);
    world.release(past);
    expect(world.log).toEqual(['past', 'behind']);
  });

  it('LOCKED_WAIT waits for a synchronous caller like for any', () => {
    const world = new World();
    const resource = world.resource();
    const taken = world.take(exclusive, [resource]);
    world.ask('waiter', exclusive, [resource], { flags: KDS_FLAG_LOCKED_WAIT });
    expect(world.log).toEqual([]);
    world.release(taken);
    expect(world.log).toEqual(['waiter']);
  });

  it('more resources than a set may have return -ENOMEM', () => {
    const world = new World();
    const list = Array.from({ length: setSizeMax + 1 }, () => ({}));
    const resource = world.resource();
    list.fill(resource);
    const bitmap = new Uint32Array(Math.ceil(list.length / 32));
    const refused = world.ask('refused', bitmap, list);
    expect(refused.errno).toBe(-ENOMEM);
    expect(refused.value).toBeNull();
    expect(world.kds.kds_resource_term(resource)).toBe(0);
  });

  it('an empty list is granted at once', () => {
    const world = new World();
    expect(world.ask('nothing', [], []).errno).toBe(0);
    expect(world.log).toEqual(['nothing']);
  });

  it('only the first number_resources of a list are taken', () => {
    const world = new World();
    const list = [world.resource(), {}];
    const rset = { value: null };
    world.kds.kds_async_waitall(rset, 2, world.direct, 'first', null, 1, exclusive, list);
    expect(world.log).toEqual(['first']);
  });
});

describe('pprset', () => {
  it('points to the set before a direct callback runs', () => {
    const world = new World();
    const seen: unknown[] = [];
    const cb: kds_callback<kds_resource_set_pointer, null> = {};
    world.kds.kds_callback_init(cb, true, (own) => seen.push(own.value));
    const rset: kds_resource_set_pointer = { value: null };
    const list = [world.resource()];
    world.kds.kds_async_waitall(rset, 2, cb, rset, null, 1, exclusive, list);
    expect(seen).toEqual([rset.value]);
    expect(seen[0]).not.toBeNull();
  });

  it('stays null when the callback has released the set before the call returns', () => {
    const world = new World();
    const resource = world.resource();
    const cb: kds_callback<kds_resource_set_pointer, null> = {};
    world.kds.kds_callback_init(cb, true, (own) => world.release(own));
    const rset: kds_resource_set_pointer = { value: null };
    world.kds.kds_async_waitall(rset, 2, cb, rset, null, 1, exclusive, [resource]);
    expect(rset.value).toBeNull();
    expect(world.kds.kds_resource_term(resource)).toBe(0);
  });

  it('is as it was when the call returns an error or throws', () => {
    const world = new World();
    const resource = world.resource();
    const rset = world.take(exclusive, [resource]);
    const before = rset.value;
    const ask = (bitmap: kds_bitmap): number =>
      world.kds.kds_async_waitall(rset, 0, world.direct, '', null, 1, bitmap, [resource]);
    expect(ask(exclusive)).toBe(-EBUSY);
    expect(rset.value).toBe(before);
    expect(() => ask([])).toThrow(InvalidSetError);
    expect(rset.value).toBe(before);
  });

  it('is checked', () => {
    const { kds, direct } = new World();
    for (const pointer of [null, undefined, 0, {}] as never[]) {
      const ask = (): number => kds.kds_async_waitall(pointer, 2, direct, '', null, 0, [], []);
      expect(ask).toThrow(TypeError);
    }
  });
});

describe('exclusive_access_bitmap', () => {
  /** Which of `count` resources are exclusive: those that a reader cannot have as well. */
  const exclusiveOnes = (count: number, bitmap: kds_bitmap): number[] => {
    const world = new World();
    const list = world.resources(count);
    world.ask('owner', bitmap, list);
    return list.flatMap((resource, index) =>
      world.take(shared, [resource]).value === null ? [index] : [],
    );
  };

  it('bit i of the words is resource i', () => {
    expect(exclusiveOnes(3, [0b101])).toEqual([0, 2]);
    expect(exclusiveOnes(70, [1 << 31, 1, 0x20])).toEqual([31, 32, 69]);
    expect(exclusiveOnes(70, Uint32Array.of(2 ** 31, 1, 0x20))).toEqual([31, 32, 69]);
  });

  it('bit i of a bigint is resource i', () => {
    expect(exclusiveOnes(70, (1n << 31n) | (1n << 32n) | (1n << 69n))).toEqual([31, 32, 69]);
    expect(exclusiveOnes(33, 0n)).toEqual([]);
  });

  it('bits beyond the list are ignored', () => {
    expect(exclusiveOnes(2, [0xffff_ffff, 7])).toEqual([0, 1]);
    expect(exclusiveOnes(1, 0xffn)).toEqual([0]);
  });

  it('one that is shorter than the list is refused, and never taken for shared', () => {
    const world = new World();
    const list = world.resources(33);
    expect(() => world.ask('nobody', [1], list)).toThrow(InvalidSetError);
    expect(() => world.ask('nobody', new Uint32Array(1), list)).toThrow('too short for 33');
    expect(() => world.ask('nobody', [], list.slice(0, 1))).toThrow(InvalidSetError);
    expect(world.log).toEqual([]);
    for (const resource of list) expect(world.kds.kds_resource_term(resource)).toBe(0);
  });

  it('what is no bitmap is refused', () => {
    const world = new World();
    const resource = world.resource();
    const bad = [
      -1n,
      [0.5],
      [2 ** 32],
      [undefined],
      ['1'],
      Uint8Array.of(1),
      new BigUint64Array(1),
      null,
      1,
    ];
    for (const bitmap of bad as kds_bitmap[]) {
      expect(() => world.ask('nobody', bitmap, [resource])).toThrow(InvalidSetError);
    }
  });
});

describe('resource_list', () => {
  it('one that is shorter than number_resources is refused', () => {
    const world = new World();
    const list = world.resources(1);
    for (const count of [2, -1, 0.5, Number.NaN]) {
      const rset = { value: null };
      const ask = (): number =>
        world.kds.kds_async_waitall(rset, 2, world.direct, '', null, count, [0], list);
      expect(ask).toThrow(InvalidSetError);
    }
  });

  it('a resource that is not initialised, ended, or of another domain is refused', () => {
    const world = new World();
    const ended = world.resource();
    world.kds.kds_resource_term(ended);
    for (const resource of [{}, ended, new World().resource(), null as never]) {
      expect(() => world.ask('nobody', shared, [resource])).toThrow(InvalidSetError);
    }
  });

  it('no list at all, and no callback at all, throw', () => {
    const world = new World();
    expect(() => world.ask('nobody', shared, null as never)).toThrow(TypeError);
    expect(() => world.ask('nobody', shared, [], { cb: null as never })).toThrow(TypeError);
    expect(() => world.ask('nobody', shared, [], { cb: {} })).toThrow('not initialised');
  });

  it('a closed domain throws, as C has no errno for it', async () => {
    const world = new World();
    const list = world.resources(1);
    await world.domain.close();
    expect(() => world.ask('nobody', shared, list)).toThrow(DomainClosedError);
  });
});
