import { openBrokerDomain } from 'kds/broker';
import { testConformance } from 'kds/conformance';
import { afterAll, describe, it } from 'vitest';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';

afterAll(removePlaces);

testConformance(
  { describe, it },
  {
    name: 'the broker',
    capabilities: ['settled', 'downgrade', 'part-release', 'steal', 'units'],
    sync: false,
    connects: true,
    // A client has at most 10,000 sessions at the broker.
    sessionDepth: 9000,
    // Each opens a broker of its own, with three clients.
    randomRunCount: 80,
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
