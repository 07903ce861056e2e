/**
 * Faults put into the backend's sources as they are bundled; a chaos run must detect each: a text
 * that must stand in a file exactly once, and what replaces it. So a change that moves one is
 * noticed.
 */

import { readFileSync } from 'node:fs';
import type { Plugin } from 'rolldown';

export interface SourceFault {
  /** In src/backends/ and that of the host. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export function faultySource(faults: readonly SourceFault[], host = 'redis'): Plugin {
  return {
    name: 'faulty-source',
    load(id) {
      const own = faults.filter(({ file }) => id.endsWith(`/src/backends/${host}/${file}`));
      if (own.length === 0) return null;
      const text = own.reduce(withFault, readFileSync(id, 'utf8'));
      if (!id.endsWith('.lua')) return { code: text, moduleType: 'ts' };
      // As lua-text.ts at the root of the tree has it.
      return { code: `export const text = ${JSON.stringify(text)};`, moduleType: 'js' };
    },
  };
}

function withFault(text: string, { file, find, replace }: SourceFault): string {
  const parts = text.split(find);
  if (parts.length === 2) return parts.join(replace);
  throw new Error(`${JSON.stringify(find)} stands in ${file} ${parts.length - 1} times, not once`);
}
