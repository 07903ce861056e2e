/**
 * One listener on an AbortSignal, shared by all that wait with it. A platform searches a signal's
 * listeners one by one at each addition and removal, and warns of a leak at a dozen. A signal that
 * nothing waits with keeps no listener.
 *
 * Only {@link AbortListeners.add} runs code of the signal itself, which a library may have written.
 * So a removal within an operation defers the removal of the listener to a microtask.
 */

import { queueRealMicrotask } from './real-time.ts';
import { throwUncaught } from './uncaught.ts';

/** All that waits with one signal. */
interface Group<T> {
  readonly signal: AbortSignal;
  readonly waiting: Set<T>;
  readonly onAbort: () => void;
  /** The signal has aborted. */
  isOver: boolean;
  /** The group is in the list of those whose listener may be removed. */
  isIdle: boolean;
}

export class AbortListeners<T> {
  readonly #groups = new WeakMap<AbortSignal, Group<T>>();
  readonly #onAbort: (waiting: ReadonlySet<T>, reason: unknown) => void;
  /** Groups that became empty, and may have been joined again since. */
  #idle: Group<T>[] = [];

  /**
   * `onAbort` receives all that wait with a signal when it aborts. A waiter that is removed
   * meanwhile leaves the set at once, so a loop over the set skips it.
   */
  constructor(onAbort: (waiting: ReadonlySet<T>, reason: unknown) => void) {
    this.#onAbort = onAbort;
  }

  /**
   * Adds a waiter. False if the signal has aborted by then, even while its listener was added: the
   * waiter is not added, and the caller must end it. Runs code of the signal, if it has any, and
   * throws what that throws.
   */
  add(signal: AbortSignal, waiter: T): boolean {
    const group = this.#groups.get(signal) ?? this.#listen(signal);
    if (!group.isOver) group.waiting.add(waiter);
    // A signal that aborted before it had the listener does not call it.
    if (!group.isOver && !signal.aborted) return true;
    this.remove(signal, waiter);
    return false;
  }

  /** Runs no code of the signal. */
  remove(signal: AbortSignal, waiter: T): void {
    const group = this.#groups.get(signal);
    if (!group?.waiting.delete(waiter) || group.waiting.size > 0) return;
    if (group.isIdle || group.isOver) return;
    group.isIdle = true;
    if (this.#idle.push(group) === 1) queueRealMicrotask(() => this.#forgetIdle());
  }

  #listen(signal: AbortSignal): Group<T> {
    const onAbort = (): void => {
      if (group.isOver) return;
      group.isOver = true;
      if (group.waiting.size > 0) this.#onAbort(group.waiting, signal.reason);
      this.#forget(group);
    };
    const waiting = new Set<T>();
    const group: Group<T> = { signal, waiting, onAbort, isOver: false, isIdle: false };
    // Before the group is known: a signal that refuses the listener must have no group.
    signal.addEventListener('abort', onAbort);
    const other = this.#groups.get(signal);
    if (group.isOver || other === undefined) {
      if (!group.isOver) this.#groups.set(signal, group);
      return group;
    }
    // The signal's own code has added another waiter meanwhile.
    this.#forget(group);
    return other;
  }

  #forgetIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const group of idle) {
      group.isIdle = false;
      if (group.waiting.size === 0) this.#forget(group);
    }
  }

  #forget(group: Group<T>): void {
    const { signal, onAbort } = group;
    if (this.#groups.get(signal) === group) this.#groups.delete(signal);
    try {
      signal.removeEventListener('abort', onAbort);
    } catch (error) {
      throwUncaught(error);
    }
  }
}
