/**
 * The short operations: when they are done, when not, and what is left of one whose thread ends
 * between any two of its writes. That they do what the usual ones do is compared in model/pair.ts.
 */

import { describe, expect, it } from 'vitest';
import {
  ALL,
  Core,
  dropIntent,
  endOfSlots,
  enqueueFree,
  findFaults,
  isOpen,
  layJournal,
  Memory,
  recordArrival,
  recordEnd,
  removeAlone,
  rollBack,
  SYNC,
} from '../../src/core/index.ts';
import * as L from '../../src/core/layout.ts';
import { failing } from './failing-words.ts';

const wordCount = 1024;
const userData = 7;

interface World {
  readonly memory: Memory;
  readonly core: Core;
  readonly a: number;
  readonly b: number;
}

class SharedMemory extends Memory {
  override readonly intents = { recordArrival, recordEnd, dropIntent };
}

/** Two resources that are kept, and slots that have been used before. */
function createWorld({ isShared = false } = {}): World {
  const size = { wordsMin: wordCount, wordsMax: wordCount };
  const memory = isShared ? new SharedMemory(size) : new Memory(size);
  if (isShared) {
    memory.end = endOfSlots(wordCount);
    layJournal(memory.words, memory.end);
  }
  const core = new Core(memory);
  const [a, b] = [core.createResource(1), core.createResource(2)];
  for (const resource of [a, b]) core.keep(resource, true);
  // Two sets, so that there are enough of them for an annex and a set.
  const [held, waiting] = [1, 2].map(() => core.enqueue([a, b], 2, 2, 0, userData, 0));
  core.remove(waiting as number, false);
  core.remove(held as number, false);
  return { memory, core, a, b };
}

describe('a short arrival', () => {
  it.each([
    ['a resource that is held', ({ core, a }: World) => void core.enqueue([a], 0, 1, 0, 0, 0)],
    [
      'a resource that another set waits for',
      ({ core, b }: World) => {
        core.enqueue([b], 1, 1, 0, 0, 0);
        core.enqueue([b], 1, 1, 0, 0, 0);
      },
    ],
    ['a capacity that is asserted', ({ core, b }: World) => void core.assertCapacity(b, 3)],
    [
      'a resource that is observed',
      ({ core, b }: World) => {
        const holder = core.enqueue([b], 1, 1, 0, 0, 0);
        core.observe([b], 1, 1, 0);
        core.downgrade(holder, false);
        core.enqueue([b], 0, 1, 0, 0, 0);
      },
    ],
    [
      'a flag of recovery anywhere',
      ({ core, b }: World) => core.remove(core.enqueue([b], 1, 1, 0, 0, 0), true),
    ],
    [
      'an operation with a journal',
      ({ memory }: World) => memory.words.fill(1000, L.JOURNAL, L.JOURNAL + 1),
    ],
    [
      'no slots that were used before',
      ({ memory }: World) => memory.words.fill(0, L.FREE, L.FREE + 1),
    ],
  ])('is left to the usual one with %s', (_, prepare) => {
    const world = createWorld();
    prepare(world);
    const before = world.memory.words.slice();
    expect(enqueueFree(world.core.memory, world.a, world.b, ALL, ALL, 0, userData, 0)).toBe(0);
    expect(world.memory.words).toEqual(before);
  });

  it('takes the first units of a declared capacity, and gives them back', () => {
    const { core, memory, a, b } = createWorld();
    core.setCapacity(a, 3);
    core.remove(core.enqueue([a, b], 0, 2, 0, userData, 0), false);
    const before = memory.words.slice();
    const set = enqueueFree(memory, a, b, 2, 1, 0, userData, 0);
    expect(core.ranges(core.firstLink(set))).toEqual([[0, 2]]);
    const other = core.enqueue([a], 0, 1, 0, 0, 0, [1]);
    expect(core.ranges(core.firstLink(other))).toEqual([[2, 1]]);
    expect(core.ranges(core.firstLink(set))).toEqual([[0, 2]]);
    core.remove(other, false);
    expect(findFaults(memory)).toEqual([]);
    expect(removeAlone(memory, set, core.token(set), userData)).toBe(false);
    core.remove(set, false);
    const again = enqueueFree(memory, a, b, 2, 1, 0, userData, 0);
    expect(removeAlone(memory, again, core.token(again), userData)).toBe(true);
    expect(findFaults(memory)).toEqual([]);
    expect(memory.words.slice(a, a + 8)).toEqual(before.slice(a, a + 8));
  });

  it('needs as many free slots as it takes', () => {
    const { core, memory, a, b } = createWorld();
    const w = memory.words;
    const second = w[(w[L.FREE] as number) | L.CHAIN] as number;
    w[second | L.CHAIN] = L.NOBODY;
    expect(enqueueFree(core.memory, a, b, ALL, ALL, 0, userData, 0)).toBe(0);
    expect(enqueueFree(core.memory, a, a, ALL, ALL, 0, userData, 0)).not.toBe(0);
  });
});

