/**
 * A timer of real time for a deadline that changes often. It is set anew only if it would fire too
 * late; where it fires too early, its user sets it again.
 */

import { clearRealTimeout, realNowMs, setRealTimeout } from './real-time.ts';
import { delayMsMax, unref } from './timer.ts';

export class Alarm {
  readonly #onTime: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** When the timer fires. */
  #atMs = Number.POSITIVE_INFINITY;
  #keepsAlive = false;

  constructor(onTime: () => void) {
    this.#onTime = onTime;
  }

  /** Fires at this time or before. Keeps the process alive until then, or until {@link rest}. */
  set(atMs: number): void {
    if (this.#atMs > atMs) this.#move(atMs);
    else if (!this.#keepsAlive) ref(this.#timer);
    this.#keepsAlive = true;
  }

  /** Nothing is due any more: the process may end. */
  rest(): void {
    this.#keepsAlive = false;
    // Only Node's can stay set and let the process end; another one is cleared.
    if (typeof this.#timer === 'object') unref(this.#timer);
    else this.#clear();
  }

  #move(atMs: number): void {
    this.#clear();
    const nowMs = realNowMs();
    const delayMs = Math.max(1, Math.min(Math.ceil(atMs - nowMs), delayMsMax));
    this.#atMs = nowMs + delayMs;
    this.#timer = setRealTimeout(() => this.#fire(), delayMs);
  }

  #clear(): void {
    clearRealTimeout(this.#timer);
    this.#timer = undefined;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    this.#clear();
    this.#keepsAlive = false;
    this.#onTime();
  }
}

function ref(timer: ReturnType<typeof setTimeout> | undefined): void {
  if (typeof timer === 'object') timer.ref?.();
}
