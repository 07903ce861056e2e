/** The table of figures, for a terminal and for Markdown. */

import type { Figure } from './figures.ts';
import type { Row, Target } from './rows.ts';

const head = [
  '',
  'measured',
  'against',
  'target',
  'figure',
  'middle half',
  '',
  'cost of measured',
  'of against',
];

export function asText(rows: readonly Row[], figures: readonly Figure[]): string {
  const lines = linesOf(rows, figures);
  const full = [head, ...lines].filter((cells) => cells.length === head.length);
  const widths = head.map((_, column) => {
    return Math.max(...full.map((cells) => (cells[column] as string).length));
  });
  const pad = (cell: string, column: number): string => {
    const width = widths[column] as number;
    return column >= head.length - 2 ? cell.padStart(width) : cell.padEnd(width);
  };
  return [head, ...lines]
    .map((cells) => (cells.length < head.length ? cells.join(' ') : cells.map(pad).join('  ')))
    .map((line) => line.trimEnd())
    .join('\n');
}

export function asMarkdown(rows: readonly Row[], figures: readonly Figure[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column >= head.length - 2 ? '---:' : '---'));
  const body = linesOf(rows, figures).map((cells) => {
    if (cells.length === head.length) return line(cells);
    const bold = cells.map((cell) => `**${cell}**`);
    return line([...bold, ...head.slice(bold.length).map(() => '')]);
  });
  return [line(head), line(rule), ...body].join('\n');
}

/** A line of two cells before each row's figures names the work. */
function linesOf(rows: readonly Row[], figures: readonly Figure[]): string[][] {
  return rows.flatMap((row) => {
    const own = figures.filter((figure) => figure.row === row.number);
    return [[String(row.number), row.work], ...own.map(cellsOf)];
  });
}

function cellsOf(figure: Figure): string[] {
  const { of, against = '', target, isMet, unit, ours, theirs, low, high } = figure;
  const spread = against === '' || low === high ? '' : `${times(low)} to ${times(high)}`;
  const verdict = isMet === undefined ? '' : isMet ? 'met' : 'missed';
  const wanted = target === undefined ? '' : targetText(target, unit);
  const size = (value: number | undefined) => (value === undefined ? '' : sizeText(value, unit));
  return ['', of, against, wanted, figureText(figure), spread, verdict, size(ours), size(theirs)];
}

function targetText(target: Target, unit: Figure['unit']): string {
  if ('timesFasterMin' in target) return `≥ ${target.timesFasterMin}x faster`;
  if ('bytesMax' in target) return `≤ ${target.bytesMax} bytes`;
  if ('nsMax' in target) return `≤ ${sizeText(target.nsMax, unit)}`;
  return `≤ ${times(target.timesMax)} the ${measure(unit)}`;
}

function figureText({ figure, against, target, unit }: Figure): string {
  if (against === undefined) return sizeText(figure, unit);
  if (target !== undefined && 'timesFasterMin' in target) return `${times(figure)} faster`;
  return `${times(figure)} the ${measure(unit)}`;
}

function measure(unit: Figure['unit']): string {
  return unit === 'ns' ? 'time' : unit;
}

/** Times in the unit that leaves at most four digits before the point. */
export function sizeText(value: number, unit: Figure['unit']): string {
  if (unit !== 'ns' || value < 1e4) return `${short(value)} ${unit}`;
  return value < 1e7 ? `${short(value / 1e3)} µs` : `${short(value / 1e6)} ms`;
}

export function times(ratio: number): string {
  return `${short(ratio)}x`;
}

/** Three digits, or all of a whole number. */
function short(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(value < 0.1 ? 2 : 3)));
}
