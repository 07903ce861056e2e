/**
 * The Redis backend in thousands of worlds, each of one seed. A run that fails prints the line that
 * repeats it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { prepareRedisWorlds } from '../../sim/redis/run.ts';
import { expectNoFault, expectSameRuns } from './many-worlds.ts';

it('nothing goes wrong in any of many worlds', async () => {
  await expectNoFault({
    name: 'redis',
    seeds: { share: 0.3, countMin: 500 },
    kindCount: 8,
    run: await prepareRedisWorlds(),
    kindOf: ({ profile }) => profile,
    countsOf: (outcome) => ({
      sections: outcome.sectionCount,
      taken: outcome.takenCount,
      overlapsExcused: outcome.overlapsExcused,
      staleRefused: outcome.staleRefusedCount,
    }),
  });
}, 1_800_000);

it('the same seed is the same run, whatever ran before it', async () => {
  const run = await prepareRedisWorlds();
  await expectSameRuns((seed) => run(seed, { log: true, profile: 'wild' }), 50);
  const other = await prepareRedisWorlds();
  const { lines } = await run(5, { log: true });
  expect((await other(5, { log: true })).lines).toEqual(lines);
});
