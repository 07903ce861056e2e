/**
 * The job queue (kds.txt, "kbase/base implementation": atoms in a ring buffer).
 *
 * A job's set is requested when the job is submitted, so submission order is the order of arrival
 * in every queue, and all that the declarations allow runs at the same time. When its set is
 * granted and the jobs of its `after` have ended, the job takes a slot and runs. The jobs of
 * `after` were submitted earlier, and are ahead in every common queue: so the two kinds of waiting
 * form no cycle.
 *
 * Jobs are started from a microtask, never within a call of release or submit.
 */

import type { Domain } from '../../api/domain.ts';
import { DomainClosedError, JobSkippedError, LimitError } from '../../api/errors.ts';
import type { Grant } from '../../api/grant.ts';
import type { EnqueueOptions } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import { AbortListeners } from '../../runtime/abort-listeners.ts';
import { captureContext, detectContext, runInContext } from '../../runtime/async-context.ts';
import { queueRealMicrotask } from '../../runtime/real-time.ts';
import { Turns } from '../../runtime/turns.ts';
import { throwUncaught } from '../../runtime/uncaught.ts';
import { Deferred } from './deferred.ts';
import { findUnordered, graphOf, type JobGraph, type UnorderedPair } from './graph.ts';
import type { Job, JobSpec, JobState } from './job.ts';
import type { JobCounts, JobQueue } from './job-queue.ts';
import { JobScope, type ScopeOwner } from './job-scope.ts';
import { QueueJob } from './queue-job.ts';
import { type JobQueueOptions, readQueueOptions } from './queue-options.ts';
import { Slots } from './slots.ts';
import { type ReadSpec, readJobSpec } from './spec.ts';
import { WaitQueue } from './wait-queue.ts';
import { WorkerPool } from './worker-pool.ts';

const capacityDefault = 1024;

/**
 * Makes a job queue over a domain, of any backend.
 *
 * @param domain - The domain of the resources, or a session of it.
 * @param options - The size of the ring, slots, workers and a listener for failures.
 * @throws TypeError if the domain or an option is invalid.
 * @throws RangeError if `capacity`, `concurrency` or `workers.count` is out of its bounds.
 * @throws {@link LimitError} if `label` is longer than 1024 code units.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain(), { concurrency: 4 });
 * queue.submit({ writes: 'mesh', run: () => console.log('1: has the mesh alone') });
 * queue.submit({ reads: 'mesh', writes: 'shadows', run: () => console.log('2: beside 3') });
 * const last = queue.submit({ reads: 'mesh', writes: 'picture', run: async () => 42 });
 * console.log(await last.done);
 * await queue.close();
 * ```
 * @since 0.1.0
 */
export function createJobQueue(domain: Domain, options: JobQueueOptions = {}): JobQueue {
  if (typeof domain?.enqueue !== 'function') {
    throw new TypeError(`a job queue works in a domain, not ${describe(domain)}`);
  }
  return new DomainJobQueue(domain, readQueueOptions(options));
}

