/**
 * The etcd backend in many worlds, each of one seed. A run that fails prints the line that repeats
 * it; that one prints the log of its world.
 */

import { it } from 'vitest';
import { profileNames } from '../../sim/etcd/fault-profile.ts';
import { runEtcdWorld } from '../../sim/etcd/run.ts';
import { expectNoFault, expectSameRuns } from './many-worlds.ts';

it('nothing goes wrong in any of many worlds', async () => {
  await expectNoFault({
    name: 'etcd',
    seeds: { share: 0.5, countMin: 150 },
    kindCount: profileNames.length,
    run: runEtcdWorld,
    kindOf: ({ profile }) => profile,
    countsOf: (outcome) => ({
      sections: outcome.sectionCount,
      taken: outcome.takenCount,
      reaped: outcome.reapedCount,
      guardedWrites: outcome.guardedWriteCount,
      overlapsExcused: outcome.overlapsExcused,
      stale: outcome.staleRefusedCount,
      unitLooks: outcome.unitLookCount,
      severalOut: outcome.sharedLookCount,
    }),
  });
}, 3_600_000);

it('the same seed is the same run, whatever ran before it', async () => {
  await expectSameRuns((seed) => runEtcdWorld(seed, { log: true, profile: 'wild' }), 20);
});
