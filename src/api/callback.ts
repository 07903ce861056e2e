/**
 * A callback with a delivery of its own, shared by many requests (kds.h: kds_callback_init, _term).
 */

import { type CapturedContext, detectContext, runInContext } from '../runtime/async-context.ts';
import { type Deliverable, deliver } from '../runtime/delivery.ts';
import { throwUncaught } from '../runtime/uncaught.ts';
import { ResourceBusyError } from './errors.ts';
import type { Grant } from './grant.ts';
import { describe } from './sets.ts';

/**
 * The function of a {@link Callback}: called in place of each request's `onGrant`. It owns the
 * grant, and decides whether to pass it on.
 *
 * @param grant - The grant of the request.
 * @param onGrant - The function that was given to {@link Domain.enqueue}.
 * @since 0.1.0
 */
export type CallbackFunction<G extends Grant = Grant> = (
  grant: G,
  onGrant: (grant: G) => void,
) => void;

/**
 * For backends: calls the function of a request with its grant, in the context of the request. If
 * it throws, its grant has no owner any more and is abandoned: the next holder sees the exclusive
 * resources as recovered. An async function throws when its promise rejects. The promise of another
 * function may be handled elsewhere, so its rejection is ignored.
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
      // This rejects the promise of `then` unhandled, as the function's own would be.
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

/**
 * Selects where the callback of {@link Domain.enqueue} runs. Direct callbacks of one call run one
 * after the other in arrival order, never nested.
 *
 * @since 0.1.0
 */
export type Delivery =
  /** From a queue of its own, outside of any call, before timers. The default. */
  | 'queued'
  /** Inside the call that causes the grant, once the state is consistent. */
  | 'direct';

/**
 * Options of a {@link Callback}.
 *
 * @since 0.1.0
 */
export interface CallbackOptions {
  /** Where the callbacks run. Default 'queued'. */
  readonly delivery?: Delivery | undefined;
}

/** All callbacks. Beside the class, so that a bundle without callbacks leaves the class out. */
const callbacks = new WeakSet<object>();

/** For backends: whether a value is a {@link Callback}, and not a proxy of one. */
export function isCallback(value: unknown): value is Callback {
  return typeof value === 'object' && value !== null && callbacks.has(value);
}

/**
 * A delivery that any number of requests share, as their option `delivery`, of any domains. Its
 * `close()` runs the due callbacks, then refuses further requests.
 * (kds.h: kds_callback_init, kds_callback_term.)
 *
 * @example
 * ```ts
 * import { Callback, createDomain } from 'kds';
 *
 * const domain = createDomain();
 * const callback = new Callback({ delivery: 'queued' });
 * domain.enqueue({ exclusive: 'frame 0' }, (grant) => grant.release(), { delivery: callback });
 * callback.close(); // runs the due callbacks, then refuses requests
 * ```
 * @since 0.1.0
 */
export class Callback {
  /** Where the callbacks run. */
  readonly delivery: Delivery;
  readonly #run: CallbackFunction | undefined;
  readonly #due = new Set<Deliverable>();
  #waitingCount = 0;
  #isOpen = true;

  /**
   * Makes a callback.
   *
   * @param options - Where the callbacks run; default 'queued'.
   * @param run - Called in place of each request's `onGrant`, which it receives. Default: none.
   * @throws TypeError if an argument is invalid.
   */
  constructor({ delivery = 'queued' }: CallbackOptions = {}, run?: CallbackFunction) {
    if (delivery !== 'queued' && delivery !== 'direct') {
      throw new TypeError(`delivery is 'queued' or 'direct', not ${describe(delivery)}`);
    }
    if (run !== undefined && typeof run !== 'function') {
      throw new TypeError(`a callback runs a function, not ${describe(run)}`);
    }
    this.delivery = delivery;
    this.#run = run;
    callbacks.add(this);
  }

  /** Whether requests may use it: true until `close()`. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Refuses further requests, and runs the due callbacks of granted ones before it returns. A
   * second call does nothing.
   *
   * @throws {@link ResourceBusyError} while requests that use it wait: cancel them first.
   * @waits Never.
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
    detectContext();
    for (const request of this.#due) deliver(request);
  }

  /** @internal For backends: the function to call with the grant of a request. */
  wrap<G extends Grant>(onGrant: (grant: G) => void): (grant: G) => void {
    const run = this.#run as CallbackFunction<G> | undefined;
    if (run === undefined) return onGrant;
    // Async if `run` is, so that its rejection abandons the grant.
    if (isAsync(run)) return async (grant) => run(grant, onGrant);
    return (grant) => run(grant, onGrant);
  }

  /** @internal For backends: a request that uses it begins (1) or ends (-1) to wait. */
  count(change: 1 | -1): void {
    this.#waitingCount += change;
  }

  /** @internal For backends: the callback of a granted request is in the delivery queue. */
  due(request: Deliverable): void {
    this.#due.add(request);
  }

  /** @internal For backends: that callback has run, or never will. */
  notDue(request: Deliverable): void {
    this.#due.delete(request);
  }
}
