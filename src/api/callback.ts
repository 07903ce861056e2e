/**
 * A callback with a delivery of its own, shared by many requests (kds.h: kds_callback_init, _term).
 */

import { type CapturedContext, lookForContext, runInContext } from '../runtime/async-context.ts';
import { type Deliverable, deliver } from '../runtime/delivery.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import { ResourceBusyError } from './errors.ts';
import type { Grant } from './grant.ts';
import type { Delivery } from './options.ts';
import { describe } from './sets.ts';

/** What a callback is run with: the grant, and the function that the request was made with. */
export type CallbackFunction<G extends Grant = Grant> = (
  grant: G,
  onGrant: (grant: G) => void,
) => void;

/**
 * For hosts: calls the function of a request with its grant, in the context of the request. One
 * that throws has not said what becomes of its grant, and nobody else can: the grant is abandoned,
 * so its exclusive resources are recovered by the next holder. An async function throws when its
 * promise rejects; any other promise may be somebody's who handles it, and is left alone.
 */
export function callBack<G extends Grant>(
  context: CapturedContext,
  onGrant: (grant: G) => unknown,
  grant: G,
): void {
  let result: unknown;
  try {
    result = runInContext(context, onGrant, grant);
  } catch (error) {
    giveUp(grant, error);
    throw error;
  }
  if (result instanceof Promise && isAsync(onGrant)) {
    result.then(undefined, (error) => {
      giveUp(grant, error);
      // The promise that this makes is rejected and unhandled, as the function's own would be.
      throw error;
    });
  }
}

function giveUp(grant: Grant, error: unknown): void {
  if (!grant.isHeld) return;
  try {
    grant.abandon(error)?.catch(throwUncaught);
  } catch (unreached) {
    throwUncaught(unreached);
  }
}

function isAsync(fn: unknown): boolean {
  return Object.prototype.toString.call(fn) === '[object AsyncFunction]';
}

export interface CallbackOptions {
  /** Default 'queued'. */
  readonly delivery?: Delivery | undefined;
}

/** For hosts: whether a value is a {@link Callback}, and not a proxy of one. */
export let isCallback: (value: unknown) => value is Callback;

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

  static {
    // By its private field: a proxy of a callback has none, and would run code within operations.
    isCallback = (value): value is Callback =>
      typeof value === 'object' && value !== null && #due in value;
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
    lookForContext();
    for (const request of this.#due) deliver(request);
  }

  /** For hosts: the function that a request is told with. */
  wrap<G extends Grant>(onGrant: (grant: G) => void): (grant: G) => void {
    const run = this.#run as CallbackFunction<G> | undefined;
    if (run === undefined) return onGrant;
    // As async as what it calls, so that a rejection is seen as one.
    if (isAsync(run)) return async (grant) => run(grant, onGrant);
    return (grant) => run(grant, onGrant);
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
