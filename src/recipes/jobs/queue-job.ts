/**
 * A job: its states, and what is told of them. It decides nothing; its queue does.
 *
 * Promises are made when somebody looks, as most jobs are looked at by nobody. A failure that
 * nobody looks at is an unhandled rejection, like that of any promise.
 */

import { type Grant, isLost, type Waiter } from '../../api/grant.ts';
import type { ResourceRef, SetSpec } from '../../api/sets.ts';
import type { CapturedContext } from '../../runtime/async-context.ts';
import { Deferred } from './deferred.ts';
import type { Family } from './job-scope.ts';
import { type JobSet, type JobSpec, listOf, type ReadSpec, wantedIn } from './spec.ts';

export type JobState =
  /** The ring is full: it stands in line for a place, and in no queue of the domain yet. */
  | 'submitted'
  /** Its set stands in all queues: whatever is asked for from now on comes later. */
  | 'enqueued'
  /** Its set is granted and what it comes after has ended: it waits for a slot. */
  | 'ready'
  | 'running'
  | 'done'
  | 'failed'
  | 'skipped'
  | 'cancelled';

const ends = ['failed', 'skipped', 'cancelled'] as const;

const moves: Readonly<Record<JobState, readonly JobState[]>> = {
  submitted: ['enqueued', ...ends],
  enqueued: ['ready', ...ends],
  ready: ['running', ...ends],
  running: ['done', 'failed', 'cancelled'],
  done: [],
  failed: [],
  skipped: [],
  cancelled: [],
};

/** A job as its submitter sees it. */
export interface Job<R = unknown> {
  /** Grows with every job submitted to the queue, from 1 on. */
  readonly id: number;
  readonly label: string | undefined;
  readonly state: JobState;
  /**
   * When its set stands in all queues, so that what is asked for from now on comes later: at once
   * while the ring has room. Rejects as `done` if that never comes about. Undefined for a job that
   * declares no resource, as for the atoms of kds.txt: there is no queue that it could stand in.
   */
  readonly enqueued: Promise<void> | undefined;
  /** When it begins to run. Rejects as `done` if it never does. */
  readonly started: Promise<void>;
  /**
   * Its result, once its set is released. Rejects with what `run` threw; JobSkippedError; the
   * reason of a cancel; UnavailableError if its worker ended; why its set was refused; or
   * GrantLostError if its grant was taken away, unless `run` itself failed.
   */
  readonly done: Promise<R>;
  /**
   * Asks it to end. True if it had not started: then it never will. A job that runs has its
   * `signal` aborted, and may heed that; one that has ended is left alone. `reason` is by default
   * an AbortError.
   */
  cancel(reason?: unknown): boolean;
}

/** A job as its own function sees it. Takes the place of a grant where one has to be shown. */
export interface RunningJob {
  readonly id: number;
  readonly label: string | undefined;
  /** Of what it has asked for itself; what is lent by a parent is not in it. */
  readonly grant: Grant;
  /** Aborts if the job is cancelled, or its grant taken away. Made on first use. */
  readonly signal: AbortSignal;
  /** Resources whose last writer failed, or died, before it was through. */
  readonly recovered: readonly string[];
  /** Whether the set is among what it declared, and it still runs and has all that. */
  covers(set: SetSpec): boolean;
  /**
   * Submits a sub-job. What of its set this job has declared is lent, without a new request; among
   * sub-jobs it goes by the order of submission. The rest is asked for while this job keeps its
   * set, and refused with DeadlockError if that would never end. One sub-job at a time has this
   * job's slot; more of them need slots of their own. The job ends when all its sub-jobs have.
   *
   * @throws what {@link JobQueue.submit} throws; TypeError if the job has ended.
   */
  submit<R>(spec: JobSpec<R>): Job<R>;
}

/** What a job tells its queue. */
export interface JobOwner {
  cancel(job: QueueJob, reason: unknown): boolean;
  submitTo<R>(parent: QueueJob, spec: JobSpec<R>): Job<R>;
}

/** Whose slot it runs in: one of the queue's, or its parent's. */
export type Slot = 'queue' | 'parent';

/** What few jobs have. */
class JobDetails {
  /** Of the call that submitted it: its function runs in that context. */
  context: CapturedContext;
  /** Of its sub-jobs. */
  children: Family | undefined;
  /** While they live: what it comes after, and what comes after it. */
  after: readonly QueueJob[] | undefined;
  dependents: Set<QueueJob> | undefined;
  /** The first of those that it comes after, and did not succeed. */
  afterFailed: QueueJob | undefined;
  /** Its run is over; it waits for its sub-jobs. */
  outcome: Outcome | undefined;
  cancelReason: { readonly reason: unknown } | undefined;
  /** Told of a cancel while it runs. */
  onAbort: ((reason: unknown) => void) | undefined;
  controller: AbortController | undefined;
  enqueued: Deferred<void> | undefined;
  started: Deferred<void> | undefined;
  done: Deferred<unknown> | undefined;
}

/** How its run ended. */
interface Outcome {
  readonly isOk: boolean;
  readonly value: unknown;
}

export class QueueJob implements Job, RunningJob {
  readonly id: number;
  readonly spec: ReadSpec;
  readonly reads: ResourceRef | readonly ResourceRef[];
  readonly writes: ResourceRef | readonly ResourceRef[];
  readonly family: Family;
  /** Its neighbours in the ring. */
  previous: QueueJob | undefined = undefined;
  next: QueueJob | undefined = undefined;
  state: JobState = 'submitted';
  /** The last state before its end. */
  furthest: JobState = 'submitted';
  waiter: Waiter | undefined = undefined;
  held: Grant | undefined = undefined;
  /** How many of those that it comes after have not ended. */
  afterCount = 0;
  slot: Slot | undefined = undefined;
  /** It lets go of its set, and has as good as ended. */
  isEnding = false;
  rare: JobDetails | undefined = undefined;
  /** Its result, or why it did not succeed, once it has ended. */
  value: unknown = undefined;

