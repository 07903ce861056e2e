/** Where the code of 2012 did not do what its documents promised, and this does. */

import { KDS_FLAG_LOCKED_FAIL, KDS_FLAG_LOCKED_IGNORE } from 'kds/classic';
import { describe, expect, it } from 'vitest';
import { exclusive, shared, World } from './world.ts';

describe('a cancelled writer lets the readers behind it through', () => {
  it('at once, if readers hold the resource', () => {
    const world = new World();
    const resource = world.resource();
    world.ask('reader', shared, [resource]);
    const writer = world.ask('writer', exclusive, [resource]);
    world.ask('second reader', shared, [resource]);
    world.ask('third reader', shared, [resource]);
    world.release(writer);
    expect(world.log).toEqual(['reader', 'second reader', 'third reader']);
  });

  it('when the writer ahead releases, if one holds it', () => {
    const world = new World();
    const resource = world.resource();
    const holder = world.ask('holder', exclusive, [resource]);
    const writer = world.ask('writer', exclusive, [resource]);
    world.ask('reader', shared, [resource]);
    world.release(writer);
    expect(world.log).toEqual(['holder']);
    world.release(holder);
    expect(world.log).toEqual(['holder', 'reader']);
  });

  it('a reader that leaves the middle grants nothing early (the repair of later versions)', () => {
    const world = new World();
    const [a, b] = [world.resource(), world.resource()];
    const owner = world.ask('owner of b', exclusive, [b]);
    world.ask('reader of a', shared, [a]);
    const middle = world.ask('middle reader of a', shared, [a]);
    world.ask('reader of a, writer of b', [0b10], [a, b]);
    world.release(middle);
    expect(world.log).toEqual(['owner of b', 'reader of a', 'middle reader of a']);
    world.release(owner);
    expect(world.log.at(-1)).toBe('reader of a, writer of b');
  });
});

describe('a lock count counts synchronous callers, and nobody else', () => {
  it('LOCKED_FAIL is let in after a synchronous use that nobody waited behind', () => {
    const world = new World();
    const resource = world.resource();
    world.release(world.take(exclusive, [resource]));
    const { errno } = world.ask('let in', exclusive, [resource], { flags: KDS_FLAG_LOCKED_FAIL });
    expect(errno).toBe(0);
    expect(world.log).toEqual(['let in']);
  });

  it('LOCKED_FAIL is let in after a synchronous use that was not at the head', () => {
    const world = new World();
    const resource = world.resource();
    world.ask('reader', shared, [resource]);
    const taken = world.take(shared, [resource]);
    world.ask('writer', exclusive, [resource]);
    world.release(taken);
    const { errno } = world.ask('let in', shared, [resource], { flags: KDS_FLAG_LOCKED_FAIL });
    expect(errno).toBe(0);
  });

  it('a reader does not follow one who ignores past an exclusive owner', () => {
    const world = new World();
    const resource = world.resource();
    const owner = world.take(exclusive, [resource]);
    world.ask('ignores', shared, [resource], { flags: KDS_FLAG_LOCKED_IGNORE });
    world.ask('reader', shared, [resource]);
    expect(world.log).toEqual(['ignores']);
    world.release(owner);
    expect(world.log).toEqual(['ignores', 'reader']);
  });
});

describe('a resource twice in a set counts once', () => {
  it('and the set does not wait for itself', () => {
    const world = new World();
    const resource = world.resource();
    world.ask('twice', [0b11], [resource, resource]);
    expect(world.log).toEqual(['twice']);
  });

  it('and exclusive wins, in whatever order', () => {
    for (const bitmap of [0b01, 0b10]) {
      const world = new World();
      const resource = world.resource();
      const twice = world.ask('twice', [bitmap], [resource, resource]);
      world.ask('reader', shared, [resource]);
      expect(world.log).toEqual(['twice']);
      world.release(twice);
      expect(world.log).toEqual(['twice', 'reader']);
    }
  });
});
