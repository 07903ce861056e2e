/**
 * A chaos run on etcd: three members, processes, networks and clocks that fail. With
 * `KDS_STRESS_SECONDS` it continues until there have been 10,000 sections, and a second run
 * follows, which excuses nothing. `KDS_SEED` is the random seed.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleProgram, removePrograms } from '../../broker/programs.ts';
import { hasEtcd } from '../server.ts';
import { runChaos } from './chaos-run.ts';
import { faultNames } from './faults.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 0);
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const isLong = seconds > 0;

describe.skipIf(!hasEtcd)(hasEtcd ? 'a chaos run on etcd' : 'skipped: no etcd', () => {
  let program = '';

  beforeAll(async () => {
    program = await bundleProgram(new URL('./client.ts', import.meta.url));
  });
  afterAll(() => removePrograms());

  it('no two hold what conflicts, no write is late, nothing is left', {
    timeout: 1e6,
  }, async () => {
    console.info(`chaos run on etcd: KDS_SEED=${seed}`);
    const { faults, sectionCount, stats } = await runChaos({
      program,
      seconds: isLong ? seconds : 6,
      sectionCountMin: isLong ? 10_000 : 100,
      clientCount: isLong ? 8 : 5,
      leaderStoppedMs: isLong ? 10_000 : 1500,
      // Whoever holds something and dies is in the way until its lease is over.
      pauseMsMax: isLong ? 2500 : 500,
      seed,
      faultNames,
    });
    console.info(
      Object.entries(stats)
        .map((entry) => entry.join(': '))
        .join(', '),
    );
    expect(faults).toEqual([]);
    expect(sectionCount).toBeGreaterThan(isLong ? 9999 : 99);
    expect(stats['guarded writes']).toBeGreaterThan(0);
  });

  /** A stopped process, or a moved clock, excuses; a bad network does not. */
  const strict = 'who is cut off, and only that, gives up before anybody else is granted';
  if (isLong) {
    it(strict, { timeout: 1e6 }, async () => {
      console.info(`etcd cut off: KDS_SEED=${seed}`);
      const { faults, stats } = await runChaos({
        program,
        seconds,
        seed,
        faultNames: ['networks frozen'],
        clientCount: 4,
        memberCount: 1,
        isHalfDirect: true,
        isStrict: true,
        holdMsMax: 6000,
      });
      console.info(JSON.stringify(stats));
      expect(faults).toEqual([]);
      expect(stats['lost in time']).toBeGreaterThan(0);
    });
  }
});
