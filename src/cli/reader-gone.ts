/**
 * Hears that nobody reads the pipe at stdout any more, though nothing is written to it.
 *
 * The kernel tells that to who polls the pipe for it, which Node has no call for. GNU tail does, as
 * it waits for what never comes, and is then ended by SIGPIPE. Where there is no such tail, the
 * next write finds out.
 */

import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';

/** Calls `onGone` once, if at all. Keeps no process alive; its own helper ends with this one. */
export function watchReader(onGone: () => void): void {
  if (!fstatSync(1).isFIFO()) return;
  const args = ['-f', `--pid=${process.pid}`, '/dev/null'];
  const tail = spawn('tail', args, { stdio: ['ignore', 'inherit', 'ignore'] });
  tail.once('error', () => undefined);
  tail.once('exit', (_, signal) => {
    if (signal === 'SIGPIPE') onGone();
  });
  tail.unref();
  // It would notice by itself, but up to a second later, and keep the pipe open until then.
  process.once('exit', () => tail.kill());
}
