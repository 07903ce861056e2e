/** Times that mean the same in all threads of an arena: ms since the arena was made. */

import type { StampClock } from '../../report/core-reader.ts';
import { CoarseClock } from '../../runtime/clock.ts';
import { EPOCH } from './control.ts';

/** An age from here on is a time in the future. */
const aheadMsMin = 2 ** 32 - 60_000;

export class ArenaClock implements StampClock {
  readonly #clock = new CoarseClock({ isReal: true });
  readonly #epochMs: number;

  constructor(control: Int32Array) {
    this.#epochMs = new Float64Array(control.buffer, EPOCH * 4, 1)[0] as number;
  }

  now(): number {
    return Math.round(this.#clock.toEpochMs(this.#clock.now()) - this.#epochMs);
  }

  fromStamp(storedMs: number): number {
    const nowMs = this.now();
    const ageMs = (nowMs - storedMs) >>> 0;
    // Another thread's clock may be a little ahead of this one.
    return ageMs > aheadMsMin ? nowMs : nowMs - ageMs;
  }

  toEpochMs(timeMs: number): number {
    return this.#epochMs + timeMs;
  }
}
