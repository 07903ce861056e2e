/**
 * A chaos run on Redis: `KDS_STRESS_SECONDS` is its duration, `KDS_SEED` its random seed. A run of
 * a minute or more continues until there have been 10,000 sections.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleProgram, removePrograms } from '../../broker/programs.ts';
import { describeWithRedis } from '../server.ts';
import { runChaos } from './chaos-run.ts';
import { faultNames } from './faults.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 10);
const sectionCountMin = seconds < 60 ? 100 : 10_000;
const seed = Number(process.env['KDS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describeWithRedis('with clients, network and server at fault', () => {
  let program = '';
  beforeAll(async () => {
    program = await bundleProgram(new URL('./client.ts', import.meta.url));
  });
  afterAll(removePrograms);

  it('none overlaps unless the server let its lease end, nothing stale is taken, nothing is left', {
    timeout: (10 * seconds + 1200) * 1000,
  }, async () => {
    console.log(`chaos run on redis: KDS_SEED=${seed}`);
    const { faults, sectionCount, stats } = await runChaos({
      program,
      seconds,
      sectionCountMin,
      seed,
      faultNames,
    });
    console.log(JSON.stringify(stats));
    expect(faults).toEqual([]);
    expect(sectionCount).toBeGreaterThanOrEqual(sectionCountMin);
    for (const name of faultNames) expect(stats, 'all has happened').toHaveProperty([name]);
  });
});
