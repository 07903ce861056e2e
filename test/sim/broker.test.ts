/**
 * The broker and its clients in many worlds, each of one seed. A run that fails prints the line
 * that repeats it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { profileNames } from '../../sim/broker/fault-profile.ts';
import { simulationWith } from './worlds.ts';

const { runBrokerWorld } = await simulationWith<typeof import('../../sim/broker/run.ts')>('broker');

const seedGiven = process.env['KDS_SIM_SEED'];
const seedCount = seedGiven === undefined ? Number(process.env['KDS_SIM_SEEDS'] ?? 600) : 1;
const seedFirst = Number(seedGiven ?? Math.floor(Math.random() * 2 ** 40));

it('nothing goes wrong in any of many worlds', async () => {
  console.info(`${seedCount} worlds from KDS_SIM_SEED=${seedFirst} on`);
  const seen = {
    ...{ sections: 0, brokers: 0, claimed: 0, recovered: 0, taken: 0 },
    ...{ overlapsExcused: 0, stale: 0 },
  };
  const profiles = new Set<string>();
  for (let seed = seedFirst; seed < seedFirst + seedCount; seed++) {
    try {
      const outcome = await runBrokerWorld(seed, { log: seedGiven !== undefined });
      if (seedGiven !== undefined) console.info(outcome.lines.join('\n'));
      profiles.add(outcome.profile);
      seen.sections += outcome.sectionCount;
      seen.brokers += outcome.brokerCount;
      seen.claimed += outcome.claimedCount;
      seen.recovered += outcome.recoveredCount;
      seen.taken += outcome.takenCount;
      seen.overlapsExcused += outcome.overlapsExcused;
      seen.stale += outcome.staleRefusedCount;
    } catch (error) {
      if (error instanceof Error && 'lines' in error) {
        console.error((error.lines as readonly string[]).join('\n'));
      }
      console.error(`KDS_SIM_SEED=${seed} npx vitest run test/sim/broker.test.ts`);
      throw error;
    }
  }
  console.info(`${seedCount} worlds: ${JSON.stringify(seen)}`);
  if (seedCount < 300) return;
  // A simulation in which nothing happens finds nothing.
  expect(profiles.size).toBe(profileNames.length);
  expect(seen.sections).toBeGreaterThan(seedCount);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
}, 3_600_000);

it('the same seed is the same run, whatever ran before it', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { lines } = await runBrokerWorld(seed, { log: true, profile: 'wild' });
    const again = await runBrokerWorld(seed, { log: true, profile: 'wild' });
    expect(again.lines).toEqual(lines);
    expect(lines.length).toBeGreaterThan(20);
  }
});
