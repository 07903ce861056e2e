/** Columns of a text on a terminal, and what is cut to them. */

import { describe, expect, it } from 'vitest';
import { tableOf } from '../../src/cli/listing.ts';
import { cutTo, padded, widthOf } from '../../src/cli/text-width.ts';

describe('the width of a text', () => {
  it.each([
    ['', 0],
    ['plain', 5],
    ['Größe', 5],
    ['\u65e5\u672c\u8a9e', 6],
    ['\uff21\uff22', 4],
    ['\uff71\uff72', 2],
    ['\ud55c\uae00', 4],
    // The same as letters that are put together, and an accent that is put on one.
    ['\u1112\u1161\u11ab', 2],
    ['e\u0301', 1],
    ['\u{1f642}', 2],
    // A family, a flag, a heart that a selector makes an emoji of.
    ['\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', 2],
    ['\u{1f1e9}\u{1f1ea}', 2],
    ['\u2764\ufe0f', 2],
  ])('of %j is %i', (text, width) => {
    expect(widthOf(text)).toBe(width);
    expect(widthOf(`a${text}b`)).toBe(width + 2);
    expect(widthOf(padded(text, 20))).toBe(20);
  });
});

describe('a text that is too wide', () => {
  it('is cut between characters, with a mark for the rest', () => {
    expect(cutTo('abcde', 5)).toBe('abcde');
    expect(cutTo('abcdef', 5)).toBe('abcd…');
    expect(cutTo('\u65e5\u672c\u8a9e', 6)).toBe('\u65e5\u672c\u8a9e');
    expect(cutTo('\u65e5\u672c\u8a9e', 5)).toBe('\u65e5\u672c…');
    expect(cutTo('\u65e5\u672c\u8a9e', 4)).toBe('\u65e5…');
    expect(cutTo('abcde\u0301', 5)).toBe('abcde\u0301');
    expect(cutTo('abc', 0)).toBe('');
    expect(cutTo('abc', Number.POSITIVE_INFINITY)).toBe('abc');
  });

  it('never takes more columns than there are', () => {
    const text = 'a\u65e5e\u0301\u{1f1e9}\u{1f1ea}\u{1f642}b\ud55c';
    for (let columns = 0; columns < 15; columns++) {
      expect(widthOf(cutTo(text, columns))).toBeLessThanOrEqual(columns);
    }
  });
});

it('columns of a table are aligned, whatever their names are written in', () => {
  const entry = (id: number, name: string, label: string) => ({
    id,
    token: id,
    since: 0,
    label,
    session: undefined,
    waitingFor: [],
    set: { exclusive: [name], shared: [] },
  });
  const held = [
    entry(1, 'plain', 'one'),
    entry(2, '\u65e5\u672c\u8a9e', 'two'),
    entry(3, '\u{1f642}', 'three'),
  ];
  const lines = tableOf({ held, pending: [] } as Parameters<typeof tableOf>[0], 200);
  const [head = '', ...rows] = lines;
  const column = widthOf(head.slice(0, head.indexOf('LABEL')));
  for (const [index, label] of ['one', 'two', 'three'].entries()) {
    const row = rows[index] as string;
    expect(widthOf(row.slice(0, row.indexOf(label)))).toBe(column);
  }
});
