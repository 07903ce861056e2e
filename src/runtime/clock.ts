/**
 * A clock that is cheap to read: the system's time is read once, and again only after a millisecond
 * or two or a turn of the event loop. Reading the system's time costs as much as a whole acquire
 * and release. The result is precise enough for `since` in snapshots; timers do not use it.
 */

import {
  isOnlyDateFaked,
  isTimeFaked,
  realEpochMs,
  realNowMs,
  setRealTimeout,
} from './real-time.ts';
import { Timer, type TimerOptions, unref } from './timer.ts';

const freshMs = 1;
/** Difference from the system's clock that is tolerated. */
const driftMsMax = 1000;

export class CoarseClock {
  readonly #isReal: boolean;
  /** The clock that is read, and its object: a test may fake it, or restore it, at any time. */
  #source: () => number;
  #owner: object;
  /** Its times are in ms since it was made, so that they are small integers. */
  #startMs: number;
  #epochMs: number;
  #nowMs = -1;
  #lastMs = 0;
  readonly #expire = (): void => {
    this.#nowMs = -1;
  };

  /** `isReal`: a clock that a test has faked in one thread is not that of other threads. */
  constructor({ isReal = false } = {}) {
    this.#isReal = isReal;
    this.#owner = this.#ownerInForce();
    this.#source = isReal ? realNowMs : (this.#owner as typeof performance).now;
    this.#startMs = this.#source.call(this.#owner);
    this.#epochMs = isReal ? realEpochMs() : Date.now();
  }

  /** Ms since this clock was made; it never goes back, even if the system's does. */
  now(): number {
    return this.#nowMs >= 0 && !isTimeFaked() ? this.#nowMs : this.#read();
  }

  /** The last time whose low 32 bits were noted so: right for 49 days. */
  fromStamp(note: number): number {
    const nowMs = this.now();
    return nowMs - ((nowMs - note) >>> 0);
  }

  /** Ms since 1970, as the system's clock has it now, from what {@link now} returned. */
  toEpochMs(timeMs: number): number {
    return this.#epochMs + timeMs;
  }

  #read(): number {
    this.#followSource();
    const readMs = this.#source.call(this.#owner) - this.#startMs;
    // A time of day that a test has faked may be set back.
    if (readMs < this.#lastMs) this.#startMs -= this.#lastMs - readMs;
    const nowMs = Math.floor(Math.max(readMs, this.#lastMs));
    this.#lastMs = nowMs;
    // Followed only after it was set, so that reported times of one event stay the same.
    const epochMs = (this.#isReal ? realEpochMs() : Date.now()) - nowMs;
    if (!(Math.abs(epochMs - this.#epochMs) <= driftMsMax)) this.#epochMs = epochMs;
    // By a real timer: a faked one might never be over.
    if (this.#nowMs < 0) unref(setRealTimeout(this.#expire, freshMs));
    this.#nowMs = nowMs;
    return nowMs;
  }

  /** If the source has changed, the time continues from the last one's. */
  #followSource(): void {
    if (this.#isReal) return;
    const owner = this.#ownerInForce();
    const { now } = owner;
    if (now === this.#source) return;
    this.#startMs += now.call(owner) - this.#source.call(this.#owner);
    this.#source = now;
    this.#owner = owner;
    this.#epochMs = Number.NaN;
  }

  /** Where a test has faked the time of day and not `performance`, that is its time. */
  #ownerInForce(): { now(): number } {
    return isOnlyDateFaked() ? Date : performance;
  }
}

type Reading = number | readonly [seconds: number, nanoseconds: number];

/** The function in force, and what it is called on. */
const monotonic = { fn: monotonicInForce(), owner: performance, offsetUs: 0 };

/**
 * µs on the machine's monotonic clock; in browsers since the page was loaded. If a test fakes that
 * clock, or restores it, this one continues from its last time.
 */
export function monotonicUs(): number {
  const fn = monotonicInForce();
  if (fn !== monotonic.fn) {
    const nowUs = toUs(monotonic.fn.call(monotonic.owner)) + monotonic.offsetUs;
    monotonic.fn = fn;
    monotonic.owner = performance;
    monotonic.offsetUs = nowUs - toUs(fn.call(performance));
  }
  return toUs(monotonic.fn.call(monotonic.owner)) + monotonic.offsetUs;
}

function monotonicInForce(): () => Reading {
  const hrtime = globalThis.process?.hrtime as (() => Reading) | undefined;
  return hrtime ?? performance.now;
}

function toUs(reading: Reading): number {
  if (typeof reading === 'number') return reading * 1000;
  const [seconds, nanoseconds] = reading;
  return seconds * 1e6 + nanoseconds / 1000;
}

/** The time and timers of a lease: a test can move them. */
export interface Clock {
  /** Ms since an arbitrary time; it never goes back, even if the system's time does. */
  nowMs(): number;
  /** Ms since 1970, as the system has it now: it may be set forward or back. */
  epochMs(): number;
  /**
   * Calls once, after any delay. Returns a function that cancels the call. Without options it keeps
   * no process alive and uses real time.
   */
  after(delayMs: number, onTime: () => void, options?: TimerOptions): () => void;
}

const leaseTime: TimerOptions = { isReal: true };

/** Real time: a server whose lease it is does not know of a test's fake timers. */
export const systemClock: Clock = {
  nowMs: realNowMs,
  // For people, so that it is the time of day that a test has faked.
  epochMs: () => Date.now(),
  after: (delayMs, onTime, options = leaseTime) => {
    const timer = new Timer(delayMs, onTime, options);
    return () => timer.cancel();
  },
};
