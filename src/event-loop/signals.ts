/**
 * One listener an AbortSignal, however many requests share it: adding a listener costs the platform
 * O(listeners), and thousands of them make it warn of a leak. None is left when none waits.
 */

import { throwUncaught } from '../domain/callback.ts';

interface Group<T> {
  readonly waiting: Set<T>;
  readonly onAbort: () => void;
}

export class Signals<T> {
  readonly #groups = new WeakMap<AbortSignal, Group<T>>();
  readonly #onAbort: (waiting: ReadonlySet<T>, reason: unknown) => void;

  /** `onAbort` is told of all that wait with a signal, when it aborts. */
  constructor(onAbort: (waiting: ReadonlySet<T>, reason: unknown) => void) {
    this.#onAbort = onAbort;
  }

  add(signal: AbortSignal, request: T): void {
    const group = this.#groups.get(signal) ?? this.#listen(signal);
    group.waiting.add(request);
  }

  remove(signal: AbortSignal, request: T): void {
    const group = this.#groups.get(signal);
    if (group?.waiting.delete(request) && group.waiting.size === 0) this.#forget(signal, group);
  }

  #listen(signal: AbortSignal): Group<T> {
    const waiting = new Set<T>();
    const onAbort = (): void => {
      this.#forget(signal, group);
      this.#onAbort(waiting, signal.reason);
    };
    const group = { waiting, onAbort };
    // Only then: a signal that takes no listener must not look like one that is listened to.
    signal.addEventListener('abort', onAbort);
    this.#groups.set(signal, group);
    return group;
  }

  #forget(signal: AbortSignal, { onAbort }: Group<T>): void {
    this.#groups.delete(signal);
    try {
      signal.removeEventListener('abort', onAbort);
    } catch (error) {
      // A library's signal, in the middle of somebody else's grant.
      throwUncaught(error);
    }
  }
}
