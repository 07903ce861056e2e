/** Options of a job queue, and their check at the boundary. */

import { checkFunction, checkIsObject, checkLabel } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import type { Job } from './job.ts';
import { checkCount, type WorkersOptions } from './worker-pool.ts';

const capacityLimit = 2 ** 20;

/**
 * Options of {@link createJobQueue}.
 *
 * @since 0.1.0
 */
export interface JobQueueOptions {
  /** Jobs in the ring that have not ended, at most: 1 to 2^20. Default 1024. */
  readonly capacity?: number | undefined;
  /** Slots: jobs that run at the same time, at most: 1 or more. Default Infinity. */
  readonly concurrency?: number | undefined;
  /** Workers for jobs with a `task`. Default: none, and such jobs are refused. */
  readonly workers?: WorkersOptions | undefined;
  /** Starts nothing until {@link JobQueue.resume}. Default false. */
  readonly isPaused?: boolean | undefined;
  /**
   * Used in snapshots, in the names under which resources are delegated to sub-jobs. At most 1024
   * code units. Default 'job queue'.
   */
  readonly label?: string | undefined;
  /**
   * Called for every job that fails, in the asynchronous context of the call that submitted it;
   * then a failure that is not awaited is no unhandled rejection. An error that it throws is
   * uncaught.
   */
  readonly onFailure?: ((job: Job, error: unknown) => void) | undefined;
}

/** Reads each option once. @throws TypeError, RangeError, LimitError */
export function readQueueOptions(options: JobQueueOptions): JobQueueOptions {
  checkIsObject(options);
  const { capacity, concurrency, label, onFailure, isPaused, workers } = options;
  if (capacity !== undefined) checkCount('capacity', capacity, capacityLimit);
  if (concurrency !== undefined && concurrency !== Number.POSITIVE_INFINITY) {
    checkCount('concurrency', concurrency, Number.MAX_SAFE_INTEGER);
  }
  if (label !== undefined) checkLabel(label);
  if (onFailure !== undefined) checkFunction(onFailure, 'onFailure');
  if (isPaused !== undefined && typeof isPaused !== 'boolean') {
    throw new TypeError(`isPaused is a boolean, not ${describe(isPaused)}`);
  }
  return { capacity, concurrency, label, onFailure, isPaused, workers };
}
