/**
 * `kds batch`: commands that declare what they read and write, in the order of their lines, as many
 * at a time as that allows.
 *
 * Sets are requested from the broker in the order of the lines, so the batch also excludes every
 * `kds run` and other batches. Like make it starts no more commands once one has failed, waits for
 * those that run, and ends with 2.
 */

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { SyncDomain } from '../api/domain.ts';
import { ALL } from '../api/mode.ts';
import { createDomain } from '../index.ts';
import {
  createJobQueue,
  graphAsDot,
  graphAsMermaid,
  type Job,
  type JobQueue,
} from '../recipes/jobs/index.ts';
import { jsonText } from '../runtime/escape.ts';
import {
  checkNameLengths,
  checkNames,
  quoted,
  readChoice,
  readOnly,
  readOptions,
  UsageError,
} from './arguments.ts';
import { type BatchLine, type BatchPlan, readLines } from './batch-lines.ts';
import { runBatch, somethingFailed, specOf } from './batch-run.ts';
import { readAddress } from './domain-address.ts';
import { exitCode } from './exit-codes.ts';
import { lostOptions, readLostPolicy } from './lost-command.ts';
import { printable, report } from './messages.ts';
import { openAt } from './open-domain.ts';
import type { OpenedDomain } from './opened-domain.ts';
import { readCount } from './units-argument.ts';

const options = {
  jobs: { type: 'string', short: 'j' },
  'keep-going': { type: 'boolean', short: 'k' },
  'dry-run': { type: 'boolean', short: 'n' },
  graph: { type: 'string' },
  check: { type: 'boolean' },
  json: { type: 'boolean' },
  local: { type: 'boolean' },
  capacity: { type: 'string', multiple: true },
  domain: { type: 'string' },
  socket: { type: 'string' },
  label: { type: 'string' },
  ...lostOptions,
  help: { type: 'boolean', short: 'h' },
} as const;

const concurrencyMax = 2 ** 16;

/** Undefined if help is requested. */
export async function batch(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help === true) return undefined;
  const isLocal = values.local === true;
  const capacities = readCapacities(values.capacity ?? [], isLocal);
  const file = readOnly(positionals, 'FILE, or - for standard input,');
  const plan = readPlan(file, isLocal ? capacities : undefined);
  const concurrency = readConcurrency(values.jobs);
  const lostPolicy = readLostPolicy(values);
  const graph =
    values.graph === undefined
      ? undefined
      : readChoice(values.graph, ['dot', 'mermaid', 'json'], '--graph');
  for (const { number, message } of plan.faults) report(`line ${number}: ${message}`);
  const keepsGoing = values['keep-going'] === true;
  if (plan.faults.length > 0 && !keepsGoing) {
    report('nothing was run');
    return somethingFailed;
  }
  const isPrinted = graph !== undefined || values.check === true || values['dry-run'] === true;
  if (isPrinted) {
    await printPlan(plan.lines, graph, values.check === true);
    return plan.faults.length > 0 ? somethingFailed : exitCode.done;
  }
  if (isLocal && values.domain !== undefined) {
    throw new UsageError('--local and --domain cannot be used together');
  }
  const opened = isLocal
    ? openHere(capacities)
    : await openAt(readAddress(values.domain, values.socket), {
        label: values.label ?? 'kds batch',
        // Without its options: a URL among them may have a password.
        command: `kds batch ${file}`,
      });
  try {
    const isJson = values.json === true;
    const how = { concurrency, keepsGoing, isJson, lostPolicy };
    const code = await runBatch(opened.domain, plan.lines, how);
    return code === exitCode.done && plan.faults.length > 0 ? somethingFailed : code;
  } finally {
    await opened.close();
  }
}

function openHere(capacities: ReadonlyMap<string, number>): OpenedDomain {
  const domain = createDomain({ capacity: Object.fromEntries(capacities) });
  return { domain, close: () => domain.close() };
}

function readPlan(file: string, capacities?: ReadonlyMap<string, number>): BatchPlan {
  try {
    return readLines(readFileSync(file === '-' ? 0 : file, 'utf8'), capacities);
  } catch (error) {
    throw new UsageError(`cannot read ${printable(file)}: ${(error as Error).message}`);
  }
}

/** The values of `--capacity`: the name ends at the last `=`. @throws UsageError */
function readCapacities(texts: readonly string[], isLocal: boolean): ReadonlyMap<string, number> {
  if (texts.length > 0 && !isLocal) {
    throw new UsageError('--capacity requires --local: with the broker, use kds capacity');
  }
  const capacities = new Map<string, number>();
  for (const text of texts) {
    const end = text.lastIndexOf('=');
    if (end === -1) throw new UsageError(`--capacity must be NAME=COUNT, got ${quoted(text)}`);
    const name = text.slice(0, end);
    checkNames([name], '--capacity');
    checkNameLengths([name]);
    if (capacities.has(name)) throw new UsageError(`--capacity names ${quoted(name)} twice`);
    capacities.set(name, readCount(text.slice(end + 1), `the capacity of ${quoted(name)}`));
  }
  return capacities;
}

function readConcurrency(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= concurrencyMax) return count;
  throw new UsageError(
    `-j must be a number from 1 to ${concurrencyMax}, got ${JSON.stringify(text)}`,
  );
}

/** Prints the commands, their graph or the check, and runs none of them. */
async function printPlan(
  lines: readonly BatchLine[],
  graph: 'dot' | 'mermaid' | 'json' | undefined,
  isCheck: boolean,
): Promise<void> {
  const domain = createDomain();
  const queue = createJobQueue(domain, {
    capacity: Math.max(1, lines.length),
    isPaused: true,
    onFailure: () => undefined,
  });
  submitAll(queue, domain, lines);
  if (graph !== undefined) {
    const plan = queue.graph();
    if (graph === 'json') process.stdout.write(`${jsonText(plan)}\n`);
    else process.stdout.write(graph === 'dot' ? graphAsDot(plan) : graphAsMermaid(plan));
  } else if (isCheck) {
    printUnordered(queue, lines);
  } else {
    for (const { run } of lines) {
      process.stdout.write(
        `${typeof run === 'string' ? run : run.map((word) => printable(word)).join(' ')}\n`,
      );
    }
  }
  await queue.close();
}

/** A job for each line, of which none runs: capacities are not known, and do not matter. */
function submitAll(queue: JobQueue, domain: SyncDomain, lines: readonly BatchLine[]): void {
  const jobs = new Map<number, Job>();
  for (const line of lines) {
    const units = line.set.units.map(({ name, count }): [string, number] => [name, count]);
    for (const [name] of units) domain.setCapacity(name, ALL);
    const spec = { ...specOf(line, jobs, async () => {}), units: new Map(units) };
    jobs.set(line.number, queue.submit(spec));
  }
}

/** Jobs are numbered as they are submitted, from 1 on. */
function printUnordered(queue: JobQueue, lines: readonly BatchLine[]): void {
  const lineOf = (id: number): string => {
    const line = lines[id - 1] as BatchLine;
    return `line ${line.number} (${printable(line.label)})`;
  };
  for (const { first, second, kind, resource } of queue.check()) {
    const text = `${lineOf(first)} before ${lineOf(second)}: ${kind} of ${printable(resource)}`;
    process.stdout.write(`${text}\n`);
  }
}
