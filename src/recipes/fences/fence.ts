/**
 * A fence: an object that is signalled once, ok or with an error. (Linux: dma_fence.)
 *
 * Adding a callback is refused once the fence has ended, and one that was added before runs, unless
 * it is removed (callback-list.ts): so the end is reported exactly once, or `addCallback` refuses.
 *
 * Callbacks run within `signal`. Callbacks of fences that are signalled meanwhile run after
 * them, in the same loop and not within them: a chain of any length needs no stack.
 */

import { InvalidSetError, LimitError, WaitTimeoutError } from '../../api/errors.ts';
import {
  checkFunction,
  checkIsObject,
  checkLabel,
  readOptions,
  throwIfAborted,
} from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import { AbortListeners } from '../../runtime/abort-listeners.ts';
import type { Timer } from '../../runtime/timer.ts';
import { Turns } from '../../runtime/turns.ts';
import { throwUncaught } from '../../runtime/uncaught.ts';
import { CallbackList, type FenceCallback } from './callback-list.ts';
import { startTimer } from './timer.ts';

/**
 * State of a fence: 'pending', and then for ever 'ok' or 'error'.
 *
 * @since 0.1.0
 */
export type FenceStatus = 'pending' | 'ok' | 'error';

/**
 * Options of a fence.
 *
 * @since 0.1.0
 */
export interface FenceOptions {
  /** Used in errors. At most 1024 code units. */
  readonly label?: string | undefined;
  /**
   * Called with the time, in ms since 1970, by which a caller of `hintDeadline` needs the fence,
   * and again each time that this becomes earlier.
   */
  readonly onDeadline?: ((atMs: number) => void) | undefined;
}

/**
 * Options of {@link Fence.wait}.
 *
 * @since 0.1.0
 */
export interface FenceWaitOptions {
  /** Ends the wait: rejects with `signal.reason` itself. */
  readonly signal?: AbortSignal | undefined;
  /** Time limit of the wait, ms, 0 or more. Default Infinity. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Called when a fence ends.
 *
 * @param fence - The fence, whose status is 'ok' or 'error'.
 * @since 0.1.0
 */
export type FenceFunction = (fence: Fence) => void;

interface GatheringOptions {
  readonly label?: string | undefined;
}

/** Fences that can be gathered in one, at most. */
const fencesMax = 65_536;

const abortListeners = new AbortListeners<(reason: unknown) => void>((waiting, reason) => {
  for (const giveUp of waiting) giveUp(reason);
});
const hints = new Turns<() => void>((hint) => hint());

/**
 * An object that is signalled once, ok or with an error, and keeps that state.
 *
 * @example
 * ```ts
 * import { Fence } from 'kds/fences';
 *
 * const rendered = new Fence({ label: 'frame 7' });
 * rendered.addCallback(({ status }) => console.log('show it:', status));
 * rendered.signal(); // show it: ok
 * await rendered;
 * ```
 * @since 0.1.0
 */
export class Fence implements PromiseLike<void> {
  static readonly #deliveries = new Turns<Fence>((fence) => fence.#runCallbacks());
  /** The label of its options. */
  readonly label: string | undefined;
  #status: FenceStatus = 'pending';
  #hasError = false;
  #error: unknown = undefined;
  readonly #callbacks = new CallbackList<FenceFunction>();
  #deadlineMs = Number.POSITIVE_INFINITY;
  #onDeadline: ((atMs: number) => void) | undefined;

  /**
   * Makes a pending fence.
   *
   * @param options - A label, and a listener for deadline hints.
   * @throws TypeError if an option is invalid.
   * @throws {@link LimitError} if `label` is longer than 1024 code units.
   */
  constructor(options: FenceOptions = {}) {
    checkIsObject(options);
    const { label, onDeadline } = options;
    if (label !== undefined) checkLabel(label);
    if (onDeadline !== undefined) checkFunction(onDeadline, 'onDeadline');
    this.label = label;
    this.#onDeadline = onDeadline;
  }

  /**
   * Gathers fences in one that ends when all of them have; with the error of the first one that
   * failed, if any. Of an empty list, it has ended. Hints are passed on to all that are pending.
   *
   * @param fences - Up to 65,536 fences.
   * @param options - `label`, used in errors.
   * @throws TypeError if one is no fence.
   * @throws {@link LimitError} if there are more than 65,536.
   * @waits Never. Await the fence.
   * @example
   * ```ts
   * import { Fence } from 'kds/fences';
   *
   * const [left, right] = [new Fence(), new Fence()];
   * const both = Fence.all([left, right]);
   * left.signal();
   * right.fail(new Error('no signal'));
   * console.log(both.status, both.error); // error Error: no signal
   * ```
   */
  static all(fences: Iterable<Fence>, options: GatheringOptions = {}): Fence {
    return allOf(checkFences(fences), options);
  }

