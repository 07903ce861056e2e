/** Two clients of a broker that the first one starts. Prints what was seen as JSON. */

import { join } from 'node:path';
import process from 'node:process';
import { openBrokerDomain } from 'kds/broker';

const socket = join(process.argv[2], 'broker.sock');
const one = await openBrokerDomain({ socket, label: 'one', idleMs: 100 });
const two = await openBrokerDomain({ socket, label: 'two', start: false });
const grant = await one.acquire({ exclusive: ['a', 'b'] });
const waiting = two.acquire({ shared: 'a' }, { timeoutMs: 3_600_000 });
const { held, pending } = await two.query();
const { signal } = grant;
const operator = await one.acquire({ exclusive: ['a', 'b'] }, { steal: true });
const isLost = signal.aborted;
operator.abandon();
const { recovered } = await waiting;
await one.close();
await two.close();
console.log(JSON.stringify({ held: held.length, pending: pending.length, isLost, recovered }));
