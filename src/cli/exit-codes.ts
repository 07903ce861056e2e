/** Exit codes of `kds`, besides the command's own; as of sysexits.h and env(1). */

import { constants } from 'node:os';

export const exitCode = {
  done: 0,
  /** No holder, no capacity, nothing to break, or the question was answered with no. */
  no: 1,
  usage: 64,
  /** The file is no trace, or one of another version. */
  data: 65,
  unavailable: 69,
  /** A fault of kds itself. */
  internal: 70,
  notGranted: 75,
  /** Units without a capacity, more than there are, or of another capacity; as EX_CONFIG. */
  capacity: 78,
  cannotRun: 126,
  notFound: 127,
} as const;

/** As shells report a command that a signal ended. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
