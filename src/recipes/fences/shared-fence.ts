/**
 * Fences in shared memory: each thread opens an object of its own for a fence, and all of them end
 * together. The word is the fence (fence-word.ts); the object has the callbacks of its thread, and
 * waits on the word by Atomics.waitAsync while it has callbacks, one wait at a time. Such a wait
 * cannot be cancelled, so it may outlive its callbacks, until the fence ends.
 *
 * A fence has no owner: if the thread that was to end it is terminated, it stays pending. Wait with
 * a limit; or let that thread hold a set, which its death releases, and wait for that with
 * `exportFence`.
 */

import { FenceFailedError, ProtocolError, UnsupportedError } from '../../api/errors.ts';
import { checkIsObject, checkTimeout } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import { checkCanShareMemory, isSharedMemory } from '../../api/shared-memory.ts';
import { queueRealMicrotask, realNowMs } from '../../runtime/real-time.ts';
import type { FenceCallback } from './callback-list.ts';
import { Fence, type FenceFunction, type FenceOptions, type FenceStatus } from './fence.ts';
import { blockOn, endWord, errorIn, errorNumberMax, hasEnded, setErrorIn } from './fence-word.ts';

/**
 * Shared memory for fences: a plain object, so it goes through `workerData` and `postMessage`.
 *
 * @since 0.1.0
 */
export interface FenceArena {
  /** Identifies arenas of fences. */
  readonly kind: 'kds-fences';
  /** Version of the layout of the memory. */
  readonly version: 1;
  /** The states and deadlines of the fences. */
  readonly buffer: SharedArrayBuffer;
}

const countMax = 2 ** 20;
/** A double, as Date.now(): deadlines are stored in ms since this time. */
const EPOCH = 0;
/** Two words for each fence: its state, and its deadline; 0: no deadline. */
const headWords = 2;
const fenceWords = 2;
const STATE = 0;
const DEADLINE = 1;
const deadlineMax = 2 ** 31 - 1;

/**
 * Makes an arena of pending fences, of 8 bytes each.
 *
 * @param count - Number of fences: 1 to 1,048,576.
 * @throws TypeError if `count` is no number.
 * @throws RangeError if `count` is out of its bounds.
 * @throws {@link UnsupportedError} in a page that is not cross-origin isolated.
 * @waits Never.
 * @example
 * ```ts
 * import { createFenceArena, openFence } from 'kds/fences';
 *
 * const arena = createFenceArena(64); // give it to workers: new Worker(url, { workerData: arena })
 * console.log(openFence(arena, 63).status); // pending
 * ```
 * @since 0.1.0
 */
export function createFenceArena(count: number): FenceArena {
  if (typeof count !== 'number') throw new TypeError(`count is a number, not ${describe(count)}`);
  if (!Number.isInteger(count) || count < 1 || count > countMax) {
    throw new RangeError(`count is a whole number from 1 to ${countMax}, not ${count}`);
  }
  checkCanShareMemory();
  const buffer = new SharedArrayBuffer((headWords + count * fenceWords) * 4);
  new Float64Array(buffer, 0, 1)[EPOCH] = Date.now();
  return { kind: 'kds-fences', version: 1, buffer };
}

/**
 * Opens a fence of an arena, in the calling thread, any number of times. The fence may have ended.
 *
 * @param arena - The arena, as it was made or as it arrived.
 * @param index - Number of the fence in the arena, from 0.
 * @param options - The label and the listener of this thread's object.
 * @throws TypeError if the arena or an option is invalid.
 * @throws RangeError if the index is not in the arena.
 * @throws {@link ProtocolError} if the arena is of another version.
 * @throws {@link LimitError} if `label` is longer than 1024 code units.
 * @waits Never.
 * @example
 * ```ts
 * import { createFenceArena, openFence } from 'kds/fences';
 *
 * const arena = createFenceArena(2); // give it to workers: new Worker(url, { workerData: arena })
 * const rendered = openFence(arena, 0);
 * rendered.addCallback(({ status }) => console.log(status)); // wherever it is signalled
 * openFence(arena, 0).signal();
 * rendered.waitSync({ timeoutMs: 1000 }); // a worker may also block
 * ```
 * @since 0.1.0
 */