  constructor(family: Family, id: number, spec: ReadSpec) {
    this.family = family;
    this.id = id;
    this.spec = spec;
    this.reads = spec.reads;
    this.writes = spec.writes;
  }

  details(): JobDetails {
    this.rare ??= new JobDetails();
    return this.rare;
  }

  get label(): string | undefined {
    return this.spec.label;
  }

  get isLive(): boolean {
    return moves[this.state].length > 0;
  }

  /** Whether it declared any resource. */
  get hasSet(): boolean {
    return listOf(this.reads).length > 0 || listOf(this.writes).length > 0;
  }

  get enqueued(): Promise<void> | undefined {
    if (!this.hasSet) return undefined;
    const details = this.details();
    if (details.enqueued === undefined) {
      details.enqueued = new Deferred();
      if (this.furthest !== 'submitted') details.enqueued.resolve();
      else if (!this.isLive) details.enqueued.reject(this.value);
    }
    return details.enqueued.promise;
  }

  get started(): Promise<void> {
    const details = this.details();
    if (details.started === undefined) {
      details.started = new Deferred();
      if (this.furthest === 'running') details.started.resolve();
      else if (!this.isLive) details.started.reject(this.value);
    }
    return details.started.promise;
  }

  get done(): Promise<unknown> {
    const details = this.details();
    if (details.done === undefined) {
      details.done = new Deferred();
      if (this.state === 'done') details.done.resolve(this.value);
      else if (!this.isLive) details.done.reject(this.value);
    }
    return details.done.promise;
  }

  get grant(): Grant {
    return this.held as Grant;
  }

  get recovered(): readonly string[] {
    const { recovered } = this.grant;
    const { lender } = this.family;
    return lender === undefined ? recovered : recovered.map((name) => this.family.nameOf(name));
  }

  get signal(): AbortSignal {
    const details = this.details();
    if (details.controller === undefined) {
      const controller = new AbortController();
      details.controller = controller;
      if (details.cancelReason !== undefined) controller.abort(details.cancelReason.reason);
      for (let job: QueueJob | undefined = this; job !== undefined; job = job.family.lender) {
        if (job.held !== undefined) follow(controller, job.held.signal);
      }
    }
    return details.controller.signal;
  }

  covers(set: SetSpec): boolean {
    const { exclusive, shared } = wantedIn(set);
    if (this.state !== 'running' || !this.#hasAll) return false;
    return isWithin(this, exclusive, shared);
  }

  /** Why what it has is not its own any more: a grant, or one that lends to it, was taken away. */
  get loss(): { readonly reason: unknown } | undefined {
    for (let job: QueueJob | undefined = this; job !== undefined; job = job.family.holder) {
      const { held } = job;
      if (held !== undefined && isLost(held)) return { reason: held.signal.reason };
    }
    return undefined;
  }

  cancel(reason: unknown = new DOMException('the job was cancelled', 'AbortError')): boolean {
    return this.family.owner.cancel(this, reason);
  }

  submit<S>(spec: JobSpec<S>): Job<S> {
    return this.family.owner.submitTo(this, spec);
  }

  /** It is asked to stop, while it runs. */
  abort(reason: unknown): void {
    const details = this.details();
    if (details.cancelReason !== undefined) return;
    details.cancelReason = { reason };
    details.controller?.abort(reason);
    details.onAbort?.(reason);
  }

  /** Moves on, and tells. */
  move(state: JobState): void {
    if (!moves[this.state].includes(state)) {
      throw new Error(`job ${this.id} is ${this.state}, and cannot become ${state}`);
    }
    this.state = state;
    if (this.isLive) this.furthest = state;
    if (state === 'enqueued') this.rare?.enqueued?.resolve();
    else if (state === 'running') this.rare?.started?.resolve();
  }

  /**
   * Ends with a result or an error. `mustTell`: one that nobody has looked for is to be heard of.
   */
  end(state: JobState, value: unknown, mustTell: boolean): void {
    this.move(state);
    this.value = value;
    const { rare } = this;
    if (state === 'done') {
      rare?.done?.resolve(value);
      return;
    }
    rare?.enqueued?.rejectQuietly(value);
    rare?.started?.rejectQuietly(value);
    if (rare?.done !== undefined) rare.done.reject(value);
    else if (mustTell) void this.done;
  }

  get #hasAll(): boolean {
    for (let job: QueueJob | undefined = this; job !== undefined; job = job.family.lender) {
      if (job.held?.isHeld !== true) return false;
    }
    return true;
  }
}

function follow(controller: AbortController, signal: AbortSignal): void {
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
}

/** The same for a name and for its handle. */
export function keyOf(ref: ResourceRef): ResourceRef {
  return typeof ref === 'string' ? ref : (ref.name ?? ref);
}

/** Whether a set has all of these, in these modes or stronger ones. */
export function isWithin(
  { reads, writes }: JobSet,
  exclusive: readonly ResourceRef[],
  shared: readonly ResourceRef[],
): boolean {
  const writable = listOf(writes).map(keyOf);
  const readable = [...writable, ...listOf(reads).map(keyOf)];
  return (
    exclusive.every((ref) => writable.includes(keyOf(ref))) &&
    shared.every((ref) => readable.includes(keyOf(ref)))
  );
}
