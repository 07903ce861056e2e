/** Keeps the process alive while something is expected; sockets and timers of this host do not. */

import { setRealInterval } from '../../runtime/real-time.ts';

const longMs = 2 ** 30;

export class Awake {
  #count = 0;
  #clear: () => void = () => undefined;

  begin(): void {
    this.#count++;
    if (this.#count === 1) this.#clear = setRealInterval(() => undefined, longMs).clear;
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) this.#clear();
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