export function openFence(arena: FenceArena, index: number, options?: FenceOptions): SharedFence {
  const { kind, version, buffer } = (arena ?? {}) as Partial<FenceArena>;
  if (kind !== 'kds-fences' || !isSharedMemory(buffer)) {
    throw new TypeError(`an arena is made by createFenceArena(), not ${describe(arena)}`);
  }
  if (version !== 1) {
    throw new ProtocolError(`the arena of fences is of version ${version}, and this is version 1`);
  }
  const count = (buffer.byteLength >> 2) / fenceWords - headWords / fenceWords;
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`the arena has fences 0 to ${Math.floor(count) - 1}, not ${index}`);
  }
  return SharedFence.open(buffer, index, options);
}

/**
 * One thread's object for a fence of several threads: the result of {@link openFence}. If it has
 * failed, its `error` is a {@link FenceFailedError} with the number. A fence has no owner: if the
 * thread that was to end it is terminated, it stays pending.
 *
 * @example
 * ```ts
 * import { createFenceArena, openFence } from 'kds/fences';
 *
 * const arena = createFenceArena(1);
 * const [here, there] = [openFence(arena, 0), openFence(arena, 0)]; // as in two threads
 * there.fail(7);
 * console.log(here.status); // error
 * await here.wait({ timeoutMs: 9 }).catch(({ code }) => console.log(code)); // KDS_FENCE_FAILED
 * ```
 * @since 0.1.0
 */
export class SharedFence extends Fence {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #epochMs: number;
  #isListening = false;

  /** @internal */
  static open(buffer: SharedArrayBuffer, index: number, options?: FenceOptions): SharedFence {
    return new SharedFence(buffer, index, options);
  }

  private constructor(buffer: SharedArrayBuffer, index: number, options?: FenceOptions) {
    super(options);
    this.#words = new Int32Array(buffer);
    this.#at = headWords + index * fenceWords;
    this.#epochMs = new Float64Array(buffer, 0, 1)[EPOCH] as number;
  }

  /** Its state in all threads, at this moment. */
  override get status(): FenceStatus {
    this.#update();
    return super.status;
  }

