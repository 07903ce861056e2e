/**
 * Whether a signal that came to this process went to all of its process group, as timeout(1),
 * systemd and the terminal send theirs: then the command has it too, and is not sent a second one.
 *
 * No call of Node returns the sender of a signal, or its target. So a sentinel is in the group, a
 * process that any signal ends. One signal reaches the whole group in one step of the kernel, and
 * a process that a signal has reached does nothing more. So after a signal the sentinel is sent a
 * byte: it either sends the byte back, and was not reached, or ends by that signal. No time
 * decides.
 *
 * It ends with this process, even by KILL, as its standard input does.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** A command that is over by then has no sentinel: its start may cost as much as the command. */
const startMs = 20;

/** After a signal has ended the sentinel, that signal is expected here within this time. */
const hitMs = 1000;

/** A sentinel that neither answers nor ends by then, since it is stopped, counts as not reached. */
const answerMs = 1000;

// Of a signal that dumps core, only the command's core is of use.
const program = ['/bin/sh', '-c', 'ulimit -c 0; exec cat'] as const;

export class GroupSentinel {
  #process: ChildProcess | undefined;
  /** Signals that have ended a sentinel, until that is asked for. */
  readonly #hits = new Map<NodeJS.Signals, NodeJS.Timeout>();
  #onAnswer: () => void = () => undefined;
  /** The end of the last question. */
  #asked: Promise<unknown> = Promise.resolve();
  #starting: NodeJS.Timeout | undefined;
  #isOn = false;

  /** As a command starts. Again does nothing. */
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

  /** Whether the whole group has had that signal, which has come to this process. */
  wasHitBy(signal: NodeJS.Signals): Promise<boolean> {
    const asking = this.#asked.then(async () => {
      if (this.#takeHit(signal)) return true;
      await this.#answer();
      return this.#takeHit(signal);
    });
    this.#asked = asking;
    return asking;
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
      // Without one, a signal is handed on as if it came to this process alone.
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
      // The command may outlive that signal, and the next one comes to all of the group again.
      if (this.#isOn) this.#spawn();
    }
    this.#onAnswer();
  }
}
