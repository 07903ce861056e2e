/**
 * The job queue (kds.txt, "kbase/base implementation": atoms in a ring buffer).
 *
 * A job's set is asked for as it is submitted, so submission order is the order of arrival in every
 * queue, and all that the declarations allow runs at the same time. When its set is granted and
 * what it comes `after` has ended, it takes a slot and runs. What it comes after was submitted
 * before, and stands ahead of it wherever they meet: so waiting in both ways closes no circle.
 *
 * Jobs are started from a microtask, never within somebody's call of release or submit.
 */

import type { Domain } from '../../api/domain.ts';
import { DomainClosedError, JobSkippedError, LimitError } from '../../api/errors.ts';
import type { Grant } from '../../api/grant.ts';
import type { EnqueueOptions } from '../../api/options.ts';
import { describe } from '../../api/sets.ts';
import { AbortListeners } from '../../runtime/abort-listeners.ts';
import { captureContext, lookForContext, runInContext } from '../../runtime/async-context.ts';
import { queueRealMicrotask } from '../../runtime/real-time.ts';
import { Turns } from '../../runtime/turns.ts';
import { throwUncaught } from '../../runtime/uncaught.ts';
import { Deferred } from './deferred.ts';
import { findUnordered, graphOf, type JobGraph, type UnorderedPair } from './graph.ts';
import { Family } from './job-scope.ts';
import { type Job, type JobOwner, type JobState, QueueJob } from './queue-job.ts';
import { type JobQueueOptions, readQueueOptions } from './queue-options.ts';
import { Slots } from './slots.ts';
import { type JobSpec, type ReadSpec, readJobSpec } from './spec.ts';
import { WaitQueue } from './wait-queue.ts';
import { WorkerPool } from './worker-pool.ts';

/** How many jobs ended in which way since the queue was made, sub-jobs among them. */
export interface JobCounts {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cancelled: number;
}

export interface JobQueue {
  /** Jobs that have not ended, in the ring and in line for it. */
  readonly size: number;
  readonly counts: JobCounts;

  /**
   * Takes a job in. If the ring is full the job stands in line for a place: await `enqueued`, or
   * `started` of a job without a set, before you submit more. Not for use inside a job, which would
   * wait for itself: there it is {@link RunningJob.submit}.
   *
   * @throws TypeError for what is no job, or comes `after` what is no job of this queue;
   * InvalidSetError; LimitError if as many stand in line as the ring has places;
   * DomainClosedError if the queue or domain is closed; the reason of a signal that has aborted.
   */
  submit<R>(spec: JobSpec<R>): Job<R>;

  /** Starts nothing more, until `resume`. Sets are asked for, and granted, all the same. */
  pause(): void;
  resume(): void;

  /** Cancels all jobs that have not ended, the latest first: see {@link Job.cancel}. */
  cancel(reason?: unknown): void;

  /** Resolves when no job is left that has not ended, with what has become of them all. */
  drain(): Promise<JobCounts>;

  /**
   * Refuses jobs from now on, cancels what has not ended, and waits for what runs; ends workers.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /** Jobs that have not ended, and why one waits for another: plain data. */
  graph(): JobGraph;

  /**
   * Pairs of jobs whose order only submission has laid down: they conflict, and neither comes
   * `after` the other, on any way. Of jobs that have not ended; nearest ones, so if there is no
   * pair at all the list is empty.
   */
  check(): readonly UnorderedPair[];
}

const capacityDefault = 1024;

