/** The simulation can fail: each fault that is put into the host is noticed, and soon. */

import { describe, expect, it } from 'vitest';
import { redisFaults } from './redis-faults.ts';
import { simulationWith } from './worlds.ts';

type Simulation = typeof import('../../sim/redis/run.ts');

/** Within so many seeds, always the same ones, so that this test itself has no luck in it. */
const seedCount = 5000;

describe('the simulation of Redis notices that', () => {
  it.each(redisFaults)(
    '$name',
    async (fault) => {
      const { prepareRedisWorlds } = await simulationWith<Simulation>('redis', fault);
      const run = await prepareRedisWorlds();
      let failure: unknown;
      let seed = 0;
      while (failure === undefined && seed < seedCount) {
        seed++;
        failure = await run(seed, { climate: fault.climate }).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      expect(failure, `nothing in ${seedCount} seeds`).toMatchObject({ name: 'WorldFailure' });
      console.info(`${fault.name}: seed ${seed}, ${(failure as Error).message.slice(0, 160)}`);
    },
    600_000,
  );
});