class DomainJobQueue implements JobQueue {
  readonly #domain: Domain;
  readonly #capacity: number;
  readonly #name: string;
  readonly #onFailure: JobQueueOptions['onFailure'];
  readonly #workers: WorkerPool | undefined;
  readonly #scope: JobScope<QueueJob>;
  readonly #owner: ScopeOwner<QueueJob> = {
    cancel: (job, reason) => this.#cancel(job, reason),
    submitTo: (parent, spec) => this.#submitTo(parent, spec),
  };
  readonly #abortListeners = new AbortListeners<QueueJob>((jobs, reason) => {
    for (const job of jobs) job.cancel(reason);
  });
  readonly #slots: Slots;
  /** Jobs that have a slot and are about to start. */
  readonly #starting = new WaitQueue<QueueJob>(
    ({ state, isEnding }) => state === 'ready' && !isEnding,
  );
  readonly #counts = { done: 0, failed: 0, skipped: 0, cancelled: 0 };
  #idLast = 0;
  /** The reason with which `close` has cancelled the jobs. */
  #closed: DomainClosedError | undefined;
  #isPaused: boolean;
  #isPumpDue = false;
  /** Jobs that have ended. A chain of jobs that are all skipped may be longer than the stack. */
  readonly #dependents = new Turns<QueueJob>((ended) => this.#notifyDependents(ended));
  /** Jobs whose sub-jobs have all ended. Jobs may be nested deeper than the stack. */
  readonly #parents = new Turns<QueueJob>((parent) => this.#endParent(parent));
  #drained: Deferred<JobCounts> | undefined;

  constructor(domain: Domain, options: JobQueueOptions) {
    const { capacity = capacityDefault, concurrency = Number.POSITIVE_INFINITY } = options;
    this.#domain = domain;
    this.#capacity = capacity;
    this.#slots = new Slots(concurrency, (job) => this.#hasSlot(job));
    this.#isPaused = options.isPaused ?? false;
    this.#onFailure = options.onFailure;
    const [number] = globalThis.crypto.getRandomValues(new Uint32Array(1));
    this.#name = `${options.label ?? 'job queue'} ${number?.toString(36)}`;
    this.#scope = new JobScope(this.#owner, this.#name);
    if (options.workers === undefined) return;
    this.#workers = new WorkerPool(options.workers, {
      onReserved: (job) => this.#slots.seek(job),
      onNoWorker: (job, error) => this.#end(job, 'failed', error),
    });
  }

  get size(): number {
    return this.#scope.ring.size + this.#scope.backlogCount;
  }

  get counts(): JobCounts {
    return { ...this.#counts };
  }

  submit<R>(spec: JobSpec<R>): Job<R> {
    const own = readJobSpec(spec);
    this.#checkOpen();
    return this.#submit(this.#scope, own) as Job<R>;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedulePump();
  }

  cancel(reason?: unknown): void {
    // The latest first, so that no job is granted a set that is cancelled next.
    for (const job of this.#jobs(this.#scope).reverse()) job.cancel(reason);
  }

  async drain(): Promise<JobCounts> {
    if (this.size === 0) return this.counts;
    this.#drained ??= new Deferred();
    return this.#drained.promise;
  }

  async close(): Promise<void> {
    this.#closed ??= new DomainClosedError('the job queue was closed');
    this.cancel(this.#closed);
    await this.drain();
    await this.#workers?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  graph(): JobGraph {
    return graphOf(this.#jobs(this.#scope));
  }

  check(): readonly UnorderedPair[] {
    return findUnordered(this.#jobs(this.#scope));
  }

  /** Jobs that have not ended, in order of submission, each before its sub-jobs. */
  #jobs(scope: JobScope<QueueJob>): QueueJob[] {
    const jobs: QueueJob[] = [];
    const open = [...scope.ring, ...scope.backlog.items()].reverse();
    for (let job = open.pop(); job !== undefined; job = open.pop()) {
      jobs.push(job);
      const children = job.rare?.children;
      if (children === undefined) continue;
      for (const child of [...children.ring, ...children.backlog.items()].reverse()) {
        open.push(child);
      }
    }
    return jobs;
  }

  // -------------------------------------------------------------------------------------------
  // Submission

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new DomainClosedError('the job queue is closed');
  }

  #submitTo<R>(parent: QueueJob, spec: JobSpec<R>): Job<R> {
    const own = readJobSpec(spec);
    // The same error as its own cancel: a job that passes it on ends as cancelled.
    if (this.#closed !== undefined) throw this.#closed;
    if (parent.state !== 'running') {
      throw new TypeError(`job ${parent.id} has ended, or has not begun: it has no sub-jobs`);
    }
    const details = parent.details();
    details.children ??= new JobScope(this.#owner, this.#name, parent);
    return this.#submit(details.children, own) as Job<R>;
  }

  #submit(scope: JobScope<QueueJob>, spec: ReadSpec): QueueJob {
    const { signal } = spec;
    if (spec.task !== undefined && this.#workers === undefined) {
      throw new TypeError('a job with a task needs a queue with workers: see its option workers');
    }
    const after = this.#afterIn(scope, spec);
    if (signal?.aborted) throw signal.reason;
    const isFull = scope.ring.size >= this.#capacity || scope.backlogCount > 0;
    if (isFull && scope.backlogCount >= this.#capacity) throw this.#limitError();
    const job = new QueueJob(scope, ++this.#idLast, spec);
    const context = captureContext();
    if (context !== undefined) job.details().context = context;
    if (after.length > 0) {
      job.details().after = after;
      job.afterCount = after.length;
    }
    if (isFull) {
      this.#domain.prepare(scope.requestFor(job).set);
      scope.backlog.push(job);
      scope.backlogCount++;
    } else {
      this.#enqueueOrRemove(job);
    }
    if (after.length > 0) this.#beginAfter(job, after);
    if (signal !== undefined && job.isLive) this.#follow(job, signal);
    return job;
  }

  /** The last step, as it runs the signal's own code, if it has any. */
  #follow(job: QueueJob, signal: AbortSignal): void {
    try {
      if (!this.#abortListeners.add(signal, job)) job.cancel(signal.reason);
    } catch (error) {
      // A signal that refuses the listener.
      if (!job.cancel(error)) throwUncaught(error);
      else throw error;
    }
    if (!job.isLive) this.#abortListeners.remove(signal, job);
  }

  /** Puts its set into all queues, and the job into the ring, also if that fails. */
  #enqueue(job: QueueJob): void {
    const { scope, label } = job;
    const { set, holding } = scope.requestFor(job);
    const onGrant = (grant: Grant): void => this.#granted(job, grant);
    const onRefused = (reason: unknown): void => this.#end(job, 'failed', reason);
    const options: EnqueueOptions = { delivery: 'direct', label, holding, onRefused };
    job.move('enqueued');
    scope.ring.add(job);
    const waiter = this.#domain.enqueue(set, onGrant, options);
    if (job.held === undefined) job.waiter = waiter;
  }

  #enqueueOrRemove(job: QueueJob): void {
    try {
      this.#enqueue(job);
    } catch (error) {
      job.scope.ring.delete(job);
      throw error;
    }
  }

  #afterIn(scope: JobScope<QueueJob>, { after }: ReadSpec): readonly QueueJob[] {
    if (after.length === 0) return [];
    return [...new Set(after)].map((job) => {
      if (job instanceof QueueJob && job.scope === scope) return job;
      const wanted = scope.parent === undefined ? 'a job of this queue' : 'a sub-job of this job';
      throw new TypeError(`after names ${wanted}, not ${describe(job)}`);
    });
  }

  /** `after` was counted before, so that a grant within `enqueue` did not make the job ready. */
  #beginAfter(job: QueueJob, after: readonly QueueJob[]): void {
    for (const first of after) {
      if (first.isLive) {
        const details = first.details();
        details.dependents ??= new Set();
        details.dependents.add(job);
      } else {
        job.afterCount--;
        if (first.state !== 'done') this.#afterFailed(job, first);
      }
    }
    if (job.afterCount === 0 && job.isLive) this.#afterAll(job);
  }

  #limitError(): LimitError {
    return new LimitError(
      `the ring of ${this.#capacity} jobs is full, and as many wait for room in it: ` +
        'await job.enqueued (of a job without a set: job.started) before you submit more, or ' +
        'make capacity larger',
    );
  }

  // -------------------------------------------------------------------------------------------
  // Start

  #granted(job: QueueJob, grant: Grant): void {
    job.held = grant;
    job.waiter = undefined;
    if (job.afterCount === 0) this.#makeReady(job);
  }

  /** Its set is granted and its `after` have ended: it needs a slot, and for a task a worker. */
  #makeReady(job: QueueJob): void {
    job.move('ready');
    if (job.spec.task === undefined) this.#slots.seek(job);
    else this.#workers?.reserve(job);
  }

  #hasSlot(job: QueueJob): void {
    this.#starting.push(job);
    this.#schedulePump();
  }

  #schedulePump(): void {
    if (this.#isPumpDue || this.#isPaused) return;
    this.#isPumpDue = true;
    queueRealMicrotask(() => this.#pump());
  }

  #pump(): void {
    detectContext();
    while (!this.#isPaused) {
      const job = this.#starting.shift();
      if (job === undefined) break;
      this.#start(job);
    }
    this.#isPumpDue = false;
  }

  #start(job: QueueJob): void {
    const { spec } = job;
    const loss = job.scope.lossOf(job);
    if (loss !== undefined) {
      this.#end(job, 'failed', loss.reason);
      return;
    }
    job.move('running');
    const context = job.rare?.context;
    let result: unknown;
    try {
      result =
        spec.task === undefined
          ? runInContext<QueueJob>(context, spec.run, job, spec.self)
          : this.#workers?.run(job, spec);
    } catch (error) {
      this.#over(job, false, error);
      return;
    }
    if (isThenable(result)) {
      Promise.resolve(result).then(
        (value) => this.#over(job, true, value),
        (error) => this.#over(job, false, error),
      );
    } else {
      this.#over(job, true, result);
    }
  }

  // -------------------------------------------------------------------------------------------
  // End

  /** Its run has ended; the job ends when its sub-jobs have. */
  #over(job: QueueJob, isOk: boolean, value: unknown): void {
    const { rare } = job;
    if (rare?.children?.isEmpty === false) rare.outcome = { isOk, value };
    else this.#endRun(job, isOk, value);
  }

  #endRun(job: QueueJob, isOk: boolean, value: unknown): void {
    const loss = isOk && job.spec.afterLoss !== 'ignore' ? job.scope.lossOf(job) : undefined;
    if (loss !== undefined) {
      // Its result was not made in exclusion.
      this.#end(job, 'failed', loss.reason);
      return;
    }
    const cancelReason = job.rare?.cancelReason;
    const isCancelled = cancelReason !== undefined && value === cancelReason.reason;
    this.#end(job, isOk ? 'done' : isCancelled ? 'cancelled' : 'failed', value);
  }

  #cancel(job: QueueJob, reason: unknown): boolean {
    if (!job.isLive || job.isEnding) return false;
    if (job.state === 'running') {
      job.abort(reason);
      return false;
    }
    this.#end(job, 'cancelled', reason);
    return true;
  }

  /** Releases its set, or cancels its request; then the job has ended. */
  #end(job: QueueJob, state: JobState, value: unknown): void {
    if (job.isEnding) return;
    job.isEnding = true;
    const released = releaseSet(job, state, value);
    if (released === undefined) this.#ended(job, state, value);
    // A release that cannot be sent to a remote backend takes effect as the session ends there.
    else released.finally(() => this.#ended(job, state, value)).catch(() => {});
  }

  #ended(job: QueueJob, state: JobState, value: unknown): void {
    const { scope, spec } = job;
    const isFailure = state === 'failed';
    if (job.state === 'submitted') {
      scope.backlogCount--;
      scope.backlog.countStale();
    } else {
      scope.ring.delete(job);
    }
    if (job.state === 'ready') {
      if (job.slot === undefined) this.#slots.countStale(job);
      else this.#starting.countStale();
    }
    if (job.state === 'running' && state !== 'done') scope.hasFailedJob = true;
    if (spec.signal !== undefined) this.#abortListeners.remove(spec.signal, job);
    if (spec.task !== undefined) this.#workers?.free(job);
    if (job.slot !== undefined) this.#slots.free(job);
    job.rare?.children?.close(this.#domain);
    this.#unlinkAfter(job);
    job.end(state, value, isFailure && this.#onFailure === undefined);
    this.#counts[state as keyof JobCounts]++;
    if (isFailure) this.#reportFailure(job, value);
    if (job.rare?.dependents !== undefined) this.#dependents.add(job);
    this.#admit(scope);
    if (scope.isEmpty && scope.parent !== undefined) this.#parents.add(scope.parent);
    if (this.size === 0 && this.#drained !== undefined) {
      this.#drained.resolve(this.counts);
      this.#drained = undefined;
    }
  }

  /** Its sub-jobs have ended; the job ends if its own run has. */
  #endParent(parent: QueueJob): void {
    const outcome = parent.rare?.outcome;
    if (outcome !== undefined) this.#endRun(parent, outcome.isOk, outcome.value);
  }

  #reportFailure(job: QueueJob, error: unknown): void {
    const onFailure = this.#onFailure;
    if (onFailure === undefined) return;
    try {
      runInContext(job.rare?.context, () => onFailure(job, error), undefined);
    } catch (thrown) {
      throwUncaught(thrown);
    }
  }

  #notifyDependents(ended: QueueJob): void {
    const details = ended.details();
    const { dependents = new Set() } = details;
    details.dependents = undefined;
    for (const job of dependents) {
      if (!job.isLive) continue;
      job.afterCount--;
      if (ended.state !== 'done') this.#afterFailed(job, ended);
      if (job.afterCount === 0 && job.isLive) this.#afterAll(job);
    }
  }

  #afterFailed(job: QueueJob, first: QueueJob): void {
    job.details().afterFailed ??= first;
    if (job.spec.afterFailure === 'fail') this.#end(job, 'failed', first.value);
  }

  /** All jobs of `after` have ended. */
  #afterAll(job: QueueJob): void {
    this.#unlinkAfter(job);
    const failed = job.rare?.afterFailed;
    if (failed !== undefined && job.spec.afterFailure !== 'run') {
      this.#end(job, 'skipped', skippedAfter(failed));
    } else if (job.held !== undefined && job.state === 'enqueued') {
      this.#makeReady(job);
    }
  }

  /** Unlinks a job and its `after`, so that neither keeps the other in memory. */
  #unlinkAfter(job: QueueJob): void {
    const { rare } = job;
    if (rare?.after === undefined) return;
    for (const first of rare.after) first.rare?.dependents?.delete(job);
    rare.after = undefined;
  }

  /** Moves jobs from the backlog into the ring while it has room. */
  #admit(scope: JobScope<QueueJob>): void {
    if (scope.backlogCount === 0 || scope.isAdmitting) return;
    scope.isAdmitting = true;
    while (scope.ring.size < this.#capacity) {
      const job = scope.backlog.shift();
      if (job === undefined) break;
      scope.backlogCount--;
      try {
        this.#enqueue(job);
      } catch (error) {
        this.#end(job, 'failed', error);
      }
    }
    scope.isAdmitting = false;
  }
}

/** Returns a promise where the release is a message to a backend. */
function releaseSet(job: QueueJob, state: JobState, value: unknown): Promise<void> | undefined {
  const { held, waiter } = job;
  job.waiter = undefined;
  if (held === undefined) {
    waiter?.cancel();
    return undefined;
  }
  // A job that did not succeed may have left half written what it writes.
  const isHalfDone = job.state === 'running' && state !== 'done';
  return (isHalfDone ? held.abandon(value) : held.release()) as Promise<void> | undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

function skippedAfter({ id, label, value }: QueueJob): JobSkippedError {
  const name = label === undefined ? `job ${id}` : `job ${id}, ${describe(label)},`;
  const message = `skipped, as ${name} that it comes after did not succeed`;
  return new JobSkippedError(message, { cause: value });
}
