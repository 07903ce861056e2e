/**
 * Handles signals while kds waits, or while commands run.
 *
 * Kds and its commands are in one process group, so that the terminal's keys stop, continue and
 * interrupt all of it, as the shell expects of a job. A signal to the whole group has reached the
 * commands already; forwarding it would signal them twice, on which many programs exit without
 * cleaning up. A sentinel in the group detects that for the signals that end it. While the group is
 * in the foreground of a terminal, INT, QUIT and WINCH come from the terminal.
 */

import type { ChildProcess } from 'node:child_process';
import { GroupSentinel } from './group-sentinel.ts';
import { isHangupIgnored } from './hangup.ts';
import { isInForeground, isInOwnGroup } from './process-groups.ts';

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
/** They end no process by default, and a second one does no harm. */
const harmless: ReadonlySet<NodeJS.Signals> = new Set(['SIGWINCH', 'SIGCONT']);

/**
 * Time from a signal to its forwarding. timeout(1) signals kds first and then the group, and
 * systemd one process after the other: repeats within this time are one signal.
 */
const forwardDelayMs = 100;

export class SignalsCaught {
  readonly #sentinel = new GroupSentinel();
  readonly #pending = new Set<NodeJS.Signals>();
  #children: () => Iterable<ChildProcess> = () => [];
  /** SIGINT came from the terminal's key. */
  isInterruptedByKey = false;

  /** Catches signals that would end this process, and calls `onSignal` for each of them. */
  constructor(onSignal: (signal: NodeJS.Signals) => void) {
    for (const signal of forwarded) process.on(signal, () => this.#catch(signal, onSignal));
  }

  /** Forwards signals to these processes from now on. */
  forwardTo(children: () => Iterable<ChildProcess>): void {
    this.#children = children;
    this.#sentinel.start();
  }

  stopForwarding(): void {
    this.#children = () => [];
    this.#sentinel.stop();
  }

  #catch(signal: NodeJS.Signals, onSignal: (signal: NodeJS.Signals) => void): void {
    if (signal === 'SIGHUP' && isHangupIgnored) return;
    const isOfTerminal = ofTerminal.has(signal) && isInForeground();
    if (isOfTerminal && signal === 'SIGINT') this.isInterruptedByKey = true;
    if (harmless.has(signal)) {
      if (!isOfTerminal) this.#send(signal, false);
      return;
    }
    onSignal(signal);
    if (!isOfTerminal) this.#forward(signal);
  }

  #forward(signal: NodeJS.Signals): void {
    if (this.#pending.has(signal)) return;
    this.#pending.add(signal);
    // A command that ends meanwhile is not waited for.
    setTimeout(async () => {
      const isOfGroup = await this.#sentinel.wasHitBy(signal);
      this.#pending.delete(signal);
      this.#send(signal, isOfGroup);
    }, forwardDelayMs).unref();
  }

  #send(signal: NodeJS.Signals, isOfGroup: boolean): void {
    for (const child of this.#children()) {
      const hasIt = isOfGroup && child.pid !== undefined && isInOwnGroup(child.pid);
      if (!hasIt) child.kill(signal);
    }
  }
}

/**
 * Ends this process by SIGINT: a shell that runs a loop or a script then ends that too, which it
 * would not do for an exit code of 130.
 */
export function dieInterrupted(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}
