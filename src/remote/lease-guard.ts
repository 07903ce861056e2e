/**
 * Until when a lease is certainly valid, by this client's own clock.
 *
 * The server counts a lease from when it received the renewal; the guard counts from *before* the
 * renewal was sent, on a clock that never goes back, and stops short of the end. As long as the two
 * clocks do not run apart by more than the margin, the guard ends the lease before the server does,
 * however long the renewal was under way. A process that was stopped meanwhile checks the guard
 * before it acts.
 */

import type { Clock } from '../runtime/clock.ts';

/** Share of each lease that is not relied on: clocks that differ by a tenth are broken. */
const marginShare = 1 / 10;
/** Resolution of clocks, ms: a timer that was early is not set again for less. */
const timerMsMin = 1;

export class LeaseGuard {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #endMs = Number.NEGATIVE_INFINITY;
  #isRunning = false;
  #cancel: () => void = () => undefined;

  /** `onEnd` is called once the lease is over, unless it is renewed or ended before. */
  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  get isValid(): boolean {
    return this.#clock.nowMs() < this.#endMs;
  }

  /**
   * Calls `onEnd` now if the lease is over. An event loop that was blocked has not run the timer
   * yet, so every call whose result depends on the lease begins with this.
   */
  check(): void {
    if (!this.#isRunning || this.isValid) return;
    this.#cancel();
    this.#isRunning = false;
    this.#onEnd();
  }

  /** The server has confirmed a lease of `leaseMs`; the heartbeat was sent at `sentMs`. */
  renewed(sentMs: number, leaseMs: number): void {
    const endMs = sentMs + leaseMs * (1 - marginShare);
    // Answers may overtake each other.
    if (endMs <= this.#endMs) return;
    this.#endMs = endMs;
    this.#isRunning = true;
    this.#cancel();
    this.#arm();
  }

  /** Ends the lease without a call of `onEnd`. */
  end(): void {
    this.#endMs = Number.NEGATIVE_INFINITY;
    this.#isRunning = false;
    this.#cancel();
  }

  #arm(): void {
    const leftMs = this.#endMs - this.#clock.nowMs();
    this.#cancel = this.#clock.after(Math.max(timerMsMin, leftMs), () => {
      if (this.isValid) this.#arm();
      else this.check();
    });
  }
}
