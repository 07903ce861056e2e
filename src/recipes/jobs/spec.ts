/** What a job declares, and its check at the boundary. */

import { checkLabel, checkSignal } from '../../api/options.ts';
import {
  describe,
  RequestedRefs,
  type ResourceRef,
  readRefs,
  readSpec,
  type SetSpec,
} from '../../api/sets.ts';
import type { Job, RunningJob } from './queue-job.ts';

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
  /**
   * What becomes of the job if its grant is taken away while it runs: 'fail' (default), with
   * GrantLostError, also where `run` returned; or 'ignore': the job ends as `run` does.
   */
  readonly afterLoss?: 'fail' | 'ignore' | undefined;
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
const noItems: readonly never[] = Object.freeze([]);

/** What a job has declared. */
export interface JobSet {
  readonly reads: ResourceRef | readonly ResourceRef[];
  readonly writes: ResourceRef | readonly ResourceRef[];
}

/** What a job is submitted as, read once: the caller's own object is not looked at again. */
export type ReadSpec = JobSpec<unknown> & {
  readonly reads: ResourceRef | readonly ResourceRef[];
  readonly writes: ResourceRef | readonly ResourceRef[];
  readonly after: readonly Job<unknown>[];
  /** What `run` has as its `this`. */
  readonly self: object;
};

/** The resources of a set that is compared with a job's, read once. */
export function wantedIn(set: SetSpec): RequestedRefs {
  const wanted = new RequestedRefs();
  const accept = (ref: unknown): ResourceRef => ref as ResourceRef;
  const hasBoth = typeof set === 'object' && set !== null && 'exclusive' in set && 'shared' in set;
  // A prepared set has more keys than these two.
  if (hasBoth) readSpec({ exclusive: set.exclusive, shared: set.shared }, wanted, accept);
  else readSpec(set, wanted, accept);
  return wanted;
}

/** Each job keeps it, so it takes as little memory as can be. */
function namesOf(
  refs: ResourceRef | readonly ResourceRef[] | undefined,
): ResourceRef | readonly ResourceRef[] {
  if (refs === undefined) return none;
  if (typeof refs === 'string') return refs;
  const read = new RequestedRefs();
  // Which handles there may be is for the domain to say.
  readRefs(refs, read, (ref) => ref as ResourceRef);
  // A list that has grown has room for more.
  return read.refs.slice();
}

/** By index, as a list may have an iterator of its own, or none. */
function itemsOf<T>(items: T | readonly T[] | undefined): readonly T[] {
  if (items === undefined) return noItems;
  if (!isList(items)) return [items];
  const { length } = items;
  return Array.from({ length }, (_, index) => items[index] as T);
}

export function listOf<T>(items: T | readonly T[] | undefined): readonly T[] {
  if (items === undefined) return [];
  return isList(items) ? items : [items];
}

function isList<T>(items: T | readonly T[]): items is readonly T[] {
  return Array.isArray(items);
}

/**
 * Reads what a job is submitted as. Runs code of the caller's (getters, proxies).
 *
 * @throws TypeError, LimitError
 */
export function readJobSpec(spec: JobSpec<unknown>): ReadSpec {
  if (typeof spec !== 'object' || spec === null) {
    throw new TypeError(`a job is an object like { writes: 'a', run }, not ${describe(spec)}`);
  }
  const { run, task, afterFailure, afterLoss, label, signal, data, transfer } = spec as TaskSpec & {
    readonly run?: RunSpec<unknown>['run'];
  };
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
  if (afterLoss !== undefined && afterLoss !== 'fail' && afterLoss !== 'ignore') {
    throw new TypeError(`afterLoss is 'fail' or 'ignore', not ${describe(afterLoss)}`);
  }
  if (label !== undefined) checkLabel(label);
  if (signal !== undefined) checkSignal(signal);
  const reads = namesOf(spec.reads);
  const writes = namesOf(spec.writes);
  const after = itemsOf(spec.after);
  const self = spec;
  // Written out, as a copy of a copy took half of the time of a submission.
  const own =
    run === undefined
      ? {
          run,
          reads,
          writes,
          after,
          afterFailure,
          afterLoss,
          label,
          signal,
          self,
          task,
          data,
          transfer,
        }
      : { run, reads, writes, after, afterFailure, afterLoss, label, signal, self, task };
  return own as ReadSpec;
}
