/**
 * Telling requests that they are granted: after the state is consistent, never inside it.
 *
 * *Direct* ones run before the call that granted them returns; those that come up meanwhile run
 * after them in the same loop, not within them, so a chain of any length needs no stack. *Queued*
 * ones run from a microtask, before timers. A callback that throws stops no other: its error is
 * thrown from a task of its own, where it is an uncaught exception like any.
 */

import type { Deliverable } from '../../domain/callback.ts';
import { Fifo } from './fifo.ts';

export class Delivery {
  readonly #direct = new Fifo<Deliverable>();
  readonly #queued = new Fifo<Deliverable>();
  #isRunningDirect = false;
  #isQueued = false;
  readonly #runQueued = (): void => {
    this.#isQueued = false;
    this.#drain(this.#queued);
  };

  direct(item: Deliverable): void {
    this.#direct.push(item);
  }

  queued(item: Deliverable): void {
    this.#queued.push(item);
    if (this.#isQueued) return;
    this.#isQueued = true;
    queueMicrotask(this.#runQueued);
  }

  /** Ends every call that may have granted something. */
  runDirect(): void {
    if (this.#direct.size === 0 || this.#isRunningDirect) return;
    this.#isRunningDirect = true;
    this.#drain(this.#direct);
    this.#isRunningDirect = false;
  }

  #drain(items: Fifo<Deliverable>): void {
    for (let item = items.shift(); item !== undefined; item = items.shift()) {
      try {
        item.deliver();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
