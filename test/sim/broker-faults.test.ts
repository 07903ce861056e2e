/** The simulation can fail: each fault that is put into the backend is noticed, and soon. */

import { describe, it } from 'vitest';
import { brokerFaults } from './broker-faults.ts';
import { expectNoticed } from './many-worlds.ts';
import { simulationWith } from './worlds.ts';

type Simulation = typeof import('../../sim/broker/run.ts');

/** Number of seeds that are tried at most. */
const seedCount = 3000;

describe('the simulation of the broker notices that', () => {
  it.each(brokerFaults)(
    '$name',
    async (fault) => {
      const { runBrokerWorld } = await simulationWith<Simulation>('broker', fault);
      await expectNoticed(fault.name, seedCount, (seed) =>
        runBrokerWorld(seed, { profile: fault.profile }),
      );
    },
    600_000,
  );
});