describe('a short end', () => {
  const both = ({ core, a, b }: World): number =>
    enqueueFree(core.memory, a, b, ALL, 1, SYNC, userData, 0);

  it.each([
    [
      'a set that waits behind it',
      (world: World) => void world.core.enqueue([world.b], 1, 1, 0, 0, 0),
    ],
    ['an observer', (world: World) => void world.core.observe([world.a], 1, 1, 0)],
    [
      'a resource that is to be dropped when it is idle',
      ({ core, b }: World) => core.keep(b, false),
    ],
    [
      'a set whose caller keeps it while it waits',
      ({ core }: World, set: number) => {
        const other = core.createResource(3);
        core.enqueue([other], 1, 1, 0, 0, 0);
        core.declareHolding(core.enqueue([other], 1, 1, 0, 0, 0), [set]);
      },
    ],
    [
      'an operation with a journal',
      ({ memory }: World) => memory.words.fill(1000, L.JOURNAL, L.JOURNAL + 1),
    ],
  ])('is left to the usual one with %s', (_, prepare) => {
    const world = createWorld();
    const set = both(world);
    prepare(world, set);
    const before = world.memory.words.slice();
    expect(removeAlone(world.core.memory, set, world.core.token(set), userData)).toBe(false);
    expect(world.memory.words).toEqual(before);
  });

  it('is of this grant only', () => {
    const world = createWorld();
    const { core, a, b } = world;
    const set = both(world);
    const token = core.token(set);
    expect(removeAlone(core.memory, set, token, userData + 1)).toBe(false);
    expect(removeAlone(core.memory, set, token, userData)).toBe(true);
    expect(removeAlone(core.memory, set, token, userData)).toBe(false);
    const next = enqueueFree(core.memory, a, b, ALL, 1, 0, userData, 0);
    expect(next).toBe(set);
    expect(removeAlone(core.memory, set, token, userData)).toBe(false);
    expect(core.isHeld(set, core.token(next))).toBe(true);
  });
});

/** The words but for the clock and the journal, and but for what a free slot holds. */
function stateOf({ words: w }: Memory): readonly number[] {
  const state = [...w.subarray(0, w[L.TOP])];
  state.fill(0, L.CLOCK, L.CLOCK + 2);
  state.fill(0, L.JOURNAL, L.JOURNAL_OPERATION + 1);
  for (let slot = w[L.FREE] as number; slot !== 0; slot = w[slot | L.CHAIN] as number) {
    const kind = (w[slot | L.FLAGS] as number) & L.KIND;
    state[slot | L.FLAGS] = kind === L.SET || kind === L.RESOURCE ? kind : 0;
    state.fill(0, slot + L.CHAIN + 1, slot + L.SLOT_WORDS);
  }
  return state;
}

describe.each([
  ['two resources', true, SYNC, ALL],
  ['one resource', false, SYNC, ALL],
  ['two resources, asynchronously', true, 0, ALL],
  ['units and another resource', true, SYNC, 2],
  ['units', false, 0, 2],
])('a thread that ends in a short operation on %s', (_, isPair, bits, firstUnits) => {
  function createScene(): World {
    const world = createWorld({ isShared: true });
    const { core, a, b } = world;
    if (firstUnits !== ALL) core.setCapacity(a, 3);
    core.remove(core.enqueue([a, b], 0, 2, 0, userData, 0), false);
    return world;
  }

  /**
   * Runs an operation that ends at its write of this number, is settled by a thread that ends too,
   * and again by one that does not. False once there is no such write.
   */
  function diesAt(count: number, world: World, operation: (core: Core) => unknown): boolean {
    const { memory } = world;
    const { words } = memory;
    memory.words = failing(words, count);
    try {
      operation(world.core);
      return false;
    } catch {
      return true;
    } finally {
      memory.words = words;
      for (let at = 0; isOpen(words); at++) {
        try {
          rollBack(failing(words, at));
        } catch {}
      }
    }
  }

  it('has not arrived', () => {
    let count = 0;
    for (let hasDied = true; hasDied; count++) {
      const world = createScene();
      const { core, memory, a, b } = world;
      const before = stateOf(memory);
      const ask = (): number =>
        enqueueFree(core.memory, a, isPair ? b : a, firstUnits, 1, bits, userData, 0);
      hasDied = diesAt(count, world, ask);
      expect(findFaults(memory)).toEqual([]);
      if (hasDied && core.sets().length === 0) expect(stateOf(memory)).toEqual(before);
      if (!hasDied) expect(core.sets()).toHaveLength(1);
    }
    expect(count).toBeGreaterThan(20);
  });

  it('has ended', () => {
    let count = 0;
    for (let hasDied = true; hasDied; count++) {
      const world = createScene();
      const { core, memory, a, b } = world;
      const before = stateOf(memory);
      const set = enqueueFree(core.memory, a, isPair ? b : a, firstUnits, 1, bits, userData, 0);
      const token = core.token(set);
      hasDied = diesAt(count, world, () => removeAlone(core.memory, set, token, userData));
      expect(findFaults(memory)).toEqual([]);
      if (core.isHeld(set, token)) core.remove(set, false);
      expect(findFaults(memory)).toEqual([]);
      expect(stateOf(memory)).toEqual(before);
    }
    expect(count).toBeGreaterThan(15);
  });
});
