/** The worker's side of {@link RemoteDomain}: real domains, opened in this thread. */

import { parentPort } from 'node:worker_threads';
import { openThreadsDomain } from '../../src/backends/threads/index.ts';
import { serveDomains } from './open-domain.ts';

const receive = serveDomains(
  async (arena) => openThreadsDomain(arena),
  (answer) => parentPort?.postMessage(answer),
);
parentPort?.on('message', receive);