  /**
   * Gathers fences in one that ends as soon as one of them has, with the same outcome. Hints are
   * passed on to all.
   *
   * @param fences - 1 to 65,536 fences.
   * @param options - `label`, used in errors.
   * @throws TypeError if one is no fence.
   * @throws {@link LimitError} if there are more than 65,536.
   * @throws {@link InvalidSetError} for an empty list, which would never end.
   * @waits Never. Await the fence.
   * @example
   * ```ts
   * import { Fence } from 'kds/fences';
   *
   * const [cache, server] = [new Fence(), new Fence()];
   * const answered = Fence.any([cache, server]);
   * cache.signal();
   * console.log(answered.status, server.status); // ok pending
   * ```
   */
  static any(fences: Iterable<Fence>, options: GatheringOptions = {}): Fence {
    return anyOf(checkFences(fences), options);
  }

  /** Its state at this moment. */
  get status(): FenceStatus {
    return this.#status;
  }

  /** The error that it failed with; undefined unless its status is 'error'. */
  get error(): unknown {
    return this.status === 'error' ? this.#error : undefined;
  }

  /** The earliest hint, in ms since 1970; Infinity without a hint. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /**
   * Ends the fence: 'error' if an error has been set, otherwise 'ok'. Its callbacks run before this
   * returns, or, within a callback, after that one.
   *
   * @returns False if the fence had ended before.
   * @waits Never.
   */
  signal(): boolean {
    return this.end(false, undefined);
  }

  /**
   * Sets the error, unless one is set, and ends the fence.
   *
   * @param error - The error, of any type.
   * @returns False if the fence had ended before.
   * @waits Never.
   */
  fail(error: unknown): boolean {
    return this.end(true, error);
  }

  /**
   * Sets the error that the fence will end with, and leaves it pending. The first error wins.
   *
   * @param error - The error, of any type.
   * @returns False if one was set before, or the fence has ended.
   * @waits Never.
   */
  setError(error: unknown): boolean {
    return this.#recordError(error);
  }

