/** A domain in one event loop. */

import type { SyncDomain } from '../../api/domain.ts';
import { type DomainOptions, equip, readDomainOptions } from '../../local/domain-options.ts';
import { HostSession } from '../../local/session.ts';
import { ProcessHost } from './host.ts';

/**
 * A new domain: what is locked in it is locked against callers of the same object, in this event
 * loop. Keeps no process alive.
 *
 * @throws TypeError, RangeError for options that are none; UnsupportedError for `carryHolding`
 * where the runtime cannot.
 * @example
 * import { createDomain } from 'kds';
 *
 * const domain = createDomain();
 * const total = await domain.run({ exclusive: 'account 1', shared: 'rates' }, () => 42);
 * console.log(total);
 */
export function createDomain(options: DomainOptions = {}): SyncDomain {
  const own = readDomainOptions(options);
  const host = new ProcessHost(own.label);
  equip(host, own);
  return new HostSession(host, undefined, own.label);
}
