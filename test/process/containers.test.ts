/** The host's small containers, by themselves. */

import { describe, expect, it } from 'vitest';
import { Registry } from '../../src/backends/process/registry.ts';
import { Fifo } from '../../src/runtime/fifo.ts';

describe('a Fifo', () => {
  it('gives what came first, however it is filled and emptied', () => {
    const fifo = new Fifo<number>();
    let pushed = 0;
    let shifted = 0;
    for (const [pushes, shifts] of [
      [1, 2],
      [3000, 1500],
      [10, 1200],
      [5000, 5309],
      [2, 0],
    ] as const) {
      for (let count = 0; count < pushes; count++) fifo.push(pushed++);
      for (let count = 0; count < shifts; count++) {
        const item = fifo.shift();
        if (shifted < pushed) expect(item).toBe(shifted++);
        else expect(item).toBe(undefined);
      }
      expect(fifo.size).toBe(pushed - shifted);
    }
  });
});

describe('a Registry', () => {
  it('names objects by small numbers from 1, and uses those again', () => {
    const registry = new Registry<{ readonly name: string }>();
    const tags = ['a', 'b', 'c'].map((name) => registry.add({ name }));
    expect(tags).toEqual([1, 2, 3]);
    registry.delete(1);
    registry.delete(3);
    expect(registry.count).toBe(1);
    expect(registry.values()).toEqual([{ name: 'b' }]);
    expect([registry.add({ name: 'd' }), registry.add({ name: 'e' })].sort()).toEqual([1, 3]);
    expect(registry.add({ name: 'f' })).toBe(4);
    expect(registry.get(2)).toEqual({ name: 'b' });
  });

  it('forgets all', () => {
    const registry = new Registry<object>();
    registry.add({});
    registry.delete(registry.add({}));
    registry.clear();
    expect([registry.count, registry.values(), registry.add({})]).toEqual([0, [], 1]);
  });
});
