/** Where tests of other runners write when they are at work with what, to see who met whom. */

import { appendFileSync, readFileSync } from 'node:fs';

interface Line {
  readonly test: string;
  readonly does: 'begins' | 'ends';
  readonly writes?: readonly string[];
  readonly reads?: readonly string[];
}

/** Works until others have had a chance to come in between. */
export async function work(test: string, uses: Omit<Line, 'test' | 'does'>): Promise<void> {
  const path = process.env['JOURNAL'] as string;
  const write = (line: Line): void => appendFileSync(path, `${JSON.stringify(line)}\n`);
  write({ test, does: 'begins', ...uses });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
  write({ test, does: 'ends', ...uses });
}

/** Tests that were at work at once, and conflict; and how many tests there were. */
export function readJournal(path: string): { met: readonly string[]; testCount: number } {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const met: string[] = [];
  const atWork = new Map<string, Line>();
  for (const line of lines.map((text) => JSON.parse(text) as Line)) {
    if (line.does === 'ends') {
      atWork.delete(line.test);
      continue;
    }
    for (const other of atWork.values()) {
      if (conflict(line, other)) met.push(`${line.test} and ${other.test}`);
    }
    atWork.set(line.test, line);
  }
  return { met, testCount: lines.length / 2 };
}

function conflict(one: Line, other: Line): boolean {
  const uses = ({ reads = [], writes = [] }: Line): readonly string[] => [...reads, ...writes];
  const hits = (line: Line, another: Line): boolean =>
    (line.writes ?? []).some((name) => uses(another).includes(name));
  return hits(one, other) || hits(other, one);
}
