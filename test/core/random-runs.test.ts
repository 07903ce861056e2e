/**
 * Long random runs of core beside the oracle, where model/ is exhaustive but small.
 *
 * A failure prints its seed and path, and the operations left after shrinking. KDS_SEED and
 * KDS_PATH repeat it.
 */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Operation, Pair, toldWith } from '../../model/pair.ts';
import type { MemorySize } from '../../src/core/index.ts';
import { aStep, operationOf, type Step, type StepOptions } from './steps.ts';

const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const path = process.env['KDS_PATH'];
/** Runs of each kind, a multiple of those of every day. */
const factor = Number(process.env['KDS_RUNS'] ?? 1);
/** Whoever only asks whether a run fails need not wait for the shortest one that does. */
const endOnFailure = process.env['KDS_SHRINK'] === 'no';
const replay = { seed, endOnFailure, ...(path === undefined ? {} : { path }) };

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const slotWords = 8;
const headerWords = 16;

interface Run extends StepOptions {
  readonly name: string;
  readonly setCountMax: number;
  readonly stepCountMax: number;
  readonly runCount: number;
  readonly endIdle: boolean;
  /** Slots of memory at most; none for as many as it takes. */
  readonly slotCountMax?: number;
  /** Outcomes that must have come up. */
  readonly shows: readonly string[];
}

const runs: readonly Run[] = [
  {
    name: 'many short runs of few sets',
    resourceCount: 4,
    setSizeMax: 4,
    setCountMax: 8,
    stepCountMax: 60,
    runCount: 1500,
    arrivals: 40,
    endIdle: true,
    shows: ['arrive: deadlock', 'arrive: locked', 'try: done', 'observe: waiting'],
  },
  {
    name: 'a crowd: sixty sets of up to six of eight resources',
    resourceCount: 8,
    setSizeMax: 6,
    setCountMax: 60,
    stepCountMax: 3000,
    runCount: 16,
    arrivals: 60,
    endIdle: false,
    shows: ['arrive: deadlock', 'arrive: locked', 'steal: granted', 'release part: done'],
  },
  {
    name: 'a crowd of readers and small sets on eight resources',
    resourceCount: 8,
    setSizeMax: 2,
    setCountMax: 40,
    stepCountMax: 2000,
    runCount: 20,
    arrivals: 50,
    endIdle: true,
    shows: ['arrive: waiting', 'try: granted', 'downgrade: done', 'end: done'],
  },
  {
    name: 'many short runs of few sets with units of up to five',
    resourceCount: 3,
    setSizeMax: 3,
    setCountMax: 8,
    stepCountMax: 60,
    runCount: 1500,
    arrivals: 50,
    capacityMax: 5,
    endIdle: true,
    shows: [
      'arrive: capacity',
      'arrive: deadlock',
      'upgrade: done',
      'resize: done',
      'try: granted',
    ],
  },
  {
    name: 'a crowd: forty sets with units of up to twenty of six resources',
    resourceCount: 6,
    setSizeMax: 4,
    setCountMax: 40,
    stepCountMax: 2000,
    runCount: 16,
    arrivals: 60,
    capacityMax: 20,
    endIdle: false,
    shows: ['arrive: deadlock', 'steal: granted', 'observe: waiting', 'upgrade: denied'],
  },
  {
    name: 'units, in memory that is soon at its end',
    resourceCount: 5,
    setSizeMax: 5,
    setCountMax: 30,
    stepCountMax: 400,
    runCount: 200,
    arrivals: 60,
    capacityMax: 4,
    endIdle: true,
    slotCountMax: 40,
    shows: ['arrive: full', 'resize: full', 'resize: done', 'arrive: granted'],
  },
  {
    name: 'memory that is soon at its end',
    resourceCount: 6,
    setSizeMax: 6,
    setCountMax: 30,
    stepCountMax: 400,
    runCount: 200,
    arrivals: 60,
    endIdle: true,
    slotCountMax: 40,
    shows: ['arrive: full', 'observe: full', 'steal: full', 'try: full', 'arrive: granted'],
  },
];

describe('core keeps the rule in', () => {
  for (const run of runs) it(run.name, { timeout: 3_600_000 }, () => prove(run));
});

function prove(run: Run): void {
  console.info(`${run.name}: seed ${seed}`);
  const outcomes = new Set<string>();
  const steps = fc.array(aStep(run), { maxLength: run.stepCountMax, size: 'max' });
  const max = run.slotCountMax;
  const slotCount = max === undefined ? fc.constant(undefined) : fc.integer({ min: 8, max });
  const property = fc.property(steps, slotCount, (list, slotCountMax) => {
    walk(list, run, sizeOf(slotCountMax), outcomes);
  });
  fc.assert(property, { ...replay, numRuns: run.runCount * factor });
  if (path === undefined) expect([...outcomes]).toEqual(expect.arrayContaining([...run.shows]));
}

/** Memory begins as small as it can be, so that it grows on the way. */
function sizeOf(slotCountMax: number | undefined): MemorySize {
  if (slotCountMax === undefined) return { wordsMin: headerWords };
  return { wordsMin: headerWords, wordsMax: headerWords + slotCountMax * slotWords };
}

function walk(steps: readonly Step[], run: Run, size: MemorySize, outcomes: Set<string>): void {
  const known = names.slice(0, run.resourceCount);
  const pair = new Pair(known, size, { endIdle: run.endIdle });
  const done: Operation[] = [];
  for (const step of steps) {
    const operation = operationOf(step, pair.oracle, known, run.setCountMax);
    if (operation === undefined) continue;
    done.push(operation);
    try {
      outcomes.add(`${operation.do}: ${pair.apply(operation)}`);
    } catch (cause) {
      throw toldWith(done, cause);
    }
  }
}
