/** A client with nothing to do but what it is told to; it ends by itself. */

import { openBrokerDomain } from '../../src/backends/broker/index.ts';
import { openEtcdDomain } from '../../src/backends/etcd/index.ts';

const [backend = '', address = '', task = ''] = process.argv.slice(2);
process.channel?.unref();
const domain =
  backend === 'broker'
    ? await openBrokerDomain({ socket: address })
    : await openEtcdDomain(address, { name: 'far', leaseSeconds: 60 });

const exclusive = { exclusive: 'a' };
const options = { timeoutMs: 50 };
const report = ({ code }: { code: unknown }): void => void process.send?.(code);

// None of these is awaited at the top level: that would keep nothing alive, and tell of it.
if (task === 'acquire') domain.acquire(exclusive, options).catch(report);
if (task === 'settled') domain.settled(exclusive, options).catch(report);
if (task === 'enqueue') {
  domain.enqueue(exclusive, () => undefined, {
    ...options,
    onRefused: (reason) => report(reason as { code: unknown }),
  });
}
if (task === 'cancel') {
  const waiter = domain.enqueue(exclusive, () => undefined, { timeoutMs: 1e9 });
  setTimeout(() => waiter.cancel(), 50);
}
