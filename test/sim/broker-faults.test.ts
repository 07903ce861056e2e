/** The simulation can fail: each fault that is put into the backend is noticed, and soon. */

import { describe, expect, it } from 'vitest';
import { brokerFaults } from './broker-faults.ts';
import { simulationWith } from './worlds.ts';

type Simulation = typeof import('../../sim/broker/run.ts');

/** The seeds that are tried, always the same ones, so that this test itself has no luck in it. */
const seedCount = 3000;

describe('the simulation of the broker notices that', () => {
  it.each(brokerFaults)(
    '$name',
    async (fault) => {
      const { runBrokerWorld } = await simulationWith<Simulation>('broker', fault);
      let failure: unknown;
      let seed = 0;
      while (failure === undefined && seed < seedCount) {
        seed++;
        failure = await runBrokerWorld(seed, { profile: fault.profile }).then(
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
