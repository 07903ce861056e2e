/**
 * The etcd backend in many worlds, each of one seed. A run that fails prints the line that repeats
 * it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { profileNames } from '../../sim/etcd/fault-profile.ts';
import { runEtcdWorld } from '../../sim/etcd/run.ts';
import { WorldFailure } from '../../sim/world.ts';
import { Seeds } from './seeds.ts';

it('nothing goes wrong in any of many worlds', async () => {
  const seeds = new Seeds({ share: 0.5, countMin: 150 });
  const seen = { sections: 0, taken: 0, reaped: 0, guardedWrites: 0, overlapsExcused: 0, stale: 0 };
  const profiles = new Set<string>();
  for (const seed of seeds) {
    try {
      const outcome = await runEtcdWorld(seed, { log: seeds.isRepeat });
      if (seeds.isRepeat) console.info(outcome.lines.join('\n'));
      profiles.add(outcome.profile);
      seen.sections += outcome.sectionCount;
      seen.taken += outcome.takenCount;
      seen.reaped += outcome.reapedCount;
      seen.guardedWrites += outcome.guardedWriteCount;
      seen.overlapsExcused += outcome.overlapsExcused;
      seen.stale += outcome.staleRefusedCount;
    } catch (error) {
      if (error instanceof WorldFailure) console.error(error.lines.join('\n'));
      console.error(`KDS_SIM_SEED=${seed} npx vitest run test/sim/etcd.test.ts`);
      throw error;
    }
  }
  console.info(`${seeds.count} worlds: ${JSON.stringify(seen)}`);
  if (!seeds.areMany) return;
  // A simulation in which nothing happens finds nothing.
  expect(profiles.size).toBe(profileNames.length);
  expect(seen.sections).toBeGreaterThan(seeds.count);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
}, 3_600_000);

it('the same seed is the same run, whatever ran before it', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { lines } = await runEtcdWorld(seed, { log: true, profile: 'wild' });
    const again = await runEtcdWorld(seed, { log: true, profile: 'wild' });
    expect(again.lines).toEqual(lines);
    expect(lines.length).toBeGreaterThan(20);
  }
});
