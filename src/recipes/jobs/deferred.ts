/** A promise and what settles it. */
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

  /** Whoever has not looked yet need not hear of a rejection: it is told elsewhere too. */
  rejectQuietly(reason: unknown): void {
    this.promise.catch(() => {});
    this.reject(reason);
  }
}
