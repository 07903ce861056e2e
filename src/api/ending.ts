/**
 * For servers of a domain: many waiters and grants end at one moment, as when their client has
 * disconnected.
 */

import type { SyncDomain } from './domain.ts';
import type { SyncGrant, Waiter } from './grant.ts';

/** A waiter or a grant that ends together with others of its domain. */
export type Ended = Waiter | SyncGrant;

/** The method of domains that end several at once. */
export const endsTogether: unique symbol = Symbol('kds.endsTogether');

export interface EndsTogether {
  [endsTogether](ended: readonly Ended[], died: boolean): void;
}

/**
 * Cancels these waiters and releases these grants of a domain, in one operation: none of them is
 * granted what another one frees, and the newly granted are reported in one arrival order (I6). If
 * their owner `died`, their exclusive resources are `recovered`, as by `abandon()`. Ignores waiters
 * and grants that have ended before.
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
  // One by one. The latest first, so that none is granted what another one frees.
  for (const each of ended.toReversed()) if ('cancel' in each) each.cancel();
  for (const each of ended) {
    if ('cancel' in each) continue;
    if (died) each.abandon();
    else each.release();
  }
}
