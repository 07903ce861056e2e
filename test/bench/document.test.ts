/** docs/benchmarks.md and its chart, from figures that are written by hand. */

import { describe, expect, it } from 'vitest';
import { chartOf } from '../../bench/chart.ts';
import { writeDocument } from '../../bench/document.ts';
import { type Figure, figuresOf } from '../../bench/figures.ts';
import type { Machine } from '../../bench/machine.ts';
import type { Row } from '../../bench/rows.ts';
import { comparedOf, standingOf, summaryOf } from '../../bench/summary.ts';

const experiment = 'an experiment';
const side = (subject: string) => ({ experiment, subject });
const row: Row = {
  number: 2,
  work: 'two names',
  unit: 'ns',
  experiments: [],
  comparisons: [
    { of: side('kds'), against: side('slow'), target: { timesFasterMin: 2 } },
    { of: side('kds'), against: side('same') },
    { of: side('kds'), against: side('fast <&>') },
    { of: side('kds'), against: side('a bare await') },
    { of: side('kds'), against: side('kds, another form') },
  ],
};
const samples = {
  [experiment]: {
    kds: [100, 100, 100],
    slow: [400, 400, 400],
    same: [95, 95, 95],
    'fast <&>': [20, 20, 20],
    'a bare await': [50, 50, 50],
    'kds, another form': [10, 10, 10],
  },
};
const figures: readonly Figure[] = figuresOf(row, samples);
const machine: Machine = {
  cpu: 'a processor',
  cores: 2,
  memoryGib: 4,
  system: 'a system',
  node: '22.1.0',
  nodeMajor: 22,
  v8: '12',
  commit: 'abc',
  date: '2026-12-01',
};
const introduction = '# Benchmarks\n\nHow to run it.\n\n## Rows\n\n2. Two names.\n';

describe('the summary', () => {
  it.each([
    [0.5, 'ahead'],
    [0.95, 'level'],
    [1.09, 'level'],
    [1.2, 'behind'],
  ] as const)('says of %d times the time that kds is %s', (ratio, standing) => {
    expect(standingOf(ratio)).toBe(standing);
  });

  it('has each peer in the list of its ratio, and neither lower limits nor kds itself', () => {
    const head = ['|  | work | kds, next to its peers | why |', '| ---: | --- | --- | --- |'];
    const why = 'The set is one request, of which the peers make one for each name.';
    expect(summaryOf([row], figures)).toBe(
      [
        '**Ahead** in 1 of 3 comparisons:',
        '',
        ...head,
        `| 2 | two names | kds, 100 ns: 0.25x slow | ${why} |`,
        '',
        '**Level** in 1 of 3 comparisons:',
        '',
        ...head,
        '| 2 | two names | kds, 100 ns: 1.05x same |  |',
        '',
        '**Behind** in 1 of 3 comparisons:',
        '',
        ...head,
        '| 2 | two names | kds, 100 ns: 5x fast <&> |  |',
      ].join('\n'),
    );
  });
});

describe('the document', () => {
  const document = writeDocument('', introduction, machine, [row], figures);

  it('has the summary before the rows, and the table after them', () => {
    const order = ['How to run it', '## Summary, Node 22', '## Rows', '## Node 22', '## Analysis'];
    const positions = order.map((text) => document.indexOf(text));
    expect(positions.every((position) => position >= 0)).toBe(true);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
  });

  it('keeps the sections of other versions, and what was written by hand', () => {
    const edited = document.replace('Not written yet.', 'An analysis.');
    const newer: Machine = { ...machine, nodeMajor: 24 };
    const both = writeDocument(edited, introduction, newer, [row], []);
    expect(both).toContain('An analysis.');
    expect(both).toContain('0.25x slow');
    expect(both.indexOf('## Summary, Node 22')).toBeLessThan(both.indexOf('## Summary, Node 24'));
    expect(both.indexOf('## Summary, Node 24')).toBeLessThan(both.indexOf('## Node 22'));
    expect(writeDocument(both, introduction, newer, [row], [])).toBe(both);
  });
});

describe('the chart', () => {
  const compared = comparedOf([row], figures);
  const chart = chartOf(compared, 'kds & peers');

  it('has a bar for each comparison, left of the middle where kds is ahead', () => {
    const bars = [...chart.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)];
    expect(bars.map(([, standing]) => standing)).toEqual(['ahead', 'level', 'behind']);
    const [, middle] = /<line x1="([\d.]+)"/.exec(chart) ?? [];
    const [ahead, , behind] = bars.map(([, , x, width]) => [Number(x), Number(x) + Number(width)]);
    expect(ahead?.[1]).toBeCloseTo(Number(middle), 0);
    expect(behind?.[0]).toBeCloseTo(Number(middle), 0);
  });

  it('is the same text for the same figures, in both schemes, and escapes names', () => {
    expect(chartOf(compared, 'kds & peers')).toBe(chart);
    expect(chart).toContain('prefers-color-scheme: dark');
    expect(chart).toContain('fast &#60;&#38;&#62;');
    expect(chart).not.toContain('<&>');
  });
});
