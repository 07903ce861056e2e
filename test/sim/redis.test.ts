/**
 * The Redis host in thousands of worlds, each of one seed. A run that fails prints the line that
 * repeats it; that one prints the log of its world.
 */

import { expect, it } from 'vitest';
import { prepareRedisWorlds } from '../../sim/redis/run.ts';
import { WorldFailure } from '../../sim/world.ts';

const seedGiven = process.env['KDS_SIM_SEED'];
const seedCount = seedGiven === undefined ? Number(process.env['KDS_SIM_SEEDS'] ?? 1500) : 1;
const seedFirst = Number(seedGiven ?? Math.floor(Math.random() * 2 ** 40));

it('nothing goes wrong in any of many worlds', async () => {
  console.info(`${seedCount} worlds from KDS_SIM_SEED=${seedFirst} on`);
  const run = await prepareRedisWorlds();
  const seen = { sections: 0, taken: 0, overlapsExcused: 0, staleRefused: 0 };
  const climates = new Set<string>();
  for (let seed = seedFirst; seed < seedFirst + seedCount; seed++) {
    try {
      const outcome = await run(seed, { log: seedGiven !== undefined });
      if (seedGiven !== undefined) console.info(outcome.lines.join('\n'));
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
  console.info(`${seedCount} worlds: ${JSON.stringify(seen)}`);
  if (seedCount < 500) return;
  // A simulation in which nothing happens finds nothing.
  expect(climates.size).toBe(8);
  expect(seen.sections).toBeGreaterThan(seedCount);
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
