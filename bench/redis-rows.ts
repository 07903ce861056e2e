/** The rows of Redis; without a server to start, they say so and measure nothing. */

import { comparing } from './comparing.ts';
import { freeInRedis, handOverInRedis, sectionsInRedis } from './redis.ts';
import { hasRedis } from './redis-server.ts';
import type { Comparison, Experiment, Row } from './rows.ts';

/** From that number on. */
export function redisRows(first: number): readonly Row[] {
  return [freeRow(first), handOverRow(first + 1), sectionsRow(first + 2)];
}

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
      return [compare(`redlock, ${size}`, `SET NX + DEL, ${size}`)];
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
    comparisons: [compare('redis-semaphore', 'two bare PINGs')],
  });
}

function sectionsRow(number: number): Row {
  const name = 'sections in redis';
  const compare = comparing(name);
  const experiment: Experiment = { name, rounds: 9, subjects: sectionsInRedis };
  return redisRow({
    number,
    work: 'redis: 64 clients, each with one of 16 names after the other: a section',
    unit: 'ns',
    experiments: [experiment],
    comparisons: [compare('redis-semaphore', 'redlock')],
  });
}

function redisRow(row: Row): Row {
  if (hasRedis) return row;
  return {
    ...row,
    work: `${row.work} (skipped: no redis-server)`,
    experiments: [],
    comparisons: [],
  };
}
