/**
 * A fence: signalled once, ok or with an error, and then so for ever. (Linux: dma_fence.)
 *
 * Adding a callback is refused once the fence has ended, and one that was added before runs, unless
 * it is removed (callback-list.ts): so the end is seen exactly once or refused, never neither.
 *
 * Callbacks run within `signal`. Those of fences that are signalled meanwhile run after them, in
 * the same loop and not within them: a chain of any length needs no stack.
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
import type { Deadline } from '../../runtime/deadline.ts';
import { Turns } from '../../runtime/turns.ts';
import { throwUncaught } from '../../runtime/uncaught.ts';
import { CallbackList, type FenceCallback } from './callback-list.ts';
import { startTimer } from './timer.ts';

export type FenceStatus = 'pending' | 'ok' | 'error';

export interface FenceOptions {
  /** Told in errors. */
  readonly label?: string | undefined;
  /**
   * Told when somebody hints that the fence had better be signalled by then, in ms since 1970, and
   * each time that this becomes earlier.
   */
  readonly onDeadline?: ((atMs: number) => void) | undefined;
}

export interface FenceWaitOptions {
  /** Stop waiting when it aborts: rejects with `signal.reason` itself. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait at most, in ms. Infinity (default): as long as it takes. */
  readonly timeoutMs?: number | undefined;
}

export type FenceFunction = (fence: Fence) => void;

interface GatheringOptions {
  readonly label?: string | undefined;
}

/** So many fences can be gathered in one, at most. */
const fencesMax = 65_536;

const abortListeners = new AbortListeners<(reason: unknown) => void>((waiting, reason) => {
  for (const giveUp of waiting) giveUp(reason);
});
const hints = new Turns<() => void>((hint) => hint());

/**
 * @example
 * import { Fence } from 'kds/fences';
 *
 * const rendered = new Fence({ label: 'frame 7' });
 * rendered.addCallback(({ status }) => console.log('show it:', status));
 * rendered.signal(); // show it: ok
 * await rendered;
 */
export class Fence implements PromiseLike<void> {
  static readonly #deliveries = new Turns<Fence>((fence) => fence.#runCallbacks());
  readonly label: string | undefined;
  #status: FenceStatus = 'pending';
  #hasError = false;
  #error: unknown = undefined;
  readonly #callbacks = new CallbackList<FenceFunction>();
  #deadlineMs = Number.POSITIVE_INFINITY;
  #onDeadline: ((atMs: number) => void) | undefined;

  /** @throws TypeError, LimitError for options that are none. */
  constructor(options: FenceOptions = {}) {
    checkIsObject(options);
    const { label, onDeadline } = options;
    if (label !== undefined) checkLabel(label);
    if (onDeadline !== undefined) checkFunction(onDeadline, 'onDeadline');
    this.label = label;
    this.#onDeadline = onDeadline;
  }

  /**
   * Ends when all of them have; with the error of the one that failed first, if any did. Of none,
   * it has ended. Hints travel to all that are pending.
   *
   * @throws TypeError for what are no fences; LimitError for more than 65,536.
   * @example
   * import { Fence } from 'kds/fences';
   *
   * const [left, right] = [new Fence(), new Fence()];
   * const both = Fence.all([left, right]);
   * left.signal();
   * right.fail(new Error('no signal'));
   * console.log(both.status, both.error); // error Error: no signal
   */
  static all(fences: Iterable<Fence>, options: GatheringOptions = {}): Fence {
    return allOf(checkFences(fences), options);
  }

  /**
   * Ends as soon as one of them has, and as that one has, whatever becomes of the others. Hints
   * travel to all.
   *
   * @throws TypeError for what are no fences; LimitError for more than 65,536; InvalidSetError for
   * none at all, of which nothing would ever end.
   * @example
   * import { Fence } from 'kds/fences';
   *
   * const [cache, server] = [new Fence(), new Fence()];
   * const answered = Fence.any([cache, server]);
   * cache.signal();
   * console.log(answered.status, server.status); // ok pending
   */
  static any(fences: Iterable<Fence>, options: GatheringOptions = {}): Fence {
    return anyOf(checkFences(fences), options);
  }

