/**
 * First come, first served, O(1) a step. An item that stops waiting stays in the queue until its
 * turn and is skipped then; once such items are the larger part they are removed. So items that
 * come and go leave nothing behind.
 */

import { Fifo } from '../../runtime/fifo.ts';

const staleCountMin = 1024;

export class WaitQueue<T> {
  #items = new Fifo<T>();
  /** Items that stopped waiting. */
  #staleCount = 0;
  readonly #isWaiting: (item: T) => boolean;

  /** `isWaiting` returns whether an item that was added still waits. */
  constructor(isWaiting: (item: T) => boolean) {
    this.#isWaiting = isWaiting;
  }

  /** The items that wait, in order. */
  items(): readonly T[] {
    return [...this.#items].filter(this.#isWaiting);
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Removes the first item that still waits. */
  shift(): T | undefined {
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      if (this.#isWaiting(item)) return item;
      if (this.#staleCount > 0) this.#staleCount--;
    }
    return undefined;
  }

  /** An item of the queue has stopped waiting. */
  countStale(): void {
    this.#staleCount++;
    if (this.#staleCount < staleCountMin || this.#staleCount * 2 < this.#items.size) return;
    const items = this.items();
    this.#items = new Fifo();
    for (const item of items) this.#items.push(item);
    this.#staleCount = 0;
  }
}
