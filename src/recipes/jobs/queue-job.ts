/**
 * A job: its states and the promises that report them. The queue decides, not the job.
 *
 * Promises are made on first use, as few jobs have all of theirs read. A failure whose promise
 * nobody reads is an unhandled rejection, like that of any promise.
 */

import type { Grant, Waiter } from '../../api/grant.ts';
import type { SetSpec } from '../../api/sets.ts';
import type { Unit } from '../../api/units.ts';
import type { CapturedContext } from '../../runtime/async-context.ts';
import { Deferred } from './deferred.ts';
import type { Job, JobSpec, JobState, RunningJob } from './job.ts';
import type { JobScope, Slot } from './job-scope.ts';
import { hasResources, isWithin, type ReadSpec, wantedIn } from './spec.ts';

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

/** Fields that few jobs have. */
class JobDetails {
  /** Context of the call that submitted the job: its function runs in it. */
  context: CapturedContext;
  children: JobScope<QueueJob> | undefined;
  /** Live jobs that this one comes after, and that come after it. */
  after: readonly QueueJob[] | undefined;
  dependents: Set<QueueJob> | undefined;
  /** The first job of `after` that did not succeed. */
  afterFailed: QueueJob | undefined;
  /** Its run has ended; the job waits for its sub-jobs. */
  outcome: Outcome | undefined;
  cancelReason: { readonly reason: unknown } | undefined;
  /** Called when the job is cancelled while it runs. */
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
  readonly scope: JobScope<QueueJob>;
  /** The jobs before and after it in the ring. */
  previous: QueueJob | undefined = undefined;
  next: QueueJob | undefined = undefined;
  state: JobState = 'submitted';
  waiter: Waiter | undefined = undefined;
  held: Grant | undefined = undefined;
  /** Jobs of `after` that have not ended. */
  afterCount = 0;
  slot: Slot | undefined = undefined;
  /** Its set is being released; nothing else happens to it but its end. */
  isEnding = false;
  rare: JobDetails | undefined = undefined;
  /** Its result, or the error of a job that did not succeed, once it has ended. */
  value: unknown = undefined;
  /** The last state before its end. */
  #furthest: JobState = 'submitted';

  constructor(scope: JobScope<QueueJob>, id: number, spec: ReadSpec) {
    this.scope = scope;
    this.id = id;
    this.spec = spec;
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

  get enqueued(): Promise<void> | undefined {
    if (!hasResources(this.spec)) return undefined;
    const details = this.details();
    if (details.enqueued === undefined) {
      details.enqueued = new Deferred();
      if (this.#furthest !== 'submitted') details.enqueued.resolve();
      else if (!this.isLive) details.enqueued.reject(this.value);
    }
    return details.enqueued.promise;
  }

  get started(): Promise<void> {
    const details = this.details();
    if (details.started === undefined) {
      details.started = new Deferred();
      if (this.#furthest === 'running') details.started.resolve();
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
    const { scope } = this;
    return scope.parent === undefined ? recovered : recovered.map((name) => scope.nameOf(name));
  }

  get units(): Readonly<Record<string, readonly Unit[]>> {
    const { units } = this.grant;
    return this.scope.parent === undefined ? units : this.scope.delegatedUnits(units);
  }

  get signal(): AbortSignal {
    const details = this.details();
    if (details.controller === undefined) {
      const controller = new AbortController();
      details.controller = controller;
      if (details.cancelReason !== undefined) controller.abort(details.cancelReason.reason);
      for (let job: QueueJob | undefined = this; job !== undefined; job = job.scope.parent) {
        if (job.held !== undefined) follow(controller, job.held.signal);
      }
    }
    return details.controller.signal;
  }

  covers(set: SetSpec): boolean {
    const wanted = wantedIn(set);
    if (this.state !== 'running' || !this.#hasAll) return false;
    return isWithin(this.spec, wanted);
  }

  cancel(reason: unknown = new DOMException('the job was cancelled', 'AbortError')): boolean {
    return this.scope.owner.cancel(this, reason);
  }

  submit<S>(spec: JobSpec<S>): Job<S> {
    return this.scope.owner.submitTo(this, spec);
  }

  /** Asks a running job to stop. */
  abort(reason: unknown): void {
    const details = this.details();
    if (details.cancelReason !== undefined) return;
    details.cancelReason = { reason };
    details.controller?.abort(reason);
    details.onAbort?.(reason);
  }

  /** Enters a state and resolves its promise. */
  move(state: JobState): void {
    if (!moves[this.state].includes(state)) {
      throw new Error(`job ${this.id} is ${this.state}, and cannot become ${state}`);
    }
    this.state = state;
    if (this.isLive) this.#furthest = state;
    if (state === 'enqueued') this.rare?.enqueued?.resolve();
    else if (state === 'running') this.rare?.started?.resolve();
  }

  /**
   * Ends with a result or an error. `mustReport`: an error is an unhandled rejection if `done` has
   * not been read.
   */
  end(state: JobState, value: unknown, mustReport: boolean): void {
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
    else if (mustReport) void this.done;
  }

  get #hasAll(): boolean {
    for (let job: QueueJob | undefined = this; job !== undefined; job = job.scope.parent) {
      if (job.held?.isHeld !== true) return false;
    }
    return true;
  }
}

function follow(controller: AbortController, signal: AbortSignal): void {
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
}
