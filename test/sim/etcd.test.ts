/**
 * The etcd backend in many worlds, each of one seed. A run that fails prints the line that repeats
 * it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { profileNames } from '../../sim/etcd/fault-profile.ts';
import { runEtcdWorld } from '../../sim/etcd/run.ts';
import { WorldFailure } from '../../sim/world.ts';

const seedGiven = process.env['KDS_SIM_SEED'];
const seedCount = seedGiven === undefined ? Number(process.env['KDS_SIM_SEEDS'] ?? 150) : 1;
const seedFirst = Number(seedGiven ?? Math.floor(Math.random() * 2 ** 40));

it('nothing goes wrong in any of many worlds', async () => {
  console.info(`${seedCount} worlds from KDS_SIM_SEED=${seedFirst} on`);
  const seen = { sections: 0, taken: 0, reaped: 0, guardedWrites: 0, overlapsExcused: 0, stale: 0 };
  const profiles = new Set<string>();
  for (let seed = seedFirst; seed < seedFirst + seedCount; seed++) {
    try {
      const outcome = await runEtcdWorld(seed, { log: seedGiven !== undefined });
      if (seedGiven !== undefined) console.info(outcome.lines.join('\n'));
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
  console.info(`${seedCount} worlds: ${JSON.stringify(seen)}`);
  if (seedCount < 150) return;
  // A simulation in which nothing happens finds nothing.
  expect(profiles.size).toBe(profileNames.length);
  expect(seen.sections).toBeGreaterThan(seedCount);
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
