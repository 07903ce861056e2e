/**
 * One listener for each signal, however many jobs wait with it: a signal's own list of listeners is
 * searched from the front at each removal, which a hundred thousand jobs would feel.
 */

export interface Abortable {
  abortBy(reason: unknown): void;
}

export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, { jobs: Set<Abortable>; listener: () => void }>();

  add(signal: AbortSignal, job: Abortable): void {
    const entry = this.#bySignal.get(signal);
    if (entry !== undefined) {
      entry.jobs.add(job);
      return;
    }
    const jobs = new Set([job]);
    const listener = (): void => {
      this.#bySignal.delete(signal);
      for (const each of jobs) each.abortBy(signal.reason);
    };
    signal.addEventListener('abort', listener, { once: true });
    this.#bySignal.set(signal, { jobs, listener });
  }

  remove(signal: AbortSignal, job: Abortable): void {
    const entry = this.#bySignal.get(signal);
    if (entry === undefined) return;
    entry.jobs.delete(job);
    if (entry.jobs.size > 0) return;
    signal.removeEventListener('abort', entry.listener);
    this.#bySignal.delete(signal);
  }
}
