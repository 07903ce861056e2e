/** A client that holds something, until it is killed. */

import { openEtcdDomain } from '../../src/backends/etcd/index.ts';

const [host = '', name = ''] = process.argv.slice(2);
const domain = await openEtcdDomain(host, { name, leaseSeconds: 2 });
await domain.acquire({ exclusive: 'held' });
await domain.acquire({ shared: 'read' });
process.send?.('ready');
