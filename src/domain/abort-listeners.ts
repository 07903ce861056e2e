/**
 * For clients: one listener for each signal, however many wait with it. A signal's own list of
 * listeners is searched from the front at each removal, which a hundred thousand would feel.
 */

export interface Abortable {
  /** The signal that it was added with has aborted. Not told again. */
  abortBy(reason: unknown): void;
}

export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, { waiting: Set<Abortable>; listener: () => void }>();

  add(signal: AbortSignal, waiter: Abortable): void {
    const entry = this.#bySignal.get(signal);
    if (entry !== undefined) {
      entry.waiting.add(waiter);
      return;
    }
    const waiting = new Set([waiter]);
    const listener = (): void => {
      this.#bySignal.delete(signal);
      for (const each of waiting) each.abortBy(signal.reason);
    };
    signal.addEventListener('abort', listener, { once: true });
    this.#bySignal.set(signal, { waiting, listener });
  }

  remove(signal: AbortSignal, waiter: Abortable): void {
    const entry = this.#bySignal.get(signal);
    if (entry === undefined) return;
    entry.waiting.delete(waiter);
    if (entry.waiting.size > 0) return;
    signal.removeEventListener('abort', entry.listener);
    this.#bySignal.delete(signal);
  }
}
