/** A client in a process of its own that takes units, and reports which ones it has. */

import { appendFileSync } from 'node:fs';
import type { Grant } from '../../src/api/grant.ts';
import { openBrokerDomain } from '../../src/backends/broker/index.ts';

const [socket = '', take = '1', of = '0', rounds = '1', seed = '1', journal = ''] =
  process.argv.slice(2);
const domain = await openBrokerDomain({ socket, graceMs: 5000, idleMs: 1000 });
const count = Number(take);
const request = of === '0' ? count : { take: count, of: Number(of) };
let random = Number(seed);

/** Up to as many units as there are to take. */
function fewer(): number {
  random = (random * 48271) % 2147483647;
  return 1 + (random % count);
}

if (rounds === '1') {
  const grant = await domain.acquire({ units: { gpu: request } });
  grant.signal.addEventListener('abort', () => process.send?.({ lost: true }));
  process.send?.({ units: grant.units['gpu'] });
  process.on('message', async (message) => {
    if (message === 'downgrade') {
      await grant.downgrade({ units: { gpu: 1 } });
      await domain.query();
      process.send?.({ units: grant.units['gpu'] });
      return;
    }
    await grant.release();
    await domain.close();
    process.disconnect();
  });
} else {
  for (let round = 0; round < Number(rounds); round++) {
    const grant = await domain.acquire({ units: { gpu: fewer() } });
    note(grant, true);
    await new Promise((resolve) => setTimeout(resolve, random % 3));
    note(grant, false);
    await grant.release();
  }
  await domain.close();
  process.disconnect();
}

/** A line of the journal: its order is that of what happens, and each is written at once. */
function note(grant: Grant, begin: boolean): void {
  const units = grant.units['gpu'] ?? [];
  appendFileSync(journal, `${JSON.stringify({ begin, units, lost: !grant.isHeld })}\n`);
}
