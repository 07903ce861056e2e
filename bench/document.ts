/**
 * docs/benchmarks.md: how to run it, a summary for each major version of Node, the rows and the
 * method, a table for each version, and an analysis. A run replaces the summary and the table of
 * its own version; those of others, and what was written by hand, stay as they are.
 */

import type { Figure } from './figures.ts';
import type { Machine } from './machine.ts';
import type { Row } from './rows.ts';
import { summaryOf } from './summary.ts';
import { asMarkdown } from './table.ts';

const byHand = 'by hand';

export function writeDocument(
  before: string,
  introduction: string,
  machine: Machine,
  rows: readonly Row[],
  figures: readonly Figure[],
): string {
  const { nodeMajor } = machine;
  const [start = '', ...rest] = introduction.trim().split(/\n+(?=## Rows\n)/);
  const summary = summarySectionOf(machine, rows, figures);
  const summaries = partsByVersion(before, 'summary of node', nodeMajor, summary);
  const tables = partsByVersion(before, 'node', nodeMajor, sectionOf(machine, rows, figures));
  const limits = part(byHand, partOf(before, byHand) ?? 'Not written yet.');
  const parts = [start, ...summaries, ...rest, ...tables, '## Analysis', limits];
  return `${parts.join('\n\n')}\n`;
}

/** File of the chart, beside the document. */
export function chartFileOf({ nodeMajor }: Machine): string {
  return `benchmarks-node-${nodeMajor}.svg`;
}

export function chartTitleOf({ nodeMajor }: Machine): string {
  return `kds compared with its peers, Node ${nodeMajor}`;
}

/** The parts that are there, with that of one version replaced, the lowest version first. */
function partsByVersion(before: string, name: string, nodeMajor: number, text: string): string[] {
  const texts = new Map<number, string>();
  for (const [, major] of before.matchAll(new RegExp(`<!-- begin ${name} (\\d+) -->`, 'g'))) {
    texts.set(Number(major), partOf(before, `${name} ${major}`) ?? '');
  }
  texts.set(nodeMajor, text);
  const ascending = [...texts].sort(([a], [b]) => a - b);
  return ascending.map(([major, own]) => part(`${name} ${major}`, own));
}

function summarySectionOf(
  machine: Machine,
  rows: readonly Row[],
  figures: readonly Figure[],
): string {
  return [
    `## Summary, Node ${machine.nodeMajor}`,
    'Time or memory of kds divided by that of a peer: 0.5x is half of it. Level is within 10 %.',
    `![${chartTitleOf(machine)}](${chartFileOf(machine)})`,
    summaryOf(rows, figures),
  ].join('\n\n');
}

function part(name: string, text: string): string {
  return `<!-- begin ${name} -->\n\n${text}\n\n<!-- end ${name} -->`;
}

function partOf(document: string, name: string): string | undefined {
  const begin = `<!-- begin ${name} -->`;
  const start = document.indexOf(begin);
  const end = document.indexOf(`<!-- end ${name} -->`);
  return start === -1 || end === -1 ? undefined : document.slice(start + begin.length, end).trim();
}

function sectionOf(machine: Machine, rows: readonly Row[], figures: readonly Figure[]): string {
  const { cpu, cores, memoryGib, system, node, v8, commit, date } = machine;
  const judged = figures.filter(({ isMet }) => isMet !== undefined);
  const metCount = judged.filter(({ isMet }) => isMet).length;
  return [
    `## Node ${machine.nodeMajor}`,
    [
      `- Machine: ${cpu}, ${cores} cores, ${memoryGib} GiB, ${system}`,
      `- Node ${node} (V8 ${v8})`,
      `- Commit ${commit}; ${date}`,
      `- Targets met: ${metCount} of ${judged.length}`,
    ].join('\n'),
    asMarkdown(rows, figures),
  ].join('\n\n');
}
