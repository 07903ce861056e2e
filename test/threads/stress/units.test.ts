/**
 * Units are taken in every way by several workers, as the capacity changes. KDS_STRESS_LOOKS says
 * how often they check what is out, KDS_SEED with what randomness.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bundle, bundleWorker } from '../bundle.ts';
import { takeUnits } from './units-run.ts';

const lookCount = Number(process.env['KDS_STRESS_LOOKS'] ?? 40_000);
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleWorker(new URL('./units-worker.ts', import.meta.url));
});
afterAll(() => bundle.remove());

it(`no unit is out twice, and never too many, in ${lookCount} looks`, async () => {
  console.info(`units: KDS_SEED=${seed}`);
  const { faults, left, ...counts } = await takeUnits(bundle.path, lookCount, seed);
  console.info('units:', counts);
  expect(faults).toEqual([]);
  expect(left).toEqual({ out: 0, exclusive: 0, sets: 0 });
  expect(counts.lookCount).toBeGreaterThanOrEqual(lookCount);
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
});
