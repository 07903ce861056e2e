/** What is compared with what, and how far apart it is to be (DESIGN.md, section 6). */

import { hasMake, tinyCommands } from './batch.ts';
import { freeAtBroker, handOverAtBroker } from './broker.ts';
import { runTrue } from './cli.ts';
import { comparing } from './comparing.ts';
import { etcdRows } from './etcd-rows.ts';
import { signalledFence } from './fences.ts';
import { awaitedName, awaitedPair, syncPair } from './free.ts';
import { amongHeld, amongNames, besideHeld } from './held.ts';
import { queuedJobs } from './jobs.ts';
import { pipeline, pipelineForms, pipelineRounds } from './pipeline.ts';
import * as queued from './queued.ts';
import { redisRows } from './redis-rows.ts';
import type { Subject } from './sampling.ts';
import { betweenShells, hasFlock } from './shells.ts';
import { startUpModules, startUpPeers, startUpTime } from './start-up.ts';
import { freeInArena, handOver, workerToWorker } from './threads.ts';
import { unitsRows } from './units-rows.ts';
import { usedProcess } from './used.ts';
import * as waiting from './waiting.ts';
import { freeWebLock, queuedWebLocks } from './web-locks.ts';

/** What one process runs: subjects side by side. */
export interface Experiment {
  readonly name: string;
  readonly rounds: number;
  subjects(): Subject[] | Promise<Subject[]>;
}

export type Target =
  /** So many times as fast as the other, at least. */
  | { readonly timesFasterMin: number }
  /** So many times the other's time or bytes, at most. */
  | { readonly timesMax: number }
  | { readonly bytesMax: number }
  | { readonly nsMax: number };

export interface Side {
  readonly experiment: string;
  readonly subject: string;
}

export interface Comparison {
  readonly of: Side;
  /** None for what is held against a fixed figure. */
  readonly against?: Side;
  /** None for figures that are there for information. */
  readonly target?: Target;
}

export interface Row {
  readonly number: number;
  readonly work: string;
  readonly unit: 'ns' | 'bytes' | 'modules' | 'vsyncs';
  readonly experiments: readonly Experiment[];
  readonly comparisons: readonly Comparison[];
}

const hasWebLocks = globalThis.navigator?.locks !== undefined;

function syncPairRow(): Row {
  const compare = comparing('free sync pair');
  return {
    number: 1,
    work: 'tryAcquireSync + release, prepared, 2 exclusive handles, free',
    unit: 'ns',
    experiments: [{ name: 'free sync pair', rounds: 400, subjects: syncPair }],
    comparisons: [compare('kds, tryAcquireSync', 'a bare await', { timesMax: 0.7 })],
  };
}

function awaitedPairRow(): Row {
  const compare = comparing('free pair');
  const mutexes = 'two async-mutexes in order';
  return {
    number: 2,
    work: 'await acquire + release, 2 names, free',
    unit: 'ns',
    experiments: [{ name: 'free pair', rounds: 200, subjects: awaitedPair }],
    comparisons: [
      compare('kds, acquire', 'async-lock', { timesFasterMin: 6.5 }),
      compare('kds, acquire', mutexes, { timesFasterMin: 28 }),
      compare('kds, acquire', '@matrixai/async-locks'),
      ...(hasWebLocks ? [compare('kds, acquire', 'navigator.locks')] : []),
      compare('kds, acquire', 'a bare Promise.all'),
      compare('kds, acquire', 'a bare await', { timesMax: 2 }),
      compare('kds, acquire, prepared', 'a bare await'),
      compare('a bare await', mutexes),
    ],
  };
}

