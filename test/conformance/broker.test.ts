import { openBrokerDomain } from 'kds/broker';
import { testConformance } from 'kds/conformance';
import { afterAll, describe, it } from 'vitest';
import { runBroker } from '../../src/broker-server/run-broker.ts';
import { freshSocketPath, removePlaces } from '../broker/places.ts';

afterAll(removePlaces);

testConformance(
  { describe, it },
  {
    name: 'the broker',
    capabilities: ['settled', 'downgrade', 'part-release', 'steal'],
    sync: false,
    connects: true,
    open: async () => {
      const socket = freshSocketPath();
      const broker = await runBroker({ socketPath: socket });
      const connect = () => openBrokerDomain({ socket, start: false });
      const domain = await connect();
      const close = async () => {
        await domain.close();
        await broker?.close();
      };
      return { domain, connect, close };
    },
  },
);
