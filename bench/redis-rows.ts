/** The rows of Redis; without a server to start, they say so and measure nothing. */

import { comparing } from './comparing.ts';
import { freeInRedis, handOverInRedis, sectionsInRedis } from './redis.ts';
import { memoryInRedis, stepsInRedis } from './redis-queue.ts';
import { hasRedis } from './redis-server.ts';
import type { Comparison, Experiment, Row } from './rows.ts';

/** From that number on. */
export function redisRows(first: number): readonly Row[] {
  return [
    freeRow(first),
    handOverRow(first + 1),
    queueRow(first + 2),
    memoryRow(first + 3),
    sectionsRow(first + 4),
  ];
}

const peers = ['redlock', 'redis-semaphore', 'redlock-universal'];

function freeRow(number: number): Row {
  const sizes = [1, 2, 8, 32];
  const experimentOf = (size: number): string => `free in redis, ${size}`;
  return redisRow({
    number,
    work: 'redis: acquire + release of 1, 2, 8, 32 names, free',
    unit: 'ns',
    experiments: sizes.map((size) => {
      return { name: experimentOf(size), rounds: 60, subjects: () => freeInRedis(size) };
    }),
    comparisons: sizes.flatMap((size): Comparison[] => {
      const compare = comparing(experimentOf(size));
      const kds = `kds, ${size}`;
      const raw = `SET NX + DEL, ${size}`;
      return [
        compare(kds, raw, { timesMax: size === 1 ? 1.5 : 1 }),
        ...peers.map((peer) => compare(kds, `${peer}, ${size}`)),
        compare(kds, `two bare PINGs, ${size}`),
        compare(kds, `two empty scripts, ${size}`),
      ];
    }),
  });
}

function handOverRow(number: number): Row {
  const name = 'hand-over in redis';
  const compare = comparing(name);
  const experiment: Experiment = { name, rounds: 15, subjects: handOverInRedis };
  return redisRow({
    number,
    work: 'redis: a hand-over from one client to another',
    unit: 'ns',
    experiments: [experiment],
    comparisons: [
      ...peers.map((peer) => compare('kds', peer, { timesFasterMin: 20 })),
      compare('kds', 'two bare PINGs', { timesMax: 1 }),
    ],
  });
}

function queueRow(number: number): Row {
  const name = 'queue in redis';
  const compare = comparing(name);
  const subjects = () => stepsInRedis([1000, 100_000]);
  return redisRow({
    number,
    work: 'redis: 100,000 waiters for one name: CPU time of the server for a step',
    unit: 'ns',
    experiments: [{ name, rounds: 15, subjects }],
    comparisons: [compare('kds, 100,000 wait', 'kds, 1,000 wait')],
  });
}

function memoryRow(number: number): Row {
  const subject = 'kds, 100,000 wait';
  const experiment = 'memory in redis';
  const subjects = () => memoryInRedis(subject, 100_000);
  return redisRow({
    number,
    work: 'redis: 100,000 waiters for one name: memory of the server for a waiter',
    unit: 'bytes',
    experiments: [{ name: experiment, rounds: 1, subjects }],
    comparisons: [{ of: { experiment, subject } }],
  });
}

function sectionsRow(number: number): Row {
  const name = 'sections in redis';
  const compare = comparing(name);
  return redisRow({
    number,
    work: 'redis: 64 clients, each with one of 16 names after the other: a section',
    unit: 'ns',
    experiments: [{ name, rounds: 9, subjects: sectionsInRedis }],
    comparisons: peers.map((peer) => compare('kds', peer)),
  });
}

function redisRow(row: Row): Row {
  if (hasRedis) return row;
  const work = `${row.work} (skipped: no redis-server)`;
  return { ...row, work, experiments: [], comparisons: [] };
}
