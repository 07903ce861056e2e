/** The simulation can fail: each fault that is put into the backend is noticed, and soon. */

import { describe, it } from 'vitest';
import { etcdFaults } from './etcd-faults.ts';
import { expectNoticed } from './many-worlds.ts';
import { simulationWith } from './worlds.ts';

type Simulation = typeof import('../../sim/etcd/run.ts');

/** Number of seeds that are tried at most. */
const seedCount = 1500;

describe('the simulation of etcd notices that', () => {
  it.each(etcdFaults)(
    '$name',
    async (fault) => {
      const { runEtcdWorld } = await simulationWith<Simulation>('etcd', fault);
      await expectNoticed(fault.name, seedCount, (seed) =>
        runEtcdWorld(seed, { profile: fault.profile }),
      );
    },
    600_000,
  );
});
