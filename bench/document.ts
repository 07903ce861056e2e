/**
 * docs/benchmarks.md. A run replaces the section of its own major version of Node; the sections of
 * others, and what was written by hand, stay as they are.
 */

import type { Figure } from './figures.ts';
import type { Machine } from './machine.ts';
import type { Row } from './rows.ts';
import { asMarkdown } from './table.ts';

const byHand = 'by hand';

export function writeDocument(
  before: string,
  introduction: string,
  machine: Machine,
  rows: readonly Row[],
  figures: readonly Figure[],
): string {
  const sections = new Map<number, string>();
  for (const [, major] of before.matchAll(/<!-- begin node (\d+) -->/g)) {
    sections.set(Number(major), partOf(before, `node ${major}`) ?? '');
  }
  sections.set(machine.nodeMajor, sectionOf(machine, rows, figures));
  const ascending = [...sections].sort(([a], [b]) => a - b);
  const parts = ascending.map(([major, text]) => part(`node ${major}`, text));
  const limits = part(byHand, partOf(before, byHand) ?? 'Not written yet.');
  return `${[introduction.trim(), ...parts, '## Analysis', limits].join('\n\n')}\n`;
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
