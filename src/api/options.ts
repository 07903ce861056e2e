/** Options of a request, and their check at the boundary. */

import { type Callback, type Delivery, isCallback } from './callback.ts';
import { DomainClosedError, LimitError } from './errors.ts';
import type { Grant } from './grant.ts';
import { labelLengthMax } from './limits.ts';
import { describe } from './sets.ts';

/** For resources that a *synchronous* caller holds or waits for (flags of kds.h). */
export type LockedPolicy =
  /** Wait for them as for any other. */
  | 'wait'
  /** Refuse with LockedError. */
  | 'fail'
  /** Do not wait for them; later sets wait for both. The grant lists them as `ignored`. */
  | 'ignore';

export interface AcquireOptions {
  /** Ends the wait: rejects with `signal.reason` itself. No effect once granted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Limit of the wait, ms. 0: never wait. Infinity (default): no limit. A finite one keeps the
   * process alive until the request ends.
   */
  readonly timeoutMs?: number | undefined;
  /** Default 'wait'. */
  readonly locked?: LockedPolicy | undefined;
  /** Grants that the caller keeps while it waits: a cycle of such waits is then refused. */
  readonly holding?: Grant | readonly Grant[] | undefined;
  /**
   * For operators and Web Locks: revokes the grants in conflict and grants this set, which has
   * exclusive resources only, at once, before all waiting requests.
   */
  readonly steal?: boolean | undefined;
  /** Identifies the request in snapshots, errors and traces. At most 1024 code units. */
  readonly label?: string | undefined;
}

export interface EnqueueOptions extends AcquireOptions {
  readonly delivery?: Delivery | Callback | undefined;
  /** Called once, with the reason, if the request ends by neither a grant nor `cancel()`. */
  readonly onRefused?: ((reason: unknown) => void) | undefined;
}

export interface SettledOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface AcquireSyncOptions {
  /** Limit of the wait, ms. */
  readonly timeoutMs?: number | undefined;
  /** Time to spin before the thread sleeps, µs: 0 (default) to 10^6. */
  readonly spinUs?: number | undefined;
  readonly label?: string | undefined;
}

/** The options of a request, each read once: the caller's object is not read again. */
export interface RequestOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly locked: LockedPolicy | undefined;
  readonly holding: Grant | readonly Grant[] | undefined;
  readonly steal: boolean | undefined;
  readonly label: string | undefined;
}

/**
 * Reads options. Runs code of the caller's (getters, proxies), so it is called outside of
 * operations.
 *
 * @throws TypeError, RangeError, LimitError
 */
export function readOptions(options: AcquireOptions): RequestOptions {
  checkIsObject(options);
  const { signal, timeoutMs, locked, steal, label, holding } = options;
  if (signal !== undefined) checkSignal(signal);
  if (timeoutMs !== undefined) checkTimeout(timeoutMs);
  if (locked !== undefined && locked !== 'wait' && locked !== 'fail' && locked !== 'ignore') {
    throw new TypeError(`locked is 'wait', 'fail' or 'ignore', not ${describe(locked)}`);
  }
  if (steal !== undefined && typeof steal !== 'boolean') {
    throw new TypeError(`steal is a boolean, not ${describe(steal)}`);
  }
  if (label !== undefined) checkLabel(label);
  return { signal, timeoutMs, locked, holding, steal, label };
}

/** The grants of the option `holding`, each read once. */
export function holdingList(
  holding: Grant | readonly Grant[] | undefined,
): readonly (Grant | undefined)[] {
  if (holding === undefined) return [];
  return isList(holding)
    ? Array.from({ length: holding.length }, (_, at) => holding[at])
    : [holding];
}

function isList(holding: Grant | readonly Grant[]): holding is readonly Grant[] {
  return Array.isArray(holding);
}

/** The callbacks of a request, read once. */
export interface EnqueueTerms {
  readonly isDirect: boolean;
  readonly callback: Callback | undefined;
  readonly onRefused: ((reason: unknown) => void) | undefined;
}

/**
 * Reads what only {@link Domain.enqueue} takes.
 *
 * @throws TypeError
 */
