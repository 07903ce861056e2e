/** Memory: it grows while it may, refuses without a trace, and is given back. */

import { describe, expect, it } from 'vitest';
import { Core, findFaults, Memory } from '../../src/core/index.ts';
import { Scene } from './scene.ts';

const smallest = 16;

describe('memory', () => {
  it('grows from its smallest size, and no set loses its position', () => {
    const s = new Scene({ wordsMin: smallest });
    const holder = s.ask({ exclusive: ['a'] });
    const waiters = Array.from({ length: 500 }, () => s.ask({ shared: ['a', 'b'] }));
    expect(s.end(holder)).toEqual(waiters);
  });

  it('is never more than its limit: what does not fit is refused, and nothing has happened', () => {
    const wordsMax = smallest + 7 * 8;
    const s = new Scene({ wordsMin: smallest, wordsMax });
    const holder = s.ask({ exclusive: ['a', 'b'] });
    const waiter = s.ask({ exclusive: ['a'] });
    const before = s.memory.words.slice();
    expect(before.length).toBe(wordsMax);
    expect(s.ask({ exclusive: ['a'] })).toBe(0);
    expect(s.ask({})).toBe(0);
    expect(s.observe({ exclusive: ['a'] })).toBe(0);
    expect(s.steal(['a'])).toBe(0);
    expect(s.core.declareHolding(waiter, [holder])).toBe(undefined);
    expect(s.core.createResource(0)).toBe(0);
    expect(s.memory.words).toEqual(before);
    expect(s.end(holder)).toEqual([waiter]);
    expect(s.isHeld(s.ask({ exclusive: ['b'] }))).toBe(true);
  });

  it('is copied as it is, and the copy stays so', () => {
    const s = new Scene({ wordsMin: smallest });
    const holder = s.ask({ exclusive: ['a'] });
    const waiter = s.ask({ shared: ['a', 'b'] });
    const copy = s.core.copy();
    expect(copy.sets()).toEqual([holder, waiter]);
    s.end(holder);
    s.ask({ exclusive: ['c'] });
    expect([holder, waiter].map((set) => copy.isGranted(set))).toEqual([true, false]);
    expect(s.isHeld(waiter)).toBe(true);
    expect(copy.sets()).toEqual([holder, waiter]);
    expect(findFaults(copy.memory)).toEqual([]);
  });

  it('that the system does not have is refused like what is beyond the limit', () => {
    const memory = new Memory({ wordsMax: 2 ** 40 });
    const { words } = memory;
    expect(memory.grow(2 ** 38)).toBe(false);
    expect(memory.words).toBe(words);
    expect(memory.grow(2 ** 12)).toBe(true);
  });

  it('uses again what has been freed before it grows', () => {
    const s = new Scene();
    const size = () => s.memory.words.length;
    s.end(s.ask({ exclusive: ['a', 'b', 'c'] }));
    const before = size();
    for (let count = 0; count < 10_000; count++) {
      const set = s.core.enqueue(s.refs(['a', 'b', 'c']), 2, 3, 0, 0, 0);
      s.core.remove(set, false);
      while (s.core.takeIdle() !== 0);
    }
    expect(size()).toBe(before);
  });

  it('is given back after a burst, and tokens go on growing', () => {
    const memory = new Memory();
    const core = new Core(memory);
    const wordsBefore = memory.words.length;
    const resource = core.createResource(0);
    const sets: number[] = [];
    for (let count = 0; count < 2000; count++) sets.push(core.enqueue([resource], 0, 1, 0, 0, 0));
    const token = core.token(sets.at(-1) ?? 0);
    for (const set of sets) core.remove(set, false);
    expect(core.takeIdle()).toBe(resource);
    core.destroyResource(resource);
    core.reset();
    expect(memory.words.length).toBe(wordsBefore);
    expect(findFaults(memory)).toEqual([]);
    const again = core.enqueue([core.createResource(0)], 1, 1, 0, 0, 0);
    expect(core.token(again)).toBeGreaterThan(token);
    expect(sets.some((set) => core.isHeld(set, token))).toBe(false);
    expect(findFaults(memory)).toEqual([]);
  });

  it('laid out by one core is worked on by another', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a'] });
    const waiter = s.ask({ exclusive: ['a'] });
    const other = new Core(s.memory);
    other.remove(holder, false);
    expect(other.takeGranted()).toBe(waiter);
    expect(findFaults(s.memory)).toEqual([]);
  });
});
