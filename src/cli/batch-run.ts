/**
 * Runs the commands of a batch: each is a job, submitted in the order of the lines, that ends with
 * its process. A batch that ends early waits for running commands, and starts no more.
 */

import type { ChildProcess } from 'node:child_process';
import type { Domain } from '../api/domain.ts';
import { isKdsError } from '../api/errors.ts';
import { labelLengthMax } from '../api/limits.ts';
import { createJobQueue, type Job, type JobQueue } from '../recipes/jobs/index.ts';
import { jsonText } from '../runtime/escape.ts';
import type { BatchLine } from './batch-lines.ts';
import { CommandFailedError, runLine } from './batch-process.ts';
import { BatchProgress } from './batch-progress.ts';
import { exitCode, exitCodeOfSignal } from './exit-codes.ts';
import { endWhenLost, type LostPolicy } from './lost-command.ts';
import { inShellWords, printable } from './messages.ts';
import { print } from './output.ts';
import { SignalsCaught } from './terminal-signals.ts';
import { firstNameOf, unitsSpecOf } from './units-argument.ts';

/** As of make: something failed. */
export const somethingFailed = 2;

export interface BatchOptions {
  readonly concurrency: number;
  readonly keepsGoing: boolean;
  readonly isJson: boolean;
  /** For each line whose set is lost. */
  readonly lostPolicy: LostPolicy;
}

const endings: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP']);

/** Runs all lines once. Resolves with an exit code when all have ended. */
export function runBatch(
  domain: Domain,
  lines: readonly BatchLine[],
  options: BatchOptions,
): Promise<number> {
  return new Batch(domain, lines, options).run();
}

class Batch {
  readonly #lines: readonly BatchLine[];
  readonly #options: BatchOptions;
  readonly #queue: JobQueue;
  readonly #progress: BatchProgress;
  readonly #running = new Set<ChildProcess>();
  /** By the number of the line. */
  readonly #jobs = new Map<number, Job>();
  #stoppedBy: NodeJS.Signals | undefined;
  #isFailed = false;
  #isStopping = false;

  constructor(domain: Domain, lines: readonly BatchLine[], options: BatchOptions) {
    const { concurrency, isJson } = options;
    this.#lines = lines;
    this.#options = options;
    this.#queue = createJobQueue(domain, { concurrency, onFailure: () => undefined });
    this.#progress = new BatchProgress(lines.length, process.stderr.isTTY === true && !isJson);
  }

