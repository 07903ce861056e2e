/**
 * Telling requests that they are granted: after the state is consistent, never inside it.
 *
 * *Direct* ones run before the call that granted them returns; those that come up meanwhile run
 * after them in the same loop, not within them, so a chain of any length needs no stack. *Queued*
 * ones run from a microtask, before timers. A callback that throws stops no other.
 */

import { detectContext } from './async-context.ts';
import { Fifo } from './fifo.ts';
import { queueRealMicrotask } from './real-time.ts';
import { throwUncaught } from './uncaught.ts';

/** A granted request that reports its grant, once. */
export interface Deliverable {
  deliver(): void;
}

/** Delivers, so that one that throws stops no other. */
export function deliver(request: Deliverable): void {
  try {
    request.deliver();
  } catch (error) {
    throwUncaught(error);
  }
}

export class Delivery {
  readonly #direct = new Fifo<Deliverable>();
  readonly #queued = new Fifo<Deliverable>();
  /** Direct ones run already, or must wait for the end of what goes on. */
  #isHeldBack = false;
  #isQueued = false;
  readonly #runQueued = (): void => {
    this.#isQueued = false;
    this.#drain(this.#queued);
  };

  /** Whether {@link runDirect} has anything to do. */
  get hasDirect(): boolean {
    return this.#direct.size > 0;
  }

  direct(item: Deliverable): void {
    this.#direct.push(item);
  }

  queued(item: Deliverable): void {
    this.#queued.push(item);
    if (this.#isQueued) return;
    this.#isQueued = true;
    queueRealMicrotask(this.#runQueued);
  }

  /** Ends every call that may have granted something. */
  runDirect(): void {
    if (this.#isHeldBack || this.#direct.size === 0) return;
    this.#isHeldBack = true;
    this.#drain(this.#direct);
    this.#isHeldBack = false;
  }

  /** Several operations at one moment: nothing of a user's runs between them. */
  asOne<R>(operations: () => R): R {
    if (this.#isHeldBack) return operations();
    this.#isHeldBack = true;
    try {
      return operations();
    } finally {
      this.#isHeldBack = false;
      this.runDirect();
    }
  }

  #drain(items: Fifo<Deliverable>): void {
    detectContext();
    for (let item = items.shift(); item !== undefined; item = items.shift()) deliver(item);
  }
}
