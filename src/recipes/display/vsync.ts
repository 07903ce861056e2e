/** Sources of vsyncs: a timer, a browser's frames, or a test. */

import { describe } from '../../api/sets.ts';
import { realNowMs, setRealImmediate, setRealTimeout } from '../../runtime/real-time.ts';

export interface VsyncEvent {
  /** The time at which it was due, by {@link Vsync.now}, in ms. */
  readonly timeMs: number;
  /** Grows by one with each vsync, and by more if some were skipped. */
  readonly number: number;
}

export interface Vsync {
  /** A clock that never goes back, in ms. Latencies are measured with it. */
  now(): number;
  /** Calls back at each vsync from now on, never within this call. Returns a function to stop. */
  start(onVsync: (event: VsyncEvent) => void): () => void;
}

const hzMax = 1000;
/** Resolution of timers: the rest of a period is spent in turns of the event loop. */
const coarseMs = 1.5;

/**
 * A vsync by timer, within some tenths of a millisecond of its time if the event loop is free, and
 * without drift. Keeps the process alive while it is used. It goes by real time where a test has
 * faked the timers: {@link manualVsync} is for tests.
 *
 * @param options `hz`: 1 to 1000. Default 60.
 * @throws TypeError, RangeError
 */
export function timerVsync({ hz = 60 }: { readonly hz?: number } = {}): Vsync {
  if (typeof hz !== 'number') throw new TypeError(`hz is a number, not ${describe(hz)}`);
  if (!(hz >= 1 && hz <= hzMax)) throw new RangeError(`hz is 1 to ${hzMax}, not ${hz}`);
  return new TimerVsync(1000 / hz);
}

class TimerVsync implements Vsync {
  readonly #periodMs: number;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  now(): number {
    return realNowMs();
  }

  start(onVsync: (event: VsyncEvent) => void): () => void {
    const startMs = this.now();
    let number = 0;
    let isStopped = false;
    const wait = (): void => {
      if (isStopped) return;
      const leftMs = startMs + (number + 1) * this.#periodMs - this.now();
      if (leftMs > coarseMs) setRealTimeout(wait, leftMs - coarseMs);
      else if (leftMs > 0) setRealImmediate(wait);
      else tick();
    };
    const tick = (): void => {
      number = Math.max(number + 1, Math.floor((this.now() - startMs) / this.#periodMs));
      // First, so that a callback that throws does not stop the vsyncs.
      setRealImmediate(wait);
      onVsync({ timeMs: startMs + number * this.#periodMs, number });
    };
    setRealTimeout(wait, 0);
    return () => {
      isStopped = true;
    };
  }
}

/**
 * The vsync of a browser's page or worker, by requestAnimationFrame.
 *
 * @throws TypeError where there is none.
 */
export function animationFrameVsync(): Vsync {
  if (typeof requestAnimationFrame !== 'function') {
    throw new TypeError('there is no requestAnimationFrame here: use timerVsync()');
  }
  return {
    now: () => performance.now(),
    start: (onVsync) => {
      let number = 0;
      let handle = requestAnimationFrame(frame);
      function frame(timeMs: number): void {
        handle = requestAnimationFrame(frame);
        number++;
        onVsync({ timeMs, number });
      }
      return () => cancelAnimationFrame(handle);
    },
  };
}

/** A vsync that a test triggers. */
export interface ManualVsync extends Vsync {
  /** Moves its clock by `ms`, without a vsync. */
  advance(ms: number): void;
  /** Moves its clock by `ms`, by default a sixtieth of a second; then triggers a vsync. */
  tick(ms?: number): void;
}

/** For tests, and for offline rendering. Its clock begins at 0. */
export function manualVsync(): ManualVsync {
  const listeners = new Set<(event: VsyncEvent) => void>();
  let timeMs = 0;
  let number = 0;
  const advance = (ms: number): void => {
    if (!(ms >= 0)) throw new RangeError(`time passes by 0 ms or more, not ${ms}`);
    timeMs += ms;
  };
  return {
    now: () => timeMs,
    start: (onVsync) => {
      listeners.add(onVsync);
      return () => listeners.delete(onVsync);
    },
    advance,
    tick: (ms = 1000 / 60) => {
      advance(ms);
      number++;
      for (const listener of [...listeners]) listener({ timeMs, number });
    },
  };
}
