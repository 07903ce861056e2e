/** How the outcome of a request is reported to its caller: by a promise, or by a callback. */

import type { Grant } from '../api/grant.ts';

/** A request reports exactly one outcome (I7), unless its caller cancels it. */
export interface RequestReport<G extends Grant> {
  granted(grant: G): void;
  /** `isOfMany`: others are refused by the same event, and the reports keep their order. */
  refused(reason: unknown, isOfMany?: boolean): void;
  /** An observer has no conflict left, or a try could not have its set. */
  settled(): void;
  /** The request waits no more; its outcome may follow. */
  endWaiting(): void;
}

export class PromiseReport<G extends Grant> implements RequestReport<G> {
  readonly #resolve: (grant: G) => void;
  readonly #reject: (reason: unknown) => void;

  /** `resolve` receives no grant if the request is settled. */
  constructor(resolve: (grant: G) => void, reject: (reason: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  granted(grant: G): void {
    this.#resolve(grant);
  }

  refused(reason: unknown): void {
    this.#reject(reason);
  }

  settled(): void {
    (this.#resolve as () => void)();
  }

  endWaiting(): void {}
}
