/** Ends by itself: requests with a limit of an hour are granted, aborted, or not limited at all. */

import { createDomain } from 'kds';

const timeoutMs = 3_600_000;
const domain = createDomain();
const one = await domain.acquire({ exclusive: 'a' }, { timeoutMs });
const granted = domain.acquire({ exclusive: 'a' }, { timeoutMs });
const controller = new AbortController();
const aborted = domain
  .acquire({ exclusive: 'a' }, { timeoutMs, signal: controller.signal })
  .catch(() => undefined);
controller.abort();
await aborted;
one.release();
await granted;
// It is still held, and this one waits for it without a limit: neither keeps a process alive.
void domain.acquire({ shared: 'a' });
console.log('"done"');
