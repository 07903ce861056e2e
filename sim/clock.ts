/**
 * Virtual time: a queue of events, each at its moment. Time goes on only from one event to the
 * next, so that an hour of waiting costs nothing, and events of one moment run in the order in
 * which they were scheduled. Nothing here, and nothing that is simulated, reads a real clock.
 */

interface TimedEvent {
  readonly atMs: number;
  /** The number of the event: the lower one is first at one moment. */
  readonly order: number;
  /** `undefined` once cancelled. */
  run: (() => void) | undefined;
}

export class VirtualClock {
  /** A heap: an event is never before its parent, at half its place. */
  readonly #heap: TimedEvent[] = [];
  #nowMs = 0;
  #ordered = 0;

  /** Virtual ms since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` once, `delayMs` from now: 0 is after all that is due at this moment already. */
  after(delayMs: number, run: () => void): () => void {
    if (!(delayMs >= 0)) throw new RangeError(`a delay must be 0 or more, not ${delayMs}`);
    const event: TimedEvent = { atMs: this.#nowMs + delayMs, order: this.#ordered++, run };
    this.#rise(event);
    return () => {
      event.run = undefined;
    };
  }

  /**
   * Runs the next event and returns `true`; `false` if no event is due up to `lastMs`. Time is
   * then that of the event.
   */
  step(lastMs: number): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > lastMs) return false;
      this.#sink();
      if (event.run === undefined) continue;
      this.#nowMs = event.atMs;
      event.run();
      return true;
    }
  }

  #rise(event: TimedEvent): void {
    const heap = this.#heap;
    let place = heap.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as TimedEvent;
      if (isBefore(above, event)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = event;
  }

  /** Takes the first event out, and puts the last one where it belongs. */
  #sink(): void {
    const heap = this.#heap;
    const event = heap.pop() as TimedEvent;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as TimedEvent)) child++;
      if (isBefore(event, heap[child] as TimedEvent)) break;
      heap[place] = heap[child] as TimedEvent;
      place = child;
    }
    heap[place] = event;
  }
}

function isBefore(one: TimedEvent, other: TimedEvent): boolean {
  return one.atMs !== other.atMs ? one.atMs < other.atMs : one.order < other.order;
}
