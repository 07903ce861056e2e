/**
 * A callback with a delivery of its own, shared by many requests (kds.h: kds_callback_init, _term).
 */

import { ResourceBusyError } from './errors.ts';
import type { Grant } from './grant.ts';
import type { Delivery } from './options.ts';
import { describe } from './sets.ts';

/** What a callback is run with: the grant, and the function that the request was made with. */
export type CallbackFunction<G extends Grant = Grant> = (
  grant: G,
  onGrant: (grant: G) => void,
) => void;

/** For hosts: a granted request that tells its owner when it is delivered, once. */
export interface Deliverable {
  deliver(): void;
}

/** For hosts: delivers, so that one that throws stops no other. */
export function deliver(request: Deliverable): void {
  try {
    request.deliver();
  } catch (error) {
    throwUncaught(error);
  }
}

/** For hosts: throws from a task of its own, where it is an uncaught exception like any. */
export function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

export interface CallbackOptions {
  /** Default 'queued'. */
  readonly delivery?: Delivery | undefined;
}

/**
 * Give it as `delivery` of any number of requests.
 *
 * @example
 * import { Callback, createDomain } from 'kds';
 *
 * const domain = createDomain();
 * const callback = new Callback({ delivery: 'queued' });
 * domain.enqueue({ exclusive: 'frame 0' }, (grant) => grant.release(), { delivery: callback });
 * callback.close(); // runs what is due now, then refuses
 */
export class Callback {
  readonly delivery: Delivery;
  readonly #run: CallbackFunction | undefined;
  readonly #due = new Set<Deliverable>();
  #waitingCount = 0;
  #isOpen = true;

  /** `run` is called in place of each request's own function, which it gets; it may be left out. */
  constructor({ delivery = 'queued' }: CallbackOptions = {}, run?: CallbackFunction) {
    if (delivery !== 'queued' && delivery !== 'direct') {
      throw new TypeError(`delivery is 'queued' or 'direct', not ${describe(delivery)}`);
    }
    if (run !== undefined && typeof run !== 'function') {
      throw new TypeError(`a callback runs a function, not ${describe(run)}`);
    }
    this.delivery = delivery;
    this.#run = run;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Runs at once what has been granted and is due to run, then refuses further requests.
   *
   * @throws ResourceBusyError while requests wait that would be told through it.
   */
  close(): void {
    if (!this.#isOpen) return;
    if (this.#waitingCount > 0) {
      throw new ResourceBusyError(
        `a callback cannot be closed while ${this.#waitingCount} request(s) wait with it: ` +
          'cancel them first',
      );
    }
    this.#isOpen = false;
    for (const request of this.#due) deliver(request);
  }

  /** For hosts: the function that a request is told with. */
  wrap<G extends Grant>(onGrant: (grant: G) => void): (grant: G) => void {
    const run = this.#run as CallbackFunction<G> | undefined;
    return run === undefined ? onGrant : (grant) => run(grant, onGrant);
  }

  /** For hosts: a request begins (1) or ends (-1) to wait with it. */
  count(change: 1 | -1): void {
    this.#waitingCount += change;
  }

  /** For hosts: a granted request is due to be told from the queue. */
  due(request: Deliverable): void {
    this.#due.add(request);
  }

  /** For hosts: it has been told, or never will be. */
  notDue(request: Deliverable): void {
    this.#due.delete(request);
  }
}
