/**
 * Fences in shared memory: each thread opens an object of its own for a fence, and all of them end
 * together. The word is the fence (fence-word.ts); the object has the callbacks of its thread, and
 * hears of the word by Atomics.waitAsync, once at a time, while it has callbacks. It cannot be
 * cancelled, so one wait may outlive its callbacks, until the fence ends.
 *
 * Nothing here knows whose a fence is: if the thread that was to end it is terminated, it stays
 * pending. Wait with a limit; or let that thread hold a set, which its death releases, and wait for
 * that with `exportFence`.
 */

import { FenceFailedError, ProtocolError, UnsupportedError } from '../../api/errors.ts';
import { checkIsObject, checkTimeout } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import { checkCanShareMemory, isSharedMemory } from '../../api/shared-memory.ts';
import { queueRealMicrotask, realNowMs } from '../../runtime/real-time.ts';
import type { FenceCallback } from './callback-list.ts';
import { Fence, type FenceFunction, type FenceOptions, type FenceStatus } from './fence.ts';
import { blockOn, endWord, errorIn, errorNumberMax, hasEnded, setErrorIn } from './fence-word.ts';

/** Shared memory for fences: a plain object, so it goes through workerData and postMessage. */
export interface FenceArena {
  readonly kind: 'kds-fences';
  readonly version: 1;
  readonly buffer: SharedArrayBuffer;
}

const countMax = 2 ** 20;
/** A double: deadlines are told in ms since this one, which is as Date.now(). */
const EPOCH = 0;
/** A pair of words a fence: its state, and its deadline, 0 if there is none. */
const headWords = 2;
const fenceWords = 2;
const STATE = 0;
const DEADLINE = 1;
const deadlineMax = 2 ** 31 - 1;

/**
 * Makes an arena of so many fences, 1 to 1,048,576, all of them pending. Of 8 bytes each.
 *
 * @throws TypeError, RangeError
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
 * Opens a fence of an arena, in the calling thread, any number of times. It may have ended.
 *
 * @throws TypeError for what is no arena; RangeError for what is not the number of a fence in it;
 * ProtocolError for an arena of another version.
 * @example
 * import { createFenceArena, openFence } from 'kds/fences';
 *
 * const arena = createFenceArena(2); // give it to workers: new Worker(url, { workerData: arena })
 * const rendered = openFence(arena, 0);
 * rendered.addCallback(({ status }) => console.log(status)); // wherever it is signalled
 * openFence(arena, 0).signal();
 * rendered.waitSync({ timeoutMs: 1000 }); // a worker may also block
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

/** A fence of several threads, as one of them sees it. Its errors are numbers, 1 to 2^29. */
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

  override get status(): FenceStatus {
    this.#look();
    return super.status;
  }

  /** In all threads. */
  override signal(): boolean {
    const isFirst = endWord(this.#words, this.#at + STATE, 0);
    this.#look();
    return isFirst;
  }

  /** In all threads. @throws TypeError, RangeError for what is no number from 1 to 2^29. */
  override fail(error: unknown): boolean {
    const isFirst = endWord(this.#words, this.#at + STATE, checkError(error));
    this.#look();
    return isFirst;
  }

  /** In all threads. @throws TypeError, RangeError for what is no number from 1 to 2^29. */
  override setError(error: unknown): boolean {
    return setErrorIn(this.#words, this.#at + STATE, checkError(error));
  }

  /** @throws UnsupportedError, if it is pending, where there is no Atomics.waitAsync. */
  override addCallback(fn: FenceFunction): FenceCallback | null {
    this.#look();
    if (super.status === 'pending' && typeof Atomics.waitAsync !== 'function') {
      throw new UnsupportedError('this runtime has no Atomics.waitAsync: use status or waitSync()');
    }
    const callback = super.addCallback(fn);
    if (callback !== null) this.#listen();
    return callback;
  }

  /**
   * Blocks the thread until the fence ends. Throws its error; WaitTimeoutError; UnsupportedError in
   * a thread that may not block, as the main one of a browser; TypeError, RangeError.
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
    this.#look();
    if (this.status === 'error') throw this.error;
  }

  /** Of all threads. In ms since 1970, to the ms. */
  override get deadlineMs(): number {
    const noted = Atomics.load(this.#words, this.#at + DEADLINE);
    const shared = noted === 0 ? Number.POSITIVE_INFINITY : this.#epochMs + noted;
    return Math.min(shared, super.deadlineMs);
  }

  /** All threads see it; `onDeadline` is told of in the thread that hints. */
  override hintDeadline(atMs: number): boolean {
    const isEarlier = super.hintDeadline(atMs);
    if (isEarlier) this.#noteDeadline(atMs);
    return isEarlier;
  }

  #noteDeadline(atMs: number): void {
    const sinceMs = Math.floor(atMs - this.#epochMs);
    const note = Math.min(Math.max(1, sinceMs), deadlineMax);
    for (;;) {
      const noted = Atomics.load(this.#words, this.#at + DEADLINE);
      if (noted !== 0 && noted <= note) return;
      if (Atomics.compareExchange(this.#words, this.#at + DEADLINE, noted, note) === noted) return;
    }
  }

  /** If the word says that it has ended, it ends here too. */
  #look(): void {
    if (super.status !== 'pending') return;
    const word = Atomics.load(this.#words, this.#at + STATE);
    if (!hasEnded(word)) return;
    const error = errorIn(word);
    const which = this.label === undefined ? 'the fence' : `the fence ${describe(this.label)}`;
    if (error === 0) this.settle(false, undefined);
    else this.settle(true, new FenceFailedError(`${which} failed with error ${error}`, error));
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    const heard = (): void => {
      this.#isListening = false;
      this.#look();
      if (this.isAwaited) this.#listen();
    };
    const word = Atomics.load(this.#words, this.#at + STATE);
    const waiting = hasEnded(word)
      ? undefined
      : Atomics.waitAsync(this.#words, this.#at + STATE, word);
    if (waiting?.async === true) void waiting.value.then(heard);
    // It has ended, or changed, since the callback was added.
    else queueRealMicrotask(heard);
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
