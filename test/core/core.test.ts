/** What core promises its hosts, beyond the rule itself (model/ and random-runs.test.ts). */

import { describe, expect, it } from 'vitest';
import { GRANTED, HAS_DETAILS, SYNC } from '../../src/core/index.ts';
import { CLOCK } from '../../src/core/layout.ts';
import { Scene } from './scene.ts';

describe('grants', () => {
  it('are reported in arrival order, though one queue hands over before the other', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a', 'b', 'c'] });
    const waiters = [['c'], ['b'], ['a']].map((exclusive) => s.ask({ exclusive }));
    expect(s.end(holder)).toEqual(waiters);
    const tokens = waiters.map((set) => s.core.token(set));
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
  });

  it('and the next ones are in order again after some that were not', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a', 'b'] });
    const one = s.ask({ exclusive: ['b'] });
    const two = s.ask({ exclusive: ['a'] });
    s.end(holder);
    const three = s.ask({ exclusive: ['a'] });
    expect(s.end(two)).toEqual([three]);
    expect(s.end(one)).toEqual([]);
  });

  it('have tokens that go on growing where 32 bits end', () => {
    const s = new Scene();
    s.memory.doubles[CLOCK >> 1] = 2 ** 31 - 3;
    const sets = Array.from({ length: 6 }, () => s.ask({ shared: ['a'] }));
    const tokens = sets.map((set) => s.core.token(set));
    expect(tokens).toEqual(tokens.map((_, index) => 2 ** 31 - 2 + index));
    expect(sets.every((set) => s.core.isHeld(set, s.core.token(set)))).toBe(true);
    const writer = s.ask({ exclusive: ['a'] });
    for (const set of sets) s.end(set);
    expect(s.core.token(writer)).toBeGreaterThan(Math.max(...tokens));
  });

  it('are released once: a token of an ended one does not end the next set', () => {
    const s = new Scene();
    const one = s.ask({ exclusive: ['a'] });
    const token = s.core.token(one);
    const waiter = s.ask({ exclusive: ['a'] });
    expect(s.core.isHeld(one, token)).toBe(true);
    expect(s.end(one)).toEqual([waiter]);
    expect(s.core.isHeld(one, token)).toBe(false);
    const again = s.ask({});
    expect(again).toBe(one);
    expect(s.core.isHeld(again, token)).toBe(false);
    expect(s.isHeld(again)).toBe(true);
  });

  it('of an empty set are given at once', () => {
    const s = new Scene();
    const set = s.ask({});
    expect(s.isHeld(set)).toBe(true);
    expect(s.end(set)).toEqual([]);
  });
});

describe('a mistake of the backend is refused before it does harm', () => {
  it('a set cannot end twice', () => {
    const s = new Scene();
    const set = s.ask({ exclusive: ['a'] });
    s.end(set);
    expect(() => s.core.remove(set, false)).toThrow('only live sets end');
    expect(s.settle()).toEqual([]);
  });

  it('a resource in use cannot end', () => {
    const s = new Scene();
    const set = s.ask({ shared: ['a'] });
    expect(() => s.core.destroyResource(s.ref('a'))).toThrow('only idle resources end');
    s.end(set);
    s.core.destroyResource(s.ref('a'));
    expect(() => s.core.destroyResource(s.ref('a'))).toThrow('only idle resources end');
    s.settle();
  });

  it('a set that was not lost cannot be forgotten', () => {
    const s = new Scene();
    const set = s.ask({ shared: ['a'] });
    expect(() => s.core.forget(set)).toThrow('only lost sets are forgotten');
  });

  it('a part that the set does not have is not chosen, and leaves nothing chosen', () => {
    const s = new Scene();
    const set = s.ask({ exclusive: ['a', 'b'] });
    expect(s.core.choose(set, s.refs(['a', 'c']), 2)).toBe(false);
    expect(s.core.choose(set, s.refs(['a', 'a']), 2)).toBe(true);
    s.core.removeChosen(set);
    s.settle();
    expect(s.idle).toEqual(['a']);
  });
});

