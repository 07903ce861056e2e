/** A job queue, as its users see it. */

import type { JobGraph, UnorderedPair } from './graph.ts';
import type { Job, JobSpec } from './job.ts';

/** Ended jobs by outcome since the queue was made, sub-jobs included. */
export interface JobCounts {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cancelled: number;
}

export interface JobQueue {
  /** Jobs that have not ended, in the ring and waiting for room in it. */
  readonly size: number;
  readonly counts: JobCounts;

  /**
   * Submits a job. If the ring is full the job waits for room: await `enqueued`, or `started` of a
   * job without a set, before you submit more. Do not call it inside a job, which would wait for
   * itself: use {@link RunningJob.submit}.
   *
   * @throws TypeError for an invalid job, or an `after` that is no job of this queue;
   * InvalidSetError; LimitError if as many jobs wait for room as the ring holds; DomainClosedError
   * if the queue or domain is closed; the reason of a signal that has aborted.
   */
  submit<R>(spec: JobSpec<R>): Job<R>;

  /** Starts no more jobs until `resume`. Sets are still requested, and granted. */
  pause(): void;
  resume(): void;

  /** Cancels all jobs that have not ended, the latest first: see {@link Job.cancel}. */
  cancel(reason?: unknown): void;

  /** Resolves when all jobs have ended, with their outcomes. */
  drain(): Promise<JobCounts>;

  /**
   * Refuses jobs from now on, cancels those that have not ended, waits for those that run, and
   * terminates workers.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /** Jobs that have not ended, and the reasons why one waits for another: plain data. */
  graph(): JobGraph;

  /**
   * Pairs of jobs whose order only their submission determines: they conflict, and no path of
   * `after` leads from one to the other. Jobs that have ended are left out, and only the nearest
   * pairs are listed: the list is empty exactly if there is no such pair.
   */
  check(): readonly UnorderedPair[];
}
