/**
 * Sessions are closed while other threads release what they wait for: nothing is held through a
 * closed session afterwards. KDS_STRESS_SECONDS says for how long, KDS_SEED with what randomness.
 */

import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createArena,
  openThreadsDomain,
  type ThreadsDomain,
} from '../../../src/backends/threads/index.ts';
import { type Bundle, bundleWorker } from '../bundle.ts';
import { findArenaFaults, setCountOf } from '../faults/soundness.ts';
import { closingLabel, resourceCount } from './closing-worker.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 3);
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const workerCount = 4;

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./closing-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

interface Report {
  readonly closedCount: number;
  readonly violations: readonly string[];
}

function run(domain: ThreadsDomain, workerData: object): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(bundle.path, { workerData });
    domain.attachWorker(worker);
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

it(
  'nothing is held through a session that is closed, and nothing is left',
  async () => {
    console.info(`closing: ${seconds} s, KDS_SEED=${seed}`);
    const arena = createArena({ bytesMax: 2 ** 22 });
    const domain = openThreadsDomain(arena, { label: 'main' });
    // Who is inside, per resource: worker + 1.
    const inside = new Int32Array(new SharedArrayBuffer(4 * resourceCount));
    const untilMs = Date.now() + seconds * 1000;
    const reports = await Promise.all(
      Array.from({ length: workerCount }, (_, worker) =>
        run(domain, { arena, inside, worker, seed: seed + worker, untilMs }),
      ),
    );
    const counts = reports.map(({ closedCount }) => closedCount);
    console.info(`closing: ${counts.join(', ')} sessions closed`);
    expect(reports.flatMap(({ violations }) => violations)).toEqual([]);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    const { held, pending } = domain.querySync();
    expect([...held, ...pending].filter(({ label }) => label === closingLabel)).toEqual([]);
    expect({ held, pending }).toEqual({ held: [], pending: [] });
    await domain.close();
    expect(setCountOf(arena)).toBe(0);
    expect(findArenaFaults(arena)).toEqual([]);
  },
  (seconds + 120) * 1000,
);
