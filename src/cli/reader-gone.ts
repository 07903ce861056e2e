/**
 * Notifies when the reader of the pipe at stdout has closed it, though nothing is written.
 *
 * The kernel reports that to a process that polls the pipe, which Node has no call for. GNU tail
 * polls while it waits, and is then ended by SIGPIPE. Without such a tail the next write fails.
 */

import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';

/** Calls `onClosed` at most once. Keeps no process alive; its tail ends with this one. */
export function watchReader(onClosed: () => void): void {
  if (!fstatSync(1).isFIFO()) return;
  const args = ['-f', `--pid=${process.pid}`, '/dev/null'];
  const tail = spawn('tail', args, { stdio: ['ignore', 'inherit', 'ignore'] });
  tail.once('error', () => undefined);
  tail.once('exit', (_, signal) => {
    if (signal === 'SIGPIPE') onClosed();
  });
  tail.unref();
  // It would end by itself, but up to a second later, and keep the pipe open until then.
  process.once('exit', () => tail.kill());
}
