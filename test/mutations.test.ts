/** The faults of the mutation run: each must find its place in core, or it is never put in. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

interface Fault {
  readonly name: string;
  readonly in: string;
  readonly find: string;
  readonly replace: string;
}

interface Site {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

const list = '../mutation/faults.mjs';
const { faults } = (await import(list)) as { readonly faults: readonly Fault[] };
const module = '../mutation/sites.mjs';
const { readSources, siteOf } = (await import(module)) as {
  readSources(folder: string): unknown;
  siteOf(fault: Fault, sources: unknown): Site;
};
const sources = readSources(fileURLToPath(new URL('../src/core', import.meta.url)));

describe('the faults of the mutation run', () => {
  it.each(faults)('$name: its site is in $in, once, and it can be compiled', (fault) => {
    const { file, start, end } = siteOf(fault, sources);
    expect(end).toBeGreaterThan(start);
    expect(fault.replace).not.toBe(fault.find);
    const sound = readFileSync(file, 'utf8');
    const text = sound.slice(0, start) + fault.replace + sound.slice(end);
    expect(ts.transpileModule(text, { reportDiagnostics: true }).diagnostics).toEqual([]);
  });
});