function awaitedNameRow(): Row {
  const compare = comparing('free name');
  return {
    number: 3,
    work: 'await acquire + release, 1 name, free',
    unit: 'ns',
    experiments: [{ name: 'free name', rounds: 200, subjects: awaitedName }],
    comparisons: [
      compare('kds, acquire', '@rocicorp/lock', { timesMax: 0.65 }),
      compare('kds, acquire', 'await-lock', { timesMax: 1.75 }),
      compare('kds, acquire', 'async-mutex'),
      compare('kds, acquire', 'async-lock'),
      compare('kds, acquire', '@matrixai/async-locks'),
      ...(hasWebLocks ? [compare('kds, acquire', 'navigator.locks')] : []),
      compare('kds, acquire', 'a bare await'),
      compare('kds, acquire, prepared', 'a bare await'),
    ],
  };
}

function handoverRow(): Row {
  const matrixCount = 20_000;
  const far: Targets = [{ timesFasterMin: 50 }, { timesFasterMin: 50 }];
  const near: Targets = [{ timesMax: 1.4 }, { timesMax: 0.9 }];
  const peers: [peer: string, rounds: number, subjects: () => Subject[], targets?: Targets][] = [
    ['async-lock', 2, () => queued.handover('async-lock', queued.asyncLock), far],
    ['async-mutex', 2, () => queued.handover('async-mutex', queued.asyncMutex), far],
    ['@rocicorp/lock', 31, () => queued.handover('@rocicorp/lock', queued.rocicorp), near],
    ['await-lock', 3, () => queued.handover('await-lock', queued.awaitLock)],
    [matrixName, 3, () => queued.handover(matrixName, queued.matrix, matrixCount)],
  ];
  if (hasWebLocks) {
    const queueing = queued.webLocks;
    peers.push(['navigator.locks', 5, () => queued.handover('navigator.locks', queueing)]);
  }
  return {
    number: 4,
    work: '100,000 waiters for one name: a hand-over',
    unit: 'ns',
    experiments: peers.map(([peer, rounds, subjects]) => {
      return { name: `queue, ${peer}`, rounds, subjects };
    }),
    comparisons: peers.flatMap(([peer, , , targets]) => {
      const compare = comparing(`queue, ${peer}`);
      return [
        compare('kds, promises', peer, targets?.[0]),
        compare('kds, direct', peer, targets?.[1]),
      ];
    }),
  };
}

/** Of the form by promises, and of the direct one. */
type Targets = readonly [promises: Target, direct: Target];

const matrixName = '@matrixai/async-locks (20,000)';

function sizesRow(): Row {
  const direct = (): Subject[] => queued.handoverBySize('kds, direct', queued.direct);
  const promises = (): Subject[] => queued.handoverBySize('kds, promises', queued.promises);
  const experiments: Experiment[] = [
    { name: 'sizes, direct', rounds: 9, subjects: direct },
    { name: 'sizes, promises', rounds: 9, subjects: promises },
    { name: 'sizes, beside', rounds: 41, subjects: besideHeld },
    { name: 'sizes, among', rounds: 21, subjects: amongHeld },
    { name: 'sizes, Map', rounds: 21, subjects: amongNames },
  ];
  const subjects = [
    ['sizes, direct', 'kds, direct,', 'wait', { timesMax: 1.3 }, { timesMax: 3 }],
    ['sizes, promises', 'kds, promises,', 'wait', { timesMax: 1.3 }, { timesMax: 3 }],
    ['sizes, beside', 'kds, beside', 'held', { timesMax: 1.3 }, { timesMax: 3 }],
    ['sizes, among', 'kds, among', 'held', { timesMax: 1.3 }, { timesMax: 3 }],
    ['sizes, Map', 'a Map, among', 'names', undefined, undefined],
  ] as const;
  return {
    number: 5,
    work: '1,000,000 waiters, or 1,000,000 names: a step',
    unit: 'ns',
    experiments,
    comparisons: subjects.flatMap(([experiment, subject, does, large, huge]) => {
      const compare = comparing(experiment);
      const at = (size: string): string => `${subject} ${size} ${does}`;
      return [
        compare(at('1,000,000'), at('100,000'), large),
        compare(at('1,000,000'), at('1,000'), huge),
      ];
    }),
  };
}

