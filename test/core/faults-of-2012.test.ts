/** What the code of 2012 got wrong, one by one: docs/lineage.md. */

import { describe, expect, it } from 'vitest';
import { PASS_LOCKED, SYNC } from '../../src/core/index.ts';
import { Scene } from './scene.ts';

describe('first fault: wake-ups lost by a cancel', () => {
  it('a cancelled writer lets the readers behind it through at once', () => {
    const s = new Scene();
    s.ask({ shared: ['a'] });
    const writer = s.ask({ exclusive: ['a'] });
    const reader = s.ask({ shared: ['a'] });
    expect(s.end(writer)).toEqual([reader]);
  });

  it('nobody is forgotten when the holder leaves after such a cancel', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a'] });
    const writer = s.ask({ exclusive: ['a'] });
    const reader = s.ask({ shared: ['a'] });
    const last = s.ask({ exclusive: ['a'] });
    expect(s.end(writer)).toEqual([]);
    expect(s.end(holder)).toEqual([reader]);
    expect(s.end(reader)).toEqual([last]);
  });

  it('a reader that leaves from the middle wakes nobody for whom another set is in the way', () => {
    const s = new Scene();
    const one = s.ask({ shared: ['a'] });
    const two = s.ask({ shared: ['a'] });
    s.ask({ exclusive: ['b'] });
    const both = s.ask({ exclusive: ['b'], shared: ['a'] });
    expect(s.end(one)).toEqual([]);
    expect(s.end(two)).toEqual([]);
    expect(s.isHeld(both)).toBe(false);
  });

  it('one of two readers that leaves does not let the writer in', () => {
    const s = new Scene();
    const one = s.ask({ shared: ['a'] });
    const two = s.ask({ shared: ['a'] });
    const writer = s.ask({ exclusive: ['a'] });
    expect(s.end(one)).toEqual([]);
    expect(s.end(two)).toEqual([writer]);
  });
});

describe('second fault: locked for ever, and let past by one who ignores', () => {
  it('a resource is locked while a synchronous caller holds it or waits, and no longer', () => {
    const s = new Scene();
    expect(s.isLocked('a')).toBe(false);
    const holder = s.ask({ exclusive: ['a'] }, SYNC);
    const waiter = s.ask({ shared: ['a', 'b'] }, SYNC);
    expect(s.isLocked('b', 'a')).toBe(true);
    s.end(waiter);
    expect(s.isLocked('b')).toBe(false);
    expect(s.isLocked('a')).toBe(true);
    s.end(holder);
    expect(s.isLocked('a')).toBe(false);
  });

  it('a part let go, and a set stolen from, lock nothing any more', () => {
    const s = new Scene();
    const holder = s.ask({ exclusive: ['a', 'b'] }, SYNC);
    s.releasePart(holder, ['a']);
    expect(s.isLocked('a')).toBe(false);
    expect(s.isLocked('b')).toBe(true);
    s.steal(['b']);
    expect(s.isLocked('b')).toBe(false);
  });

  it('one who ignores the lock stands in the way of later readers like its owner', () => {
    const s = new Scene();
    const owner = s.ask({ exclusive: ['a'] }, SYNC);
    const ignoring = s.ask({ exclusive: ['a'] }, PASS_LOCKED);
    expect(s.isHeld(ignoring)).toBe(true);
    expect(s.ignored(ignoring)).toEqual(['a']);
    const reader = s.ask({ shared: ['a'] });
    expect(s.isHeld(reader)).toBe(false);
    expect(s.end(owner)).toEqual([]);
    expect(s.ignored(ignoring)).toEqual([]);
    expect(s.end(ignoring)).toEqual([reader]);
  });

  it('a shared link that ignores lets no other reader past an exclusive owner', () => {
    const s = new Scene();
    const owner = s.ask({ exclusive: ['a'] }, SYNC);
    const ignoring = s.ask({ shared: ['a'] }, PASS_LOCKED);
    const reader = s.ask({ shared: ['a'] });
    expect([s.isHeld(ignoring), s.isHeld(reader)]).toEqual([true, false]);
    expect(s.end(ignoring)).toEqual([]);
    expect(s.end(owner)).toEqual([reader]);
  });
});

describe('third fault: one resource twice in a set', () => {
  it('a set that names a resource twice does not wait for itself', () => {
    const s = new Scene();
    const set = s.ask({ exclusive: ['a', 'a'], shared: ['a'] });
    expect(s.isHeld(set)).toBe(true);
    const next = s.ask({ shared: ['a', 'a'] });
    expect(s.end(set)).toEqual([next]);
    expect(s.end(next)).toEqual([]);
    expect(s.idle).toEqual(['a']);
  });

  it('exclusive wins where a resource is named both ways', () => {
    const s = new Scene();
    const set = s.ask({ exclusive: ['a'], shared: ['b', 'a'] });
    expect(s.isHeld(s.ask({ shared: ['b'] }))).toBe(true);
    const reader = s.ask({ shared: ['a'] });
    expect(s.isHeld(reader)).toBe(false);
    expect(s.end(set)).toEqual([reader]);
  });

  it('a steal and an observer may name a resource twice', () => {
    const s = new Scene();
    const steal = s.steal(['a', 'b', 'a']);
    expect(s.isHeld(steal)).toBe(true);
    const observer = s.observe({ exclusive: ['a', 'a'], shared: ['a'] });
    expect(s.isHeld(observer)).toBe(false);
    expect(s.end(steal)).toEqual([observer]);
    s.end(observer);
  });
});
