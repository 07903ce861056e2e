/** A domain at an address, opened; `kds run` opens that of a broker by itself, to be quick. */

import type { Domain } from '../api/domain.ts';
import { openBrokerDomain } from '../backends/broker/index.ts';
import type { DomainAddress } from './domain-address.ts';
import { openInRedis } from './open-redis.ts';

export interface OpenedDomain {
  readonly domain: Domain;
  /** Ends the domain, and what was opened for its sake. */
  close(): Promise<void>;
}

export interface Opening {
  /** Used where a request has no label. */
  readonly label?: string | undefined;
  readonly command?: string | undefined;
}

/** @throws UnavailableError, ProtocolError */
export async function openAt(address: DomainAddress, opening: Opening): Promise<OpenedDomain> {
  if (address.at === 'redis') return openInRedis(address, opening);
  const domain = await openBrokerDomain({ socket: address.socketPath, ...opening });
  return { domain, close: () => domain.close() };
}