function memoryRow(): Row {
  const many = 1_000_000;
  const experiment = (
    subject: string,
    filling: Parameters<typeof waiting.memorySubject>[1],
    count = many,
  ): Experiment => {
    const subjects = (): Subject[] => waiting.memorySubject(subject, filling, count);
    return { name: `memory, ${subject}`, rounds: 1, subjects };
  };
  const side = (subject: string): Side => ({ experiment: `memory, ${subject}`, subject });
  const kds = 'kds, direct, 2 names';
  const fewer = `${kds}, 100,000 wait`;
  const promises = 'kds, promises, 2 names';
  const peers = [
    experiment('@rocicorp/lock', waiting.rocicorp),
    experiment('await-lock', waiting.awaitLock),
    experiment('async-mutex', waiting.asyncMutex),
    experiment('async-lock', waiting.asyncLock),
    experiment(matrixName, waiting.matrix, 20_000),
    ...(hasWebLocks ? [experiment('navigator.locks', waiting.webLocks, 100_000)] : []),
  ];
  const least = { timesMax: 1 };
  return {
    number: 6,
    work: 'memory of a waiter, 1,000,000 waiters; of peers for 1 name',
    unit: 'bytes',
    experiments: [
      experiment(kds, waiting.kdsDirect),
      experiment(fewer, waiting.kdsDirect, 100_000),
      experiment(promises, waiting.kdsPromises),
      ...peers,
    ],
    comparisons: [
      { of: side(kds), target: { bytesMax: 194 } },
      { of: side(fewer), target: { bytesMax: 194 } },
      { of: side(promises), target: { bytesMax: 440 } },
      ...peers.map(({ name }): Comparison => {
        return { of: side(kds), against: side(name.slice('memory, '.length)), target: least };
      }),
    ],
  };
}

function arenaRow(): Row {
  const compare = comparing('free in an arena');
  return {
    number: 7,
    work: 'threads: tryAcquireSync + release, prepared, 2 exclusive handles, free',
    unit: 'ns',
    experiments: [{ name: 'free in an arena', rounds: 200, subjects: freeInArena }],
    comparisons: [
      compare('kds, threads', 'a bare await', { timesMax: 2.5 }),
      compare('kds, threads', 'kds, one event loop'),
    ],
  };
}

function handOverRow(): Row {
  const compare = comparing('hand-over');
  return {
    number: 8,
    work: 'threads: a hand-over between two threads',
    unit: 'ns',
    experiments: [{ name: 'hand-over', rounds: 31, subjects: handOver }],
    comparisons: [
      compare('kds, to a blocked thread', 'a bare Atomics.wait', { timesMax: 1.1 }),
      compare('kds, to a spinning thread', 'a bare spin', { timesMax: 12 }),
    ],
  };
}

function workerToWorkerRow(): Row {
  const compare = comparing('worker to worker');
  const idle = 'bounced through an idle main';
  const busy = 'bounced through a busy main';
  const port = 'a MessagePort between them';
  const p99 = (form: string): string => `${form}, p99`;
  return {
    number: 9,
    work: 'worker to worker: from the end of one step to the start of the next',
    unit: 'ns',
    experiments: [{ name: 'worker to worker', rounds: 11, subjects: workerToWorker }],
    comparisons: [
      compare('kds, blocked', busy, { timesFasterMin: 20 }),
      compare('kds, awaited', busy, { timesFasterMin: 20 }),
      compare('kds, blocked', idle),
      compare('kds, awaited', idle),
      compare('kds, awaited', port, { timesMax: 1 }),
      ...(hasWebLocks ? [compare('kds, awaited', 'navigator.locks')] : []),
      compare(p99('kds, blocked'), p99(busy)),
      compare(p99('kds, awaited'), p99(busy)),
      compare(p99('kds, awaited'), p99(port), { timesMax: 0.5 }),
    ],
  };
}

function freeAtBrokerRow(): Row {
  const compare = comparing('free at the broker');
  return {
    number: 10,
    work: 'broker: acquire + release, 2 names, free',
    unit: 'ns',
    experiments: [{ name: 'free at the broker', rounds: 200, subjects: freeAtBroker }],
    comparisons: [compare('kds, broker', 'two bare echoes', { timesMax: 1.5 })],
  };
}

