/** What `kds` ends with, besides the command's own code; as sysexits.h and env(1) have it. */

import { constants } from 'node:os';

export const exitCode = {
  done: 0,
  /** The answer is no: nobody holds it, nothing to break, the person at the terminal said no. */
  no: 1,
  usage: 64,
  unavailable: 69,
  /** A fault of kds itself. */
  internal: 70,
  notGranted: 75,
  cannotRun: 126,
  notFound: 127,
} as const;

/** As shells tell of who was ended by a signal. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