export function readEnqueueOptions(onGrant: unknown, options: EnqueueOptions): EnqueueTerms {
  checkFunction(onGrant, 'onGrant');
  checkIsObject(options);
  const { onRefused, delivery: given } = options;
  if (onRefused !== undefined) checkFunction(onRefused, 'onRefused');
  const callback = isCallback(given) ? given : undefined;
  const delivery = callback === undefined ? given : callback.delivery;
  if (delivery !== undefined && delivery !== 'queued' && delivery !== 'direct') {
    throw new TypeError(`delivery is 'queued', 'direct' or a Callback, not ${describe(delivery)}`);
  }
  return { isDirect: delivery === 'direct', callback, onRefused };
}

/** Called after all options are read, as a getter may close it. @throws DomainClosedError */
export function checkCallbackOpen(callback: Callback | undefined): void {
  if (callback?.isOpen === false) throw new DomainClosedError('the callback is closed');
}

/** @throws TypeError */
export function checkIsObject(options: object): void {
  if (typeof options === 'object' && options !== null) return;
  throw new TypeError(`options are an object, not ${describe(options)}`);
}

/** @throws TypeError, RangeError */
export function checkTimeout(timeoutMs: number, name = 'timeoutMs'): void {
  if (typeof timeoutMs !== 'number') {
    throw new TypeError(`${name} is a number of milliseconds, not ${describe(timeoutMs)}`);
  }
  if (!(timeoutMs >= 0)) {
    throw new RangeError(`${name} is 0 or more, or Infinity, not ${timeoutMs}`);
  }
}

const spinUsMax = 1_000_000;

/** @throws TypeError, RangeError */
export function checkSpin(spinUs: number): void {
  if (typeof spinUs !== 'number') {
    throw new TypeError(`spinUs is a number of microseconds, not ${describe(spinUs)}`);
  }
  if (!(spinUs >= 0 && spinUs <= spinUsMax)) {
    throw new RangeError(`spinUs is 0 to ${spinUsMax}, not ${spinUs}: it is time lost to others`);
  }
}

/** @throws TypeError */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value === 'function') return;
  throw new TypeError(`${name} is a function, not ${describe(value)}`);
}

const asyncFunctionPrototype: unknown = Object.getPrototypeOf(async () => {});

/**
 * The function of {@link Domain.run}. The body of a generator would begin after the release.
 *
 * @throws TypeError
 */
export function checkRunFunction<F>(fn: F | undefined): asserts fn is F {
  if (typeof fn !== 'function') throw new TypeError(`run needs a function, not ${describe(fn)}`);
  // Nearly all functions have one of these prototypes; to compare them costs a tenth of a text.
  const prototype: unknown = Object.getPrototypeOf(fn);
  if (prototype === Function.prototype || prototype === asyncFunctionPrototype) return;
  // Also one of another realm.
  if (!/Generator/.test(Object.prototype.toString.call(fn))) return;
  throw new TypeError(
    'run needs a function whose work is done when it returns, not a generator: its body would ' +
      'begin after the release. Acquire the set inside the generator instead',
  );
}

/** @throws TypeError, LimitError */
export function checkLabel(label: string): void {
  if (typeof label !== 'string') throw new TypeError(`label is a string, not ${describe(label)}`);
  if (label.length > labelLengthMax) {
    throw new LimitError(
      `a label of ${label.length} code units is over the limit of ${labelLengthMax}`,
    );
  }
}

/** Runs code of the caller's, if the signal is not one of the platform. */
export function throwIfAborted({ signal }: Pick<AcquireOptions, 'signal'>): void {
  // Not by its own method, which a library's may lack.
  if (signal?.aborted) throw signal.reason;
}

/** Accepts signals of another realm or of a library. @throws TypeError */
export function checkSignal(signal: AbortSignal): void {
  const isSignal =
    typeof signal === 'object' &&
    signal !== null &&
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function';
  if (!isSignal) throw new TypeError(`signal is an AbortSignal, not ${describe(signal)}`);
}
