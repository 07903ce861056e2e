/** The faults of the mutation run: each must find its place in core, or it is never put in. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Fault {
  readonly name: string;
  readonly in: string;
  readonly find: string;
  readonly replace: string;
}

const list = '../mutation/faults.mjs';
const { faults } = (await import(list)) as { readonly faults: readonly Fault[] };
const module = '../mutation/sites.mjs';
const { readSources, siteOf } = (await import(module)) as {
  readSources(folder: string): unknown;
  siteOf(fault: Fault, sources: unknown): { readonly start: number; readonly end: number };
};
const sources = readSources(fileURLToPath(new URL('../src/core', import.meta.url)));

describe('the faults of the mutation run', () => {
  it.each(faults)('$name: its site is in $in, once', (fault) => {
    const { start, end } = siteOf(fault, sources);
    expect(end).toBeGreaterThan(start);
    expect(fault.replace).not.toBe(fault.find);
  });
});
