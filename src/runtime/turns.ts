/** Handles items one after the other, never nested: a chain of them needs no stack. */

import { Fifo } from './fifo.ts';
import { throwUncaught } from './uncaught.ts';

export class Turns<T> {
  readonly #waiting = new Fifo<T>();
  readonly #handle: (item: T) => void;
  #isRunning = false;

  /** An error that `handle` throws is an uncaught exception, and stops no other item. */
  constructor(handle: (item: T) => void) {
    this.#handle = handle;
  }

  /** Handles an item at once; within the handling of another one, after those added before. */
  add(item: T): void {
    this.#waiting.push(item);
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#waiting.size > 0) this.#handleCaught(this.#waiting.shift() as T);
    this.#isRunning = false;
  }

  #handleCaught(item: T): void {
    try {
      this.#handle(item);
    } catch (error) {
      throwUncaught(error);
    }
  }
}
