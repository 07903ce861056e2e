/**
 * Delivers grants to their requests, once the state is consistent, never inside an operation.
 *
 * *Direct* deliveries run before the call that caused the grants returns; further ones that they
 * cause run after them in the same loop, not within them, so a chain of any length needs no stack.
 * *Queued* deliveries run from a microtask, before timers. A callback that throws stops no other.
 */

import { detectContext } from './async-context.ts';
import { Fifo } from './fifo.ts';
import { queueRealMicrotask } from './real-time.ts';
import { throwUncaught } from './uncaught.ts';

/** A granted request that reports its grant, once. */
export interface Deliverable {
  deliver(): void;
}

/** Delivers a grant. A callback that throws stops no other. */
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
  /** Direct deliveries are running, or wait for the end of {@link asOne}. */
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

  /** Runs several operations as one: no code of a user runs between them. */
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
