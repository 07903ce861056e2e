/** Jobs, as their submitter and their own function see them, and what is declared of them. */

import type { Grant } from '../../api/grant.ts';
import type { ResourceRef, SetSpec } from '../../api/sets.ts';

export type JobState =
  /** The ring is full: the job waits for room, and its set is in no queue of the domain yet. */
  | 'submitted'
  /** Its set is in all queues: later requests come after it. */
  | 'enqueued'
  /** Its set is granted and the jobs of `after` have ended: the job waits for a slot. */
  | 'ready'
  | 'running'
  | 'done'
  | 'failed'
  | 'skipped'
  | 'cancelled';

/** The effect on a job if one of its `after` does not succeed. */
export type AfterFailure =
  /** The job is not run, and ends as skipped, once all of its `after` have ended. */
  | 'skip'
  /** The job is run all the same, once all of its `after` have ended. */
  | 'run'
  /** The job fails at once, with the same error, whatever else it waits for. */
  | 'fail';

interface JobDeclaration {
  /** Resources that the job reads: shared with other readers. */
  readonly reads?: ResourceRef | readonly ResourceRef[] | undefined;
  /** Resources that the job writes, or both reads and writes: exclusive while it runs. */
  readonly writes?: ResourceRef | readonly ResourceRef[] | undefined;
  /** Jobs of the same queue (a sub-job: of the same parent) that must end before it starts. */
  readonly after?: Job<unknown> | readonly Job<unknown>[] | undefined;
  /** Default 'skip'. */
  readonly afterFailure?: AfterFailure | undefined;
  /**
   * The effect on the job if its grant is lost while it runs: 'fail' (default), with
   * GrantLostError, also where `run` returned; or 'ignore': the job ends as `run` does.
   */
  readonly afterLoss?: 'fail' | 'ignore' | undefined;
  /** Used in graphs, snapshots and errors. */
  readonly label?: string | undefined;
  /** Cancels the job as {@link Job.cancel} does, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A job that runs in this thread. */
export interface RunSpec<R> extends JobDeclaration {
  /**
   * Does the work while the set is held. Its return value, or what that resolves to, is the
   * result.
   */
  readonly run: (job: RunningJob) => R | PromiseLike<R>;
  readonly task?: undefined;
}

/** A job that a worker of the queue runs. */
export interface TaskSpec extends JobDeclaration {
  /** The name of one of the functions that the worker gave to `serveTasks`. */
  readonly task: string;
  /** The argument of that function. Cloned, as postMessage does. */
  readonly data?: unknown;
  /** Objects in `data` that are moved and not cloned: an ArrayBuffer, a MessagePort, and so on. */
  readonly transfer?: readonly object[] | undefined;
  readonly run?: undefined;
}

export type JobSpec<R> = RunSpec<R> | TaskSpec;

/** A job, for its submitter. */
export interface Job<R = unknown> {
  /** Grows with every job submitted to the queue, from 1 on. */
  readonly id: number;
  readonly label: string | undefined;
  readonly state: JobState;
  /**
   * Resolves when its set is in all queues, so that later requests come after it: at once while
   * the ring has room. Rejects as `done` if the job ends before. Undefined for a job that declares
   * no resource, as for the atoms of kds.txt: there is no queue that its set could be in.
   */
  readonly enqueued: Promise<void> | undefined;
  /** Resolves when the job begins to run. Rejects as `done` if it never does. */
  readonly started: Promise<void>;
  /**
   * Its result, once its set is released. Rejects with what `run` threw; JobSkippedError; the
   * reason of a cancel; UnavailableError if its worker ended; the error that refused its set; or
   * GrantLostError if its grant was lost, unless `run` itself failed.
   */
  readonly done: Promise<R>;
  /**
   * Cancels the job. True if it had not started: then it never will. A job that runs has its
   * `signal` aborted, and may react to that; a job that has ended is left alone. `reason` is by
   * default an AbortError.
   */
  cancel(reason?: unknown): boolean;
}

/** A job, for its own function. Accepted in place of a grant by the guards of a resource. */
export interface RunningJob {
  readonly id: number;
  readonly label: string | undefined;
  /** The grant of the job's own request; what its parent delegates is not in it. */
  readonly grant: Grant;
  /** Aborts if the job is cancelled, or its grant lost. Made on first use. */
  readonly signal: AbortSignal;
  /** Resources whose last writer failed, or died, while it ran. */
  readonly recovered: readonly string[];
  /** Whether the job declared all of a set, still runs, and has lost nothing of its own set. */
  covers(set: SetSpec): boolean;
  /**
   * Submits a sub-job. The part of its set that this job has declared is *delegated*: sub-jobs
   * take turns by the order of submission, and no other caller gets in between. The rest is
   * requested while this job keeps its set; a deadlock fails with DeadlockError. One sub-job at a
   * time runs in this job's slot; others need slots of their own. The job ends when all of its
   * sub-jobs have ended.
   *
   * @throws what {@link JobQueue.submit} throws; TypeError if the job has ended.
   */
  submit<R>(spec: JobSpec<R>): Job<R>;
}
