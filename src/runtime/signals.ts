/**
 * One listener an AbortSignal, however many requests share it: adding a listener costs the platform
 * O(listeners), and thousands of them make it warn of a leak. None is left when none waits.
 */

import { throwUncaught } from './uncaught.ts';

interface Group<T> {
  readonly signal: AbortSignal;
  readonly waiting: Set<T>;
  readonly onAbort: () => void;
  /** Its signal has aborted. */
  isOver: boolean;
  /** In the list of those whose listener may go. */
  isIdle: boolean;
}

export class Signals<T> {
  readonly #groups = new WeakMap<AbortSignal, Group<T>>();
  readonly #onAbort: (waiting: ReadonlySet<T>, reason: unknown) => void;
  /** Nobody waits with these, or nobody did. */
  #idle: Group<T>[] = [];

  /** `onAbort` is called with all that wait with a signal, when it aborts. */
  constructor(onAbort: (waiting: ReadonlySet<T>, reason: unknown) => void) {
    this.#onAbort = onAbort;
  }

  /**
   * A request waits with a signal from now on. False if the signal has aborted meanwhile, even
   * while its listener was being added: then the request does not wait with it. Runs code of the
   * caller's, if the signal is not one of the platform.
   */
  add(signal: AbortSignal, request: T): boolean {
    const group = this.#groups.get(signal) ?? this.#listen(signal);
    if (!group.isOver) group.waiting.add(request);
    // A signal that aborted before it had the listener does not call it.
    if (!group.isOver && !signal.aborted) return true;
    this.remove(signal, request);
    return false;
  }

  /** Runs no code of the caller's: the listener is removed later. */
  remove(signal: AbortSignal, request: T): void {
    const group = this.#groups.get(signal);
    if (!group?.waiting.delete(request) || group.waiting.size > 0 || group.isIdle) return;
    group.isIdle = true;
    if (this.#idle.push(group) === 1) queueMicrotask(() => this.#forgetIdle());
  }

  #listen(signal: AbortSignal): Group<T> {
    const onAbort = (): void => {
      group.isOver = true;
      this.#forget(group);
      if (group.waiting.size > 0) this.#onAbort(group.waiting, signal.reason);
    };
    const waiting = new Set<T>();
    const group: Group<T> = { signal, waiting, onAbort, isOver: false, isIdle: false };
    // Only then: a signal that takes no listener must not look like one that is listened to.
    signal.addEventListener('abort', onAbort);
    const other = this.#groups.get(signal);
    if (group.isOver || other === undefined) {
      if (!group.isOver) this.#groups.set(signal, group);
      return group;
    }
    // The signal's own code has made another request with it meanwhile.
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
      // A library's signal, in the middle of somebody else's grant.
      throwUncaught(error);
    }
  }
}
