/**
 * How an agent is notified that its inbox has notices: by a word that grows, and that it waits on.
 *
 * A thread that posts a notice writes it first, under the lock; releases the lock; then increments
 * the doorbell. A thread that waits reads the doorbell first, then the inbox under the lock, and
 * only then sleeps on the value read: if the doorbell has grown in between, the thread does not
 * fall asleep. A doorbell can grow without a notice, but there is no notice without a doorbell that
 * grows.
 */

import * as C from './control.ts';
import type { Steps } from './lock.ts';

/** Returns whether the agent cannot wait on its doorbell, and must be sent a message. */
export function notifyAgent(control: Int32Array, agent: number, steps: Steps = Atomics): boolean {
  const at = C.wordsOfAgent(agent);
  steps.add(control, at + C.DOORBELL, 1);
  const sleep = steps.load(control, at + C.SLEEP);
  if (sleep === C.ON_DOORBELL) steps.notify(control, at + C.DOORBELL);
  return sleep === C.ON_CHANNEL;
}

/** An agent's own doorbell. */
export class Doorbell {
  readonly #control: Int32Array;
  readonly #at: number;
  readonly #steps: Steps;
  /** Its value when it was last read. */
  #seen = 0;

  constructor(control: Int32Array, agent: number, steps: Steps = Atomics) {
    this.#control = control;
    this.#at = C.wordsOfAgent(agent);
    this.#steps = steps;
  }

  /** To be read before the inbox. */
  read(): void {
    this.#seen = this.#steps.load(this.#control, this.#at + C.DOORBELL);
  }

  /** Whether it has grown since. */
  get isNotified(): boolean {
    return this.#steps.load(this.#control, this.#at + C.DOORBELL) !== this.#seen;
  }

  /** Blocks the thread until it grows, for `timeoutMs` at most. */
  sleep(timeoutMs: number): void {
    const sleepBefore = this.#steps.exchange(this.#control, this.#at + C.SLEEP, C.ON_DOORBELL);
    this.#steps.wait(this.#control, this.#at + C.DOORBELL, this.#seen, timeoutMs);
    // What the agent's event loop waits on is still to be notified.
    this.#steps.store(this.#control, this.#at + C.SLEEP, sleepBefore);
  }

  /** How other threads are to reach this agent while its thread goes on. */
  set reachedBy(sleep: number) {
    this.#steps.store(this.#control, this.#at + C.SLEEP, sleep);
  }

  /** Resolves when it grows; undefined if it has grown since it was read. */
  whenNotified(): Promise<unknown> | undefined {
    const { async, value } = Atomics.waitAsync(this.#control, this.#at + C.DOORBELL, this.#seen);
    return async ? value : undefined;
  }
}