  /**
   * Ends the fence in all threads. Callbacks of this thread run before this returns.
   *
   * @returns False if the fence had ended before.
   * @waits Never.
   */
  override signal(): boolean {
    const isFirst = endWord(this.#words, this.#at + STATE, 0);
    this.#update();
    return isFirst;
  }

  /**
   * Sets the error, unless one is set, and ends the fence, in all threads.
   *
   * @param error - A whole number, 1 to 2^29.
   * @returns False if the fence had ended before.
   * @throws TypeError or RangeError if `error` is no such number.
   * @waits Never.
   */
  override fail(error: unknown): boolean {
    const isFirst = endWord(this.#words, this.#at + STATE, checkError(error));
    this.#update();
    return isFirst;
  }

  /**
   * Sets the error in all threads, and leaves the fence pending. The first error wins.
   *
   * @param error - A whole number, 1 to 2^29.
   * @returns False if one was set before, or the fence has ended.
   * @throws TypeError or RangeError if `error` is no such number.
   * @waits Never.
   */
  override setError(error: unknown): boolean {
    return setErrorIn(this.#words, this.#at + STATE, checkError(error));
  }

  /**
   * Adds a function that is called in this thread when the fence ends: see {@link
   * Fence.addCallback}.
   *
   * @param fn - The function, called with this object.
   * @returns Null if the fence has ended: then the function is not called.
   * @throws TypeError if `fn` is no function.
   * @throws {@link UnsupportedError} if the fence is pending and the runtime has no
   * Atomics.waitAsync.
   * @waits Never.
   */
  override addCallback(fn: FenceFunction): FenceCallback | null {
    this.#update();
    if (super.status === 'pending' && typeof Atomics.waitAsync !== 'function') {
      throw new UnsupportedError('this runtime has no Atomics.waitAsync: use status or waitSync()');
    }
    const callback = super.addCallback(fn);
    if (callback !== null) this.#listen();
    return callback;
  }

  /**
   * Blocks the thread until the fence ends.
   *
   * @param options - `timeoutMs`: the time limit, ms, 0 or more. Default Infinity.
   * @throws {@link FenceFailedError} if the fence has failed.
   * @throws {@link WaitTimeoutError} if `timeoutMs` has passed.
   * @throws {@link UnsupportedError} in a thread that may not block, as the main one of a browser.
   * @throws TypeError or RangeError if `timeoutMs` is invalid.
   * @waits Blocks the thread until the fence ends, at most `timeoutMs`.
   */
  waitSync(options: { readonly timeoutMs?: number | undefined } = {}): void {
    checkIsObject(options);
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    checkTimeout(timeoutMs);
    const endMs = realNowMs() + timeoutMs;
    const leftMs = (): number => Math.max(0, endMs - realNowMs());
    let word: number;
    try {
      word = blockOn(this.#words, this.#at + STATE, leftMs);
    } catch (error) {
      throw new UnsupportedError('this thread may not block: use wait()', { cause: error });
    }
    if (!hasEnded(word)) throw this.timedOut(timeoutMs);
    this.#update();
    if (this.status === 'error') throw this.error;
  }

  /** The earliest hint of all threads, in ms since 1970, to the ms. */
  override get deadlineMs(): number {
    const recorded = Atomics.load(this.#words, this.#at + DEADLINE);
    const shared = recorded === 0 ? Number.POSITIVE_INFINITY : this.#epochMs + recorded;
    return Math.min(shared, super.deadlineMs);
  }

  /**
   * Hints at a time by which the fence is needed. All threads see the hint; `onDeadline` is called
   * in the thread that hints.
   *
   * @param atMs - The time, in ms since 1970.
   * @returns True if the fence is pending, and the time is earlier than all before.
   * @throws TypeError if it is no number.
   * @throws RangeError if it is NaN.
   * @waits Never.
   */
  override hintDeadline(atMs: number): boolean {
    const isEarlier = super.hintDeadline(atMs);
    if (isEarlier) this.#recordDeadline(atMs);
    return isEarlier;
  }

  #recordDeadline(atMs: number): void {
    const sinceMs = Math.floor(atMs - this.#epochMs);
    const deadline = Math.min(Math.max(1, sinceMs), deadlineMax);
    for (;;) {
      const recorded = Atomics.load(this.#words, this.#at + DEADLINE);
      if (recorded !== 0 && recorded <= deadline) return;
      if (
        Atomics.compareExchange(this.#words, this.#at + DEADLINE, recorded, deadline) === recorded
      )
        return;
    }
  }

  /** Ends this object if the word has ended. */
  #update(): void {
    if (super.status !== 'pending') return;
    const word = Atomics.load(this.#words, this.#at + STATE);
    if (!hasEnded(word)) return;
    const error = errorIn(word);
    const which = this.label === undefined ? 'the fence' : `the fence ${describe(this.label)}`;
    if (error === 0) this.end(false, undefined);
    else this.end(true, new FenceFailedError(`${which} failed with error ${error}`, error));
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    const onNotified = (): void => {
      this.#isListening = false;
      this.#update();
      if (this.isAwaited) this.#listen();
    };
    const word = Atomics.load(this.#words, this.#at + STATE);
    const waiting = hasEnded(word)
      ? undefined
      : Atomics.waitAsync(this.#words, this.#at + STATE, word);
    if (waiting?.async === true) void waiting.value.then(onNotified);
    // The word has changed since the callback was added.
    else queueRealMicrotask(onNotified);
  }
}

function checkError(error: unknown): number {
  if (typeof error !== 'number') {
    throw new TypeError(
      `the error of a fence in shared memory is a number, not ${describe(error)}`,
    );
  }
  if (!Number.isInteger(error) || error < 1 || error > errorNumberMax) {
    throw new RangeError(`the error of a fence in shared memory is 1 to 2^29, not ${error}`);
  }
  return error;
}
