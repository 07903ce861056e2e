/**
 * How an agent is notified that its inbox has notices: by a word that grows, and that it waits on.
 *
 * A thread that leaves a notice writes it first, under the lock; releases the lock; then rings. A
 * thread that waits reads the doorbell first, then the inbox under the lock, and only then sleeps
 * on the value read: if the doorbell was rung in between, the thread does not fall asleep. A ring
 * can come without a notice, but no notice without a ring.
 */

import * as C from './control.ts';
import type { Steps } from './lock.ts';

/** Rings. Returns whether the agent cannot wait on the word, and must be sent a message. */
export function ring(control: Int32Array, agent: number, steps: Steps = Atomics): boolean {
  const at = C.wordsOfAgent(agent);
  steps.add(control, at + C.BELL, 1);
  const sleep = steps.load(control, at + C.SLEEP);
  if (sleep === C.ON_BELL) steps.notify(control, at + C.BELL);
  return sleep === C.ON_CHANNEL;
}

/** An agent's own doorbell. */
export class Doorbell {
  readonly #control: Int32Array;
  readonly #at: number;
  readonly #steps: Steps;
  /** What it stood at when it was last looked at. */
  #seen = 0;

  constructor(control: Int32Array, agent: number, steps: Steps = Atomics) {
    this.#control = control;
    this.#at = C.wordsOfAgent(agent);
    this.#steps = steps;
  }

  /** Look at it before looking for news. */
  look(): void {
    this.#seen = this.#steps.load(this.#control, this.#at + C.BELL);
  }

  /** Whether it has been rung since. */
  get isRung(): boolean {
    return this.#steps.load(this.#control, this.#at + C.BELL) !== this.#seen;
  }

  /** Blocks the thread until it is rung, or for so long. */
  sleep(timeoutMs: number): void {
    const sleepBefore = this.#steps.exchange(this.#control, this.#at + C.SLEEP, C.ON_BELL);
    this.#steps.wait(this.#control, this.#at + C.BELL, this.#seen, timeoutMs);
    // What the agent's event loop waits on is still to be notified.
    this.#steps.store(this.#control, this.#at + C.SLEEP, sleepBefore);
  }

  /** How the ringer is to reach this agent while its thread goes on. */
  set reachedBy(sleep: number) {
    this.#steps.store(this.#control, this.#at + C.SLEEP, sleep);
  }

  /** Resolves when it is rung; undefined if it has been. */
  ringing(): Promise<unknown> | undefined {
    const { async, value } = Atomics.waitAsync(this.#control, this.#at + C.BELL, this.#seen);
    return async ? value : undefined;
  }
}
