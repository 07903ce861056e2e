/**
 * The broker and its clients in many worlds, each of one seed. A run that fails prints the line
 * that repeats it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { profileNames } from '../../sim/broker/fault-profile.ts';
import { Seeds } from './seeds.ts';
import { simulationWith } from './worlds.ts';

const { runBrokerWorld } = await simulationWith<typeof import('../../sim/broker/run.ts')>('broker');

it('nothing goes wrong in any of many worlds', async () => {
  const seeds = new Seeds({ share: 0.2, countMin: 300 });
  const seen = {
    ...{ sections: 0, brokers: 0, claimed: 0, recovered: 0, taken: 0 },
    ...{ overlapsExcused: 0, stale: 0 },
  };
  const profiles = new Set<string>();
  for (const seed of seeds) {
    try {
      const outcome = await runBrokerWorld(seed, { log: seeds.isRepeat });
      if (seeds.isRepeat) console.info(outcome.lines.join('\n'));
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
  console.info(`${seeds.count} worlds: ${JSON.stringify(seen)}`);
  if (!seeds.areMany) return;
  // A simulation in which nothing happens finds nothing.
  expect(profiles.size).toBe(profileNames.length);
  expect(seen.sections).toBeGreaterThan(seeds.count);
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
