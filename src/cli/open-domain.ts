/** Opens a domain at an address; `kds run` opens a broker's domain itself, to start fast. */

import { openBrokerDomain } from '../backends/broker/index.ts';
import type { DomainAddress } from './domain-address.ts';
import { openInRedis } from './open-redis.ts';
import type { OpenedDomain, Opening } from './opened-domain.ts';

/** @throws UnavailableError, ProtocolError */
export async function openAt(address: DomainAddress, opening: Opening): Promise<OpenedDomain> {
  if (address.at === 'redis') return openInRedis(address, opening);
  const domain = await openBrokerDomain({ socket: address.socketPath, ...opening });
  return { domain, close: () => domain.close() };
}
