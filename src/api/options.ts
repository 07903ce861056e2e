/** Options of a request, and their check at the boundary. */

import { type Callback, type Delivery, isCallback } from './callback.ts';
import { DomainClosedError, LimitError } from './errors.ts';
import type { Grant } from './grant.ts';
import { labelLengthMax } from './limits.ts';
import { describe } from './sets.ts';

/**
 * Selects how a request treats *locked* resources: those that a synchronous caller
 * (`tryAcquireSync`, `acquireSync`) holds or waits for. (Flags of kds.h.)
 *
 * @since 0.1.0
 */
export type LockedPolicy =
  /** Wait for them as for any other. */
  | 'wait'
  /** Refuse the request with {@link LockedError}. */
  | 'fail'
  /** Do not wait for them; later sets wait for both. The grant lists them as `ignored`. */
  | 'ignore';

/**
 * Options of a request. Read once, when the request is made.
 *
 * @since 0.1.0
 */
export interface AcquireOptions {
  /** Ends the wait, with `signal.reason` itself. No effect once granted. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Time limit of the wait, ms: from 0 (never wait) to Infinity (default: no limit). A finite one
   * keeps the process alive until the request ends.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How to treat resources that a synchronous caller uses. Default 'wait'. Makes no difference on
   * the broker, Redis and etcd, which have no synchronous callers.
   */
  readonly locked?: LockedPolicy | undefined;
  /**
   * Grants of this domain that the caller keeps while it waits: a request that would deadlock is
   * then refused with {@link DeadlockError}. Default: none, or those around it (`nested`).
   */
  readonly holding?: Grant | readonly Grant[] | undefined;
  /**
   * For operators and Web Locks: revokes the grants in conflict, and grants this set, which has
   * exclusive resources only, at once, before all waiting requests. Default false.
   */
  readonly steal?: boolean | undefined;
  /** Text in snapshots, errors, events and traces: at most 1,024 code units. Default: none. */
  readonly label?: string | undefined;
}

/**
 * Options of {@link Domain.enqueue}.
 *
 * @since 0.1.0
 */
export interface EnqueueOptions extends AcquireOptions {
  /** Where `onGrant` runs, or a {@link Callback} that many requests share. Default 'queued'. */
  readonly delivery?: Delivery | Callback | undefined;
  /**
   * Called once, with the reason, if the waiting request ends by neither a grant nor `cancel()`, or
   * its grant is lost before `onGrant` starts. Always from a queue. Default: not reported.
   */
  readonly onRefused?: ((reason: unknown) => void) | undefined;
}

/**
 * Options of {@link Domain.settled}.
 *
 * @since 0.1.0
 */
export interface SettledOptions {
  /** Ends the wait, with `signal.reason` itself. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** Time limit of the wait, ms: from 0 (never wait) to Infinity (default: no limit). */
  readonly timeoutMs?: number | undefined;
}

/**
 * Options of {@link SyncDomain.acquireSync}.
 *
 * @since 0.1.0
 */
export interface AcquireSyncOptions {
  /**
   * Time limit of the wait, ms: from 0 (never wait) to Infinity (default: no limit). A thread that
   * may not block never waits.
   */
  readonly timeoutMs?: number | undefined;
  /** Time to spin before the thread sleeps, µs: 0 (default) to 10^6. Pays off for short holds. */
  readonly spinUs?: number | undefined;
  /** Text in snapshots, errors, events and traces: at most 1,024 code units. Default: none. */
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
