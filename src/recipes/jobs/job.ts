/** Jobs, as their submitter and their own function see them, and what is declared of them. */

import type { Grant } from '../../api/grant.ts';
import type { ResourceRef, SetSpec } from '../../api/sets.ts';
import type { Unit, UnitsSpec } from '../../api/units.ts';

/**
 * State of a job. It only moves forward; `done`, `failed`, `skipped` and `cancelled` are ends.
 *
 * @since 0.1.0
 */
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

/**
 * The effect on a job if one of its `after` does not succeed.
 *
 * @since 0.1.0
 */
export type AfterFailure =
  /** The job is not run, and ends as skipped, once all of its `after` have ended. */
  | 'skip'
  /** The job is run all the same, once all of its `after` have ended. */
  | 'run'
  /** The job fails at once, with the same error, whatever else it waits for. */
  | 'fail';

interface JobDeclaration {
  /** Resources that the job reads, shared with other readers, by name or handle. Default: none. */
  readonly reads?: ResourceRef | readonly ResourceRef[] | undefined;
  /**
   * Resources that the job writes, or both reads and writes: exclusive while it runs. Default:
   * none.
   */
  readonly writes?: ResourceRef | readonly ResourceRef[] | undefined;
  /**
   * Units of resources with a capacity that the job takes while it runs, as in {@link SetSpec}: `{
   * gpu: 1 }`. Default: none. Needs a domain with the {@link Capability} `units`.
   *
   * @since 0.2.0
   */
  readonly units?: UnitsSpec | undefined;
  /**
   * Jobs of the same queue (a sub-job: of the same parent) that must end before it starts. Default:
   * none.
   */
  readonly after?: Job<unknown> | readonly Job<unknown>[] | undefined;
  /** The effect if one of `after` does not succeed. Default 'skip'. */
  readonly afterFailure?: AfterFailure | undefined;
  /**
   * The effect on the job if its grant is lost while it runs: 'fail' (default), with
   * GrantLostError, also where `run` returned; or 'ignore': the job ends as `run` does.
   *
   * @since 0.2.0
   */
  readonly afterLoss?: 'fail' | 'ignore' | undefined;
  /** Used in graphs, snapshots and errors. At most 1024 code units. */
  readonly label?: string | undefined;
  /** Cancels the job as {@link Job.cancel} does, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A job that runs in this thread.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue, type RunSpec } from 'kds/jobs';
 *
 * const count: RunSpec<number> = { reads: 'log', label: 'count', run: () => 42 };
 * const queue = createJobQueue(createDomain());
 * console.log(await queue.submit(count).done); // 42
 * ```
 * @since 0.1.0
 */
export interface RunSpec<R> extends JobDeclaration {
  /**
   * Does the work while the set is held. Its return value, or the value to which that resolves, is
   * the result. Runs in the asynchronous context of the call of `submit`, and never within a call
   * of `submit` or `release`.
   *
   * @param job - The job itself: its grant, its signal, and `submit` for sub-jobs.
   * @waits As long as it likes: the job keeps its set and its slot meanwhile.
   */
  readonly run: (job: RunningJob) => R | PromiseLike<R>;
  /** Not in a job that runs in this thread. */
  readonly task?: undefined;
}

/**
 * A job that a worker of the queue runs.
 *
 * @since 0.1.0
 */
export interface TaskSpec extends JobDeclaration {
  /** Name of one of the functions that the worker gave to {@link serveTasks}. */
  readonly task: string;
  /** Argument of that function. Cloned, as `postMessage` does. Default: undefined. */
  readonly data?: unknown;
  /**
   * Objects in `data` that are moved and not cloned: an ArrayBuffer, a MessagePort, and so on.
   * Default: none.
   */
  readonly transfer?: readonly object[] | undefined;
  /** Not in a job that a worker runs. */
  readonly run?: undefined;
}

/**
 * A declaration of a job: either `run`, or `task`.
 *
 * @since 0.1.0
 */
export type JobSpec<R> = RunSpec<R> | TaskSpec;

/**
 * A job, for its submitter.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain());
 * const job = queue.submit({ writes: 'a', label: 'import', run: () => 'imported' });
 * await job.enqueued; // later requests for "a" wait for this job
 * console.log(await job.done, job.state); // imported done
 * ```
 * @since 0.1.0
 */
export interface Job<R = unknown> {
  /** Grows with every job submitted to the queue, sub-jobs included, from 1 on. */
  readonly id: number;
  /** The label of its declaration. */
  readonly label: string | undefined;
  /** Its state at this moment. */
  readonly state: JobState;
  /**
   * Resolves when its set is in all queues, so that later requests come after it: at once while the
   * ring has room. Rejects as `done` if the job ends before. Undefined for a job that declares no
   * resource, since it is in no queue.
   */
  readonly enqueued: Promise<void> | undefined;
  /** Resolves when the job begins to run. Rejects as `done` if it never does. */
  readonly started: Promise<void>;
  /**
   * Resolves with the result, once the set is released. Rejects with the error of `run` or of the
   * task; {@link JobSkippedError} after a failed `after`; the reason of a cancel; {@link
   * UnavailableError} if its worker ended or cannot be started; the error that refused its set; or
   * {@link GrantLostError} if its grant was lost, unless `run` itself failed. A failure that is not
   * awaited is an unhandled rejection, unless the queue has `onFailure`.
   */
  readonly done: Promise<R>;
  /**
   * Cancels the job. A job that runs has its `signal` aborted, and may react to that; a job that
   * has ended is left alone.
   *
   * @param reason - The error of `done`. Default: a DOMException named AbortError.
   * @returns True if the job had not started: then it never will.
   * @waits Never.
   */
  cancel(reason?: unknown): boolean;
}

/**
 * A job, for its own function. Guards of a resource, as of a buffer, accept it in place of a grant.
 *
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain());
 * const { done } = queue.submit({
 *   writes: ['left', 'right'],
 *   run: (job) => job.submit({ writes: 'left', run: () => 'drawn' }).done,
 * });
 * console.log(await done); // drawn
 * ```
 * @since 0.1.0
 */
export interface RunningJob {
  /** See {@link Job.id}. */
  readonly id: number;
  /** See {@link Job.label}. */
  readonly label: string | undefined;
  /**
   * The grant of the job's own request. Resources that its parent delegates have names of the
   * queue's own in it.
   */
  readonly grant: Grant;
  /**
   * Aborts if the job is cancelled, or a grant of it or of its ancestors is lost. Made on first
   * use.
   */
  readonly signal: AbortSignal;
  /** Resources whose last writer failed, or died, while it ran: they may be half written. */
  readonly recovered: readonly string[];
  /**
   * The units that the job has of each resource with a capacity, by the name of the resource: as
   * {@link Grant.units}, and for a sub-job also those that its parent delegates.
   *
   * @throws {@link UnavailableError} on threads, if the arena's lock is not free in time.
   * @waits Never.
   * @example
   * ```ts
   * import { createDomain } from 'kds';
   * import { createJobQueue } from 'kds/jobs';
   *
   * const queue = createJobQueue(createDomain({ capacity: { gpu: ['gpu0', 'gpu1'] } }));
   * const { done } = queue.submit({ units: { gpu: 1 }, run: (job) => job.units });
   * console.log(await done); // { gpu: [ 'gpu0' ] }
   * ```
   * @since 0.2.0
   */
  readonly units: Readonly<Record<string, readonly Unit[]>>;
  /**
   * Checks whether the job declared all of a set, in that mode or a stronger one and units at least
   * as many, still runs, and holds its grant and those of its ancestors.
   *
   * @param set - The set. `{}` asks only whether the job runs and holds its grants.
   * @throws {@link InvalidSetError} or {@link LimitError} if the set is invalid.
   * @waits Never.
   */
  covers(set: SetSpec): boolean;
  /**
   * Submits a sub-job. The part of its set that this job has declared is *delegated*: sub-jobs take
   * turns in the order of submission, and no other caller gets in between. Units are delegated
   * from the units that this job has declared. The rest is requested while this job keeps its set.
   * One sub-job at a time runs in this job's slot; others need slots of their own. The job ends
   * when all of its sub-jobs have ended.
   *
   * @param spec - The declaration of the sub-job.
   * @throws {@link DeadlockError} if the rest would wait for this job. A remote backend rejects
   * `done` with it.
   * @throws TypeError if this job does not run, the declaration is invalid, or its `after` has
   * another job than a sub-job of this one.
   * @throws {@link DomainClosedError} if the queue or its domain is closed, also while the queue
   * waits for this job.
   * @throws {@link InvalidSetError}, {@link LimitError} or the signal's reason, as {@link
   * JobQueue.submit}.
   * @waits Never. Await the promises of the sub-job.
   */
  submit<R>(spec: JobSpec<R>): Job<R>;
}
