/** Locks that are held until a test lets go, and what it waits for meanwhile. */

import type { Lock, LockManager, LockManagerSnapshot, LockOptions } from 'kds/web-locks';

/** A promise that is settled from outside. */
export class Gate<T = void> {
  readonly passed: Promise<T>;
  open!: (value: T | PromiseLike<T>) => void;
  refuse!: (reason: unknown) => void;

  constructor() {
    this.passed = new Promise((resolve, reject) => {
      this.open = resolve;
      this.refuse = reject;
    });
  }
}

/** A lock that is held. */
export class Holder {
  readonly lock: Lock | null;
  /** What `request` returned. */
  readonly done: Promise<unknown>;
  readonly #gate: Gate<unknown>;

  private constructor(lock: Lock | null, done: Promise<unknown>, gate: Gate<unknown>) {
    this.lock = lock;
    this.done = done;
    this.#gate = gate;
  }

  /** Resolves when the lock is held. */
  static async take(locks: LockManager, name: string, options: LockOptions = {}): Promise<Holder> {
    const gate = new Gate<unknown>();
    const granted = new Gate<Lock | null>();
    const done = locks.request(name, options, (lock) => {
      granted.open(lock);
      return gate.passed;
    });
    // Whoever steals it is not always what a test is about.
    done.catch(granted.refuse);
    return new Holder(await granted.passed, done, gate);
  }

  /** Lets go with a result, and resolves when that has been heard. */
  release(value?: unknown): Promise<unknown> {
    this.#gate.open(value);
    return this.done;
  }

  refuse(reason: unknown): void {
    this.#gate.refuse(reason);
  }
}

/** What a promise rejects with; fails if it does not. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`came to ${String(value)}, and should have failed`);
    },
    (error: unknown) => error,
  );
}

/** A callback that must not be called. */
export function unreached(): never {
  throw new Error('this callback must not be called');
}

/** A turn of the event loop: all microtasks are through, and all tasks that were queued before. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when so many requests for a name wait. */
export function pending(locks: LockManager, name: string, count: number): Promise<void> {
  return until(locks, `${count} are pending for ${name}`, (snapshot) => {
    return snapshot.pending.filter((info) => info.name === name).length === count;
  });
}

/** Resolves when nobody holds anything or waits: far away, a release is heard of a little later. */
export function emptied(locks: LockManager): Promise<void> {
  return until(locks, 'all is free', ({ held, pending }) => held.length + pending.length === 0);
}

async function until(
  locks: LockManager,
  what: string,
  isSo: (snapshot: LockManagerSnapshot) => boolean,
): Promise<void> {
  const untilMs = performance.now() + 600_000;
  for (;;) {
    const snapshot = await locks.query();
    if (isSo(snapshot)) return;
    if (performance.now() > untilMs) {
      throw new Error(`waited in vain until ${what}: ${JSON.stringify(snapshot)}`);
    }
    await turn();
  }
}