function handOverAtBrokerRow(): Row {
  const compare = comparing('hand-over at the broker');
  const few = '10 waiters, 10 connections';
  return {
    number: 11,
    work: 'broker: a hand-over from one client to the next',
    unit: 'ns',
    experiments: [{ name: 'hand-over at the broker', rounds: 21, subjects: handOverAtBroker }],
    comparisons: [compare('10,000 waiters, 1,000 connections', few)],
  };
}

function commandRow(): Row {
  const compare = comparing('command');
  const bare = 'node -e 0, then true';
  return {
    number: 12,
    work: 'the command line: kds run, from start to end, with a running broker',
    unit: 'ns',
    experiments: [{ name: 'command', rounds: 41, subjects: runTrue }],
    comparisons: [
      compare('kds run -x a -- true', bare, { timesMax: 1.3 }),
      compare('kds run -x a -s b -- true', bare, { timesMax: 1.3 }),
    ],
  };
}

function jobsRow(): Row {
  const experiment = 'queued jobs';
  const compare = comparing(experiment);
  const kds = 'kds, jobs';
  return {
    number: 13,
    work: '100,000 queued jobs, each reads a name and writes another: a job',
    unit: 'ns',
    experiments: [{ name: experiment, rounds: 9, subjects: queuedJobs }],
    comparisons: [
      { of: { experiment, subject: kds }, target: { nsMax: 5000 } },
      compare(kds, 'p-graph (5,000)'),
      compare(kds, 'p-queue, one at a time', { timesMax: 0.9 }),
      compare(kds, 'promise chains', { timesMax: 0.9 }),
    ],
  };
}

function batchRow(): Row {
  const compare = comparing('tiny commands');
  return {
    number: 14,
    work: '1,000 tiny commands, one at a time for each processor: a command',
    unit: 'ns',
    experiments: [{ name: 'tiny commands', rounds: 7, subjects: tinyCommands }],
    comparisons: [
      compare('kds batch', 'xargs -P'),
      ...(hasMake ? ['kds batch', 'kds batch --local'] : []).map((kds) => compare(kds, 'make -j')),
    ],
  };
}

function betweenShellsRow(): Row {
  const compare = comparing('between shells');
  return {
    number: 15,
    work: 'between shells: from the end of a command to the start of the next, 2 resources',
    unit: 'ns',
    experiments: [{ name: 'between shells', rounds: 41, subjects: betweenShells }],
    comparisons: [compare('kds run', 'flock in flock')],
  };
}

function webLocksRow(): Row {
  const compare = comparing('free web lock');
  const kds = 'kds, LockManager';
  return {
    number: 16,
    work: 'LockManager.request, 1 name, free',
    unit: 'ns',
    experiments: [{ name: 'free web lock', rounds: 61, subjects: freeWebLock }],
    comparisons: [
      ...(hasWebLocks ? [compare(kds, 'built in')] : []),
      compare(kds, 'web-locks', { timesMax: 0.4 }),
      compare(kds, 'navigator.locks (polyfill)'),
    ],
  };
}

function queuedWebLocksRow(): Row {
  const compare = comparing('queued web locks');
  const kds = 'kds, LockManager';
  return {
    number: 17,
    work: 'LockManager.request, 1,000 for one name: a request',
    unit: 'ns',
    experiments: [{ name: 'queued web locks', rounds: 31, subjects: queuedWebLocks }],
    comparisons: [
      ...(hasWebLocks ? [compare(kds, 'built in', { timesMax: 0.5 })] : []),
      compare(kds, 'web-locks', { timesMax: 2.5 }),
    ],
  };
}

function fenceRow(): Row {
  const compare = comparing('signalled fence');
  return {
    number: 18,
    work: 'a fence: created, given a callback, signalled',
    unit: 'ns',
    experiments: [{ name: 'signalled fence', rounds: 200, subjects: signalledFence }],
    comparisons: [
      compare('kds, fence', 'a bare promise'),
      compare('kds, fence, awaited', 'a bare promise'),
    ],
  };
}

