/** What the figures say at a glance: where kds is ahead of its peers, level, or behind. */

import type { Figure } from './figures.ts';
import type { Row } from './rows.ts';
import { reasonOf } from './summary-reasons.ts';
import { sizeText, times } from './table.ts';

const standings = ['ahead', 'level', 'behind'] as const;
export type Standing = (typeof standings)[number];

/** Time or size of kds divided by that of the peer, where less is better. */
export interface Compared {
  readonly row: Row;
  readonly of: string;
  readonly peer: string;
  readonly ratio: number;
  readonly figure: Figure;
}

/** Closer than this is level: as far apart are two runs of one figure. */
const levelMax = 1.1;

export function standingOf(ratio: number): Standing {
  if (ratio <= 1 / levelMax) return 'ahead';
  return ratio < levelMax ? 'level' : 'behind';
}

/** Comparisons of kds with something that is not kds and could take its place. */
export function comparedOf(rows: readonly Row[], figures: readonly Figure[]): Compared[] {
  return figures.flatMap((figure) => {
    const { of, against, target } = figure;
    const row = rows.find(({ number }) => number === figure.row);
    if (row === undefined || against === undefined) return [];
    if (isKds(against) || isBare(against) || isBare(of)) return [];
    const isFaster = target !== undefined && 'timesFasterMin' in target;
    const ratio = isFaster ? 1 / figure.figure : figure.figure;
    return [{ row, of, peer: against, ratio, figure }];
  });
}

/** Another form or size of kds: there is nothing to be ahead of. */
function isKds(subject: string): boolean {
  return /^kds\b|^\d[\d,]* (clients|waiters)|exclusive names$/.test(subject);
}

/** A lower limit, not a peer: nothing that excludes others. */
function isBare(subject: string): boolean {
  return /\bbare\b|^two empty scripts|^a Map|^node -e/.test(subject);
}

/** A table for each standing, a line for each row: next to which peers, how far apart, and why. */
export function summaryOf(rows: readonly Row[], figures: readonly Figure[]): string {
  const compared = comparedOf(rows, figures);
  const parts = standings.map((standing) => {
    const own = compared.filter(({ ratio }) => standingOf(ratio) === standing);
    const lines = rows.flatMap((row) => {
      const ofRow = own.filter((each) => each.row === row);
      return ofRow.length === 0 ? [] : [lineOf(row, ofRow, standing)];
    });
    const name = `${standing[0]?.toUpperCase()}${standing.slice(1)}`;
    const heading = `**${name}** in ${own.length} of ${compared.length} comparisons`;
    if (lines.length === 0) return `${heading}.`;
    const head = ['|  | work | kds, next to its peers | why |', '| ---: | --- | --- | --- |'];
    return [`${heading}:`, '', ...head, ...lines].join('\n');
  });
  return parts.join('\n\n');
}

function lineOf(row: Row, compared: readonly Compared[], standing: Standing): string {
  const forms = [...new Set(compared.map(({ of }) => of))].map((form) => {
    const own = compared.filter(({ of }) => of === form);
    const peers = own.map(({ peer, ratio }) => `${times(ratio)} ${peer}`);
    const { figure } = own[0] as Compared;
    return `${form}, ${sizeText(figure.ours, figure.unit)}: ${peers.join(', ')}`;
  });
  const why = reasonOf(row.number, standing) ?? '';
  return `| ${row.number} | ${row.work} | ${forms.join('; ')} | ${why} |`;
}
