/** A timer for any delay: the platform's own overflow after 24.8 days. Keeps no process alive. */

const delayMsMax = 2 ** 31 - 1;

export class Timer {
  readonly #endMs: number;
  readonly #onTime: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** Undefined if the delay is Infinity: then there is nothing to wait for. */
  static start(delayMs: number, onTime: () => void): Timer | undefined {
    return delayMs === Number.POSITIVE_INFINITY ? undefined : new Timer(delayMs, onTime);
  }

  private constructor(delayMs: number, onTime: () => void) {
    this.#endMs = performance.now() + delayMs;
    this.#onTime = onTime;
    this.#arm(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number): void {
    const fire = (): void => {
      // Timers may fire a little early; what is left then is less than their resolution.
      const leftMs = this.#endMs - performance.now();
      if (leftMs >= 1) this.#arm(leftMs);
      else this.#onTime();
    };
    this.#timer = setTimeout(fire, Math.min(Math.ceil(delayMs), delayMsMax));
    if (typeof this.#timer === 'object') this.#timer.unref();
  }
}
