/**
 * One listener an AbortSignal, however many requests share it: adding a listener costs the platform
 * O(listeners), and thousands of them make it warn of a leak. None is left when none waits.
 */

export interface Abortable {
  /** The signal has aborted, for this reason. */
  aborted(reason: unknown): void;
}

interface Group {
  readonly waiting: Set<Abortable>;
  readonly onAbort: () => void;
}

export class Signals {
  readonly #groups = new WeakMap<AbortSignal, Group>();

  /** Calls `request.aborted` when the signal aborts, in the order in which they were added. */
  add(signal: AbortSignal, request: Abortable): void {
    const group = this.#groups.get(signal) ?? this.#listen(signal);
    group.waiting.add(request);
  }

  remove(signal: AbortSignal, request: Abortable): void {
    const group = this.#groups.get(signal);
    if (!group?.waiting.delete(request) || group.waiting.size > 0) return;
    signal.removeEventListener('abort', group.onAbort);
    this.#groups.delete(signal);
  }

  #listen(signal: AbortSignal): Group {
    const waiting = new Set<Abortable>();
    const onAbort = (): void => {
      this.#groups.delete(signal);
      signal.removeEventListener('abort', onAbort);
      for (const request of waiting) request.aborted(signal.reason);
    };
    const group = { waiting, onAbort };
    this.#groups.set(signal, group);
    signal.addEventListener('abort', onAbort);
    return group;
  }
}
