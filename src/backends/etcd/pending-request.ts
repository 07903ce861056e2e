/** A request that has not ended, and its set in the log. */

import type { RemoteRequest } from '../../remote/request.ts';
import type { PendingRequest } from '../../remote/request-table.ts';
import type { OwnSet } from './own-set.ts';

/** Its key is the set that waits in the log; undefined until the log has one. */
export interface PendingEtcdRequest extends PendingRequest<OwnSet> {
  /** It is about to be refused or denied, and no set is put for it any more. */
  isLeaving: boolean;
}

/** Wanted at once or not at all. */
export function isNow({ terms: { how, timeoutMs } }: RemoteRequest): boolean {
  return how === 'try' || timeoutMs === 0;
}
