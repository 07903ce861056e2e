/** Keeps the process alive while something is expected; sockets and timers of this host do not. */

import type { Clock } from '../../runtime/clock.ts';

/** Longer than any process lives. */
const longMs = 2 ** 52;

export class Awake {
  readonly #clock: Clock;
  #count = 0;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): void {
    this.#count++;
    if (this.#count > 1) return;
    const options = { keepsAlive: true, isReal: true };
    this.#cancel = this.#clock.after(longMs, () => undefined, options);
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) this.#cancel();
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.begin();
    try {
      return await work();
    } finally {
      this.end();
    }
  }
}
