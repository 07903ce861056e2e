/** The rows on units of resources with a capacity. */

import { comparing } from './comparing.ts';
import type { Row, Target } from './rows.ts';
import { freeUnits, queuedUnits, queueingPeers, unitsInArena } from './units.ts';

/** `first`: the number of the first row. */
export function unitsRows(first: number): readonly Row[] {
  return [freeRow(first), queuedRow(first + 1), arenaRow(first + 2)];
}

function freeRow(number: number): Row {
  const compare = comparing('free units');
  const semaphore = 'async-mutex, Semaphore';
  return {
    number,
    work: 'await acquire + release, 2 of 4 units, free',
    unit: 'ns',
    experiments: [{ name: 'free units', rounds: 200, subjects: freeUnits }],
    comparisons: [
      compare('kds, run', 'async-mutex, runExclusive', { timesFasterMin: 5 }),
      compare('kds, acquire', semaphore, { timesFasterMin: 5 }),
      compare('kds, acquire', 'async-sema (2 of 1 unit)', { timesMax: 1 }),
      compare('kds, acquire', 'p-limit (1 unit)', { timesMax: 1 }),
      compare('kds, acquire', 'Effect, Semaphore', { timesMax: 1 }),
      compare('kds, acquire, prepared', semaphore),
      compare('kds, tryAcquireSync, prepared', semaphore),
    ],
  };
}

function queuedRow(number: number): Row {
  const targets: Readonly<Record<string, Target>> = {
    'async-mutex, Semaphore': { timesFasterMin: 50 },
  };
  return {
    number,
    work: '100,000 waiters for 2 of 4 units: a hand-over',
    unit: 'ns',
    experiments: queueingPeers.map(([peer, rounds]) => {
      return { name: `queued units, ${peer}`, rounds, subjects: () => queuedUnits(peer) };
    }),
    comparisons: queueingPeers.flatMap(([peer]) => {
      const compare = comparing(`queued units, ${peer}`);
      const forms = ['kds, promises', 'kds, direct'];
      return forms.map((form) => compare(form, peer, targets[peer]));
    }),
  };
}

function arenaRow(number: number): Row {
  const compare = comparing('units in an arena');
  return {
    number,
    work: 'threads: tryAcquireSync + release, prepared, 2 of 4 units, free',
    unit: 'ns',
    experiments: [{ name: 'units in an arena', rounds: 200, subjects: unitsInArena }],
    comparisons: [compare('2 of 4 units', '2 exclusive names', { timesMax: 1.2 })],
  };
}