  /**
   * Adds a function that is called when the fence ends: exactly once, unless it is removed. An
   * error that it throws is an uncaught exception, and stops no other callback.
   *
   * @param fn - The function, called with the fence.
   * @returns Null if the fence has ended: then the function is not called, and the caller handles
   * the end.
   * @throws TypeError if `fn` is no function.
   * @waits Never.
   */
  addCallback(fn: FenceFunction): FenceCallback | null {
    checkFunction(fn, 'a callback');
    if (this.#status !== 'pending') return null;
    return this.#callbacks.add(fn);
  }

  /**
   * Makes a fence awaitable: fulfilled with undefined, or rejected with its error. A fence makes no
   * promise by itself, so one that fails without a waiter is no unhandled rejection.
   *
   * @param onOk - Called when the fence has ended ok.
   * @param onError - Called with the error of the fence.
   * @waits Resolves when the fence ends, without a limit.
   */
  // biome-ignore lint/suspicious/noThenProperty: it is there to be awaited.
  then<R = void, E = never>(
    onOk?: ((value: undefined) => R | PromiseLike<R>) | null,
    onError?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this.wait().then(onOk as () => R | PromiseLike<R>, onError);
  }

  /**
   * Waits for the end of the fence, with a limit that does not change the fence. A finite
   * `timeoutMs` keeps the process alive until the wait ends.
   *
   * @param options - The limit, and a signal that ends the wait.
   * @throws The error of the fence, or the reason of `signal`.
   * @throws {@link WaitTimeoutError} if `timeoutMs` has passed.
   * @throws TypeError or RangeError if an option is invalid.
   * @waits Resolves when the fence ends ok, rejects after `timeoutMs`.
   */
  wait(options: FenceWaitOptions = {}): Promise<undefined> {
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs = Number.POSITIVE_INFINITY } = readOptions(options);
      throwIfAborted({ signal });
      let isOver = false;
      const ended = (): void => {
        isOver = true;
        timer?.cancel();
        if (signal !== undefined) abortListeners.remove(signal, giveUp);
        if (this.status === 'error') reject(this.error);
        else resolve(undefined);
      };
      const giveUp = (reason: unknown): void => {
        if (callback?.remove() !== true) return;
        isOver = true;
        timer?.cancel();
        if (signal !== undefined) abortListeners.remove(signal, giveUp);
        reject(reason);
      };
      let timer: Timer | undefined;
      const callback = this.addCallback(ended);
      if (callback === null) {
        ended();
      } else if (timeoutMs === 0) {
        giveUp(this.timedOut(0));
      } else {
        if (signal !== undefined && !abortListeners.add(signal, giveUp)) giveUp(signal.reason);
        // The wait may have ended while the signal's own code ran.
        if (isOver) return;
        timer = startTimer(timeoutMs, () => giveUp(this.timedOut(timeoutMs)));
      }
    });
  }

  /**
   * Hints at a time by which the fence is needed. The hint is passed on to the fences that this one
   * depends on, as far as they are known; a producer may hurry.
   *
   * @param atMs - The time, in ms since 1970.
   * @returns True if the fence is pending, and the time is earlier than all before.
   * @throws TypeError if it is no number.
   * @throws RangeError if it is NaN.
   * @waits Never.
   */
  hintDeadline(atMs: number): boolean {
    if (typeof atMs !== 'number') throw new TypeError(`atMs is a time, not ${describe(atMs)}`);
    if (Number.isNaN(atMs)) throw new RangeError('atMs is a time in ms since 1970, not NaN');
    if (this.status !== 'pending' || atMs >= this.deadlineMs) return false;
    this.#deadlineMs = atMs;
    const onDeadline = this.#onDeadline;
    if (onDeadline !== undefined) hints.add(() => onDeadline(atMs));
    return true;
  }

  /** @internal */
  protected end(isFailed: boolean, error: unknown): boolean {
    if (this.#status !== 'pending') return false;
    if (isFailed) this.#recordError(error);
    this.#status = this.#hasError ? 'error' : 'ok';
    this.#onDeadline = undefined;
    if (!this.#callbacks.isEmpty) Fence.#deliveries.add(this);
    return true;
  }

  /** @internal Whether it has callbacks to run. */
  protected get isAwaited(): boolean {
    return !this.#callbacks.isEmpty;
  }

  /** @internal */
  protected timedOut(timeoutMs: number): WaitTimeoutError {
    const which = this.label === undefined ? 'the fence' : `the fence ${describe(this.label)}`;
    return new WaitTimeoutError(`${which} was not signalled within ${timeoutMs} ms`);
  }

  #recordError(error: unknown): boolean {
    if (this.#status !== 'pending' || this.#hasError) return false;
    this.#hasError = true;
    this.#error = error;
    return true;
  }

  /** No callback is added any more. One may still be removed by another. */
  #runCallbacks(): void {
    const list = this.#callbacks;
    for (let fn = list.shift(); fn !== undefined; fn = list.shift()) {
      runFor(this, fn);
    }
  }
}

function allOf(gathered: ReadonlySet<Fence>, options: GatheringOptions): Fence {
  const all = gatheringOf(gathered, options);
  let pendingCount = gathered.size;
  const count = (fence: Fence): void => {
    if (fence.status === 'error') all.setError(fence.error);
    pendingCount--;
    if (pendingCount === 0) all.signal();
  };
  if (pendingCount === 0) all.signal();
  for (const fence of gathered) if (fence.addCallback(count) === null) count(fence);
  return all;
}

function anyOf(gathered: ReadonlySet<Fence>, options: GatheringOptions): Fence {
  if (gathered.size === 0) {
    throw new InvalidSetError(
      'Fence.any of an empty list would never be signalled: name one or more fences',
    );
  }
  const any = gatheringOf(gathered, options);
  const added: FenceCallback[] = [];
  const end = (fence: Fence): void => {
    for (const callback of added) callback.remove();
    if (fence.status === 'error') any.fail(fence.error);
    else any.signal();
  };
  for (const fence of gathered) {
    const callback = fence.addCallback(end);
    if (callback === null) {
      end(fence);
      break;
    }
    added.push(callback);
  }
  return any;
}

function gatheringOf(gathered: ReadonlySet<Fence>, { label }: GatheringOptions): Fence {
  const onDeadline = (atMs: number): void => {
    for (const fence of gathered) fence.hintDeadline(atMs);
  };
  return new Fence({ label, onDeadline });
}

function checkFences(fences: Iterable<Fence>): ReadonlySet<Fence> {
  if (typeof fences?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`fences are a list, not ${describe(fences)}`);
  }
  const gathered = new Set<Fence>();
  for (const fence of fences) {
    if (!(fence instanceof Fence)) throw new TypeError(`this is no fence: ${describe(fence)}`);
    gathered.add(fence);
    if (gathered.size > fencesMax) {
      throw new LimitError(`more than ${fencesMax} fences: gather them in groups`);
    }
  }
  return gathered;
}

function runFor(fence: Fence, fn: FenceFunction): void {
  try {
    fn(fence);
  } catch (error) {
    throwUncaught(error);
  }
}