/**
 * Makes a job queue over a domain, of any host.
 *
 * @throws TypeError, RangeError, LimitError for options that are none.
 * @example
 * import { createDomain } from 'kds';
 * import { createJobQueue } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain(), { concurrency: 4 });
 * queue.submit({ writes: 'mesh', run: () => console.log('1: nobody else has the mesh') });
 * queue.submit({ reads: 'mesh', writes: 'shadows', run: () => console.log('2: beside 3') });
 * const last = queue.submit({ reads: 'mesh', writes: 'picture', run: async () => 42 });
 * console.log(await last.done);
 * await queue.close();
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
  readonly #family: Family;
  readonly #owner: JobOwner = {
    cancel: (job, reason) => this.#cancel(job, reason),
    submitTo: (parent, spec) => this.#submitTo(parent, spec),
  };
  readonly #abortListeners = new AbortListeners<QueueJob>((jobs, reason) => {
    for (const job of jobs) job.cancel(reason);
  });
  readonly #slots: Slots;
  /** Have a slot, and are about to start. */
  readonly #starting = new WaitQueue<QueueJob>(
    ({ state, isEnding }) => state === 'ready' && !isEnding,
  );
  readonly #counts = { done: 0, failed: 0, skipped: 0, cancelled: 0 };
  #idLast = 0;
  #isOpen = true;
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
    this.#family = new Family(this.#owner, this.#name);
    if (options.workers === undefined) return;
    this.#workers = new WorkerPool(options.workers, {
      onReserved: (job) => this.#slots.seek(job),
      onNoWorker: (job, error) => this.#end(job, 'failed', error),
    });
  }

  get size(): number {
    return this.#family.ring.size + this.#family.lineCount;
  }

  get counts(): JobCounts {
    return { ...this.#counts };
  }

  submit<R>(spec: JobSpec<R>): Job<R> {
    const own = readJobSpec(spec);
    this.#checkOpen();
    return this.#submit(this.#family, own) as Job<R>;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedulePump();
  }

  cancel(reason?: unknown): void {
    // The latest first, so that nobody is granted what is to be cancelled next.
    for (const job of this.#jobs(this.#family).reverse()) job.cancel(reason);
  }

  async drain(): Promise<JobCounts> {
    if (this.size === 0) return this.counts;
    this.#drained ??= new Deferred();
    return this.#drained.promise;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.cancel(new DomainClosedError('the job queue was closed'));
    await this.drain();
    await this.#workers?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  graph(): JobGraph {
    return graphOf(this.#jobs(this.#family));
  }

  check(): readonly UnorderedPair[] {
    return findUnordered(this.#jobs(this.#family));
  }

  /** Those that have not ended, parents before their sub-jobs, else as they were submitted. */
  #jobs(family: Family): QueueJob[] {
    const jobs: QueueJob[] = [];
    const open = [...family.ring, ...family.line.items()].reverse();
    for (let job = open.pop(); job !== undefined; job = open.pop()) {
      jobs.push(job);
      const children = job.rare?.children;
      if (children === undefined) continue;
      for (const child of [...children.ring, ...children.line.items()].reverse()) {
        open.push(child);
      }
    }
    return jobs;
  }

  // -------------------------------------------------------------------------------------------
  // In

  #checkOpen(): void {
    if (!this.#isOpen) throw new DomainClosedError('the job queue is closed');
  }

  #submitTo<R>(parent: QueueJob, spec: JobSpec<R>): Job<R> {
    const own = readJobSpec(spec);
    if (parent.state !== 'running') {
      throw new TypeError(`job ${parent.id} has ended, or has not begun: it has no sub-jobs`);
    }
    const details = parent.details();
    details.children ??= new Family(this.#owner, this.#name, parent);
    return this.#submit(details.children, own) as Job<R>;
  }

  #submit(family: Family, spec: ReadSpec): QueueJob {
    const { signal } = spec;
    if (spec.task !== undefined && this.#workers === undefined) {
      throw new TypeError('a job with a task needs a queue with workers: see its option workers');
    }
    const after = this.#afterIn(family, spec);
    if (signal?.aborted) throw signal.reason;
    const isFull = family.ring.size >= this.#capacity || family.lineCount > 0;
    if (isFull && family.lineCount >= this.#capacity) throw this.#tooMany();
    const job = new QueueJob(family, ++this.#idLast, spec);
    const context = captureContext();
    if (context !== undefined) job.details().context = context;
    if (after.length > 0) {
      job.details().after = after;
      job.afterCount = after.length;
    }
    if (isFull) {
      this.#domain.prepare(family.requestFor(job).set);
      family.line.push(job);
      family.lineCount++;
    } else {
      this.#enqueueOrForget(job);
    }
    if (after.length > 0) this.#beginAfter(job, after);
    if (signal !== undefined && job.isLive) this.#follow(job, signal);
    return job;
  }

  /** Last, as it runs the signal's own code, if it has any. */
  #follow(job: QueueJob, signal: AbortSignal): void {
    try {
      if (!this.#abortListeners.add(signal, job)) job.cancel(signal.reason);
    } catch (error) {
      // A signal that takes no listener.
      if (!job.cancel(error)) throwUncaught(error);
      else throw error;
    }
    if (!job.isLive) this.#abortListeners.remove(signal, job);
  }

  /** Its set stands in all queues from now on. It is in the ring, also if that fails. */
  #enqueue(job: QueueJob): void {
    const { family, label } = job;
    const { set, holding } = family.requestFor(job);
    const onGrant = (grant: Grant): void => this.#granted(job, grant);
    const onRefused = (reason: unknown): void => this.#end(job, 'failed', reason);
    const options: EnqueueOptions = { delivery: 'direct', label, holding, onRefused };
    job.move('enqueued');
    family.ring.add(job);
    const waiter = this.#domain.enqueue(set, onGrant, options);
    if (job.held === undefined) job.waiter = waiter;
  }

  #enqueueOrForget(job: QueueJob): void {
    try {
      this.#enqueue(job);
    } catch (error) {
      job.family.ring.delete(job);
      throw error;
    }
  }

  #afterIn(family: Family, { after }: ReadSpec): readonly QueueJob[] {
    if (after.length === 0) return [];
    return [...new Set(after)].map((job) => {
      if (job instanceof QueueJob && job.family === family) return job;
      const wanted = family.lender === undefined ? 'a job of this queue' : 'a sub-job of this job';
      throw new TypeError(`after names ${wanted}, not ${describe(job)}`);
    });
  }

  /** They have been counted before, so that a grant within `enqueue` did not make it ready. */
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

  #tooMany(): LimitError {
    return new LimitError(
      `the ring of ${this.#capacity} jobs is full, and as many stand in line for it: ` +
        'await job.enqueued (of a job without a set: job.started) before you submit more, or ' +
        'make capacity larger',
    );
  }

  // -------------------------------------------------------------------------------------------
  // From granted to started

  #granted(job: QueueJob, grant: Grant): void {
    job.held = grant;
    job.waiter = undefined;
    if (job.afterCount === 0) this.#makeReady(job);
  }

  /** It has its set, and comes after nobody any more: it needs a worker, if a task, and a slot. */
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
    lookForContext();
    while (!this.#isPaused) {
      const job = this.#starting.shift();
      if (job === undefined) break;
      this.#start(job);
    }
    this.#isPumpDue = false;
  }

  #start(job: QueueJob): void {
    const { spec, loss } = job;
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
  // Out

  /** Its run is over; it ends when its sub-jobs have. */
  #over(job: QueueJob, isOk: boolean, value: unknown): void {
    const { rare } = job;
    if (rare?.children?.isEmpty === false) rare.outcome = { isOk, value };
    else this.#endRun(job, isOk, value);
  }

  #endRun(job: QueueJob, isOk: boolean, value: unknown): void {
    const loss = isOk && job.spec.afterLoss !== 'ignore' ? job.loss : undefined;
    if (loss !== undefined) {
      // What it has come to was not made in exclusion, whatever it says.
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

  /** Lets go of its set, or of its place; then it has ended. */
  #end(job: QueueJob, state: JobState, value: unknown): void {
    if (job.isEnding) return;
    job.isEnding = true;
    const released = letGo(job, state, value);
    if (released === undefined) this.#ended(job, state, value);
    // What cannot be told to a host far away ends with its session there.
    else released.finally(() => this.#ended(job, state, value)).catch(() => {});
  }

  #ended(job: QueueJob, state: JobState, value: unknown): void {
    const { family, spec } = job;
    const isFailure = state === 'failed';
    if (job.state === 'submitted') {
      family.lineCount--;
      family.line.noteStale();
    } else {
      family.ring.delete(job);
    }
    if (job.state === 'ready') {
      if (job.slot === undefined) this.#slots.noteStale(job);
      else this.#starting.noteStale();
    }
    if (job.state === 'running' && state !== 'done') family.isMarked = true;
    if (spec.signal !== undefined) this.#abortListeners.remove(spec.signal, job);
    if (spec.task !== undefined) this.#workers?.free(job);
    if (job.slot !== undefined) this.#slots.free(job);
    job.rare?.children?.close(this.#domain);
    this.#forgetAfter(job);
    job.end(state, value, isFailure && this.#onFailure === undefined);
    this.#counts[state as keyof JobCounts]++;
    if (isFailure) this.#tellFailure(job, value);
    if (job.rare?.dependents !== undefined) this.#dependents.add(job);
    this.#admit(family);
    if (family.isEmpty && family.lender !== undefined) this.#parents.add(family.lender);
    if (this.size === 0 && this.#drained !== undefined) {
      this.#drained.resolve(this.counts);
      this.#drained = undefined;
    }
  }

  /** Its sub-jobs have ended, so it ends if its own run has. */
  #endParent(parent: QueueJob): void {
    const outcome = parent.rare?.outcome;
    if (outcome !== undefined) this.#endRun(parent, outcome.isOk, outcome.value);
  }

  #tellFailure(job: QueueJob, error: unknown): void {
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

  /** What it comes after has ended. */
  #afterAll(job: QueueJob): void {
    this.#forgetAfter(job);
    const failed = job.rare?.afterFailed;
    if (failed !== undefined && job.spec.afterFailure !== 'run') {
      this.#end(job, 'skipped', skippedAfter(failed));
    } else if (job.held !== undefined && job.state === 'enqueued') {
      this.#makeReady(job);
    }
  }

  /** Neither is kept for the other's sake: what has ended, and what it came after. */
  #forgetAfter(job: QueueJob): void {
    const { rare } = job;
    if (rare?.after === undefined) return;
    for (const first of rare.after) first.rare?.dependents?.delete(job);
    rare.after = undefined;
  }

  /** There is room in the ring: whoever stands in line for it comes in. */
  #admit(family: Family): void {
    if (family.lineCount === 0 || family.isAdmitting) return;
    family.isAdmitting = true;
    while (family.ring.size < this.#capacity) {
      const job = family.line.shift();
      if (job === undefined) break;
      family.lineCount--;
      try {
        this.#enqueue(job);
      } catch (error) {
        this.#end(job, 'failed', error);
      }
    }
    family.isAdmitting = false;
  }
}

/** Returns what is to be waited for, where a release takes a while. */
function letGo(job: QueueJob, state: JobState, value: unknown): Promise<void> | undefined {
  const { held, waiter } = job;
  job.waiter = undefined;
  if (held === undefined) {
    waiter?.cancel();
    return undefined;
  }
  // Whoever ran and did not get through may have left what it writes half done.
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
