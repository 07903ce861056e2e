/**
 * All that `kds run` does not need: built into a file of its own, which is loaded on demand.
 * Modules that this file shares with main.ts and run.ts exist twice, once in each bundle: they must
 * not rely on common state.
 */

import { batch } from './batch.ts';
import { breakGrants } from './break.ts';
import { capacity } from './capacity.ts';
import { checkTraceFile } from './check-trace.ts';
import { completion } from './completion.ts';
import { ls } from './ls.ts';
import { serve } from './serve.ts';
import { top } from './top.ts';
import { why } from './why.ts';

/** Resolves with an exit code, or with undefined if help is requested. */
export type Command = (args: readonly string[]) => Promise<number | undefined>;

export const commands: Readonly<Record<string, Command>> = {
  batch,
  ls,
  why,
  break: breakGrants,
  capacity,
  top,
  serve,
  'check-trace': checkTraceFile,
  completion,
};

export { helpOf } from './help.ts';
export { openInRedis } from './open-redis.ts';
export { traceOrWarn } from './trace-or-warn.ts';
export { reportBlockers } from './waiting-notice.ts';
