/**
 * All that `kds run` can do without, as it is built into a file of its own, which is read by who
 * calls for it. Nothing here may count on being one with what main.ts and run.ts import: each of
 * the two files has a copy.
 */

import { batch } from './batch.ts';
import { breakGrants } from './break.ts';
import { checkTraceFile } from './check-trace.ts';
import { completion } from './completion.ts';
import { ls } from './ls.ts';
import { serve } from './serve.ts';
import { top } from './top.ts';
import { why } from './why.ts';

/** An exit code; or undefined, for those who want help. */
export type Command = (args: readonly string[]) => Promise<number | undefined>;

export const commands: Readonly<Record<string, Command>> = {
  batch,
  ls,
  why,
  break: breakGrants,
  top,
  serve,
  'check-trace': checkTraceFile,
  completion,
};

export { helpOf } from './help.ts';
export { openInRedis } from './open-redis.ts';
export { traceOrWarn } from './trace-or-warn.ts';
export { reportBlockers } from './waiting-notice.ts';
