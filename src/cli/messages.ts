/** Messages of kds on stderr, where the command may write at the same time. */

import { writeSync } from 'node:fs';
import { escaped } from '../runtime/escape.ts';

export { escaped, printable } from '../runtime/escape.ts';

/**
 * At once, and in whole lines; a reader that is gone is no trouble. Names, labels and the messages
 * of others are part of the text: nothing in it is an order to the terminal.
 */
export function report(text: string): void {
  const lines = text.split('\n').map((line) => escaped(line));
  try {
    writeSync(2, `kds: ${lines.join('\n')}\n`);
  } catch {
    // Closed, or a pipe that is full: the exit code reports it too.
  }
}

/**
 * A message that is written for programs, in the words of the shell: what names a call names the
 * command for it. `name` is one of the resources that it is about.
 */
export function inShellWords(message: string, name?: string): string {
  const command = name === undefined ? 'kds ls' : `kds why ${inShell(name)}`;
  return message.replaceAll('query()', command);
}

/** Quotes a text for a POSIX shell, with control characters escaped, as it is printed. */
function inShell(text: string): string {
  if (/^[\w@%+:,./-]+$/.test(text)) return text;
  return `'${escaped(text).replaceAll("'", "'\\''")}'`;
}
