/** Parts: how they are read, printed and encoded. */

import { describe, expect, it } from 'vitest';
import * as mode from '../../src/api/mode.ts';
import { ALL as allInCore } from '../../src/core/layout.ts';

const { ALL } = mode;
const isName = (value: unknown): value is string => typeof value === 'string';
const parts = [
  { resource: 'a', units: ALL },
  { resource: 'b', units: 1 },
];

describe('parts', () => {
  it('have the ALL of core', () => {
    expect(ALL).toBe(allInCore);
  });

  it('name each resource once, and exclusive wins', () => {
    expect(mode.partsOf(['a', 'a'], ['b', 'a', 'b'])).toEqual(parts);
  });

  it('are read back from their lists', () => {
    expect(mode.namedSetOf(parts)).toEqual({ exclusive: ['a'], shared: ['b'] });
    expect(mode.wholesIn(parts)).toEqual(['a']);
  });

  it('that a downgrade changes come last', () => {
    const left = mode.downgraded(parts, () => 1);
    expect(left).toEqual([
      { resource: 'b', units: 1 },
      { resource: 'a', units: 1 },
    ]);
    const two = mode.downgraded(parts, (ref) => (ref === 'a' ? 2 : undefined), true);
    expect(two).toEqual([
      { resource: 'b', units: 1 },
      { resource: 'a', units: 2, of: 0 },
    ]);
  });

  it('with units are one for each resource, with the greater number', () => {
    const units = [
      { resource: 'a', units: 3, of: 0 },
      { resource: 'b', units: 2, of: 4 },
      { resource: 'b', units: 1, of: 0 },
    ];
    const both = mode.partsOf(['a'], ['b', 'c'], units);
    expect(both).toEqual([
      { resource: 'a', units: ALL },
      { resource: 'b', units: 2, of: 4 },
      { resource: 'c', units: 1 },
    ]);
    const named = { exclusive: ['a'], shared: ['c'], units: { b: 2 } };
    expect(mode.namedSetOf(both)).toEqual(named);
    expect(mode.decodeSet(JSON.parse(JSON.stringify(mode.encodeSet(named))))).toEqual(named);
    expect(mode.describeSet(named)).toBe('exclusive "a" and 2 units of "b" and shared "c"');
    expect(['a', 'b', 'c', 'd'].map((name) => mode.modeIn(named, name))).toEqual([
      ...['exclusive', 'units', 'shared', undefined],
    ]);
    expect(mode.setModeOf(named)).toBe('mixed');
    expect(mode.namesIn(named)).toEqual(['a', 'b', 'c']);
    const json = JSON.stringify(mode.encodeParts(both));
    expect(json).toBe('[["a","all"],["b",2,4],["c",1]]');
    expect(mode.decodeParts(JSON.parse(json), isName)).toEqual(both);
  });

  it('with units are never encoded as exclusive ones', () => {
    const some = [0, ALL].map((of) => ({ resource: 'a', units: ALL, of }));
    const json = JSON.stringify(mode.encodeParts(some));
    expect(json).toBe(`[["a",${ALL},0],["a",${ALL},${ALL}]]`);
    expect(mode.decodeParts(JSON.parse(json), isName)).toEqual(some);
    expect(some.map(mode.modeOf)).toEqual(['exclusive', 'exclusive']);
  });

  it('of a resource with the name of a property of objects are kept apart', () => {
    const named = mode.namedSetOf([{ resource: '__proto__', units: 2, of: 0 }]);
    expect(mode.unitsIn(named, '__proto__')).toBe(2);
    expect(mode.unitsIn(named, 'toString')).toBe(0);
  });

  it('conflict unless all of them are shared', () => {
    const pairs = [
      [1, 1],
      [1, ALL],
      [ALL, 1],
      [ALL, ALL],
    ] as const;
    expect(pairs.map(([one, other]) => mode.conflict(one, other))).toEqual([
      ...[false, true, true, true],
    ]);
  });

  it('are as they were once they are encoded in JSON and decoded', () => {
    const json = JSON.stringify(mode.encodeParts(parts));
    expect(json).toBe('[["a","all"],["b",1]]');
    expect(mode.decodeParts(JSON.parse(json), isName)).toEqual(parts);
  });

  it.each([
    [undefined],
    [{}],
    ['a'],
    [['a']],
    [[['a']]],
    [[['a', 'all', 1]]],
    [[['a', 0, 4]]],
    [[['a', 1.5, 4]]],
    [[['a', 1, -1]]],
    [[['a', ALL + 1, 0]]],
    [[['a', 1, 4, 4]]],
    [[[1, 'all']]],
    [[['a', 0]]],
    [[['a', 2]]],
    [[['a', ALL]]],
  ])('are not read from %j', (value) => {
    expect(mode.decodeParts(value, isName)).toBeUndefined();
  });

  it('of a set are printed by mode', () => {
    expect(mode.describeSet({ exclusive: ['a', 'b'], shared: ['c'] })).toBe(
      'exclusive "a", "b" and shared "c"',
    );
    expect(mode.describeSet({ exclusive: [], shared: [] })).toBe('');
  });
});