  async run(): Promise<number> {
    const signals = this.#catchSignals();
    signals.forwardTo(() => this.#running);
    const ends: Promise<void>[] = [];
    for (const line of this.#lines) {
      if (this.#isStopping) {
        this.#progress.skipped(line.label);
        continue;
      }
      const job = this.#submit(line);
      this.#jobs.set(line.number, job);
      ends.push(this.#follow(line, job));
      // The ring is full: this job enters it before the next line is submitted.
      if (job.state === 'submitted') await (job.enqueued ?? job.started).catch(() => undefined);
    }
    await Promise.all(ends);
    signals.stopForwarding();
    await this.#queue.close();
    this.#progress.close();
    if (this.#stoppedBy !== undefined) return exitCodeOfSignal(this.#stoppedBy);
    return this.#isFailed ? somethingFailed : exitCode.done;
  }

  #submit(line: BatchLine): Job {
    const spec = specOf(line, this.#jobs, (own) => this.#runLine(line, own));
    try {
      // `#runLine` handles the loss of its set.
      return this.#queue.submit({ ...spec, afterLoss: 'ignore' });
    } catch (error) {
      if (!isKdsError(error, 'KDS_CAPACITY')) throw error;
      // Without --local the job would fail later: the effect on other lines is the same.
      const run = (): void => {
        this.#fail();
        throw error;
      };
      return this.#queue.submit({ after: spec.after, label: spec.label, run });
    }
  }

  /** Called before the job ends, as its end starts the next one. */
  #fail(): void {
    this.#isFailed = true;
    if (!this.#options.keepsGoing) this.#stop();
  }

  /** Signals are forwarded to running commands; some also end the batch. */
  #catchSignals(): SignalsCaught {
    return new SignalsCaught((signal) => {
      if (!endings.has(signal)) return;
      this.#stoppedBy = signal;
      this.#stop();
    });
  }

  /** Cancels waiting jobs, the latest first, so that no set is granted just before. */
  #stop(): void {
    this.#isStopping = true;
    for (const job of [...this.#jobs.values()].reverse()) if (job.state !== 'running') job.cancel();
  }

  async #runLine(line: BatchLine, { grant }: Parameters<JobRun>[0]): Promise<void> {
    this.#progress.begin(line.label);
    const { lostPolicy } = this.#options;
    const report = (text: string): void => this.#progress.note(lineText(line, text));
    let isLost = grant.signal.aborted;
    const onLost = (): void => {
      isLost = lostPolicy.onLost !== 'ignore';
    };
    grant.signal.addEventListener('abort', onLost, { once: true });
    try {
      if (isLost) throw new CommandFailedError('not started', undefined);
      await runLine(line, grant, (child) => {
        this.#running.add(child);
        child.once('exit', () => this.#running.delete(child));
        endWhenLost(child, grant.signal, lostPolicy, report);
      });
      if (isLost) throw new CommandFailedError('exit code 0', 0);
    } catch (error) {
      this.#fail();
      // Whatever its exit code: it may have worked without the set.
      if (!isLost || !(error instanceof CommandFailedError)) throw error;
      const what = `its set was lost: ${error.message}`;
      throw new CommandFailedError(what, error.exitCode);
    }
  }

  /** Reports the outcome of a line. */
  async #follow(line: BatchLine, job: Job): Promise<void> {
    const { keepsGoing, isJson } = this.#options;
    const startMs = performance.now();
    let error: unknown;
    try {
      await job.done;
      this.#progress.done(line.label);
    } catch (reason) {
      error = reason;
      const isRun = job.state === 'failed';
      if (isRun) this.#progress.failed(line.label, messageOf(line, reason));
      else this.#progress.skipped(line.label);
      this.#isFailed = true;
      if (isRun && !keepsGoing) this.#stop();
    }
    if (isJson) printEnd(line, job, error, performance.now() - startMs);
  }
}

/** A line as a job of a queue, to which the jobs of earlier lines were submitted. */
export function specOf(line: BatchLine, jobs: ReadonlyMap<number, Job>, run: JobRun) {
  return {
    reads: line.set.shared,
    writes: line.set.exclusive,
    ...unitsOf(line),
    after: line.after.flatMap((number) => jobs.get(number) ?? []),
    label: line.label.slice(0, labelLengthMax),
    run,
  };
}

function unitsOf({ set: { units } }: BatchLine) {
  return units.length > 0 && { units: unitsSpecOf(units) };
}

type JobRun = (job: { readonly grant: Parameters<typeof runLine>[1] }) => Promise<void>;

function messageOf(line: BatchLine, reason: unknown): string {
  const what = reason instanceof Error ? reason.message : String(reason);
  return lineText(line, inShellWords(what, firstNameOf(line.set)));
}

function lineText({ number, label }: BatchLine, text: string): string {
  return `line ${number}, ${printable(label)}: ${text}`;
}

function printEnd({ number, id, label }: BatchLine, job: Job, error: unknown, ms: number): void {
  const code = error === undefined ? 0 : undefined;
  const exit = error instanceof CommandFailedError ? error.exitCode : code;
  const message = error instanceof Error ? inShellWords(error.message) : undefined;
  const { state } = job;
  const fields = { line: number, id, label, state, exitCode: exit, error: message };
  print(jsonText({ ...fields, ms: Math.round(ms) }));
}
