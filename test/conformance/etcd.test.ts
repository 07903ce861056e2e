import { testConformance } from 'kds/conformance';
import { openEtcdDomain } from 'kds/etcd';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { EtcdCluster, hasEtcd } from '../etcd/server.ts';

describe.skipIf(!hasEtcd)(hasEtcd ? 'on a real etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  testConformance(
    { describe, it },
    {
      name: 'the etcd backend',
      capabilities: ['settled', 'downgrade', 'part-release', 'steal', 'units'],
      sync: false,
      connects: true,
      // Each takes a few trips to the server.
      chainLength: 1000,
      randomRunCount: 8,
      open: async () => {
        const name = `world ${++count}`;
        const connect = () => openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 });
        const domain = await connect();
        return { domain, connect, close: () => domain.close() };
      },
    },
  );
});
