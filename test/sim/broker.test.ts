/**
 * The broker and its clients in many worlds, each of one seed. A run that fails prints the line
 * that repeats it; that one prints the log of its world.
 */

import { it } from 'vitest';
import { profileNames } from '../../sim/broker/fault-profile.ts';
import { expectNoFault, expectSameRuns } from './many-worlds.ts';
import { simulationWith } from './worlds.ts';

const { runBrokerWorld } = await simulationWith<typeof import('../../sim/broker/run.ts')>('broker');

it('nothing goes wrong in any of many worlds', async () => {
  await expectNoFault({
    name: 'broker',
    seeds: { share: 0.2, countMin: 300 },
    kindCount: profileNames.length,
    run: runBrokerWorld,
    kindOf: ({ profile }) => profile,
    countsOf: (outcome) => ({
      sections: outcome.sectionCount,
      brokers: outcome.brokerCount,
      claimed: outcome.claimedCount,
      recovered: outcome.recoveredCount,
      taken: outcome.takenCount,
      overlapsExcused: outcome.overlapsExcused,
      stale: outcome.staleRefusedCount,
      unitLooks: outcome.unitLookCount,
      severalOut: outcome.sharedLookCount,
      upgraded: outcome.upgradedCount,
    }),
  });
}, 3_600_000);

it('the same seed is the same run, whatever ran before it', async () => {
  await expectSameRuns((seed) => runBrokerWorld(seed, { log: true, profile: 'wild' }), 20);
});
