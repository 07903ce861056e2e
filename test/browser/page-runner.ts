/** Runs the suite of all hosts within a page, where there is no test runner. */

import { testConformance } from '../../conformance/index.ts';
import { createArena, openThreadsDomain } from '../../src/backends/threads/index.ts';

export interface SuiteOutcome {
  readonly passedCount: number;
  readonly skipped: readonly string[];
  readonly failed: readonly string[];
}

export async function runSuite(): Promise<SuiteOutcome> {
  const tests: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  const skipped: string[] = [];
  const groups: string[] = [];
  const fullName = (name: string): string => [...groups, name].join(' > ');
  const describe = (name: string, body: () => void): void => {
    groups.push(name);
    body();
    groups.pop();
  };
  const it = (name: string, body: () => Promise<void>): void => {
    tests.push({ name: fullName(name), body });
  };
  it.skip = (name: string): void => {
    skipped.push(fullName(name));
  };
  testConformance(
    { describe, it },
    {
      name: 'threads, in a page',
      capabilities: ['settled', 'downgrade', 'part-release', 'steal', 'units'],
      sync: true,
      connects: true,
      randomRunCount: 50,
      open: async () => {
        const arena = createArena();
        const domain = openThreadsDomain(arena);
        const connect = async () => openThreadsDomain(arena);
        return { domain, connect, close: () => domain.close() };
      },
    },
  );
  const failed: string[] = [];
  for (const { name, body } of tests) {
    await body().catch((error: unknown) => failed.push(`${name}: ${error}`));
  }
  return { passedCount: tests.length - failed.length, skipped, failed };
}
