/**
 * A clock that is cheap to read: the time is taken once, and again only after a millisecond or two
 * have passed or the event loop has been let go. Asking the system costs as much as a whole acquire
 * and release. For `since` in snapshots that is precise enough; deadlines do not use it.
 */

const freshMs = 1;

export class CoarseClock {
  /** Times are told in ms since this, so that they are small integers. */
  readonly #epochMs = Date.now();
  #nowMs = -1;
  readonly #expire = (): void => {
    this.#nowMs = -1;
  };

  /** Ms since this clock was made. */
  now(): number {
    return this.#nowMs >= 0 ? this.#nowMs : this.#read();
  }

  /** Ms since 1970, from what {@link now} returned. */
  toEpochMs(timeMs: number): number {
    return this.#epochMs + timeMs;
  }

  #read(): number {
    // The system's clock may be set back, and a time is never negative here.
    this.#nowMs = Math.max(0, Date.now() - this.#epochMs);
    unref(setTimeout(this.#expire, freshMs));
    return this.#nowMs;
  }
}

/** Lets the process end although the timer is set; a browser's is a number and never keeps one. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === 'object') timer.unref();
}
