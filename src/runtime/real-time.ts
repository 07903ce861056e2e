/**
 * The timers and the clock of the platform as they are when this module is loaded.
 *
 * Fake timers of a test replace the global ones. A time-out of a caller follows those, as the test
 * expects; a lease, a heartbeat or a sleeping thread must not stop with them, and uses these. If
 * the fakes were installed first, the functions here are the global ones of each moment, which are
 * real again once the fakes are restored.
 */

export interface Timers {
  readonly setTimeout: typeof setTimeout;
  readonly clearTimeout: typeof clearTimeout;
}

// Functions by themselves: a browser takes them with no other `this` than its own.
const setTimeoutAtLoad = setTimeout;
const setIntervalAtLoad = setInterval;
const clearIntervalAtLoad = clearInterval;
const setImmediateAtLoad = globalThis.setImmediate as ((task: () => void) => unknown) | undefined;
const performanceAtLoad = performance;
const performanceNowAtLoad = performance.now;
const dateNowAtLoad = Date.now;

const timersAtLoad: Timers = { setTimeout, clearTimeout };
const wereFaked = isFake(setTimeout, 'setTimeout');
const done = Promise.resolve();

/** Libraries leave their clock at a function that they replace; node:test binds its own. */
function isFake(fn: (...args: never[]) => unknown, name: string): boolean {
  return 'clock' in fn || fn.name !== name;
}

/**
 * Whether the timers or the time of day are others than at load: a test has faked them. Each
 * acquire asks, so these are names of globals, which a compiler takes for constants.
 */
export function isTimeFaked(): boolean {
  return setTimeout !== setTimeoutAtLoad || Date.now !== dateNowAtLoad;
}

/** Whether the time of day is another than at load, and the clock that never goes back is not. */
export function isOnlyDateFaked(): boolean {
  return Date.now !== dateNowAtLoad && performance.now === performanceNowAtLoad;
}

/** Whether the timers in force are the platform's own, as far as can be known. */
function areTimersReal(): boolean {
  return !wereFaked && setTimeout === setTimeoutAtLoad;
}

/**
 * The clock that the timers in force go by. Undefined if a test has faked them and left
 * `performance` as it is: the time of day may be faked too, but also be set without moving a timer.
 */
export function clockOfTimers(): (() => number) | undefined {
  if (areTimersReal()) return realNowMs;
  return performance.now === performanceNowAtLoad ? undefined : performance.now;
}

/** Timers of real time, whatever a test has faked. */
export function realTimers(): Timers {
  return wereFaked ? globalThis : timersAtLoad;
}

/** Calls once. Keeps the process alive until then. */
export function setRealTimeout(run: () => void, delayMs: number): ReturnType<typeof setTimeout> {
  const { setTimeout: set } = realTimers();
  return set(run, delayMs);
}

export function clearRealTimeout(timer: ReturnType<typeof setTimeout> | undefined): void {
  const { clearTimeout: clear } = realTimers();
  clear(timer);
}

/** Repeats, and keeps the process alive meanwhile. Returns the timer, and what ends it. */
export function setRealInterval(run: () => void, delayMs: number) {
  const set = wereFaked ? setInterval : setIntervalAtLoad;
  const clear = wereFaked ? clearInterval : clearIntervalAtLoad;
  const timer = set(run, delayMs);
  return { timer, clear: () => clear(timer) };
}

/** A turn of the event loop later. */
export function setRealImmediate(run: () => void): void {
  if (setImmediateAtLoad === undefined || wereFaked) setRealTimeout(run, 0);
  else setImmediateAtLoad(run);
}

/** What it runs must not throw. */
export const queueRealMicrotask: (run: () => void) => void = isFake(
  queueMicrotask,
  'queueMicrotask',
)
  ? (run) => void done.then(run)
  : queueMicrotask;

/** Ms since a moment of its own; it never goes back. */
export function realNowMs(): number {
  return wereFaked ? performance.now() : performanceNowAtLoad.call(performanceAtLoad);
}

/** Ms since 1970. */
export function realEpochMs(): number {
  return wereFaked ? Date.now() : dateNowAtLoad();
}
