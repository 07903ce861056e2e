/** Several workers that take units while this thread changes how many there are. */

import { Worker } from 'node:worker_threads';
import { createArena, openThreadsDomain } from '../../../src/backends/threads/index.ts';
import { findArenaFaults, setCountOf } from '../faults/soundness.ts';
import {
  BOUND,
  CHANGES,
  EXCLUSIVE,
  OUT,
  type UnitsReport,
  unitNames,
  wordCount,
} from './units-worker.ts';

const workerCount = 4;

/** Returns what was seen; `faults` is to be empty. */
export async function takeUnits(path: string, lookCount: number, seed: number) {
  const arena = createArena({ bytesMax: 2 ** 20 });
  const domain = openThreadsDomain(arena, { label: 'main', capacity: { gpu: unitNames } });
  const counts = new Int32Array(new SharedArrayBuffer(4 * wordCount));
  counts[BOUND] = unitNames.length;
  let openCount = workerCount;
  const reports = Promise.all(
    Array.from({ length: workerCount }, (_, worker) => {
      const workerData = { arena, counts, worker, seed: seed + worker };
      const lookCountMin = Math.ceil(lookCount / workerCount);
      return new Promise<UnitsReport>((resolve, reject) => {
        const thread = new Worker(path, { workerData: { ...workerData, lookCountMin } });
        domain.attachWorker(thread);
        thread.once('message', resolve);
        thread.once('error', reject);
      }).finally(() => openCount--);
    }),
  );
  let capacity = unitNames.length;
  let resizeCount = 0;
  const bound = (units: number): void => {
    Atomics.add(counts, CHANGES, 1);
    Atomics.store(counts, BOUND, units);
    Atomics.add(counts, CHANGES, 1);
  };
  while (openCount > 0) {
    const next = 3 + ((resizeCount * 7 + seed) % (unitNames.length - 2));
    if (next > capacity) bound(next);
    domain.setCapacity('gpu', unitNames.slice(0, next));
    // Holders go on as the capacity falls: from when what is out fits, it always does.
    while ((domain.capacity('gpu')?.taken ?? 0) > next) await new Promise(setImmediate);
    if (next < capacity) bound(next);
    capacity = next;
    resizeCount++;
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  }
  const all = await reports;
  await domain.close();
  const sum = (key: Exclude<keyof UnitsReport, 'violations'>): number =>
    all.reduce((total, report) => total + report[key], 0);
  const [out, exclusive, sets] = [counts[OUT], counts[EXCLUSIVE], setCountOf(arena)];
  return {
    faults: [...all.flatMap(({ violations }) => violations), ...findArenaFaults(arena)],
    left: { out, exclusive, sets },
    lookCount: sum('lookCount'),
    grantCount: sum('grantCount'),
    refusedCount: sum('refusedCount'),
    upgradeCount: sum('upgradeCount'),
    resizeCount,
  };
}
