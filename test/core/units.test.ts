/** Short stories of resources with a capacity: how many units a set gets, and which. */

import { describe, expect, it } from 'vitest';
import { findFaults, PASS_LOCKED, SYNC } from '../../src/core/index.ts';
import { HEADER_WORDS, SLOT_WORDS, TOP } from '../../src/core/layout.ts';
import { Scene } from './scene.ts';

/** A scene with these capacities. */
function sceneOf(capacities: Readonly<Record<string, number>>): Scene {
  const s = new Scene();
  for (const [name, capacity] of Object.entries(capacities)) s.resize(name, capacity);
  return s;
}

describe('units', () => {
  it('are granted in arrival order while they last: a small set waits behind a big one', () => {
    const s = sceneOf({ a: 3 });
    const holder = s.ask({ units: { a: 2 } });
    const big = s.ask({ units: { a: 3 } });
    const small = s.ask({ shared: ['a'] });
    const next = s.ask({ shared: ['a'] });
    expect([holder, big, small].map((set) => s.isHeld(set))).toEqual([true, false, false]);
    expect(s.end(holder)).toEqual([big]);
    expect(s.end(big)).toEqual([small, next]);
  });

  it('of a waiting set that is cancelled are for those behind it', () => {
    const s = sceneOf({ a: 3 });
    const holder = s.ask({ units: { a: 2 } });
    const big = s.ask({ units: { a: 2 } });
    const small = s.ask({ shared: ['a'] });
    expect(s.end(big)).toEqual([small]);
    expect([s.numbers(holder, 'a'), s.numbers(small, 'a')]).toEqual([[0, 1], [2]]);
  });

  it('of a part let go are for the next set, and the rest is kept', () => {
    const s = sceneOf({ a: 2, b: 2 });
    const holder = s.ask({ units: { a: 2, b: 2 } });
    const ofA = s.ask({ units: { a: 2 } });
    const ofB = s.ask({ shared: ['b'] });
    expect(s.releasePart(holder, ['a'])).toEqual([ofA]);
    expect([s.numbers(ofA, 'a'), s.numbers(holder, 'b')]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(s.end(holder)).toEqual([ofB]);
  });

  it('that are all of a dead holder have the recovered flag, those of others have not', () => {
    const s = sceneOf({ a: 3 });
    s.end(s.ask({ units: { a: 2 } }), { died: true });
    expect(s.isRecovered('a')).toBe(false);
    s.end(s.ask({ units: { a: 3 } }), { died: true });
    expect(s.isRecovered('a')).toBe(true);
    s.end(s.ask({ units: { a: 3 } }));
    expect(s.isRecovered('a')).toBe(false);
  });

  it('are refused where memory has no room for their numbers', () => {
    const wordsOf = (slotCount: number) => HEADER_WORDS + slotCount * SLOT_WORDS;
    for (const [slotCount, isEnough] of [
      [5, false],
      [6, true],
    ] as const) {
      const s = new Scene({ wordsMin: HEADER_WORDS, wordsMax: wordsOf(slotCount) });
      s.resize('a', 2);
      const set = s.ask({ shared: ['a'] });
      expect(set !== 0).toBe(isEnough);
      if (isEnough) expect(s.numbers(set, 'a')).toEqual([0]);
    }
  });

  it('cannot be declared where memory has no room for them', () => {
    const wordsMax = HEADER_WORDS + 2 * SLOT_WORDS;
    const s = new Scene({ wordsMin: HEADER_WORDS, wordsMax });
    expect(s.core.setCapacity(s.ref('a'), 2)).toBe(false);
    expect(s.core.isMetered(s.ref('a'))).toBe(false);
  });
});

describe('numbers of units', () => {
  it('take no slot of a set that is alone, and one each once another set arrives', () => {
    const s = sceneOf({ a: 6, b: 3 });
    const used = (): number => s.memory.words[TOP] as number;
    const before = used();
    const one = s.ask({ units: { a: 2, b: 1 } });
    expect(used() - before).toBe(3 * SLOT_WORDS);
    expect([s.numbers(one, 'a'), s.numbers(one, 'b')]).toEqual([[0, 1], [0]]);
    const two = s.ask({ units: { a: 3 } });
    expect(used() - before).toBe((3 + 2 + 2) * SLOT_WORDS);
    expect([s.numbers(one, 'a'), s.numbers(two, 'a')]).toEqual([
      [0, 1],
      [2, 3, 4],
    ]);
    s.end(one);
    expect(s.numbers(two, 'a')).toEqual([2, 3, 4]);
    expect(s.numbers(s.ask({ units: { a: 3, b: 3 } }), 'a')).toEqual([0, 1, 5]);
  });

  it('of a set that is alone follow its downgrades, its upgrade and its capacity', () => {
    const s = sceneOf({ a: 6 });
    const set = s.ask({ units: { a: 4 } });
    s.downgrade(set, ['a'], 2);
    expect(s.numbers(set, 'a')).toEqual([0, 1]);
    expect(s.upgrade(set)).toBe(true);
    expect(s.numbers(set, 'a')).toEqual([0, 1, 2, 3, 4, 5]);
    s.resize('a', 2);
    expect(s.numbers(set, 'a')).toEqual([0, 1]);
    s.resize('a', 4);
    s.downgrade(set, ['a'], 3);
    const next = s.ask({ shared: ['a'] });
    expect([s.numbers(set, 'a'), s.numbers(next, 'a')]).toEqual([[0, 1, 2], [3]]);
  });

  it('are given once, though more operations come before the grant is taken', () => {
    const s = sceneOf({ a: 2 });
    const holder = s.ask({ exclusive: ['b'] });
    const waiting = s.ask({ units: { a: 2 }, shared: ['b'] });
    const other = s.ask({ exclusive: ['c'] });
    s.core.remove(holder, false);
    s.core.remove(other, false);
    expect(s.numbers(waiting, 'a')).toEqual([0, 1]);
    expect(s.settle()).toEqual([waiting]);
    expect(findFaults(s.memory)).toEqual([]);
  });

  it('are the lowest that are free', () => {
    const s = sceneOf({ a: 6 });
    const [one, two] = [s.ask({ units: { a: 2 } }), s.ask({ shared: ['a'] })];
    expect([s.numbers(one, 'a'), s.numbers(two, 'a')]).toEqual([[0, 1], [2]]);
    s.end(one);
    const three = s.ask({ units: { a: 4 } });
    expect(s.numbers(three, 'a')).toEqual([0, 1, 3, 4]);
    expect(s.numbers(s.ask({ shared: ['a'] }), 'a')).toEqual([5]);
  });

  it('are given once, though a set takes exactly those that have come back', () => {
    const s = sceneOf({ a: 5 });
    const one = s.ask({ units: { a: 2 } });
    s.ask({ shared: ['a'] });
    s.end(one);
    const [two, three] = [s.ask({ units: { a: 2 } }), s.ask({ units: { a: 2 } })];
    expect([s.numbers(two, 'a'), s.numbers(three, 'a')]).toEqual([
      [0, 1],
      [3, 4],
    ]);
  });

  it('come back in any order', () => {
    for (const order of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 0, 1, 3],
      [0, 2, 3, 1],
    ]) {
      const s = sceneOf({ a: 5 });
      const sets = order.map(() => s.ask({ shared: ['a'] }));
      for (const place of order) s.end(sets[place] as number);
      expect(s.numbers(s.ask({ units: { a: 5 } }), 'a')).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it('are those of one resource each, and none of a set that waits', () => {
    const s = sceneOf({ a: 3, b: 3 });
    const one = s.ask({ units: { a: 2, b: 1 } });
    const two = s.ask({ units: { b: 2, a: 1 } });
    expect([s.numbers(one, 'a'), s.numbers(one, 'b')]).toEqual([[0, 1], [0]]);
    expect([s.numbers(two, 'a'), s.numbers(two, 'b')]).toEqual([[2], [1, 2]]);
    const asking = s.ask({ shared: ['a'] });
    expect(s.core.declareHolding(asking, [one])).toEqual([]);
    expect(s.numbers(asking, 'a')).toEqual([]);
    expect(s.resize('a', 2)).toEqual([]);
    expect(s.numbers(one, 'a')).toEqual([0, 1]);
  });

  it('are all that there are for a stealing set, and revoked sets have none any more', () => {
    const s = sceneOf({ a: 3 });
    const holders = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    const waiter = s.ask({ units: { a: 3 } });
    const steal = s.steal(['a']);
    expect([...s.lost].sort()).toEqual([...holders].sort());
    expect(s.numbers(steal, 'a')).toEqual([0, 1, 2]);
    expect(s.end(steal)).toEqual([waiter]);
    expect(s.numbers(waiter, 'a')).toEqual([0, 1, 2]);
  });

  it('are not given to a set that goes without its turn, even if the turn comes', () => {
    const s = sceneOf({ a: 2 });
    const holder = s.ask({ units: { a: 2 } }, SYNC);
    const passing = s.ask({ units: { a: 2 } }, PASS_LOCKED);
    expect([s.isHeld(passing), s.numbers(passing, 'a')]).toEqual([true, []]);
    s.end(holder);
    expect([s.ignored(passing), s.numbers(passing, 'a')]).toEqual([[], []]);
    expect(s.upgrade(passing)).toBe(true);
    expect(s.numbers(passing, 'a')).toEqual([]);
    s.downgrade(passing);
    expect(s.numbers(passing, 'a')).toEqual([]);
  });
});

describe('a downgrade to fewer units', () => {
  it('gives the highest numbers back, and wakes those that fit then', () => {
    const s = sceneOf({ a: 4 });
    const holder = s.ask({ units: { a: 4 } });
    const next = s.ask({ units: { a: 2 } });
    expect(s.downgrade(holder, ['a'], 3)).toEqual([]);
    expect(s.numbers(holder, 'a')).toEqual([0, 1, 2]);
    expect(s.downgrade(holder, ['a'], 2)).toEqual([next]);
    expect([s.numbers(holder, 'a'), s.numbers(next, 'a')]).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('does so where the numbers are in pieces', () => {
    const s = sceneOf({ a: 6 });
    const [one, , three] = [1, 2, 3].map(() => s.ask({ shared: ['a'] })) as [
      number,
      number,
      number,
    ];
    s.end(one);
    s.end(three);
    const set = s.ask({ units: { a: 4 } });
    expect(s.numbers(set, 'a')).toEqual([0, 2, 3, 4]);
    s.downgrade(set, ['a'], 3);
    expect(s.numbers(set, 'a')).toEqual([0, 2, 3]);
    s.downgrade(set);
    expect(s.numbers(set, 'a')).toEqual([0]);
  });

  it('leaves an exclusive set the lowest, also of units that have come since', () => {
    for (const capacity of [3, 4]) {
      const s = sceneOf({ a: 1 });
      const set = s.ask({ exclusive: ['a'] });
      expect(s.numbers(set, 'a')).toEqual([0]);
      s.resize('a', capacity);
      expect(s.numbers(set, 'a')).toHaveLength(capacity);
      s.downgrade(set, ['a'], 3);
      expect(s.numbers(set, 'a')).toEqual([0, 1, 2]);
    }
  });

  it('is refused as a whole where memory is at its end', () => {
    const wordsMax = HEADER_WORDS + 6 * SLOT_WORDS;
    const s = new Scene({ wordsMin: HEADER_WORDS, wordsMax });
    s.resize('a', 4);
    const set = s.ask({ units: { a: 3 } });
    s.ref('b');
    s.core.choose(set, s.refs(['a']), 1);
    expect(s.core.downgrade(set, true, () => 2)).toBe(false);
    s.settle();
    expect(s.numbers(set, 'a')).toEqual([0, 1, 2]);
  });
});

describe('another capacity', () => {
  it('refuses waiting sets that want more units, and takes no grant back', () => {
    const s = sceneOf({ a: 4 });
    const holder = s.ask({ units: { a: 3 } });
    const big = s.ask({ units: { a: 4 } });
    const small = s.ask({ units: { a: 2 } });
    const writer = s.ask({ exclusive: ['a'] });
    expect(s.resize('a', 2)).toEqual([]);
    expect([s.lost, s.isHeld(holder)]).toEqual([[big], true]);
    expect(s.end(holder)).toEqual([small]);
    expect(s.numbers(small, 'a')).toEqual([0, 1]);
    expect(s.end(small)).toEqual([writer]);
  });

  it('grants no set that it refuses, though another one refused was in its way', () => {
    const s = sceneOf({ a: 3 });
    const holder = s.ask({ exclusive: ['b'] });
    const one = s.ask({ exclusive: ['b'], units: { a: 3 } });
    const two = s.ask({ units: { a: 3 } });
    const small = s.ask({ shared: ['a'] });
    expect(s.resize('a', 2)).toEqual([small]);
    expect(s.lost).toEqual([one, two]);
    s.end(holder);
    expect(s.idle).toEqual(['b']);
  });

  it('that is larger grants waiting sets at once', () => {
    const s = sceneOf({ a: 1 });
    s.ask({ shared: ['a'] });
    const waiters = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    const exclusive = s.ask({ exclusive: ['a'] });
    expect(s.resize('a', 3)).toEqual(waiters);
    expect(waiters.map((set) => s.numbers(set, 'a'))).toEqual([[1], [2]]);
    expect(s.isHeld(exclusive)).toBe(false);
  });

  it('leaves an exclusive set alone', () => {
    const s = sceneOf({ a: 2 });
    const holder = s.ask({ exclusive: ['a'] });
    const waiter = s.ask({ shared: ['a'] });
    expect(s.resize('a', 5)).toEqual([]);
    expect(s.end(holder)).toEqual([waiter]);
  });

  it('retires numbers when they are released, and not before', () => {
    const s = sceneOf({ a: 4 });
    const [one, two] = [s.ask({ units: { a: 2 } }), s.ask({ units: { a: 2 } })];
    s.resize('a', 2);
    expect([s.numbers(two, 'a'), s.ignored(two)]).toEqual([[2, 3], ['a']]);
    const next = s.ask({ shared: ['a'] });
    expect(s.end(one)).toEqual([]);
    expect(s.end(two)).toEqual([next]);
    expect(s.numbers(next, 'a')).toEqual([0]);
    s.upgrade(next);
    expect(s.numbers(next, 'a')).toEqual([0, 1]);
    s.downgrade(next);
    s.resize('a', 4);
    expect(s.numbers(s.ask({ units: { a: 3 } }), 'a')).toEqual([1, 2, 3]);
  });

  it('makes numbers units again that a holder kept', () => {
    const s = sceneOf({ a: 2 });
    const [one, two] = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    s.resize('a', 1);
    s.resize('a', 2);
    s.end(one);
    s.end(two);
    expect(s.numbers(s.ask({ exclusive: ['a'] }), 'a')).toEqual([0, 1]);
  });

  it('leaves a waiting set its units, of which some may be retired', () => {
    const s = sceneOf({ a: 3 });
    const holder = s.ask({ exclusive: ['b'] });
    const reserved = s.ask({ exclusive: ['b'], units: { a: 2 } });
    const other = s.ask({ shared: ['a'] });
    s.resize('a', 2);
    expect(s.end(holder)).toEqual([reserved]);
    expect([s.numbers(other, 'a'), s.numbers(reserved, 'a')]).toEqual([[0], [1, 2]]);
    s.end(other);
    s.end(reserved);
    expect(s.numbers(s.ask({ exclusive: ['a'] }), 'a')).toEqual([0, 1]);
  });

  it('makes a set wait for its turn again that stood among the first and was not granted', () => {
    const s = sceneOf({ a: 2 });
    const holder = s.ask({ exclusive: ['b'], shared: ['a'] });
    const waiter = s.ask({ exclusive: ['b'], shared: ['a'] });
    s.resize('a', 1);
    expect(s.releasePart(holder, ['b'])).toEqual([]);
    expect(s.end(holder)).toEqual([waiter]);
  });
});

describe('a link that its set ignores', () => {
  it('is not waited for either when a smaller capacity takes its turn away', () => {
    const s = sceneOf({ a: 3 });
    const ofB = s.ask({ exclusive: ['b'] });
    s.ask({ shared: ['a'] });
    const synchronous = s.ask({ units: { a: 2 } }, SYNC);
    const passing = s.ask({ exclusive: ['b'], units: { a: 2 } }, PASS_LOCKED);
    s.end(synchronous);
    expect(s.ignored(passing)).toEqual([]);
    s.resize('a', 2);
    expect(s.ignored(passing)).toEqual(['a']);
    expect(s.end(ofB)).toEqual([passing]);
    expect(s.numbers(passing, 'a')).toEqual([]);
  });
});

describe('a capacity that a request asserts', () => {
  it('lasts while the resource is in use, and longer once it is declared', () => {
    const s = new Scene();
    expect(s.core.assertCapacity(s.ref('a'), 2)).toBe(true);
    const sets = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })] as const;
    expect([s.core.capacity(s.ref('a')), s.core.isDeclared(s.ref('a'))]).toEqual([2, false]);
    s.end(sets[0]);
    s.core.dropAsserted(s.ref('a'));
    expect(s.core.capacity(s.ref('a'))).toBe(2);
    s.end(sets[1]);
    expect([s.idle, s.core.isMetered(s.ref('a'))]).toEqual([['a'], false]);
    s.core.assertCapacity(s.ref('a'), 2);
    const set = s.ask({ shared: ['a'] });
    s.resize('a', 3);
    s.end(set);
    expect([s.idle, s.core.capacity(s.ref('a'))]).toEqual([[], 3]);
  });
});

describe('an upgrade', () => {
  it('takes all units of a set that is alone, and a downgrade gives them back', () => {
    const s = sceneOf({ a: 3 });
    const set = s.ask({ shared: ['a'] });
    expect(s.upgrade(set)).toBe(true);
    expect(s.numbers(set, 'a')).toEqual([0, 1, 2]);
    const next = s.ask({ shared: ['a'] });
    expect(s.isHeld(next)).toBe(false);
    expect(s.downgrade(set)).toEqual([next]);
    expect([s.numbers(set, 'a'), s.numbers(next, 'a')]).toEqual([[0], [1]]);
  });

  it('is exclusive for any number of units that there may be later', () => {
    const s = sceneOf({ a: 3 });
    const set = s.ask({ shared: ['a'] });
    s.upgrade(set);
    s.resize('a', 5);
    expect(s.isHeld(s.ask({ shared: ['a'] }))).toBe(false);
  });

  it('is denied beside another holder, and then of no part', () => {
    const s = sceneOf({ a: 3, b: 3 });
    const set = s.ask({ shared: ['a', 'b'] });
    const other = s.ask({ shared: ['b'] });
    expect(s.upgrade(set)).toBe(false);
    expect(s.isHeld(s.ask({ shared: ['a'] }))).toBe(true);
    expect(s.upgrade(set, ['b'])).toBe(false);
    s.end(other);
    expect(s.upgrade(set, ['b'])).toBe(true);
  });

  it('is denied beside a holder that a smaller capacity has no room for', () => {
    const s = sceneOf({ a: 2 });
    const [one, two] = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    s.resize('a', 1);
    expect([s.upgrade(one), s.upgrade(two)]).toEqual([false, false]);
    s.end(two);
    const waiter = s.ask({ shared: ['a'] });
    expect(s.upgrade(one)).toBe(true);
    expect(s.downgrade(one)).toEqual([]);
    expect(s.end(one)).toEqual([waiter]);
  });
});

describe('an observer of units', () => {
  it('waits until they are free, whatever comes later', () => {
    const s = sceneOf({ a: 3 });
    const holder = s.ask({ units: { a: 2 } });
    const ofOne = s.observe({ shared: ['a'] });
    const ofTwo = s.observe({ units: { a: 2 } });
    const ofAll = s.observe({ exclusive: ['a'] });
    expect([ofOne, ofTwo, ofAll].map((set) => s.isHeld(set))).toEqual([true, false, false]);
    const later = [s.ask({ shared: ['a'] }), s.ask({ units: { a: 3 } })];
    expect(s.downgrade(holder)).toEqual([ofTwo]);
    expect(s.end(holder)).toEqual([ofAll]);
    expect(s.end(later[0] as number)).toEqual([later[1]]);
  });

  it('waits for older sets that wait, as they are ahead of it', () => {
    const s = sceneOf({ a: 3 });
    const holders = [s.ask({ units: { a: 2 } }), s.ask({ shared: ['a'] })] as const;
    const big = s.ask({ units: { a: 3 } });
    const observer = s.observe({ shared: ['a'] });
    expect(s.end(holders[1])).toEqual([]);
    const late = s.observe({ shared: ['a'] });
    expect([observer, late].map((set) => s.isHeld(set))).toEqual([false, false]);
    expect(s.end(holders[0])).toEqual([big]);
    expect(s.end(big)).toEqual([observer, late]);
  });

  it('does not wait for another observer, which wants more', () => {
    const s = sceneOf({ a: 3 });
    const holders = [s.ask({ units: { a: 2 } }), s.ask({ shared: ['a'] })] as const;
    const ofThree = s.observe({ units: { a: 3 } });
    const ofOne = s.observe({ shared: ['a'] });
    expect(s.end(holders[1])).toEqual([ofOne]);
    expect(s.end(holders[0])).toEqual([ofThree]);
  });

  it('is done when there are enough of them', () => {
    const s = sceneOf({ a: 1 });
    const holder = s.ask({ shared: ['a'] });
    const observer = s.observe({ shared: ['a'] });
    expect(s.resize('a', 2)).toEqual([observer]);
    s.end(holder);
  });
});

describe('a cycle through units', () => {
  it('is no deadlock while another holder is free to end', () => {
    const s = sceneOf({ a: 2 });
    const [held, free] = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    expect(s.end(free)).toEqual([other]);
    expect(s.end(other)).toEqual([asking]);
  });

  it('is one when all holders are kept', () => {
    const s = sceneOf({ a: 2 });
    const held = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    const cycle = s.core.declareHolding(asking, held) ?? [];
    expect(cycle.slice(0, 2)).toEqual([asking, other]);
    expect(held).toContain(cycle[2]);
    s.end(asking);
  });

  it('is one when too few units are free to end', () => {
    const s = sceneOf({ a: 4 });
    const [held, free] = [s.ask({ units: { a: 2 } }), s.ask({ units: { a: 2 } })];
    const other = s.ask({ exclusive: ['b'], units: { a: 3 } });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, other, held]);
    s.end(asking);
    s.end(free);
  });

  it('is found where the kept grant has got numbers since it was declared', () => {
    const s = sceneOf({ a: 2 });
    const kept = s.ask({ shared: ['a'] });
    const held = s.ask({ exclusive: ['b'] });
    const waiting = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(waiting, [kept])).toEqual([]);
    expect(s.upgrade(kept)).toBe(true);
    const asking = s.ask({ shared: ['a'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, kept, waiting, held]);
    s.end(asking);
  });

  it('is no deadlock when a kept grant is let go by a set that plays out first', () => {
    const s = sceneOf({ a: 2 });
    const [held, kept] = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    const last = s.ask({ exclusive: ['c'] });
    const keeper = s.ask({ exclusive: ['c'] });
    expect(s.core.declareHolding(keeper, [kept])).toEqual([]);
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    expect([s.end(last), s.end(keeper), s.end(kept)]).toEqual([[keeper], [], [other]]);
    expect(s.end(other)).toEqual([asking]);
  });

  it('is no deadlock when units pass from one waiting set to the next', () => {
    const s = sceneOf({ a: 2 });
    const [held, free] = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    const first = s.ask({ shared: ['a'] });
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    expect([s.end(free), s.end(first), s.end(other)]).toEqual([[first], [other], [asking]]);
  });

  it('is one behind a big set that waits, though a small one would fit', () => {
    const s = sceneOf({ a: 2 });
    const held = s.ask({ shared: ['a'] });
    s.ask({ shared: ['a'] });
    s.ask({ units: { a: 2 } });
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, other, held]);
    s.end(asking);
  });

  it('is one behind a set that takes the units which become free, and waits for more', () => {
    const s = sceneOf({ a: 2 });
    const held = [s.ask({ shared: ['a'] }), s.ask({ exclusive: ['d'] })] as const;
    s.ask({ shared: ['a'] });
    s.ask({ exclusive: ['d'], shared: ['a'] });
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, held)).toEqual([asking, other, held[0]]);
    s.end(asking);
  });

  it('is one though a holder ends that a smaller capacity has no room for', () => {
    const s = sceneOf({ a: 2 });
    const held = s.ask({ shared: ['a'] });
    s.ask({ shared: ['a'] });
    s.resize('a', 1);
    const other = s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, other, held]);
    s.end(asking);
  });

  it('is no deadlock when such a holder ends before another one', () => {
    const s = sceneOf({ a: 3 });
    const [held, kept] = [s.ask({ shared: ['a'] }), s.ask({ shared: ['a'] })];
    s.ask({ shared: ['a'] });
    s.resize('a', 2);
    s.ask({ exclusive: ['c'] });
    const keeper = s.ask({ exclusive: ['c'] });
    expect(s.core.declareHolding(keeper, [kept])).toEqual([]);
    s.ask({ exclusive: ['b'], shared: ['a'] });
    const asking = s.ask({ exclusive: ['b', 'c'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    s.settle();
  });

  it('is no deadlock for a link that its set ignores', () => {
    const s = sceneOf({ a: 2 });
    s.ask({ exclusive: ['q'] }, SYNC);
    const held = s.ask({ shared: ['a'] });
    s.ask({ shared: ['a'] });
    s.ask({ exclusive: ['b', 'q'], shared: ['a'] }, PASS_LOCKED);
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    s.settle();
  });

  it('is one though it is the turn of a link that its set ignores', () => {
    const s = sceneOf({ a: 1 });
    s.ask({ exclusive: ['q'] }, SYNC);
    const held = s.ask({ shared: ['a'] });
    const other = s.ask({ exclusive: ['b', 'q'], shared: ['a'] }, PASS_LOCKED);
    const asking = s.ask({ exclusive: ['b', 'q'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, other, held]);
    s.end(asking);
  });

  it('is found through a kept grant that a resize has numbered again', () => {
    const s = sceneOf({ a: 1 });
    const held = s.ask({ shared: ['a'] });
    const last = s.ask({ exclusive: ['c'] });
    const keeper = s.ask({ exclusive: ['c'] });
    expect(s.core.declareHolding(keeper, [held])).toEqual([]);
    s.resize('a', 1);
    const asking = s.ask({ shared: ['a'] });
    expect(s.core.declareHolding(asking, [last])).toEqual([asking, held, keeper, last]);
    s.end(asking);
  });

  it('is named without the sets that play out', () => {
    const s = sceneOf({ a: 2 });
    const held = [s.ask({ shared: ['a'] }), s.ask({ exclusive: ['d'] })] as const;
    const free = s.ask({ shared: ['a'] });
    s.ask({ exclusive: ['b'], shared: ['a'] });
    const stuck = s.ask({ exclusive: ['c', 'd'] });
    const asking = s.ask({ exclusive: ['c', 'b'] });
    expect(s.core.declareHolding(asking, held)).toEqual([asking, stuck, held[1]]);
    s.end(asking);
    s.end(free);
  });
});
