/**
 * For those who serve a domain to others: many waiters and grants end at one moment, as when the
 * client they belong to is gone.
 */

import type { SyncDomain } from './domain.ts';
import type { SyncGrant, Waiter } from './grant.ts';

/** What a domain ends together with others of its own. */
export type Ended = Waiter | SyncGrant;

/** A method of the domains that can do it. */
export const endsTogether: unique symbol = Symbol('kds.endsTogether');

export interface EndsTogether {
  [endsTogether](ended: readonly Ended[], died: boolean): void;
}

/**
 * Cancels these waiters and releases these grants of a domain, in one operation: nothing that one
 * of them leaves goes to another, and those granted by it are reported in one arrival order (I6).
 * If their owner `died`, what the grants hold exclusive is `recovered`, as by `abandon()`. Waiters
 * and grants that have ended before are passed over.
 */
export function endTogether(
  domain: SyncDomain & Partial<EndsTogether>,
  ended: readonly Ended[],
  died: boolean,
): void {
  if (domain[endsTogether] !== undefined) {
    domain[endsTogether](ended, died);
    return;
  }
  // One after the other. The latest first, so that none gets what another one leaves.
  for (const each of ended.toReversed()) if ('cancel' in each) each.cancel();
  for (const each of ended) {
    if ('cancel' in each) continue;
    if (died) each.abandon();
    else each.release();
  }
}
