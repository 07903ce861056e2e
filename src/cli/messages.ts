/** Messages of kds on stderr, where the command may write at the same time. */

import { writeSync } from 'node:fs';
import { escaped } from '../runtime/escape.ts';

export { escaped, printable } from '../runtime/escape.ts';

/**
 * Writes synchronously, in whole lines; a closed pipe is ignored. The text may contain names,
 * labels and messages of others, so control characters are escaped.
 */
export function report(text: string): void {
  const lines = text.split('\n').map((line) => escaped(line));
  try {
    writeSync(2, `kds: ${lines.join('\n')}\n`);
  } catch {
    // A closed or full pipe: the exit code reports the failure too.
  }
}

/** Also in `units` of a line of `kds batch`. */
const declaration = 'kds capacity NAME COUNT, or state it with the units: COUNT/CAPACITY';

/**
 * A message for programs, with calls replaced by commands of the shell. `name` is one of the
 * resources in it.
 */
export function inShellWords(message: string, name?: string): string {
  const command = name === undefined ? 'kds ls' : `kds why ${inShell(name)}`;
  return message
    .replaceAll('query()', command)
    .replace('setCapacity(), or in the set by { take, of }', declaration)
    .replace('see domain.capabilities', 'use the broker');
}

/** Quotes a text for a POSIX shell, with control characters escaped, as it is printed. */
function inShell(text: string): string {
  if (/^[\w@%+:,./-]+$/.test(text)) return text;
  return `'${escaped(text).replaceAll("'", "'\\''")}'`;
}
