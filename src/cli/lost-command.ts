/** Ends a command whose set is lost: `--on-lost` and `--kill-after`. */

import type { ChildProcess } from 'node:child_process';
import { readChoice, readDelay } from './arguments.ts';

const onLostChoices = ['term', 'kill', 'ignore'] as const;

export interface LostPolicy {
  /** A TERM, then a KILL; a KILL at once; or nothing but a message. */
  readonly onLost: (typeof onLostChoices)[number];
  /** From the TERM to the KILL. */
  readonly killAfterMs: number;
}

export const lostOptions = {
  'on-lost': { type: 'string' },
  'kill-after': { type: 'string' },
} as const;

/** @throws UsageError */
export function readLostPolicy(values: {
  readonly 'on-lost'?: string | undefined;
  readonly 'kill-after'?: string | undefined;
}): LostPolicy {
  return {
    onLost: readChoice(values['on-lost'] ?? 'term', onLostChoices, '--on-lost'),
    killAfterMs: readDelay(values['kill-after'] ?? '10s', '--kill-after'),
  };
}

/**
 * Ends the command once the set is lost: it must not go on as if it had the set. Signals the
 * command itself, not processes that it has started.
 */
export function endWhenLost(
  child: ChildProcess,
  lost: AbortSignal,
  policy: LostPolicy,
  report: (text: string) => void,
): void {
  const end = (): void => endCommand(child, policy, report);
  lost.addEventListener('abort', end, { once: true });
  child.once('exit', () => lost.removeEventListener('abort', end));
  if (lost.aborted) end();
}

function endCommand(
  child: ChildProcess,
  { onLost, killAfterMs }: LostPolicy,
  report: (text: string) => void,
): void {
  const isOver = child.exitCode !== null || child.signalCode !== null;
  if (isOver) return;
  if (onLost === 'ignore') {
    report('the set was lost; the command continues (--on-lost=ignore)');
    return;
  }
  const signal = onLost === 'kill' ? 'SIGKILL' : 'SIGTERM';
  report(`the set was lost: sending ${signal} to the command`);
  child.kill(signal);
  if (onLost === 'kill') return;
  // A stopped process handles no other signal.
  child.kill('SIGCONT');
  const timer = setTimeout(() => {
    report('the command has not ended: sending SIGKILL');
    child.kill('SIGKILL');
  }, killAfterMs);
  child.once('exit', () => clearTimeout(timer));
}
