/** A job queue, as its users see it. */

import type { JobGraph, UnorderedPair } from './graph.ts';
import type { Job, JobSpec } from './job.ts';

/**
 * Ended jobs by outcome since the queue was made, sub-jobs included.
 *
 * @since 0.1.0
 */
export interface JobCounts {
  /** Jobs that succeeded. */
  readonly done: number;
  /** Jobs whose function, worker, set or grant failed. */
  readonly failed: number;
  /** Jobs that were not run, since one of their `after` did not succeed. */
  readonly skipped: number;
  /** Jobs that were cancelled. */
  readonly cancelled: number;
}

/**
 * Runs jobs in the order of submission, with the parallelism that their declarations allow.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain(), { onFailure: (job) => console.log(job.id) });
 * const build = queue.submit({ writes: 'out', run: () => {} });
 * queue.submit({ reads: 'out', after: build, run: () => Promise.reject('no network') });
 * console.log(await queue.drain()); // { done: 1, failed: 1, skipped: 0, cancelled: 0 }
 * await queue.close();
 * ```
 * @since 0.1.0
 */
export interface JobQueue {
  /** Jobs that have not ended, in the ring and waiting for room in it; without sub-jobs. */
  readonly size: number;
  /** Ended jobs by outcome, at this moment. */
  readonly counts: JobCounts;

  /**
   * Submits a job. If the ring is full the job waits for room: await `enqueued`, or `started` of a
   * job without a set, before you submit more. Do not await it inside a job, which may wait for
   * itself: use {@link RunningJob.submit}.
   *
   * @param spec - The declaration of the job, read once.
   * @throws TypeError if the declaration is invalid, `after` names another job than one of this
   * queue, or a `task` is submitted to a queue without workers.
   * @throws {@link InvalidSetError} if the set is invalid, or has a handle of another domain.
   * @throws {@link CapacityError} if the units of the set can never be granted.
   * @throws {@link UnsupportedError} if the set has units, and the domain lacks the {@link
   * Capability} `units`.
   * @throws RangeError if a number of units is out of its bounds.
   * @throws {@link LimitError} if as many jobs wait for room as the ring holds, or the set or label
   * is too long.
   * @throws {@link DomainClosedError} if the queue or its domain is closed.
   * @throws The reason of `signal`, if it has aborted.
   * @waits Never. Await the promises of the job.
   */
  submit<R>(spec: JobSpec<R>): Job<R>;

  /**
   * Starts no more jobs until {@link resume}. Sets are still requested, and granted.
   *
   * @waits Never.
   */
  pause(): void;
  /**
   * Starts jobs again, from a microtask.
   *
   * @waits Never.
   */
  resume(): void;

  /**
   * Cancels all jobs that have not ended, sub-jobs included, the latest first: see {@link
   * Job.cancel}.
   *
   * @param reason - The error of each `done`. Default: a DOMException named AbortError.
   * @waits Never.
   */
  cancel(reason?: unknown): void;

  /**
   * Waits for the end of all jobs. Never rejects.
   *
   * @returns The counts since the queue was made.
   * @waits Resolves when no job is left. Jobs of a paused queue do not start, so they do not end.
   */
  drain(): Promise<JobCounts>;

  /**
   * Refuses jobs and sub-jobs from now on, cancels those that have not ended, waits for those that
   * run, and terminates workers. The domain stays open.
   *
   * @waits Resolves when all jobs have ended, and all workers.
   */
  close(): Promise<void>;
  /**
   * Calls {@link close}.
   *
   * @waits Resolves as {@link close}.
   */
  [Symbol.asyncDispose](): Promise<void>;

  /**
   * Describes the jobs that have not ended, and the reasons why one waits for another.
   *
   * @waits Never.
   */
  graph(): JobGraph;

  /**
   * Lists pairs of jobs whose order only their submission determines: they conflict, and no path of
   * `after` leads from one to the other. Jobs that have ended are left out, and only the nearest
   * pairs are listed: the list is empty exactly if there is no such pair. Jobs that only share the
   * units of a resource do not conflict.
   *
   * @waits Never.
   */
  check(): readonly UnorderedPair[];
}
