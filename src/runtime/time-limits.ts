/**
 * The time limits of a domain's requests. Limits that are over at the same time are reported
 * together, so that the backend can end those requests in one operation: otherwise the first to end
 * would cause a grant of the next, and the sets behind them would be granted in the order of timers
 * instead of arrival (I6).
 *
 * A heap, the earliest first, so that starting and cancelling cost O(log n). Each limit has a timer
 * of its own, which is what a faked clock can move, so there is a heap for each clock in use. A
 * fake timer whose clock is not known ends its request alone.
 */

import { callerTimer, Timer } from './timer.ts';

/** One request's limit. */
export interface TimeLimit<T> {
  readonly item: T;
  readonly timeoutMs: number;
  cancel(): void;
}

export class TimeLimits<T> {
  readonly #heaps = new Map<() => number, Heap<T>>();
  readonly #onTime: (due: readonly TimeLimit<T>[]) => void;

  /** `onTime` receives all limits that are over, once each. None is empty. */
  constructor(onTime: (due: readonly TimeLimit<T>[]) => void) {
    this.#onTime = onTime;
  }

  /** A limit begins to run. */
  add(timeoutMs: number, item: T): TimeLimit<T> {
    const entry = new Entry(this, timeoutMs, item);
    if (entry.clock !== undefined) this.#heapOf(entry.clock).add(entry);
    return entry;
  }

  /** For {@link Entry}: does nothing to one that is over or was cancelled. */
  remove(entry: Entry<T>): void {
    if (entry.index < 0 || entry.clock === undefined) return;
    const heap = this.#heapOf(entry.clock);
    heap.remove(entry);
    if (heap.first === undefined) this.#heaps.delete(entry.clock);
  }

  /** For {@link Entry}: its timer has fired. */
  over(first: Entry<T>): void {
    const due: Entry<T>[] = [first];
    this.remove(first);
    const heap = first.clock && this.#heaps.get(first.clock);
    for (let next = heap?.first; next?.isDue; next = heap?.first) {
      next.cancel();
      due.push(next);
    }
    this.#onTime(due);
  }

  #heapOf(clock: () => number): Heap<T> {
    let heap = this.#heaps.get(clock);
    if (heap === undefined) {
      heap = new Heap();
      this.#heaps.set(clock, heap);
    }
    return heap;
  }
}

/** Limits by one clock. */
class Heap<T> {
  private readonly heap: Entry<T>[] = [];

  get first(): Entry<T> | undefined {
    return this.heap[0];
  }

  add(entry: Entry<T>): void {
    entry.index = this.heap.length;
    this.heap.push(entry);
    this.rise(entry);
  }

  remove(entry: Entry<T>): void {
    const { index } = entry;
    entry.index = -1;
    const last = this.heap.pop() as Entry<T>;
    if (last === entry) return;
    this.put(last, index);
    this.rise(last);
    this.sink(last);
  }

  private rise(entry: Entry<T>): void {
    while (entry.index > 0) {
      const above = this.heap[(entry.index - 1) >> 1] as Entry<T>;
      if (above.atMs <= entry.atMs) return;
      const { index } = above;
      this.put(above, entry.index);
      this.put(entry, index);
    }
  }

  private sink(entry: Entry<T>): void {
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

  private put(entry: Entry<T>, index: number): void {
    entry.index = index;
    this.heap[index] = entry;
  }
}

class Entry<T> extends Timer implements TimeLimit<T> {
  readonly item: T;
  readonly timeoutMs: number;
  /** Its index in the heap; -1: over or cancelled. */
  index = -1;
  private readonly limits: TimeLimits<T>;

  constructor(limits: TimeLimits<T>, timeoutMs: number, item: T) {
    super(timeoutMs, () => limits.over(this), callerTimer);
    this.limits = limits;
    this.timeoutMs = timeoutMs;
    this.item = item;
  }

  override cancel(): void {
    super.cancel();
    this.limits.remove(this);
  }
}