/** In rows 1 to 3 of a real program, kds has been used for everything else too. */
function usedProcessRow(): Row {
  const acquires = ['kds, acquire', 'kds, acquire, prepared'];
  const bare = 'a bare await';
  const loops = [
    { row: 1, names: ['kds, tryAcquireSync'] },
    { row: 2, names: acquires },
    { row: 3, names: acquires },
  ] as const;
  const experimentOf = (row: number): string => `row ${row} in used processes`;
  return {
    number: 30,
    work: 'rows 1 to 3 in a process that has used everything, compared with a clean one',
    unit: 'ns',
    experiments: loops.map(({ row, names }) => {
      return {
        name: experimentOf(row),
        rounds: 100,
        subjects: () => usedProcess(row, [...names, bare]),
      };
    }),
    comparisons: loops.flatMap(({ row, names }) => {
      const compare = comparing(experimentOf(row));
      return [
        ...names.map((name) => compare(`${name}, used`, `${name}, clean`, { timesMax: 1.15 })),
        compare(`${bare}, used`, `${bare}, clean`),
      ];
    }),
  };
}

function startUpTimeRow(): Row {
  const compare = comparing('start-up');
  return {
    number: 31,
    work: 'start-up: the import and the first acquire',
    unit: 'ns',
    experiments: [{ name: 'start-up', rounds: 21, subjects: startUpTime }],
    comparisons: startUpPeers.map((peer) => compare('kds', peer)),
  };
}

function startUpModulesRow(): Row {
  const compare = comparing('start-up, modules');
  return {
    number: 32,
    work: 'start-up: modules loaded for it',
    unit: 'modules',
    experiments: [{ name: 'start-up, modules', rounds: 1, subjects: startUpModules }],
    comparisons: startUpPeers.map((peer) => compare('kds', peer)),
  };
}

/** Both rows of the pipeline are of one run. */
const pipelineExperiment: Experiment = {
  name: 'pipeline',
  rounds: pipelineRounds,
  subjects: pipeline,
};

function pipelineRow(): Row {
  const compare = comparing(pipelineExperiment.name);
  const { direct, idle, busy } = pipelineForms;
  const p99 = (form: string): string => `${form}, p99`;
  return {
    number: 33,
    work: 'the pipeline of npm start: a hand-over from one stage to the next',
    unit: 'ns',
    experiments: [pipelineExperiment],
    comparisons: [
      compare(direct, idle, { timesMax: 0.5 }),
      compare(direct, busy),
      compare(p99(direct), p99(idle), { timesMax: 0.8 }),
      compare(p99(direct), p99(busy), { timesMax: 0.25 }),
    ],
  };
}

function missedVsyncsRow(): Row {
  const experiment = pipelineExperiment.name;
  return {
    number: 34,
    work: 'the pipeline of npm start: vsyncs missed in a round of 60 frames',
    unit: 'vsyncs',
    experiments: [pipelineExperiment],
    comparisons: Object.values(pipelineForms).map((form) => {
      return { of: { experiment, subject: `${form}, missed` } };
    }),
  };
}

export const rows: readonly Row[] = [
  syncPairRow(),
  awaitedPairRow(),
  awaitedNameRow(),
  handoverRow(),
  sizesRow(),
  memoryRow(),
  arenaRow(),
  handOverRow(),
  workerToWorkerRow(),
  freeAtBrokerRow(),
  handOverAtBrokerRow(),
  commandRow(),
  jobsRow(),
  batchRow(),
  ...(hasFlock ? [betweenShellsRow()] : []),
  webLocksRow(),
  queuedWebLocksRow(),
  fenceRow(),
  ...redisRows(19),
  ...etcdRows(24),
  ...unitsRows(27),
  usedProcessRow(),
  startUpTimeRow(),
  startUpModulesRow(),
  pipelineRow(),
  missedVsyncsRow(),
];
