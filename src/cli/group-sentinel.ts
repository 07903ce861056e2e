/**
 * Finds out whether a signal to this process went to its whole process group, as timeout(1),
 * systemd and the terminal send theirs: then the command has received it too, and gets no second
 * one.
 *
 * No call of Node returns the sender or the target of a signal. So a sentinel process, which any
 * signal ends, is in the group. A signal reaches the whole group in one step of the kernel, and a
 * process that received a fatal signal runs no more. So after a signal the sentinel is sent a byte:
 * it either sends the byte back, and was not reached, or ends by that signal. No time limit
 * decides.
 *
 * The sentinel ends with this process, even by KILL, as its standard input does.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** A shorter command has no sentinel: starting one may cost as much as the command. */
const startMs = 20;

/** After a signal has ended the sentinel, that signal is expected here within this time. */
const hitMs = 1000;

/** A stopped sentinel, which neither answers nor ends by then, counts as not reached. */
const answerMs = 1000;

// No core dump of the sentinel: only the command's is useful.
const program = ['/bin/sh', '-c', 'ulimit -c 0; exec cat'] as const;

export class GroupSentinel {
  #process: ChildProcess | undefined;
  /** Signals that ended a sentinel, until `wasHitBy` reads them. */
  readonly #hits = new Map<NodeJS.Signals, NodeJS.Timeout>();
  #onAnswer: () => void = () => undefined;
  /** The end of the last call of `wasHitBy`. */
  #last: Promise<unknown> = Promise.resolve();
  #starting: NodeJS.Timeout | undefined;
  #isOn = false;

  /** To be called as a command starts. A second call does nothing. */
  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#starting = setTimeout(() => this.#spawn(), startMs).unref();
  }

  stop(): void {
    this.#isOn = false;
    clearTimeout(this.#starting);
    for (const timer of this.#hits.values()) clearTimeout(timer);
    this.#hits.clear();
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
    this.#onAnswer();
  }

  /** Whether the whole group has received a signal that this process has received. */
  wasHitBy(signal: NodeJS.Signals): Promise<boolean> {
    const hit = this.#last.then(async () => {
      if (this.#takeHit(signal)) return true;
      await this.#answer();
      return this.#takeHit(signal);
    });
    this.#last = hit;
    return hit;
  }

  #takeHit(signal: NodeJS.Signals): boolean {
    clearTimeout(this.#hits.get(signal));
    return this.#hits.delete(signal);
  }

  /** Resolves when the sentinel has sent a byte back, or has ended. */
  #answer(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process === undefined) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, answerMs).unref();
      this.#onAnswer = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#process.stdin?.write('\n');
    });
  }

  #spawn(): void {
    let sentinel: ChildProcess;
    try {
      const [file, ...args] = program;
      sentinel = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    } catch {
      // Without a sentinel a signal is forwarded as if only this process had received it.
      return;
    }
    sentinel.on('error', () => undefined);
    if (sentinel.pid === undefined) return;
    this.#process = sentinel;
    sentinel.unref();
    for (const stream of [sentinel.stdin, sentinel.stdout] as readonly (Socket | null)[]) {
      stream?.on('error', () => undefined).unref();
    }
    sentinel.stdout?.on('data', () => this.#onAnswer());
    sentinel.once('exit', (_, signal) => this.#onExit(sentinel, signal));
  }

  #onExit(sentinel: ChildProcess, signal: NodeJS.Signals | null): void {
    if (this.#process !== sentinel) return;
    this.#process = undefined;
    if (signal !== null) {
      this.#takeHit(signal);
      this.#hits.set(signal, setTimeout(() => this.#hits.delete(signal), hitMs).unref());
      // The command may survive the signal; the next one may go to the whole group again.
      if (this.#isOn) this.#spawn();
    }
    this.#onAnswer();
  }
}
