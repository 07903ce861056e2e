/** A promise with its two functions. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T | PromiseLike<T>) => void;
  reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Rejects, and is no unhandled rejection: another promise rejects with the same reason. */
  rejectQuietly(reason: unknown): void {
    this.promise.catch(() => {});
    this.reject(reason);
  }
}
