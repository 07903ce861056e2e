/** The simulation can fail: each fault that is put into the backend is noticed, and soon. */

import { describe, it } from 'vitest';
import { expectNoticed } from './many-worlds.ts';
import { redisFaults } from './redis-faults.ts';
import { simulationWith } from './worlds.ts';

type Simulation = typeof import('../../sim/redis/run.ts');

/** Number of seeds that are tried at most. */
const seedCount = 5000;

describe('the simulation of Redis notices that', () => {
  it.each(redisFaults)(
    '$name',
    async (fault) => {
      const { prepareRedisWorlds } = await simulationWith<Simulation>('redis', fault);
      const run = await prepareRedisWorlds();
      await expectNoticed(fault.name, seedCount, (seed) => run(seed, { profile: fault.profile }));
    },
    600_000,
  );
});
