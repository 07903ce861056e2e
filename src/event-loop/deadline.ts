/** A timer for any delay: the platform's overflow after 24.8 days. Keeps no process alive. */

import { unref } from './unref.ts';

const delayMsMax = 2 ** 31 - 1;

export class Deadline {
  #timer: ReturnType<typeof setTimeout>;
  readonly #atMs: number;
  readonly #onTime: () => void;

  constructor(delayMs: number, onTime: () => void) {
    this.#atMs = performance.now() + delayMs;
    this.#onTime = onTime;
    this.#timer = this.#arm(delayMs);
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
    const leftMs = this.#atMs - performance.now();
    if (leftMs >= 1) this.#timer = this.#arm(leftMs);
    else this.#onTime();
  }
}
