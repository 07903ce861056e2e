/** Opens a domain in Redis for the command line, with a client that is closed with it. */

import { openRedisDomain } from '../backends/redis/index.ts';
import { UsageError } from './arguments.ts';
import type { RedisAddress } from './domain-address.ts';
import type { OpenedDomain, Opening } from './opened-domain.ts';
import { connectToRedis } from './redis-client.ts';

/** Time limit of closing a domain whose server does not answer, ms. */
const closeMsMax = 5000;

/** @throws UnavailableError, ProtocolError */
export async function openInRedis(
  address: RedisAddress,
  { label, command }: Opening,
): Promise<OpenedDomain> {
  const { client, close } = await connectToRedis(address);
  const { name, leaseMs } = address;
  try {
    // The command line of this process is no default: a URL in it may have a password.
    const about = { label, command: command ?? 'kds' };
    const domain = await openRedisDomain(client, { name, leaseMs, ...about });
    return {
      domain,
      close: async () => {
        await inTime(domain.close());
        close();
      },
    };
  } catch (error) {
    close();
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

/** After that time the end of the lease releases the grants. */
async function inTime(closing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeMsMax);
  });
  await Promise.race([closing, over]);
  clearTimeout(timer);
}
