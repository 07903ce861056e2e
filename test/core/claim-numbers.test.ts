/** Numbers of units that a server restores, in memory that has lost them. */

import { describe, expect, it } from 'vitest';
import {
  begin,
  Core,
  claimNumbers,
  endOfSlots,
  findFaults,
  layJournal,
  Memory,
  type NumberRange,
  numbersIn,
  restoreCapacity,
  rollBack,
} from '../../src/core/index.ts';
import { HEADER_WORDS, SLOT_WORDS, TOP } from '../../src/core/layout.ts';

function linkOf(core: Core, resource: number, units: number): number {
  const set = core.enqueue([resource], 0, 1, 0, 0, 0, [units]);
  return core.firstLink(set);
}

function claimed(core: Core, resource: number, ...ranges: readonly NumberRange[]): number {
  const count = ranges.reduce((sum, [, each]) => sum + each, 0);
  const link = linkOf(core, resource, count);
  expect(claimNumbers(core, link, ranges)).toBe(true);
  expect(findFaults(core.memory)).toEqual([]);
  return link;
}

function poolOf(capacity: number): { core: Core; pool: number } {
  const core = new Core(new Memory());
  const pool = core.createResource(0);
  core.setCapacity(pool, capacity);
  return { core, pool };
}

describe('claimed numbers', () => {
  it('are exactly those that a grant had, and the others stay free', () => {
    const { core, pool } = poolOf(8);
    const first = claimed(core, pool, [2, 1], [5, 2]);
    const second = claimed(core, pool, [3, 1]);
    const next = linkOf(core, pool, 4);
    expect(numbersIn(core.ranges(first))).toEqual([2, 5, 6]);
    expect(core.ranges(second)).toEqual([[3, 1]]);
    expect(core.ranges(next)).toEqual([
      [0, 2],
      [4, 1],
      [7, 1],
    ]);
    for (const link of [first, second, next]) core.remove(core.setOf(link), false);
    expect(findFaults(core.memory)).toEqual([]);
    expect(numbersIn(core.ranges(linkOf(core, pool, 8)))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('are refused if another grant has one, or they are not as many as the units', () => {
    const { core, pool } = poolOf(8);
    claimed(core, pool, [2, 2]);
    const link = linkOf(core, pool, 2);
    for (const ranges of [
      [[3, 2]],
      [[1, 2]],
      [[4, 1]],
      [[4, 3]],
      [
        [0, 1],
        [2, 1],
      ],
    ]) {
      expect(claimNumbers(core, link, ranges as unknown as NumberRange[])).toBe(false);
      expect(findFaults(core.memory)).toEqual([]);
      expect(core.ranges(link)).toEqual([[0, 2]]);
    }
    expect(claimNumbers(core, link, [[4, 2]])).toBe(true);
  });

  it('of an exclusive grant are all units that there are', () => {
    const { core, pool } = poolOf(3);
    const link = core.firstLink(core.enqueue([pool], 1, 1, 0, 0, 0));
    expect(core.ranges(link)).toEqual([[0, 3]]);
  });

  it('are random ones, each of one grant only', () => {
    const { core, pool } = poolOf(64);
    const free = Array.from({ length: 64 }, (_, number) => number);
    let seed = 7;
    while (free.length > 0) {
      seed = (seed * 48271) % 2147483647;
      const [number] = free.splice(seed % free.length, 1) as [number];
      expect(numbersIn(core.ranges(claimed(core, pool, [number, 1])))).toEqual([number]);
    }
  });

  it('need memory, and leave nothing behind where it is missing', () => {
    const wordsMax = HEADER_WORDS + 7 * SLOT_WORDS;
    const core = new Core(new Memory({ wordsMin: wordsMax, wordsMax }));
    const pool = core.createResource(0);
    core.setCapacity(pool, 8);
    const link = linkOf(core, pool, 2);
    expect(claimNumbers(core, link, [[2, 2]])).toBe(false);
    expect(numbersIn(core.ranges(link))).toEqual([0, 1]);
    expect(findFaults(core.memory)).toEqual([]);
  });

  it('are taken back with the operation that they belong to', () => {
    const memory = new Memory({ wordsMin: 2 ** 12 });
    const core = new Core(memory);
    const end = endOfSlots(memory.words.length);
    memory.end = end;
    layJournal(memory.words, end);
    const pool = core.createResource(0);
    core.setCapacity(pool, 8);
    const link = linkOf(core, pool, 2);
    // Slots in use: those behind may hold anything.
    const before = memory.words.slice(HEADER_WORDS, memory.words[TOP]);
    begin(memory.words);
    expect(
      claimNumbers(core, link, [
        [3, 1],
        [6, 1],
      ]),
    ).toBe(true);
    rollBack(memory.words);
    expect(memory.words.slice(HEADER_WORDS, memory.words[TOP])).toEqual(before);
    expect(numbersIn(core.ranges(link))).toEqual([0, 1]);
  });
});

describe('a restored capacity', () => {
  it('is the greatest one, and forgotten with its last set unless it was declared', () => {
    const core = new Core(new Memory());
    const pool = core.createResource(0);
    for (const capacity of [4, 6, 2]) restoreCapacity(core, pool, capacity, false);
    expect(core.capacity(pool)).toBe(6);
    const set = core.setOf(claimed(core, pool, [5, 1]));
    expect(restoreCapacity(core, pool, 3, true)).toBe(true);
    expect([core.capacity(pool), core.isDeclared(pool)]).toEqual([6, true]);
    restoreCapacity(core, pool, 8, false);
    expect([core.capacity(pool), core.isDeclared(pool)]).toEqual([8, true]);
    core.remove(set, false);
    expect(core.isMetered(pool)).toBe(true);
    const other = core.createResource(0);
    restoreCapacity(core, other, 2, false);
    core.remove(core.setOf(claimed(core, other, [1, 1])), false);
    expect(core.isMetered(other)).toBe(false);
    expect(findFaults(core.memory)).toEqual(['list 12 is not empty']);
  });

  it('is in force where a set without numbers is already', () => {
    const core = new Core(new Memory());
    const pool = core.createResource(0);
    const shared = core.firstLink(core.enqueue([pool], 0, 1, 0, 0, 0));
    restoreCapacity(core, pool, 2, false);
    claimed(core, pool, [0, 1]);
    expect(core.ranges(shared)).toEqual([]);
    expect(core.isGranted(core.setOf(linkOf(core, pool, 1)))).toBe(false);
    expect(findFaults(core.memory)).toEqual([]);
  });
});
