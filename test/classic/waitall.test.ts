import { InvalidSetError, WaitTimeoutError } from 'kds';
import { HZ, KDS_FLAG_LOCKED_FAIL, KDS_WAIT_BLOCKING } from 'kds/classic';
import { describe, expect, it } from 'vitest';
import { exclusive, shared, World } from './world.ts';

describe('kds_waitall', () => {
  it('returns the set, to be released through a pointer', () => {
    const world = new World();
    const [a, b] = [world.resource(), world.resource()];
    const rset = { value: world.kds.kds_waitall(2, [0b01], [a, b], KDS_WAIT_BLOCKING) };
    expect(rset.value).not.toBeNull();
    world.ask('writer of a', exclusive, [a]);
    world.ask('reader of b', shared, [b]);
    expect(world.log).toEqual(['reader of b']);
    world.release(rset);
    expect(rset.value).toBeNull();
    expect(world.log).toEqual(['reader of b', 'writer of a']);
  });

  it('returns null if it is not granted in time, and leaves no trace', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', shared, [resource]);
    for (const jiffies of [0, HZ, 3600 * HZ]) {
      expect(world.kds.kds_waitall(1, exclusive, [resource], jiffies)).toBeNull();
    }
    expect(world.ask('reader', shared, [resource], { flags: KDS_FLAG_LOCKED_FAIL }).errno).toBe(0);
    expect(world.log).toEqual(['holder', 'reader']);
    world.release(holder);
  });

  it('does not overtake those who wait', () => {
    const world = new World();
    const resource = world.resource();
    world.ask('reader', shared, [resource]);
    world.ask('writer', exclusive, [resource]);
    expect(world.kds.kds_waitall(1, shared, [resource], 0)).toBeNull();
  });

  it('without a time-out it never returns null: where nobody can wait, it throws', () => {
    const world = new World();
    const resource = world.resource();
    world.ask('holder', exclusive, [resource]);
    const wait = (): unknown => world.kds.kds_waitall(1, shared, [resource], KDS_WAIT_BLOCKING);
    expect(wait).toThrow(WaitTimeoutError);
  });

  it('checks its list, its bitmap and its time-out as others do', () => {
    const { kds } = new World();
    const list = [{}];
    kds.kds_resource_init(list[0] as object);
    expect(() => kds.kds_waitall(1, [], list, 0)).toThrow(InvalidSetError);
    expect(() => kds.kds_waitall(2, [0], list, 0)).toThrow(InvalidSetError);
    expect(() => kds.kds_waitall(1, [0], [{}], 0)).toThrow(InvalidSetError);
    expect(() => kds.kds_waitall(1, [0], list, -1)).toThrow(RangeError);
    expect(() => kds.kds_waitall(1, [0], list, Number.NaN)).toThrow(RangeError);
    expect(kds.kds_resource_term(list[0] as object)).toBe(0);
  });
});
