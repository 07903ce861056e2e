/**
 * A timer for any delay: the platform's own overflows after 24.8 days.
 *
 * A timer that a test has faked fires when the test moves its time; no clock is read, as it may be
 * faked or not. A real timer that fires early by the real clock is set again. Either is cancelled
 * by the functions of its start, whatever has been faked or restored since.
 */

import { clockOfTimers, realNowMs, realTimers } from './real-time.ts';

export const delayMsMax = 2 ** 31 - 1;

export interface TimerOptions {
  /** Whether the process stays alive until it fires or is cancelled. Default false. */
  readonly keepsAlive?: boolean;
  /** Whether it uses real time if a test has faked the timers. Default false. */
  readonly isReal?: boolean;
}

/** For waiting callers: a process that ended meanwhile would run neither `catch` nor `finally`. */
export const callerTimer: TimerOptions = { keepsAlive: true };

const noOptions: TimerOptions = {};

export class Timer {
  readonly #onTime: () => void;
  readonly #options: TimerOptions;
  /** Its clock; undefined for a fake timer whose clock is not known. */
  readonly clock: (() => number) | undefined;
  /** The time at which it fires by that clock; NaN without a clock. */
  readonly atMs: number;
  #leftMs: number;
  #isOver = false;
  #setTimeout!: typeof setTimeout;
  #clearTimeout!: typeof clearTimeout;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(delayMs: number, onTime: () => void, options: TimerOptions = noOptions) {
    this.#onTime = onTime;
    this.#options = options;
    this.clock = options.isReal === true ? realNowMs : clockOfTimers();
    this.atMs = this.#nowMs() + delayMs;
    this.#leftMs = delayMs;
    this.#arm();
  }

  /** Whether its time has passed, within the resolution of timers. */
  get isDue(): boolean {
    return this.atMs - this.#nowMs() < 1;
  }

  /** Whether the global timers are still those that it uses. */
  get isCurrent(): boolean {
    return this.#setTimeout === globalThis.setTimeout;
  }

  cancel(): void {
    // With the mock timers of node:test, clearing a fired timer clears another one.
    if (this.#isOver) return;
    this.#isOver = true;
    const isReal = this.clock === realNowMs;
    // Restored fake timers need no clearing; those of node:test would break.
    if (!isReal && !this.isCurrent) return;
    const clear = isReal ? this.#clearTimeout : clearTimeout;
    // Node frees its list of a delay with the last timer that keeps the process alive: 0.7 µs.
    unref(this.#timer);
    clear(this.#timer);
  }

  #nowMs(): number {
    // Fake clocks are called on the object that they replace a function of.
    return this.clock === undefined ? Number.NaN : this.clock.call(performance);
  }

  #arm(): void {
    const { setTimeout, clearTimeout } = this.#options.isReal === true ? realTimers() : globalThis;
    this.#setTimeout = setTimeout;
    this.#clearTimeout = clearTimeout;
    const stepMs = Math.min(Math.ceil(this.#leftMs), delayMsMax);
    this.#leftMs -= stepMs;
    const timer = setTimeout(() => this.#fire(), stepMs);
    this.#timer = timer;
    if (this.#options.keepsAlive !== true) unref(timer);
  }

  #fire(): void {
    // Where only setTimeout is faked, the real clearTimeout has not cleared it.
    if (this.#isOver) return;
    if (this.clock === realNowMs) this.#leftMs = this.isDue ? 0 : this.atMs - realNowMs();
    if (this.#leftMs > 0) {
      this.#arm();
      return;
    }
    this.#isOver = true;
    this.#onTime();
  }
}

/** Lets the process end although the timer is set; a browser's is a number and never keeps one. */
export function unref(timer: ReturnType<typeof setTimeout> | undefined): void {
  if (typeof timer === 'object') timer.unref?.();
}
