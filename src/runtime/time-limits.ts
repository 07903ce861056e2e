/**
 * The time limits of a domain's requests. Limits that are over at the same time are reported
 * together, so that the backend can end those requests in one operation: otherwise the first to end
 * would cause a grant of the next, and the sets behind them would be granted in the order of timers
 * instead of arrival (I6).
 *
 * Limits by real time, those of all domains, are in one heap and share one timer; starting and
 * cancelling cost O(log n). By a clock that a test has faked each has a timer of its own, which is
 * what the test can move; where that clock is not known, a limit ends its request alone.
 */

import { Alarm } from './alarm.ts';
import { clockOfTimers, realNowMs } from './real-time.ts';
import { callerTimer, Timer } from './timer.ts';
import { throwUncaught } from './uncaught.ts';

/** One request's limit. */
export interface TimeLimit<T> {
  readonly item: T;
  readonly timeoutMs: number;
  cancel(): void;
}

export class TimeLimits<T> {
  /** For {@link FakedLimit}: those that run by a faked clock. */
  readonly faked = new Set<FakedLimit<T>>();
  /** Receives all limits that are over, once each. None is empty. */
  readonly onTime: (due: readonly TimeLimit<T>[]) => void;

  constructor(onTime: (due: readonly TimeLimit<T>[]) => void) {
    this.onTime = onTime;
  }

  /** A limit begins to run. */
  add(timeoutMs: number, item: T): TimeLimit<T> {
    return clockOfTimers() === realNowMs
      ? new RealLimit(this, timeoutMs, item)
      : new FakedLimit(this, timeoutMs, item);
  }
}

interface LimitsOwner {
  onTime(due: readonly TimeLimit<unknown>[]): void;
}

/** By real time. */
class RealLimit<T = unknown> implements TimeLimit<T> {
  readonly item: T;
  readonly timeoutMs: number;
  readonly atMs: number;
  /** Its index in the heap; -1: over or cancelled. */
  index = -1;
  readonly limits: LimitsOwner;

  constructor(limits: LimitsOwner, timeoutMs: number, item: T) {
    this.limits = limits;
    this.timeoutMs = timeoutMs;
    this.item = item;
    this.atMs = realNowMs() + timeoutMs;
    realLimits.add(this);
    if (this.index === 0) alarm.set(this.atMs);
  }

  cancel(): void {
    realLimits.remove(this);
    if (realLimits.first === undefined) alarm.rest();
  }
}

/** The earliest is the first. */
class Heap {
  private heap: RealLimit[] = [];

  get first(): RealLimit | undefined {
    return this.heap[0];
  }

  add(entry: RealLimit): void {
    entry.index = this.heap.length;
    this.heap.push(entry);
    this.rise(entry);
  }

  /** Does nothing to one that has been removed. */
  remove(entry: RealLimit): void {
    const { index } = entry;
    if (index < 0) return;
    entry.index = -1;
    const last = this.heap.pop() as RealLimit;
    // Gives back the memory of a burst.
    if (this.heap.length === 0) this.heap = [];
    if (last === entry) return;
    this.put(last, index);
    this.rise(last);
    this.sink(last);
  }

  private rise(entry: RealLimit): void {
    while (entry.index > 0) {
      const above = this.heap[(entry.index - 1) >> 1] as RealLimit;
      if (above.atMs <= entry.atMs) return;
      const { index } = above;
      this.put(above, entry.index);
      this.put(entry, index);
    }
  }

  private sink(entry: RealLimit): void {
    for (;;) {
      const left = this.heap[2 * entry.index + 1];
      const right = this.heap[2 * entry.index + 2];
      if (left === undefined) return;
      const isRight = right !== undefined && right.atMs < left.atMs;
      const below = isRight ? right : left;
      if (entry.atMs <= below.atMs) return;
      const { index } = below;
      this.put(below, entry.index);
      this.put(entry, index);
    }
  }

  private put(entry: RealLimit, index: number): void {
    entry.index = index;
    this.heap[index] = entry;
  }
}

const realLimits = new Heap();
const alarm = new Alarm(endRealLimits);

/** Ends all that are due: those of one domain together. */
function endRealLimits(): void {
  const due = new Map<LimitsOwner, RealLimit[]>();
  const untilMs = realNowMs() + 1;
  for (let next = realLimits.first; next !== undefined; next = realLimits.first) {
    if (next.atMs >= untilMs) {
      alarm.set(next.atMs);
      break;
    }
    realLimits.remove(next);
    const together = due.get(next.limits);
    if (together === undefined) due.set(next.limits, [next]);
    else together.push(next);
  }
  for (const [limits, together] of due) {
    try {
      limits.onTime(together);
    } catch (error) {
      throwUncaught(error);
    }
  }
}

/** By a clock that a test has faked. */
class FakedLimit<T> extends Timer implements TimeLimit<T> {
  readonly item: T;
  readonly timeoutMs: number;
  readonly #limits: TimeLimits<T>;

  constructor(limits: TimeLimits<T>, timeoutMs: number, item: T) {
    super(timeoutMs, () => this.#over(), callerTimer);
    this.#limits = limits;
    this.timeoutMs = timeoutMs;
    this.item = item;
    limits.faked.add(this);
  }

  override cancel(): void {
    super.cancel();
    this.#limits.faked.delete(this);
  }

  #over(): void {
    const { faked, onTime } = this.#limits;
    const due = [...faked].filter(
      (other) => other === this || (other.clock === this.clock && other.isDue),
    );
    due.sort((one, other) => one.atMs - other.atMs);
    for (const limit of due) limit.cancel();
    onTime(due);
  }
}