describe('idle resources', () => {
  it('are reported when the last set has left', () => {
    const s = new Scene();
    const one = s.ask({ shared: ['a', 'b'] });
    const two = s.ask({ shared: ['b'] });
    s.end(one);
    expect(s.idle).toEqual(['a']);
    s.end(two);
    expect(s.idle).toEqual(['b']);
  });

  it('are not reported while they have a recovered flag, which is for the next holder', () => {
    const s = new Scene();
    s.end(s.ask({ exclusive: ['a'] }), { died: true });
    expect(s.idle).toEqual([]);
    const next = s.ask({ exclusive: ['a'] });
    expect(s.core.state(next)).toBe(GRANTED | HAS_DETAILS);
    s.end(next);
    expect(s.idle).toEqual(['a']);
    expect(s.core.state(s.ask({ exclusive: ['a'] }))).toBe(GRANTED);
  });

  it('are not reported while the backend keeps them', () => {
    const s = new Scene();
    s.core.keep(s.ref('a'), true);
    s.end(s.ask({ exclusive: ['a'] }));
    expect(s.idle).toEqual([]);
    s.core.keep(s.ref('a'), false);
    s.end(s.ask({ exclusive: ['a'] }));
    expect(s.idle).toEqual(['a']);
  });
});

describe('a declared capacity', () => {
  it('is that of the resource, and ends with it', () => {
    const s = new Scene();
    expect(s.core.setCapacity(s.ref('a'), 4)).toBe(true);
    expect(s.core.capacity(s.ref('a'))).toBe(4);
    s.core.destroyResource(s.ref('a'));
    expect(s.settle()).toEqual([]);
  });

  it('keeps the resource while no set uses it, unless a request asserted it', () => {
    const s = new Scene();
    s.core.setCapacity(s.ref('a'), 4);
    s.end(s.ask({ shared: ['a'] }));
    expect([s.idle, s.core.isDeclared(s.ref('a'))]).toEqual([[], true]);
    s.core.assertCapacity(s.ref('b'), 4);
    s.end(s.ask({ shared: ['b'] }));
    expect([s.idle, s.core.isMetered(s.ref('b'))]).toEqual([['b'], false]);
  });
});

describe('recovered flags', () => {
  it('are set by the death of an exclusive holder, not of a reader or a waiter', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a'], shared: ['b'] });
    s.end(s.ask({ exclusive: ['a', 'b'] }), { died: true });
    expect([s.isRecovered('a'), s.isRecovered('b')]).toEqual([false, false]);
    s.end(holder, { died: true });
    expect([s.isRecovered('a'), s.isRecovered('b')]).toEqual([true, false]);
  });

  it('are cleared by an exclusive holder that releases, downgrades or lets go of the part', () => {
    const s = new Scene();
    for (const name of ['a', 'b', 'c', 'd']) s.end(s.ask({ exclusive: [name] }), { died: true });
    s.end(s.ask({ shared: ['a'] }));
    expect(s.isRecovered('a')).toBe(true);
    s.end(s.ask({ exclusive: ['a'] }));
    s.downgrade(s.ask({ exclusive: ['b', 'd'] }), ['b']);
    s.releasePart(s.ask({ exclusive: ['c'] }), ['c']);
    expect(['a', 'b', 'c', 'd'].map((name) => s.isRecovered(name))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it('of a revoked holder are reported to the set that steals', () => {
    const s = new Scene();
    s.ask({ exclusive: ['a'] });
    const steal = s.steal(['a']);
    expect(s.core.state(steal)).toBe(GRANTED | HAS_DETAILS);
    expect(s.isRecovered('a')).toBe(true);
  });

  it('of a steal are reported to a set that it has already granted, too', () => {
    const s = new Scene();
    s.ask({ shared: ['q', 's'] });
    const waiter = s.ask({ exclusive: ['q'], shared: ['r'] }, SYNC);
    const passing = s.core.enqueue(s.refs(['r', 't']), 1, 2, 1, 0, 0);
    expect(s.isHeld(passing)).toBe(true);
    s.core.steal(s.refs(['t', 's']), 2, 0, 0);
    expect(s.settle()).toEqual([waiter]);
    expect(s.isRecovered('r')).toBe(true);
    expect(s.core.state(waiter)).toBe(GRANTED | HAS_DETAILS);
  });
});

describe('a set that steals', () => {
  it('takes its resources from all holders, before waiting sets', () => {
    const s = new Scene();
    const readers = [s.ask({ shared: ['a', 'b'] }), s.ask({ shared: ['a'] })];
    const waiter = s.ask({ exclusive: ['a'] });
    const writer = s.ask({ exclusive: ['b'] });
    const steal = s.steal(['a']);
    expect([...s.lost].sort()).toEqual([...readers].sort());
    expect([s.isHeld(steal), s.isHeld(writer), s.isHeld(waiter)]).toEqual([true, true, false]);
    expect(s.end(steal)).toEqual([waiter]);
  });

  it('makes a waiting set wait for it that stood first there and was not granted yet', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['b'] });
    const waiter = s.ask({ exclusive: ['a', 'b'] });
    const steal = s.steal(['a']);
    expect(s.lost).toEqual([]);
    expect(s.end(holder)).toEqual([]);
    expect(s.end(steal)).toEqual([waiter]);
  });

  it('arrives before all, and a later one before it', () => {
    const s = new Scene();
    const sets = [s.steal(['a']), s.steal(['b']), s.ask({ exclusive: ['c'] })];
    const [first = 0, second = 0, last = 0] = sets.map((set) => s.core.arrival(set));
    expect([second < first, first < 0, last > 0]).toEqual([true, true, true]);
  });
});

