/**
 * One of several workers that take units of one resource in every way, and count for themselves
 * what is out: units in all, and who has which.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { CapacityError, WaitTimeoutError } from '../../../src/api/errors.ts';
import { type Arena, openThreadsDomain } from '../../../src/backends/threads/index.ts';
import type { SetSpec, SyncGrant } from '../../../src/index.ts';

/** The names of as many units as there are at most. */
export const unitNames = Array.from({ length: 12 }, (_, index) => `gpu${index}`);

// Words that all threads count in.
/** Units that are out; an exclusive grant counts for none. */
export const OUT = 0;
/** The worker with an exclusive grant, and one. */
export const EXCLUSIVE = 1;
/** The most units that may be out. It holds while CHANGES is even, and the same. */
export const BOUND = 2;
export const CHANGES = 3;
/** By unit: the worker that has it, and one. */
const HOLDERS = 4;
export const wordCount = HOLDERS + unitNames.length;

export interface UnitsReport {
  readonly lookCount: number;
  readonly grantCount: number;
  readonly refusedCount: number;
  readonly upgradeCount: number;
  readonly violations: readonly string[];
}

interface UnitsData {
  readonly arena: Arena;
  readonly counts: Int32Array;
  readonly worker: number;
  readonly seed: number;
  readonly lookCountMin: number;
}

/** A module that a test imports for its constants is no worker. */
if (workerData?.counts !== undefined) void work(workerData as UnitsData);

async function work({ arena, counts, worker, seed, lookCountMin }: UnitsData): Promise<void> {
  const domain = openThreadsDomain(arena, { label: `worker ${worker}` });
  const violations: string[] = [];
  const own = worker + 1;
  let state = seed | 1;
  let [lookCount, grantCount, refusedCount, upgradeCount] = [0, 0, 0, 0];

  function random(count: number): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  }

  function look(isRight: boolean, what: string): void {
    lookCount++;
    if (!isRight) violations.push(`worker ${worker}: ${what}`);
  }

  const spin = (): void => {
    for (let turn = random(300); turn > 0; turn--) Atomics.load(counts, OUT);
  };

  /** A unit without a name is one that a resize has left to its holder. */
  const indexOf = (unit: string | number): number =>
    typeof unit === 'number' ? unit : unitNames.indexOf(unit);

  function enter(units: readonly number[]): void {
    for (const unit of units) {
      const before = Atomics.exchange(counts, HOLDERS + unit, own);
      look(before === 0, `unit ${unit} is that of worker ${before - 1}`);
    }
  }

  function leave(units: readonly number[]): void {
    for (const unit of units) {
      const found = Atomics.exchange(counts, HOLDERS + unit, 0);
      look(found === own, `its unit ${unit} was that of ${found - 1}`);
    }
  }

  /** Alone, with all units. */
  function visitAlone(grant: SyncGrant): void {
    const units = (grant.units['gpu'] ?? []).map(indexOf);
    const before = Atomics.exchange(counts, EXCLUSIVE, own);
    look(before === 0, `worker ${before - 1} is there, alone`);
    look(Atomics.load(counts, OUT) === 0, `${Atomics.load(counts, OUT)} units are out`);
    enter(units);
    spin();
    leave(units);
    look(Atomics.load(counts, OUT) === 0, `${Atomics.load(counts, OUT)} units came out`);
    Atomics.store(counts, EXCLUSIVE, 0);
  }

  /** With some units, of which it may give some back, or become alone with all. */
  function visit(grant: SyncGrant, count: number): void {
    const changes = Atomics.load(counts, CHANGES);
    const out = Atomics.add(counts, OUT, count) + count;
    const bound = Atomics.load(counts, BOUND);
    const isSteady = changes % 2 === 0 && changes === Atomics.load(counts, CHANGES);
    look(out <= (isSteady ? bound : unitNames.length), `${out} units are out, of ${bound}`);
    look(Atomics.load(counts, EXCLUSIVE) === 0, 'it came to one that is alone');
    const units = (grant.units['gpu'] ?? []).map(indexOf);
    look(units.length === count, `it has ${units.length} units for ${count}`);
    enter(units);
    spin();
    const way = random(4);
    const kept = way === 0 ? 1 + random(count) : count;
    leave(units.slice(kept));
    Atomics.sub(counts, OUT, count - kept);
    if (way === 0) {
      grant.downgrade({ units: { gpu: kept } });
      const left = (grant.units['gpu'] ?? []).map(indexOf);
      look(String(left) === String(units.slice(0, kept)), `${left} are left of ${units}`);
      spin();
    }
    leave(units.slice(0, kept));
    Atomics.sub(counts, OUT, kept);
    if (way !== 1 || !grant.tryUpgrade('gpu')) return;
    upgradeCount++;
    visitAlone(grant);
    if (random(2) === 0) grant.downgrade();
  }

  while (lookCount < lookCountMin && violations.length === 0) {
    const count = 1 + random(random(3) === 0 ? unitNames.length : 4);
    const way = random(8);
    const set: SetSpec =
      way === 0
        ? { exclusive: 'gpu' }
        : way === 1
          ? { shared: ['gpu', 'other'] }
          : { units: { gpu: count }, shared: 'other' };
    const terms = random(4) === 0 ? { timeoutMs: random(3) } : {};
    try {
      const isAsync = random(5) === 0;
      const grant = isAsync ? await domain.acquire(set, terms) : domain.acquireSync(set, terms);
      grantCount++;
      if (way === 0) visitAlone(grant);
      else visit(grant, way === 1 ? 1 : count);
      grant.release();
    } catch (error) {
      if (error instanceof CapacityError) refusedCount++;
      else if (!(error instanceof WaitTimeoutError)) violations.push(String(error));
    }
    if (random(50) === 0) await new Promise(setImmediate);
  }
  await domain.close();
  const report: UnitsReport = { lookCount, grantCount, refusedCount, upgradeCount, violations };
  parentPort?.postMessage(report);
}
