/** What the benchmarks use of redlock 4, which comes without types. */
declare module 'redlock' {
  interface Lock {
    unlock(): Promise<void>;
  }
  class Redlock {
    constructor(
      clients: readonly unknown[],
      options?: {
        readonly retryCount?: number;
        readonly retryDelay?: number;
        readonly retryJitter?: number;
      },
    );
    lock(resources: string | readonly string[], ttlMs: number): Promise<Lock>;
  }
  export = Redlock;
}
