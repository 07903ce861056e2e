/** What a client keeps of the requests that it has made. */

import type { RemoteGrant } from '../../remote/grant.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { OwnSet } from './own-set.ts';

/** A request that has not ended. */
export interface Asked {
  readonly request: RemoteRequest;
  cancelDeadline: (() => void) | undefined;
  /** It is about to be refused, and is not asked for any more. */
  isOver: boolean;
}

/** What waits, or is held, through this session. */
export interface Live {
  readonly own: OwnSet;
  readonly request: RemoteRequest;
  grant: RemoteGrant | undefined;
}

/** Wanted at once or not at all. */
export function isNow({ terms: { how, timeoutMs } }: RemoteRequest): boolean {
  return how === 'try' || timeoutMs === 0;
}
