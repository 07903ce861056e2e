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
  const limits = part(byHand, partOf(before, byHand) ?? 'Nothing has been written here yet.');
  return `${[introduction, ...parts, '## What limits us', limits].join('\n\n')}\n`;
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

const introduction = `# Benchmarks

\`npm run bench\` builds the package, measures \`dist/\` next to its peers, prints one table and writes
this page. A run replaces the section of its own major version of Node; the last section is written
by hand, and kept.

\`\`\`sh
npm run bench                                # takes about five minutes
npm run bench -- --only 4                    # one row; leaves this page alone
npm run bench -- --json                      # figures and samples, for a program
npx -y -p node@24 node bench/run.mjs         # another Node, on the build that is there
\`\`\`

## What is measured, and how

1. A set of two resource handles, prepared, both exclusive and free: \`tryAcquireSync\` and
   \`release\`, against one hop of \`await null\`.
2. Two names, exclusive and free: \`await acquire\` and \`release\`. async-lock runs an empty function
   under both keys; two async-mutexes are taken one after the other and released; @matrixai/async-locks
   takes both in a \`LockBox\`. The last line is the floor: how often a bare \`await\` goes into the two
   mutexes, which is what a lock that costs nothing at all could reach.
3. One name, exclusive and free. The peers' locks are objects that the caller has at hand; \`kds\`
   looks its name up.
4. 100,000 wait for one name behind a holder. It releases, each waiter releases as soon as it has the
   lock, and the time until the last has been through is divided by their number. *Promises*:
   \`acquire().then(onGrant)\`. *Direct*: \`enqueue(set, onGrant, { delivery: 'direct' })\`. Where a
   peer's name has a number after it, so many waited for it instead, as its queueing takes too long.
5. The same with 1,000, 100,000 and 1,000,000 waiters. Then with as many names held, each by a grant
   of its own: taking and releasing one more name *beside* them; and *among* them, where in scattered
   order one after the other is released and taken again, so that nothing is in a cache.
6. Bytes that a waiter keeps: \`heapUsed\` and \`external\` (which counts array buffers) after full
   collections, before and after 1,000,000 waiters were added. Ours wait for two names by direct
   callback, and share the callback and the set; peers wait for one name, with a shared callback, in
   the smallest of their forms.

*Figure* is a ratio of two things measured in one process in turns, or for row 6 in two processes.
Each takes its turn in many short rounds; the figure is the median of the rounds' ratios, and half of
the rounds lie within the two values beside it. So a machine that slows down for a while slows both
sides. The costs in ns are medians, for information: they are not comparable between machines.

Each experiment has a process of its own, and each subject a loop of its own that is written out, so
that no two share a call site and what the compiler learnt there. Loops of rows 1 to 3 run for about
5 ms after a warm-up; in rows 4 to 6 garbage is collected before each sample, and after the queueing,
which is not timed. mitata serves as the sink that keeps results alive, and not as the clock: it
measures one function after the other, cannot pair samples, and its own call of an async function
would hide a part of the bare \`await\` that row 1 is held against.`;
