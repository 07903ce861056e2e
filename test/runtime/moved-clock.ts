/** A clock that only moves when it is moved. */

import type { Clock } from '../../src/runtime/clock.ts';

export class MovedClock implements Clock {
  #nowMs = 1000;
  readonly #timers = new Set<{ readonly atMs: number; readonly onTime: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, onTime: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, onTime };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  /** Runs what is due on the way, each at its time. */
  move(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs);
      const [next] = due.sort((one, other) => one.atMs - other.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.onTime();
    }
    this.#nowMs = endMs;
  }

  /** Time passes, and nothing runs: the process is stopped. */
  stopFor(ms: number): void {
    this.#nowMs += ms;
  }
}
