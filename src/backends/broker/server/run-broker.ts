/** The broker as a whole: the domain of one event loop, and the server that lets others use it. */

import { createServedDomain } from '../../process/domain.ts';
import { graceMsDefault } from '../client/domain.ts';
import { defaultSocketPath } from '../wire/socket-path.ts';
import { type RunningBroker, serveDomain } from './broker.ts';

export interface RunBrokerOptions {
  /** Default: as `openBrokerDomain` has it. */
  readonly socketPath?: string | undefined;
  /** How long to stay without a client, in ms. Infinity, the default: until it is closed. */
  readonly idleMs?: number | undefined;
  /** For how long, in ms, clients of a broker that died can claim what they hold. Default 2,000. */
  readonly graceMs?: number | undefined;
}

/**
 * Serves in this process. Undefined if a broker serves there already.
 *
 * @throws UnavailableError if the directory is not safe, and what the file system refuses with.
 */
export function runBroker({
  socketPath = defaultSocketPath(),
  idleMs = Number.POSITIVE_INFINITY,
  graceMs = graceMsDefault,
}: RunBrokerOptions = {}): Promise<RunningBroker | undefined> {
  return serveDomain(createServedDomain(), { socketPath, idleMs, graceMs });
}