describe('an observer', () => {
  it('waits for what is there when it comes, and for nobody who comes later', () => {
    const s = new Scene();
    const reader = s.ask({ shared: ['a'] });
    const writer = s.ask({ exclusive: ['a'] });
    const ofReaders = s.observe({ exclusive: ['a'] });
    const ofWriters = s.observe({ shared: ['a'] });
    const late = s.ask({ exclusive: ['a'] });
    expect(s.end(reader)).toEqual([writer]);
    expect(s.end(writer)).toEqual([ofReaders, ofWriters, late]);
  });

  it("is in nobody's way, and can stop", () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a', 'b'] });
    const observer = s.observe({ exclusive: ['a', 'b'] });
    const next = s.ask({ exclusive: ['a'] });
    expect(s.core.isObserver(observer)).toBe(true);
    expect(s.end(observer)).toEqual([]);
    expect(s.end(holder)).toEqual([next]);
  });

  it('of readers is done when a writer downgrades', () => {
    const s = new Scene();
    const writer = s.ask({ exclusive: ['a'] });
    const observer = s.observe({ shared: ['a'] });
    expect(s.downgrade(writer)).toEqual([observer]);
  });
});

describe('a cycle', () => {
  it('of one who holds and one who waits is named, beginning with the last', () => {
    const s = new Scene();
    const held = s.ask({ exclusive: ['a'] });
    const other = s.ask({ exclusive: ['a', 'b'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, other, held]);
    s.end(asking);
    expect(s.end(held)).toEqual([other]);
  });

  it('is none while nobody in it waits for the next', () => {
    const s = new Scene();
    const held = s.ask({ exclusive: ['a'] });
    s.ask({ exclusive: ['b'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    s.settle();
  });

  it('is not found in what a set keeps once it has been granted', () => {
    const s = new Scene();
    const held = s.ask({ exclusive: ['a'] });
    const first = s.ask({ exclusive: ['b'] });
    const asking = s.ask({ exclusive: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([]);
    expect(s.end(first)).toEqual([asking]);
    const waiter = s.ask({ exclusive: ['a'] });
    expect(s.core.declareHolding(waiter, [asking])).toEqual([]);
    s.settle();
  });

  it('is found behind readers that another reader has been asked about before', () => {
    const s = new Scene();
    const held = s.ask({ exclusive: ['k'] });
    s.ask({ exclusive: ['b'] });
    const first = s.ask({ exclusive: ['k'], shared: ['b'] });
    s.ask({ shared: ['b'] });
    s.ask({ exclusive: ['p'], shared: ['b'] });
    const writer = s.ask({ exclusive: ['b', 'q'] });
    const asking = s.ask({ exclusive: ['q', 'p'] });
    expect(s.core.declareHolding(asking, [held])).toEqual([asking, writer, first, held]);
    s.end(asking);
  });

  it('is found through many readers', () => {
    const s = new Scene();
    const held = s.ask({ exclusive: ['a'] });
    s.ask({ exclusive: ['b'] });
    s.ask({ exclusive: ['a', 'b'] });
    for (let count = 0; count < 100; count++) s.ask({ shared: ['b'] });
    const asking = s.ask({ shared: ['b'] });
    expect(s.core.declareHolding(asking, [held])).toHaveLength(3);
    s.end(asking);
  });
});
