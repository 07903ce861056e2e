/** What an agent does when the arena's lock cannot be had, or it has not joined yet. */

import { UnavailableError } from '../../api/errors.ts';
import type { Retries } from '../../local/operations.ts';
import { realNowMs, setRealTimeout } from '../../runtime/real-time.ts';
import { unref } from '../../runtime/timer.ts';
import type { Agent } from './agent.ts';
import { NotReadyError } from './joining.ts';
import { lockMsMax } from './lock-environment.ts';
import { thread } from './thread.ts';

/** Time that the event loop has before the lock is tried again, ms. */
const retryMs = 10;
/**
 * Most that one pause counts for, ms: if more time has passed between two retries, the event loop
 * stood still.
 */
const pauseMsMax = 100;

/** What retries need of their backend. */
interface RetrySource {
  /** Resolves when the agent has joined, or never will; undefined if it need not join. */
  readonly joined: Promise<void> | undefined;
  readonly operations: { begin(): void; commit(): void };
}

export class ArenaRetries implements Retries {
  readonly #agent: Agent;
  readonly #source: RetrySource;
  /** Time of the last retry that failed (0: none since the lock was had), and of all in a row. */
  #failedMs = 0;
  #unreachedMs = 0;
  /** To be done as soon as the lock can be had. */
  #tasks: (() => void)[] = [];
  #isScheduled = false;

  constructor(agent: Agent, source: RetrySource) {
    this.#agent = agent;
    this.#source = source;
  }

  /** As the next operation begins, at the latest from a timer. */
  later(error: unknown, task: () => void): void {
    if (!(error instanceof UnavailableError)) throw error;
    this.#tasks.push(task);
    this.#schedule(error);
  }

  /**
   * In a thread that may not sleep for the lock: after a turn of its event loop, until that has
   * failed for too long.
   */
  async again<T>(error: unknown, request: () => Promise<T>): Promise<T> {
    if (error instanceof NotReadyError) return this.whenReady(error, request);
    if (thread.maySleep || !(error instanceof UnavailableError)) throw error;
    const nowMs = realNowMs();
    const pauseMs = this.#failedMs === 0 ? 0 : Math.min(nowMs - this.#failedMs, pauseMsMax);
    this.#unreachedMs = this.#failedMs === 0 ? 0 : this.#unreachedMs + pauseMs;
    this.#failedMs = nowMs;
    if (this.#unreachedMs > lockMsMax) throw error;
    await new Promise<void>((resolve) => setRealTimeout(resolve, retryMs));
    return request();
  }

  whenReady<T>(error: unknown, request: () => T): Promise<Awaited<T>> {
    const { joined } = this.#source;
    if (joined === undefined || !(error instanceof NotReadyError)) throw error;
    return joined.then(request) as Promise<Awaited<T>>;
  }

  /** Whether {@link reached} and {@link run} have nothing to do. */
  get isIdle(): boolean {
    return this.#failedMs === 0 && this.#tasks.length === 0;
  }

  /** The lock has been taken. */
  reached(): void {
    this.#failedMs = 0;
  }

  /** Runs what is due. Within an operation, as it begins. False if nothing was due. */
  run(): boolean {
    if (this.#tasks.length === 0) return false;
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
    return true;
  }

  #schedule(error: unknown): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterPause(error, () => {
      this.#isScheduled = false;
      if (this.#tasks.length === 0 || this.#agent.isClosed) return;
      const { operations } = this.#source;
      try {
        operations.begin();
      } catch (again) {
        this.#schedule(again);
        return;
      }
      operations.commit();
    });
  }
}

/**
 * The lock belongs to another thread, which may have ended: this event loop may be about to be
 * notified of that.
 */
export function afterPause(error: unknown, task: () => void): void {
  if (!(error instanceof UnavailableError)) throw error;
  unref(setRealTimeout(task, retryMs));
}
