/**
 * The workers of a queue: each runs one task at a time. A worker is started when it is needed, and
 * replaced when it ends. The grant stays with the queue's thread, so the death of a worker is a
 * failed job: the resources that it writes get the recovered flag and go to the next waiter.
 *
 * Works with the workers of Node and of browsers; `serveTasks` is the other side.
 */

import { UnavailableError } from '../../api/errors.ts';
import { checkFunction } from '../../api/options.ts';
import { describe, type ResourceRef } from '../../api/sets.ts';
import { takenOf } from '../../api/units.ts';
import type { TaskSpec } from './job.ts';
import type { QueueJob } from './queue-job.ts';
import { keyOf, listOf } from './spec.ts';
import { type FromWorker, isFromWorker, type NamedSet, type ToWorker } from './task-messages.ts';
import { WaitQueue } from './wait-queue.ts';

/**
 * A worker of Node, or of a browser.
 *
 * @example
 * ```ts
 * import { Worker } from 'node:worker_threads';
 * import { createDomain } from 'kds';
 * import { createJobQueue, type TaskWorker } from 'kds/jobs';
 *
 * const code = `import('kds/jobs').then(({ serveTasks }) => serveTasks({ double: (n) => 2 * n }))`;
 * const start = (): TaskWorker => new Worker(code, { eval: true });
 * await using queue = createJobQueue(createDomain(), { workers: { count: 1, start } });
 * console.log(await queue.submit({ task: 'double', data: 21 }).done); // 42
 * ```
 * @since 0.1.0
 */
export interface TaskWorker {
  /**
   * Sends a message to the worker.
   *
   * @param message - Data that can be cloned.
   * @param transfer - Objects in the message that are moved and not cloned.
   * @waits Never.
   */
  postMessage(message: unknown, transfer?: readonly never[]): void;
  /**
   * Ends the worker. A promise that it returns is awaited by {@link JobQueue.close}.
   *
   * @waits Never, or resolves when the worker has ended, as the worker decides.
   */
  terminate(): unknown;
}

/**
 * Workers of a queue: each runs one task at a time, is started when it is needed, and is replaced
 * when it ends.
 *
 * @example
 * ```ts no-run
 * import { Worker } from 'node:worker_threads';
 * import type { WorkersOptions } from 'kds/jobs';
 *
 * const start = () => new Worker(new URL('./worker.js', import.meta.url));
 * const workers: WorkersOptions = { count: 4, start };
 * ```
 * @since 0.1.0
 */
export interface WorkersOptions {
  /** Workers at the same time, at most: 1 to 1024. */
  readonly count: number;
  /**
   * Makes a worker. The worker is expected to call {@link serveTasks} at once. If this throws, the
   * job that needs the worker fails with {@link UnavailableError}.
   *
   * @waits Never.
   */
  readonly start: () => TaskWorker;
}

/** Notifies the queue. */
export interface WorkerPoolEvents {
  /** The job has a worker for itself. */
  onReserved(job: QueueJob): void;
  /** No worker can be started for the job. */
  onNoWorker(job: QueueJob, error: unknown): void;
}

const countLimit = 1024;

/** @throws TypeError, RangeError */
export function checkCount(name: string, count: number, max: number): void {
  if (typeof count !== 'number') throw new TypeError(`${name} is a number, not ${describe(count)}`);
  if (!Number.isInteger(count) || count < 1 || count > max) {
    throw new RangeError(`${name} is a whole number from 1 to ${max}, not ${count}`);
  }
}

export class WorkerPool {
  readonly #countMax: number;
  readonly #start: () => TaskWorker;
  readonly #events: WorkerPoolEvents;
  readonly #members = new Set<Member>();
  readonly #idle: Member[] = [];
  readonly #waiting = new WaitQueue<QueueJob>((job) => {
    return job.state === 'ready' && !job.isEnding && !this.#byJob.has(job);
  });
  readonly #byJob = new Map<QueueJob, Member>();

  constructor({ count, start }: WorkersOptions, events: WorkerPoolEvents) {
    checkCount('workers.count', count, countLimit);
    checkFunction(start, 'workers.start');
    this.#countMax = count;
    this.#start = start;
    this.#events = events;
  }

  /** Gives a job a worker for itself: now, or when its turn comes. */
  reserve(job: QueueJob): void {
    this.#waiting.push(job);
    this.#serve();
  }

  /** Runs a task in the worker reserved for its job. */
  run(job: QueueJob, spec: TaskSpec): Promise<unknown> {
    const member = this.#byJob.get(job);
    if (member === undefined) throw new Error(`job ${job.id} has no worker`);
    return member.run(job, spec);
  }

  /** The job has ended, successfully or not. */
  free(job: QueueJob): void {
    const member = this.#byJob.get(job);
    if (member === undefined) {
      this.#waiting.countStale();
      return;
    }
    this.#byJob.delete(job);
    if (!this.#members.has(member)) return;
    this.#idle.push(member);
    this.#serve();
  }

  async close(): Promise<void> {
    const members = [...this.#members];
    this.#members.clear();
    this.#idle.length = 0;
    await Promise.all(members.map((member) => member.terminate()));
  }

  #serve(): void {
    while (this.#idle.length > 0 || this.#members.size < this.#countMax) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      const member = this.#idle.pop() ?? this.#startFor(job);
      if (member === undefined) continue;
      this.#byJob.set(job, member);
      this.#events.onReserved(job);
    }
  }

  /** Each job makes one attempt to start a worker, so attempts are not endless. */
  #startFor(job: QueueJob): Member | undefined {
    let worker: TaskWorker;
    try {
      worker = this.#start();
    } catch (cause) {
      const error = new UnavailableError('a worker of the queue cannot be started', { cause });
      this.#events.onNoWorker(job, error);
      return undefined;
    }
    const member = new Member(worker, () => this.#hasEnded(member));
    this.#members.add(member);
    return member;
  }

  #hasEnded(member: Member): void {
    if (!this.#members.delete(member)) return;
    const at = this.#idle.indexOf(member);
    if (at !== -1) this.#idle.splice(at, 1);
    // If it was reserved and not running yet, the call of `run` rejects.
    this.#serve();
  }
}

