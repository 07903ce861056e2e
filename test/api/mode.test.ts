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
    expect(mode.listsOf(parts)).toEqual({ exclusive: ['a'], shared: ['b'] });
    expect(mode.wholesIn(parts)).toEqual(['a']);
  });

  it('that a downgrade changes come last', () => {
    const left = mode.downgraded(parts, () => true);
    expect(left).toEqual([
      { resource: 'b', units: 1 },
      { resource: 'a', units: 1 },
    ]);
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
