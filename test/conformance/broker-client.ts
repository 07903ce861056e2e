/** A process in which domains of a broker are opened from afar. */

import { openBrokerDomain } from '../../src/backends/broker/index.ts';
import { serveDomains } from '../threads/open-domain.ts';

const receive = serveDomains(
  (socket) => openBrokerDomain({ socket: socket as unknown as string, start: false }),
  (answer) => void process.send?.(answer),
);
process.on('message', receive);
process.send?.('ready');
