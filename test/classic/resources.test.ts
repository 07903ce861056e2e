import { ResourceBusyError } from 'kds';
import type { kds_resource } from 'kds/classic';
import { describe, expect, it } from 'vitest';
import { exclusive, World } from './world.ts';

describe('kds_resource_init and kds_resource_term', () => {
  it('a resource is part of whatever it stands for', () => {
    const world = new World();
    const buffer = { pixels: new Uint8Array(4), kds: {} };
    world.kds.kds_resource_init(buffer.kds);
    world.ask('owner', exclusive, [buffer.kds]);
    expect(world.log).toEqual(['owner']);
  });

  it('an unused resource ends with 0, and can be initialised again', () => {
    const world = new World();
    const resource = world.resource();
    expect(world.kds.kds_resource_term(resource)).toBe(0);
    world.kds.kds_resource_init(resource);
    world.ask('owner', exclusive, [resource]);
    expect(world.log).toEqual(['owner']);
  });

  it('a resource that is held or waited for does not end, and stays what it was', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    expect(() => world.kds.kds_resource_term(resource)).toThrow(ResourceBusyError);
    const waiter = world.ask('waiter', exclusive, [resource]);
    world.release(holder);
    expect(() => world.kds.kds_resource_term(resource)).toThrow(ResourceBusyError);
    world.release(waiter);
    expect(world.log).toEqual(['holder', 'waiter']);
    expect(world.kds.kds_resource_term(resource)).toBe(0);
  });

  it('each resource is its own', () => {
    const world = new World();
    world.ask('one', exclusive, [world.resource()]);
    world.ask('other', exclusive, [world.resource()]);
    expect(world.log).toEqual(['one', 'other']);
  });

  it('initialising twice, ending twice and ending what is none throw', () => {
    const { kds } = new World();
    const resource: kds_resource = {};
    expect(() => kds.kds_resource_term(resource)).toThrow('not initialised');
    kds.kds_resource_init(resource);
    expect(() => kds.kds_resource_init(resource)).toThrow('initialised already');
    kds.kds_resource_term(resource);
    expect(() => kds.kds_resource_term(resource)).toThrow('not initialised');
    expect(() => kds.kds_resource_init(null as never)).toThrow(TypeError);
    expect(() => kds.kds_resource_term(7 as never)).toThrow(TypeError);
  });
});
