/** Keeps the process alive while something is expected; sockets and timers of this host do not. */

const longMs = 2 ** 30;

export class Awake {
  #count = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  begin(): void {
    this.#count++;
    if (this.#count === 1) this.#timer = setInterval(() => undefined, longMs);
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) clearInterval(this.#timer);
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
