/**
 * A timer for any delay: the platform's own overflows after 24.8 days.
 *
 * A timer that a test has faked is over when the test says so; no clock is asked besides, as that
 * may be faked or not. A real one that fires early by the real clock is set again. Either ends by
 * the functions that it began by, whatever has been faked or restored since.
 */

import { clockOfTimers, realNowMs, realTimers } from './real-time.ts';
import { unref } from './unref.ts';

const delayMsMax = 2 ** 31 - 1;

export interface DeadlineOptions {
  /** Whether the process stays alive until it is over or cancelled. Default false. */
  readonly keepsAlive?: boolean;
  /** Whether it goes by real time where a test has faked the timers. Default false. */
  readonly isReal?: boolean;
}

/** Of a caller who waits: a process that ended instead would run neither `catch` nor `finally`. */
export const callersTime: DeadlineOptions = { keepsAlive: true };

const noOptions: DeadlineOptions = {};

export class Deadline {
  readonly #onTime: () => void;
  readonly #options: DeadlineOptions;
  /** What its timer goes by; undefined where that is a fake timer whose clock is not known. */
  readonly clock: (() => number) | undefined;
  /** When it is over by that clock; NaN where there is none. */
  readonly atMs: number;
  #leftMs: number;
  #isOver = false;
  #setTimeout!: typeof setTimeout;
  #clearTimeout!: typeof clearTimeout;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(delayMs: number, onTime: () => void, options: DeadlineOptions = noOptions) {
    this.#onTime = onTime;
    this.#options = options;
    this.clock = options.isReal === true ? realNowMs : clockOfTimers();
    this.atMs = this.#nowMs() + delayMs;
    this.#leftMs = delayMs;
    this.#arm();
  }

  /** Whether its time is over, within the resolution of timers. */
  get isDue(): boolean {
    return this.atMs - this.#nowMs() < 1;
  }

  /** Whether the timers in force are those that it waits for. */
  get isCurrent(): boolean {
    return this.#setTimeout === globalThis.setTimeout;
  }

  cancel(): void {
    // To clear one that has fired clears another one with the mock timers of node:test.
    if (this.#isOver) return;
    this.#isOver = true;
    const isReal = this.clock === realNowMs;
    // Of fake timers that are restored nothing is left to clear; those of node:test would break.
    if (!isReal && !this.isCurrent) return;
    const clear = isReal ? this.#clearTimeout : clearTimeout;
    // Node gives up its list of a delay with the last timer that keeps the process alive: 0.7 µs.
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
