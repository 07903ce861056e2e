/**
 * Signals that come to kds while it waits, or while the command runs.
 *
 * Kds and the command are in one process group, so that the terminal's keys stop, continue and
 * interrupt both, as the shell expects of a job. What the terminal sends has therefore reached the
 * command already, and handing it on would interrupt it twice, which many programs take for "at
 * once, without cleaning up". Node does not tell who sent a signal; so while this group is in the
 * foreground of a terminal, INT, QUIT and WINCH are taken to be the terminal's.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const forwarded = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGWINCH',
  'SIGCONT',
] as const;

const ofTerminal: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH']);
/** They end nobody who does not listen for them. */
const harmless: ReadonlySet<NodeJS.Signals> = new Set(['SIGWINCH', 'SIGCONT']);

export interface SignalsCaught {
  /** What it is handed on to, from now on; until then a signal ends kds, by way of `onStop`. */
  child: { kill(signal: NodeJS.Signals): boolean } | undefined;
  /** Somebody at the terminal pressed the key for it. */
  isInterruptedByKey: boolean;
}

/** Catches what would end this process. */
export function catchSignals(onStop: (signal: NodeJS.Signals) => void): SignalsCaught {
  const caught: SignalsCaught = { child: undefined, isInterruptedByKey: false };
  for (const signal of forwarded) {
    process.on(signal, () => {
      const isOfTerminal = ofTerminal.has(signal) && isInForeground();
      if (isOfTerminal && signal === 'SIGINT') caught.isInterruptedByKey = true;
      if (caught.child === undefined) {
        if (!harmless.has(signal)) onStop(signal);
      } else if (!isOfTerminal) {
        caught.child.kill(signal);
      }
    });
  }
  return caught;
}

/**
 * Ends as one who was interrupted by the key: a shell that runs a loop or a script then ends that
 * too, which it would not do for an exit code of 130.
 */
export function dieInterrupted(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}

/** Whether this process is in the group that a terminal's keys send signals to. */
function isInForeground(): boolean {
  try {
    const [group, foreground] = processGroups();
    return group !== undefined && group === foreground;
  } catch {
    return false;
  }
}

/** The process group, and that in the foreground of its terminal. */
function processGroups(): readonly (string | undefined)[] {
  if (process.platform === 'linux') {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // After the name in parentheses, which may hold anything: state ppid pgrp session tty tpgid.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [group, foreground];
  }
  const args = ['-o', 'pgid=,tpgid=', '-p', String(process.pid)];
  return execFileSync('ps', args, { encoding: 'utf8' }).trim().split(/\s+/);
}
