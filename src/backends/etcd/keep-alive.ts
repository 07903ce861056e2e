/** Keeps the process alive while work is under way; sockets and timers of this backend do not. */

import type { Clock } from '../../runtime/clock.ts';

/** Longer than any process lives. */
const longMs = 2 ** 52;

export class KeepAlive {
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
