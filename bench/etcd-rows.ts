/** The rows of etcd; without a server to start, they say so and measure nothing. */

import { comparing } from './comparing.ts';
import { fanOutInEtcd, freeInEtcd, handOverInEtcd } from './etcd.ts';
import { hasEtcd } from './etcd-server.ts';
import type { Comparison, Row } from './rows.ts';

/** From that number on. */
export function etcdRows(first: number): readonly Row[] {
  return [freeRow(first), handOverRow(first + 1), fanOutRow(first + 2)];
}

function freeRow(number: number): Row {
  const sizes = [1, 2, 8, 32];
  const experimentOf = (size: number): string => `free in etcd, ${size}`;
  return etcdRow({
    number,
    work: 'etcd: acquire + release of 1, 2, 8, 32 names, free',
    unit: 'ns',
    experiments: sizes.map((size) => {
      return { name: experimentOf(size), rounds: 25, subjects: () => freeInEtcd(size) };
    }),
    comparisons: sizes.flatMap((size): Comparison[] => {
      const compare = comparing(experimentOf(size));
      const kds = `kds, ${size}`;
      return [
        compare(kds, `etcd3 lock(), ${size}`, { timesMax: 1 }),
        compare(kds, `a bare put and delete, ${size}`),
      ];
    }),
  });
}

function handOverRow(number: number): Row {
  const name = 'hand-over in etcd';
  return etcdRow({
    number,
    work: 'etcd: a hand-over from one client to another',
    unit: 'ns',
    experiments: [{ name, rounds: 15, subjects: handOverInEtcd }],
    comparisons: [comparing(name)('kds', 'etcd3 lock()', { timesMax: 1 })],
  });
}

function fanOutRow(number: number): Row {
  const name = 'fan-out in etcd';
  return etcdRow({
    number,
    work: 'etcd: a hand-over among 2 and among 100 clients, in one process',
    unit: 'ns',
    experiments: [{ name, rounds: 7, subjects: fanOutInEtcd }],
    comparisons: [comparing(name)('100 clients', '2 clients')],
  });
}

function etcdRow(row: Row): Row {
  if (hasEtcd) return row;
  return { ...row, work: `${row.work} (no etcd here)`, experiments: [], comparisons: [] };
}
