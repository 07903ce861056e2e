/** What kds says to people on stderr, while the command may be writing there too. */

import { writeSync } from 'node:fs';

export { escaped, shown } from '../domain/shown-text.ts';

/** At once, and in whole lines; whoever does not listen any more is no trouble. */
export function say(text: string): void {
  try {
    writeSync(2, `kds: ${text}\n`);
  } catch {
    // Closed, or a pipe that is full: the exit code says it too.
  }
}
