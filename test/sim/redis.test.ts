/**
 * The Redis host in thousands of worlds, each of one seed. A run that fails prints the line that
 * repeats it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { prepareRedisWorlds } from '../../sim/redis/run.ts';
import { WorldFailure } from '../../sim/world.ts';
import { Seeds } from './seeds.ts';

it('nothing goes wrong in any of many worlds', async () => {
  const seeds = new Seeds({ share: 0.3, countMin: 500 });
  const run = await prepareRedisWorlds();
  const seen = { sections: 0, taken: 0, overlapsExcused: 0, staleRefused: 0 };
  const climates = new Set<string>();
  for (const seed of seeds) {
    try {
      const outcome = await run(seed, { log: seeds.isRepeat });
      if (seeds.isRepeat) console.info(outcome.lines.join('\n'));
      climates.add(outcome.climate);
      seen.sections += outcome.sectionCount;
      seen.taken += outcome.takenCount;
      seen.overlapsExcused += outcome.overlapsExcused;
      seen.staleRefused += outcome.staleRefusedCount;
    } catch (error) {
      if (error instanceof WorldFailure) console.error(error.lines.join('\n'));
      console.error(`KDS_SIM_SEED=${seed} npx vitest run test/sim/redis.test.ts`);
      throw error;
    }
  }
  console.info(`${seeds.count} worlds: ${JSON.stringify(seen)}`);
  if (!seeds.areMany) return;
  // A simulation in which nothing happens finds nothing.
  expect(climates.size).toBe(8);
  expect(seen.sections).toBeGreaterThan(seeds.count);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
}, 1_800_000);

it('the same seed is the same run, whatever ran before it', async () => {
  const run = await prepareRedisWorlds();
  for (const seed of [1, 2, 3, 4, 5]) {
    const { lines } = await run(seed, { log: true, climate: 'wild' });
    const again = await run(seed, { log: true, climate: 'wild' });
    expect(again.lines).toEqual(lines);
    expect(lines.length).toBeGreaterThan(50);
  }
  const other = await prepareRedisWorlds();
  const { lines } = await run(5, { log: true });
  expect((await other(5, { log: true })).lines).toEqual(lines);
});
