/**
 * `kds batch`: many commands that say what they read and write, in the order of their lines, as
 * many at a time as that allows.
 *
 * Sets are asked for in the order of the lines, of the broker, so the batch also keeps out of the
 * way of every `kds run` and of other batches. Like make it starts nothing more once a command has
 * failed, lets those that run end, and ends with 2.
 */

import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import {
  createJobQueue,
  graphAsDot,
  graphAsMermaid,
  type Job,
  type JobQueue,
} from '../clients/jobs/index.ts';
import type { Domain } from '../domain/domain.ts';
import { labelLengthMax } from '../domain/limits.ts';
import { createDomain } from '../index.ts';
import { readChoice, readOnly, readOptions, UsageError } from './arguments.ts';
import { type BatchLine, type BatchPlan, readLines } from './batch-lines.ts';
import { CommandFailedError, runLine } from './batch-process.ts';
import { BatchProgress } from './batch-progress.ts';
import { readAddress } from './domain-address.ts';
import { exitCode, exitCodeOfSignal } from './exit-codes.ts';
import { say, shown } from './messages.ts';
import { type OpenedDomain, openAt } from './open-domain.ts';
import { catchSignals } from './terminal-signals.ts';

const options = {
  jobs: { type: 'string', short: 'j' },
  'keep-going': { type: 'boolean', short: 'k' },
  'dry-run': { type: 'boolean', short: 'n' },
  graph: { type: 'string' },
  check: { type: 'boolean' },
  json: { type: 'boolean' },
  local: { type: 'boolean' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  label: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** As make has it: something failed. */
const somethingFailed = 2;
const concurrencyMax = 2 ** 16;

interface BatchOptions {
  readonly concurrency: number;
  readonly keepsGoing: boolean;
  readonly isJson: boolean;
}

/** Undefined if it is help that is wanted. */
export async function batch(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help === true) return undefined;
  const plan = readPlan(readOnly(positionals, 'FILE, or - for standard input,'));
  const concurrency = readConcurrency(values.jobs);
  const graph =
    values.graph === undefined
      ? undefined
      : readChoice(values.graph, ['dot', 'mermaid', 'json'], '--graph');
  for (const { number, message } of plan.faults) say(`line ${number}: ${message}`);
  const keepsGoing = values['keep-going'] === true;
  if (plan.faults.length > 0 && !keepsGoing) {
    say('nothing has been run');
    return somethingFailed;
  }
  const isAsked = graph !== undefined || values.check === true || values['dry-run'] === true;
  if (isAsked) {
    await tellPlan(plan.lines, graph, values.check === true);
    return plan.faults.length > 0 ? somethingFailed : exitCode.done;
  }
  const isLocal = values.local === true;
  if (isLocal && values.domain !== undefined) {
    throw new UsageError('--local asks nobody, and --domain says whom to ask');
  }
  const opened = isLocal
    ? openHere()
    : await openAt(readAddress(values.domain, values.socket), {
        label: values.label ?? 'kds batch',
        // Without its options: a URL among them may have a password.
        command: `kds batch ${positionals[0]}`,
      });
  try {
    const isJson = values.json === true;
    const code = await runBatch(opened.domain, plan.lines, { concurrency, keepsGoing, isJson });
    return code === exitCode.done && plan.faults.length > 0 ? somethingFailed : code;
  } finally {
    await opened.close();
  }
}

function openHere(): OpenedDomain {
  const domain = createDomain();
  return { domain, close: () => domain.close() };
}

function readPlan(file: string): BatchPlan {
  try {
    return readLines(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read ${shown(file)}: ${(error as Error).message}`);
  }
}

function readConcurrency(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= concurrencyMax) return count;
  throw new UsageError(`-j is a number from 1 to ${concurrencyMax}, not ${JSON.stringify(text)}`);
}

/** What would be run, and what waits for what; nothing is. */
async function tellPlan(
  lines: readonly BatchLine[],
  graph: 'dot' | 'mermaid' | 'json' | undefined,
  isCheck: boolean,
): Promise<void> {
  const queue = createJobQueue(createDomain(), {
    capacity: Math.max(1, lines.length),
    isPaused: true,
    onFailure: () => undefined,
  });
  const jobs = new Map<number, Job>();
  for (const line of lines) jobs.set(line.number, queue.submit(specOf(line, jobs, async () => {})));
  if (graph !== undefined) {
    const plan = queue.graph();
    if (graph === 'json') process.stdout.write(`${JSON.stringify(plan)}\n`);
    else process.stdout.write(graph === 'dot' ? graphAsDot(plan) : graphAsMermaid(plan));
  } else if (isCheck) {
    tellUnordered(queue, lines);
  } else {
    for (const { run } of lines) {
      process.stdout.write(`${typeof run === 'string' ? run : run.map(shown).join(' ')}\n`);
    }
  }
  await queue.close();
}

/** Jobs are numbered as they are submitted, from 1 on. */
function tellUnordered(queue: JobQueue, lines: readonly BatchLine[]): void {
  const lineOf = (id: number): string => {
    const line = lines[id - 1] as BatchLine;
    return `line ${line.number} (${shown(line.label)})`;
  };
  for (const { first, second, kind, resource } of queue.check()) {
    const text = `${lineOf(first)} before ${lineOf(second)}: ${kind} of ${shown(resource)}`;
    process.stdout.write(`${text}\n`);
  }
}

function specOf(line: BatchLine, jobs: ReadonlyMap<number, Job>, run: JobRun) {
  return {
    reads: line.reads,
    writes: line.writes,
    after: line.after.flatMap((number) => jobs.get(number) ?? []),
    label: line.label.slice(0, labelLengthMax),
    run,
  };
}

type JobRun = (job: { readonly grant: Parameters<typeof runLine>[1] }) => Promise<void>;

async function runBatch(
  domain: Domain,
  lines: readonly BatchLine[],
  { concurrency, keepsGoing, isJson }: BatchOptions,
): Promise<number> {
  const queue = createJobQueue(domain, { concurrency, onFailure: () => undefined });
  const progress = new BatchProgress(lines.length, process.stderr.isTTY === true && !isJson);
  const running = new Set<ChildProcess>();
  const jobs = new Map<number, Job>();
  let stoppedBy: NodeJS.Signals | undefined;
  let isFailed = false;
  let isStopping = false;
  /** Nothing more is started. The latest first, so that no set comes only to be given back. */
  const stop = (): void => {
    isStopping = true;
    for (const job of [...jobs.values()].reverse()) if (job.state !== 'running') job.cancel();
  };
  const signals = catchSignals(() => undefined);
  signals.child = {
    kill: (signal) => {
      for (const child of running) child.kill(signal);
      const isEnd = signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGHUP';
      if (!isEnd) return true;
      stoppedBy = signal;
      stop();
      return true;
    },
  };
  // The terminal's key has reached them all; signals.child is not told of it.
  process.on('SIGINT', () => {
    stoppedBy = 'SIGINT';
    stop();
  });
  const runOne =
    (line: BatchLine): JobRun =>
    async ({ grant }) => {
      progress.begin(line.label);
      let child: ChildProcess | undefined;
      const onLost = (): void => void child?.kill('SIGTERM');
      grant.signal.addEventListener('abort', onLost, { once: true });
      await runLine(line, grant, (started) => {
        child = started;
        running.add(started);
        started.once('exit', () => running.delete(started));
      });
    };
  const follow = async (line: BatchLine, job: Job): Promise<void> => {
    const startMs = performance.now();
    let error: unknown;
    try {
      await job.done;
      progress.done(line.label);
    } catch (reason) {
      error = reason;
      const isRun = job.state === 'failed';
      if (isRun) progress.failed(line.label, messageOf(line, reason));
      else progress.skipped(line.label);
      isFailed = true;
      if (isRun && !keepsGoing) stop();
    }
    if (isJson) tellEnd(line, job, error, performance.now() - startMs);
  };
  const ends: Promise<void>[] = [];
  for (const line of lines) {
    if (isStopping) {
      progress.skipped(line.label);
      continue;
    }
    const job = queue.submit(specOf(line, jobs, runOne(line)));
    jobs.set(line.number, job);
    ends.push(follow(line, job));
    // The ring is full: whoever waits for a place in it comes before the next line.
    await job.enqueued.catch(() => undefined);
  }
  await Promise.all(ends);
  await queue.close();
  progress.close();
  if (stoppedBy !== undefined) return exitCodeOfSignal(stoppedBy);
  return isFailed ? somethingFailed : exitCode.done;
}

function messageOf(line: BatchLine, reason: unknown): string {
  const what = reason instanceof Error ? reason.message : String(reason);
  return `line ${line.number}, ${shown(line.label)}: ${what}`;
}

function tellEnd({ number, id, label }: BatchLine, job: Job, error: unknown, ms: number): void {
  const code = error === undefined ? 0 : undefined;
  const exit = error instanceof CommandFailedError ? error.exitCode : code;
  const message = error instanceof Error ? error.message : undefined;
  const { state } = job;
  const told = { line: number, id, label, state, exitCode: exit, error: message };
  process.stdout.write(`${JSON.stringify({ ...told, ms: Math.round(ms) })}\n`);
}
