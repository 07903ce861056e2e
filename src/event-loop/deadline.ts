/** A timer for any delay: the platform's overflow after 24.8 days. Keeps no process alive. */

import { unref } from './unref.ts';

const delayMsMax = 2 ** 31 - 1;

export class Deadline {
  #timer: ReturnType<typeof setTimeout>;
  /** When it is over, on the clock of `performance.now()`. */
  readonly atMs: number;
  readonly #onTime: () => void;

  constructor(delayMs: number, onTime: () => void) {
    this.atMs = performance.now() + delayMs;
    this.#onTime = onTime;
    this.#timer = this.#arm(delayMs);
  }

  /** Whether its time is over, within the resolution of timers. */
  get isDue(): boolean {
    return this.atMs - performance.now() < 1;
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#fire(), Math.min(Math.ceil(delayMs), delayMsMax));
    unref(timer);
    return timer;
  }

  #fire(): void {
    // Timers may fire a little early; what is left then is less than their resolution.
    if (this.isDue) this.#onTime();
    else this.#timer = this.#arm(this.atMs - performance.now());
  }
}