/** A worker, and the one task that it runs. */
class Member {
  readonly #worker: TaskWorker;
  readonly #onEnd: () => void;
  #running:
    | { job: QueueJob; resolve(value: unknown): void; reject(error: unknown): void }
    | undefined;
  /** The reason why it runs no more tasks. */
  #end: UnavailableError | undefined;
  #cause: unknown;

  constructor(worker: TaskWorker, onEnd: () => void) {
    this.#worker = worker;
    this.#onEnd = onEnd;
    listen(worker, {
      message: (message) => {
        if (isFromWorker(message)) this.#receive(message);
      },
      error: (error) => {
        this.#cause = error;
        // A worker of Node exits. A browser's reports only the error, and may live on.
        if ('threadId' in worker) return;
        worker.terminate();
        this.#ended('failed');
      },
      exit: () => this.#ended('ended'),
    });
    setKeepsAlive(worker, false);
  }

  run(job: QueueJob, { task, data, transfer = [] }: TaskSpec): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const units = job.spec.units === undefined ? {} : { units: job.units };
    const set = namesOf(job);
    const message: ToWorker = { kds: 'run task', id: job.id, task, data, set, ...units };
    // First, as data that cannot be cloned throws.
    this.#worker.postMessage(message, transfer as readonly never[]);
    setKeepsAlive(this.#worker, true);
    job.details().onAbort = (reason) => {
      this.#worker.postMessage({ kds: 'abort task', id: job.id, reason: cloneable(reason) });
    };
    return new Promise((resolve, reject) => {
      this.#running = { job, resolve, reject };
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
    this.#ended('was terminated');
  }

  #receive(message: FromWorker): void {
    const running = this.#running;
    if (running?.job.id !== message.id) return;
    this.#running = undefined;
    running.job.details().onAbort = undefined;
    setKeepsAlive(this.#worker, false);
    if (message.kds === 'task done') running.resolve(message.result);
    else running.reject(message.isAborted ? running.job.rare?.cancelReason?.reason : message.error);
  }

  #ended(how: string): void {
    if (this.#end !== undefined) return;
    const task = this.#running?.job.spec.task;
    const during = task === undefined ? '' : ` while it ran task ${describe(task)}`;
    this.#end = new UnavailableError(`a worker of the queue ${how}${during}`, {
      cause: this.#cause,
    });
    this.#running?.reject(this.#end);
    this.#running = undefined;
    this.#onEnd();
  }
}

interface WorkerListeners {
  message(message: unknown): void;
  error(error: unknown): void;
  exit(): void;
}

interface Emitter {
  on(event: string, listener: (value: unknown) => void): void;
}

function listen(worker: TaskWorker, { message, error, exit }: WorkerListeners): void {
  if ('on' in worker) {
    const emitter = worker as unknown as Emitter;
    emitter.on('message', message);
    emitter.on('error', error);
    emitter.on('exit', exit);
  } else {
    const target = worker as unknown as EventTarget;
    target.addEventListener('message', (event) => message((event as MessageEvent).data));
    target.addEventListener('error', (event) => {
      error((event as ErrorEvent).error ?? (event as ErrorEvent).message);
    });
  }
}

/** In Node a worker keeps its process alive only while it works. */
function setKeepsAlive(
  worker: TaskWorker & { ref?(): void; unref?(): void },
  keeps: boolean,
): void {
  if (keeps) worker.ref?.();
  else worker.unref?.();
}

/** The part of the set that a worker can know: resources without a name mean nothing there. */
function namesOf({ spec: { reads, writes, units } }: QueueJob): NamedSet {
  const named = (refs: ResourceRef | readonly ResourceRef[]): readonly string[] => {
    return listOf(refs)
      .map(keyOf)
      .filter((key) => typeof key === 'string');
  };
  const set = { reads: named(reads), writes: named(writes) };
  if (units === undefined) return set;
  const counts = new Map<string, number>();
  for (const [ref, count] of units) {
    const key = keyOf(ref);
    if (typeof key === 'string') counts.set(key, takenOf(count));
  }
  return { ...set, units: counts };
}

function cloneable(reason: unknown): unknown {
  try {
    return structuredClone(reason);
  } catch {
    return new Error(String(reason));
  }
}
