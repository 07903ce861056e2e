/** A client of the broker that the environment leads to: prints what became of one request. */

import { openBrokerDomain } from '../../src/backends/broker/index.ts';

const [how = 'try', limits = '{}'] = process.argv.slice(2);
try {
  const domain = await openBrokerDomain({ idleMs: 100, ...JSON.parse(limits) });
  const grant = await domain.tryAcquire({ exclusive: 'a' });
  console.log(`${grant === null ? 'denied' : 'granted'} by ${domain.brokerPid}`);
  if (how === 'hold') {
    process.stdin.resume();
    await new Promise((resolve) => process.stdin.on('end', resolve));
  }
  grant?.release();
  await domain.close();
} catch (error) {
  console.log(`refused: ${error instanceof Error ? error.message : error}`);
}
