/** Sources of vsyncs: a timer, a browser's frames, or a test. */

import { describe } from '../../api/sets.ts';
import { realNowMs, setRealImmediate, setRealTimeout } from '../../runtime/real-time.ts';

/**
 * A vsync, for its listener.
 *
 * @since 0.1.0
 */
export interface VsyncEvent {
  /** The time at which it was due, ms by {@link Vsync.now}. */
  readonly timeMs: number;
  /** Grows by one with each vsync, and by more if some were skipped. */
  readonly number: number;
}

/**
 * A source of vsyncs. Any object with these two methods is one.
 *
 * @example
 * ```ts
 * import { timerVsync } from 'kds/display';
 *
 * const vsync = timerVsync({ hz: 120 });
 * const stop = vsync.start(({ number, timeMs }) => {
 *   console.log(number, vsync.now() - timeMs); // 1, and how late it is, in ms
 *   stop();
 * });
 * ```
 * @since 0.1.0
 */
export interface Vsync {
  /**
   * Reads a clock that never goes back, in ms. Latencies are measured with it.
   *
   * @waits Never.
   */
  now(): number;
  /**
   * Calls back at each vsync from now on, never within this call.
   *
   * @param onVsync - Called with the time and the number of each vsync.
   * @returns A function that stops the calls.
   * @waits Never.
   */
  start(onVsync: (event: VsyncEvent) => void): () => void;
}

const hzMax = 1000;
/** Resolution of timers: the rest of a period is spent in turns of the event loop. */
const coarseMs = 1.5;

/**
 * Makes a vsync by timer, within some tenths of a millisecond of its time if the event loop is
 * free, and without drift. It spends the last 1.5 ms of each period in turns of the event loop,
 * keeps the process alive while it is used, and goes by real time where a test has faked the
 * timers: {@link manualVsync} is for tests.
 *
 * @param options - `hz`: vsyncs in a second, 1 to 1000. Default 60.
 * @throws TypeError if `hz` is no number.
 * @throws RangeError if `hz` is out of its bounds.
 * @waits Never.
 * @example
 * ```ts
 * import { timerVsync } from 'kds/display';
 *
 * const stop = timerVsync({ hz: 100 }).start(({ number }) => {
 *   console.log(number); // 1, then 2
 *   if (number >= 2) stop();
 * });
 * ```
 * @since 0.1.0
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
 * Makes the vsync of a browser's page or worker, by requestAnimationFrame.
 *
 * @throws TypeError where the runtime does not have that function.
 * @waits Never.
 * @example
 * ```ts no-run
 * import { createDomain } from 'kds';
 * import { animationFrameVsync, createDisplay } from 'kds/display';
 *
 * const buffers = [{ resource: 'front' }, { resource: 'back' }];
 * const onShown = () => {}; // draw the buffer onto the canvas
 * createDisplay(createDomain(), { buffers, vsync: animationFrameVsync(), onShown });
 * ```
 * @since 0.1.0
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

/**
 * A vsync that a test triggers.
 *
 * @example
 * ```ts
 * import { manualVsync } from 'kds/display';
 *
 * const vsync = manualVsync();
 * vsync.start(({ number, timeMs }) => console.log(number, timeMs)); // 1 15
 * vsync.advance(5);
 * vsync.tick(10);
 * ```
 * @since 0.1.0
 */
export interface ManualVsync extends Vsync {
  /**
   * Moves its clock, without a vsync.
   *
   * @param ms - Milliseconds, 0 or more, and finite.
   * @throws TypeError if `ms` is no number.
   * @throws RangeError if it is out of its bounds.
   * @waits Never.
   */
  advance(ms: number): void;
  /**
   * Moves its clock, then triggers a vsync: the listeners run within this call.
   *
   * @param ms - Milliseconds, 0 or more, and finite. Default: a sixtieth of a second.
   * @throws TypeError if `ms` is no number.
   * @throws RangeError if it is out of its bounds.
   * @waits Never.
   */
  tick(ms?: number): void;
}

/**
 * Makes a vsync for tests, and for offline rendering. Its clock begins at 0.
 *
 * @waits Never.
 * @example
 * ```ts
 * import { manualVsync } from 'kds/display';
 *
 * const vsync = manualVsync();
 * vsync.start(({ number }) => console.log(number)); // 1
 * vsync.tick();
 * console.log(vsync.now()); // 16.666666666666668
 * ```
 * @since 0.1.0
 */
export function manualVsync(): ManualVsync {
  const listeners = new Set<(event: VsyncEvent) => void>();
  let timeMs = 0;
  let number = 0;
  const advance = (ms: number): void => {
    if (typeof ms !== 'number') throw new TypeError(`ms is a number, not ${describe(ms)}`);
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`time passes by 0 ms or more, and finite, not ${ms}`);
    }
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
