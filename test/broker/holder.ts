/** A client in a process of its own: takes a set, tells its token, and does as it is told. */

import { openBrokerDomain } from '../../src/backends/broker/index.ts';

const [socket, name = 'a', end = 'stay'] = process.argv.slice(2);
const domain = await openBrokerDomain({ socket, label: 'holder' });
const grant = await domain.acquire({ exclusive: name }, { label: `holder of ${name}` });
grant.signal.addEventListener('abort', () => process.send?.({ lost: String(grant.signal.reason) }));
process.send?.({ token: grant.token });
if (end === 'exit') {
  grant.release();
  process.exit();
} else if (end === 'leave') {
  // Nothing is waited for: the process ends, although it holds something.
  process.channel?.unref();
} else {
  process.on('message', async () => {
    grant.release();
    await domain.close();
    process.disconnect();
  });
}
