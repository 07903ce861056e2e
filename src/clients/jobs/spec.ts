/** What a job declares, and its check at the boundary. */

import { checkLabel } from '../../domain/options.ts';
import { describe, type ResourceRef } from '../../domain/sets.ts';
import type { Job, RunningJob } from './job.ts';

/** What becomes of a job if one that it comes `after` does not succeed. */
export type AfterFailure =
  /** It is not run, and ends as skipped, once all that it comes after have ended. */
  | 'skip'
  /** It is run all the same, once all that it comes after have ended. */
  | 'run'
  /** It fails at once, with the same error, whatever else it waits for. */
  | 'fail';

interface Declaration {
  /** Resources that it reads: shared with others who read. */
  readonly reads?: ResourceRef | readonly ResourceRef[] | undefined;
  /** Resources that it writes, or both reads and writes: nobody else has them meanwhile. */
  readonly writes?: ResourceRef | readonly ResourceRef[] | undefined;
  /** Jobs of the same queue (a sub-job: of the same parent) that must have ended before. */
  readonly after?: Job<unknown> | readonly Job<unknown>[] | undefined;
  /** Default 'skip'. */
  readonly afterFailure?: AfterFailure | undefined;
  /** Told in graphs, snapshots and errors. */
  readonly label?: string | undefined;
  /** Cancels the job as {@link Job.cancel} does, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A job that runs in this thread. */
export interface RunSpec<R> extends Declaration {
  /**
   * Does the work while the set is held. What it returns, or what that resolves to, is the result.
   */
  readonly run: (job: RunningJob) => R | PromiseLike<R>;
  readonly task?: undefined;
}

/** A job that a worker of the queue runs. */
export interface TaskSpec extends Declaration {
  /** The name of one of the functions that the worker gave to `serveTasks`. */
  readonly task: string;
  /** What that function gets. Cloned, as postMessage does. */
  readonly data?: unknown;
  /** Objects in `data` that are moved and not cloned: an ArrayBuffer, a MessagePort, and so on. */
  readonly transfer?: readonly object[] | undefined;
  readonly run?: undefined;
}

export type JobSpec<R> = RunSpec<R> | TaskSpec;

const none: readonly ResourceRef[] = Object.freeze([]);

/** What a job has declared. */
export interface JobSet {
  readonly reads: ResourceRef | readonly ResourceRef[];
  readonly writes: ResourceRef | readonly ResourceRef[];
}

/** The caller may use his list again. */
export function copyOf(
  refs: ResourceRef | readonly ResourceRef[] | undefined,
): ResourceRef | readonly ResourceRef[] {
  if (refs === undefined) return none;
  return isList(refs) ? refs.slice() : refs;
}

export function listOf<T>(items: T | readonly T[] | undefined): readonly T[] {
  if (items === undefined) return [];
  return isList(items) ? items : [items];
}

function isList<T>(items: T | readonly T[]): items is readonly T[] {
  return Array.isArray(items);
}

/** @throws TypeError, LimitError */
export function checkJobSpec(spec: JobSpec<unknown>): void {
  if (typeof spec !== 'object' || spec === null) {
    throw new TypeError(`a job is an object like { writes: 'a', run }, not ${describe(spec)}`);
  }
  const { run, task, afterFailure, label, signal } = spec;
  if ((run === undefined) === (task === undefined)) {
    throw new TypeError('a job has either run, a function, or task, the name of one in a worker');
  }
  if (run !== undefined && typeof run !== 'function') {
    throw new TypeError(`run is a function, not ${describe(run)}`);
  }
  if (task !== undefined && typeof task !== 'string') {
    throw new TypeError(`task is the name of a function in a worker, not ${describe(task)}`);
  }
  if (afterFailure !== undefined && !['skip', 'run', 'fail'].includes(afterFailure)) {
    throw new TypeError(`afterFailure is 'skip', 'run' or 'fail', not ${describe(afterFailure)}`);
  }
  if (label !== undefined) checkLabel(label);
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new TypeError(`signal is an AbortSignal, not ${describe(signal)}`);
  }
}
