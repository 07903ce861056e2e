/** A domain in Redis for the command line: a client is connected for its sake, and ends with it. */

import { UnsupportedError } from '../domain/errors.ts';
import type { RedisAddress } from './domain-address.ts';
import type { OpenedDomain, Opening } from './open-domain.ts';
import { connectToRedis } from './redis-client.ts';

export async function openInRedis(address: RedisAddress, _opening: Opening): Promise<OpenedDomain> {
  const connected = await connectToRedis(address);
  connected.close();
  throw new UnsupportedError('this build has no host for Redis');
}
