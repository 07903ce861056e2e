/** The faults of the mutation run: each must find its place in core, or it is never put in. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Fault {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const list = '../mutation/faults.mjs';
const { faults } = (await import(list)) as { readonly faults: readonly Fault[] };

describe('the faults of the mutation run', () => {
  it.each(faults)('$name: its place is in $file, once', ({ file, find, replace }) => {
    const source = readFileSync(new URL(`../src/core/${file}`, import.meta.url), 'utf8');
    expect(source.split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  });
});
