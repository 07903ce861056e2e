/** A client of the broker under stress, in a process of its own. */

import { openBrokerDomain } from '../../src/backends/broker/index.ts';
import { traceIfAsked } from '../../src/inspect/trace.ts';
import { StressClient } from '../stress/client.ts';

const [socket, journalPath = '', seed, client = '', graceMs] = process.argv.slice(2);
// Of all that happens, if KDS_TRACE names a file.
traceIfAsked();
// Without a socket: where the environment leads to.
const place = socket === '' ? {} : { socket };
const domain = await openBrokerDomain({ ...place, graceMs: Number(graceMs), idleMs: 1000 });
await new StressClient({ domain, journalPath, seed: Number(seed), client }).run(4);
process.disconnect();
