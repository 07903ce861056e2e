/**
 * For clients: one listener for each signal, however many wait with it. A signal's own list of
 * listeners is searched from the front at each removal, which a hundred thousand would feel.
 */

import { throwUncaught } from './uncaught.ts';

export interface Abortable {
  /** The signal that it was added with has aborted. Not called again. */
  abortBy(reason: unknown): void;
}

interface Entry {
  readonly waiting: Set<Abortable>;
  readonly listener: () => void;
  /** Its signal has aborted. */
  isOver: boolean;
}

export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, Entry>();

  /**
   * Calls `abortBy` when the signal aborts; before this returns, if it has aborted by then: a
   * signal may abort while its listener is added. Runs the signal's own code, if it has any.
   */
  add(signal: AbortSignal, waiter: Abortable): void {
    const entry = this.#bySignal.get(signal) ?? this.#listen(signal);
    entry.waiting.add(waiter);
    if ((entry.isOver || signal.aborted) && entry.waiting.delete(waiter)) {
      if (entry.waiting.size === 0) this.#forget(signal, entry);
      waiter.abortBy(signal.reason);
    }
  }

  remove(signal: AbortSignal, waiter: Abortable): void {
    const entry = this.#bySignal.get(signal);
    if (entry?.waiting.delete(waiter) && entry.waiting.size === 0) this.#forget(signal, entry);
  }

  #listen(signal: AbortSignal): Entry {
    const waiting = new Set<Abortable>();
    const listener = (): void => {
      entry.isOver = true;
      this.#forget(signal, entry);
      for (const each of [...waiting]) if (waiting.delete(each)) each.abortBy(signal.reason);
    };
    const entry: Entry = { waiting, listener, isOver: false };
    signal.addEventListener('abort', listener, { once: true });
    const other = this.#bySignal.get(signal);
    if (entry.isOver) return entry;
    if (other === undefined) {
      this.#bySignal.set(signal, entry);
      return entry;
    }
    // The signal's own code has added another waiter meanwhile.
    this.#forget(signal, entry);
    return other;
  }

  #forget(signal: AbortSignal, entry: Entry): void {
    if (this.#bySignal.get(signal) === entry) this.#bySignal.delete(signal);
    try {
      signal.removeEventListener('abort', entry.listener);
    } catch (error) {
      throwUncaught(error);
    }
  }
}
