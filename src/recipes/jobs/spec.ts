/** Reads and checks what a job declares, and compares sets with it. */

import { ALL } from '../../api/mode.ts';
import { checkLabel, checkSignal } from '../../api/options.ts';
import { listsOf, RequestedRefs, readRefs, readSpec, unitsAt } from '../../api/read-set.ts';
import { describe, type ResourceRef, type SetSpec } from '../../api/sets.ts';
import { takenOf, type UnitCount, type UnitsSpec } from '../../api/units.ts';
import type { Job, JobSpec, RunSpec, TaskSpec } from './job.ts';

const none: readonly ResourceRef[] = Object.freeze([]);
const noItems: readonly never[] = Object.freeze([]);

/** The resources that a job declared. */
export interface JobSet {
  readonly reads: ResourceRef | readonly ResourceRef[];
  readonly writes: ResourceRef | readonly ResourceRef[];
  /** Undefined without any. */
  readonly units?: ReadonlyMap<ResourceRef, UnitCount> | undefined;
}

/** A job's specification, read once: the caller's own object is not read again. */
export type ReadSpec = JobSpec<unknown> & {
  readonly reads: ResourceRef | readonly ResourceRef[];
  readonly writes: ResourceRef | readonly ResourceRef[];
  readonly units: ReadonlyMap<ResourceRef, UnitCount> | undefined;
  readonly after: readonly Job<unknown>[];
  /** The `this` of `run`. */
  readonly self: object;
};

/** The resources of a set that is compared with a job's, read once. */
export function wantedIn(set: SetSpec): RequestedRefs {
  const wanted = new RequestedRefs();
  const isPrepared =
    typeof set === 'object' && set !== null && 'exclusive' in set && 'shared' in set;
  // A prepared set has more keys than these.
  if (isPrepared) {
    const { exclusive, shared } = set;
    const units = 'units' in set ? { units: set.units } : {};
    readSpec({ exclusive, shared, ...units } as SetSpec, wanted, acceptAny);
  } else readSpec(set, wanted, acceptAny);
  return wanted;
}

/** The domain decides which handles are valid. */
function acceptAny(ref: unknown): ResourceRef {
  return ref as ResourceRef;
}

/** Each job keeps the result, so it is as small as possible. */
function namesOf(
  refs: ResourceRef | readonly ResourceRef[] | undefined,
): ResourceRef | readonly ResourceRef[] {
  if (refs === undefined) return none;
  if (typeof refs === 'string') return refs;
  const read = new RequestedRefs();
  readRefs(refs, read, acceptAny);
  // A list that grew has spare capacity; its copy has none.
  return read.refs.slice();
}

/** @throws TypeError, RangeError, InvalidSetError, LimitError */
function countsOf(units: UnitsSpec | undefined): ReadSpec['units'] {
  if (units === undefined) return undefined;
  const read = new RequestedRefs();
  readSpec({ units }, read, acceptAny);
  return listsOf(read).units;
}

/** Read by index: a list may have no iterator, or one of its own. */
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

/** Whether a job declared any resource. */
export function hasResources({ reads, writes, units }: JobSet): boolean {
  return listOf(reads).length > 0 || listOf(writes).length > 0 || units !== undefined;
}

function isList<T>(items: T | readonly T[]): items is readonly T[] {
  return Array.isArray(items);
}

/**
 * Reads a job's specification. Runs code of the caller (getters, proxies).
 *
 * @throws TypeError, RangeError, InvalidSetError, LimitError
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
  const units = countsOf(spec.units);
  const after = itemsOf(spec.after);
  const self = spec;
  // Written out: a copy of a copy took half of the time of a submission.
  const own =
    run === undefined
      ? {
          run,
          reads,
          writes,
          units,
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
      : { run, reads, writes, units, after, afterFailure, afterLoss, label, signal, self, task };
  return own as ReadSpec;
}

/** The same for a name and for its handle. */
export function keyOf(ref: ResourceRef): ResourceRef {
  return typeof ref === 'string' ? ref : (ref.name ?? ref);
}

/** Whether a job's set has all of these, in these modes or stronger ones. */
export function isWithin({ reads, writes, units }: JobSet, requested: RequestedRefs): boolean {
  const { refs, count } = requested;
  const has = new Map<ResourceRef, number>();
  const add = (ref: ResourceRef, taken: number): void => {
    const key = keyOf(ref);
    has.set(key, Math.max(taken, has.get(key) ?? 0));
  };
  for (const ref of listOf(writes)) add(ref, ALL);
  for (const [ref, taken] of units ?? []) add(ref, takenOf(taken));
  for (const ref of listOf(reads)) add(ref, 1);
  for (let index = 0; index < count; index++) {
    const wanted = unitsAt(requested, index);
    if ((has.get(keyOf(refs[index] as ResourceRef)) ?? 0) < wanted) return false;
  }
  return true;
}