  get status(): FenceStatus {
    return this.#status;
  }

  /** What it failed with; undefined unless its status is 'error'. */
  get error(): unknown {
    return this.status === 'error' ? this.#error : undefined;
  }

  /** The earliest deadline that was hinted at, in ms since 1970; Infinity if none was. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /**
   * Ends it: 'error' if an error has been set, otherwise 'ok'. Its callbacks run before this
   * returns, unless it is called from a callback: then after that. False if it had ended before.
   */
  signal(): boolean {
    return this.settle(false, undefined);
  }

  /** Sets the error, unless one is set, and ends it. False if it had ended before. */
  fail(error: unknown): boolean {
    return this.settle(true, error);
  }

  /**
   * Says what it is going to fail with, and leaves it pending. The first error wins. False if one
   * was set before, or the fence has ended.
   */
  setError(error: unknown): boolean {
    return this.#noteError(error);
  }

  /**
   * Has a function called when the fence ends: exactly once, unless it is removed. What it throws
   * is an uncaught exception, and stops no other.
   *
   * Null if the fence has ended: then it is not called at all, and the caller sees to it.
   */
  addCallback(fn: FenceFunction): FenceCallback | null {
    checkFunction(fn, 'a callback');
    if (this.#status !== 'pending') return null;
    return this.#callbacks.add(fn);
  }

  /**
   * Makes a fence something to await: fulfilled with undefined, or rejected with its error. A fence
   * makes no promise by itself, so one that fails while nobody looks is no unhandled rejection.
   */
  // biome-ignore lint/suspicious/noThenProperty: it is there to be awaited.
  then<R = void, E = never>(
    onOk?: ((value: undefined) => R | PromiseLike<R>) | null,
    onError?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return this.wait().then(onOk as () => R | PromiseLike<R>, onError);
  }

  /**
   * The same with an end to waiting, which does not change the fence. A finite `timeoutMs` keeps
   * the process alive until the wait ends.
   *
   * Rejects with the fence's error; WaitTimeoutError; `signal.reason`; TypeError, RangeError.
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
      let timer: Deadline | undefined;
      const callback = this.addCallback(ended);
      if (callback === null) {
        ended();
      } else if (timeoutMs === 0) {
        giveUp(this.timedOut(0));
      } else {
        if (signal !== undefined && !abortListeners.add(signal, giveUp)) giveUp(signal.reason);
        // It may have ended or been given up while the signal's own code ran.
        if (isOver) return;
        timer = startTimer(timeoutMs, () => giveUp(this.timedOut(timeoutMs)));
      }
    });
  }

  /**
   * Says by when somebody would like to see it ended, in ms since 1970. Only a hint: it travels to
   * what the fence depends on, as far as that is known, and whoever is at work may hurry. True if
   * it is earlier than all before.
   *
   * @throws TypeError, RangeError for what is no time.
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
  protected settle(isFailed: boolean, error: unknown): boolean {
    if (this.#status !== 'pending') return false;
    if (isFailed) this.#noteError(error);
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

  #noteError(error: unknown): boolean {
    if (this.#status !== 'pending' || this.#hasError) return false;
    this.#hasError = true;
    this.#error = error;
    return true;
  }

  /** Nothing is added any more. One may still be removed by another. */
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
  const note = (fence: Fence): void => {
    if (fence.status === 'error') all.setError(fence.error);
    pendingCount--;
    if (pendingCount === 0) all.signal();
  };
  if (pendingCount === 0) all.signal();
  for (const fence of gathered) if (fence.addCallback(note) === null) note(fence);
  return all;
}

function anyOf(gathered: ReadonlySet<Fence>, options: GatheringOptions): Fence {
  if (gathered.size === 0) {
    throw new InvalidSetError('any of no fences would never be signalled: name one or more');
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
