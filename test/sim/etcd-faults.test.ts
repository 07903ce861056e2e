/** The simulation can fail: each fault that is put into the backend is noticed, and soon. */

import { describe, expect, it } from 'vitest';
import { etcdFaults } from './etcd-faults.ts';
import { simulationWith } from './worlds.ts';

type Simulation = typeof import('../../sim/etcd/run.ts');

/** The seeds that are tried, always the same ones, so that this test itself has no luck in it. */
const seedCount = 1500;

describe('the simulation of etcd notices that', () => {
  it.each(etcdFaults)(
    '$name',
    async (fault) => {
      const { runEtcdWorld } = await simulationWith<Simulation>('etcd', fault);
      const startMs = performance.now();
      let failure: unknown;
      let seed = 0;
      while (failure === undefined && seed < seedCount) {
        seed++;
        failure = await runEtcdWorld(seed, { profile: fault.profile }).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      expect(failure, `nothing in ${seedCount} seeds`).toMatchObject({ name: 'WorldFailure' });
      const tookMs = (performance.now() - startMs).toFixed(0);
      const message = (failure as Error).message.slice(0, 160);
      console.info(`${fault.name}: seed ${seed}, ${tookMs} ms, ${message}`);
    },
    600_000,
  );
});
