/**
 * A clock that is cheap to read: the time is taken once, and again only after a millisecond or two
 * have passed or the event loop has been let go. Asking the system costs as much as a whole acquire
 * and release. For `since` in snapshots that is precise enough; deadlines do not use it.
 */

import { Deadline } from './deadline.ts';
import { unref } from './unref.ts';

const freshMs = 1;
/** By so much the system's clock may differ from this one. */
const driftMsMax = 1000;

export class CoarseClock {
  /** Times are told in ms since this, so that they are small integers. */
  readonly #startMs = performance.now();
  #epochMs = Date.now();
  #nowMs = -1;
  readonly #expire = (): void => {
    this.#nowMs = -1;
  };

  /** Ms since this clock was made, whatever becomes of the system's. */
  now(): number {
    return this.#nowMs >= 0 ? this.#nowMs : this.#read();
  }

  /** The last time whose low 32 bits were noted so: right for 49 days. */
  fromNote(note: number): number {
    const nowMs = this.now();
    return nowMs - ((nowMs - note) >>> 0);
  }

  /** Ms since 1970, as the system's clock has it now, from what {@link now} returned. */
  toEpochMs(timeMs: number): number {
    return this.#epochMs + timeMs;
  }

  #read(): number {
    this.#nowMs = Math.floor(performance.now() - this.#startMs);
    // Followed only when it has been set, so that what is told of one moment stays the same.
    const epochMs = Date.now() - this.#nowMs;
    if (Math.abs(epochMs - this.#epochMs) > driftMsMax) this.#epochMs = epochMs;
    unref(setTimeout(this.#expire, freshMs));
    return this.#nowMs;
  }
}

/** µs on the clock of the machine that never goes back; in browsers since the page was loaded. */
export function monotonicUs(): number {
  const hrtime = globalThis.process?.hrtime as (() => [number, number]) | undefined;
  if (hrtime === undefined) return performance.now() * 1000;
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1e6 + nanoseconds / 1000;
}

/** The time and its timers, as whatever keeps a lease is given them: a test can move them. */
export interface Clock {
  /** Ms since a moment of its own; it never goes back, whatever becomes of the system's time. */
  nowMs(): number;
  /** Calls once, in so many ms, however many. Returns what prevents it. Keeps no process alive. */
  after(delayMs: number, onTime: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, onTime) => {
    const deadline = new Deadline(delayMs, onTime);
    return () => deadline.cancel();
  },
};
