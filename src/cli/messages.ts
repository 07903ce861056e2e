/** What kds says to people on stderr, while the command may be writing there too. */

import { writeSync } from 'node:fs';

/** At once, and in whole lines; whoever does not listen any more is no trouble. */
export function say(text: string): void {
  try {
    writeSync(2, `kds: ${text}\n`);
  } catch {
    // Closed, or a pipe that is full: the exit code says it too.
  }
}

const plain = /^[\p{L}\p{N}\p{P}\p{S}]+$/u;

/** A name or label from anywhere, safe on a terminal: quoted if it is not one plain word. */
export function shown(text: string): string {
  if (plain.test(text) && !/["\\]/.test(text)) return text;
  return escaped(JSON.stringify(text));
}

/** A command line or other text: in one line, its control characters written out. */
export function escaped(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) as number;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
