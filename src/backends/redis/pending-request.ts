/** A request that waits for the server's answer, and the key by which the server knows it. */

import type { RemoteRequest } from '../../remote/request.ts';
import type { PendingRequest } from '../../remote/request-table.ts';
import type { ServerSession } from './server-session.ts';

/** By which the server knows a set, before and after it is granted. */
export interface ServerKey {
  readonly session: ServerSession;
  readonly number: number;
  /** Of the set at the server, once it is granted. */
  id?: string | undefined;
  /** Names in the set. */
  readonly linkCount: number;
}

/** Its key is undefined until it is sent, and again when it is to be sent by another number. */
export interface PendingRedisRequest extends PendingRequest<ServerKey> {
  /** When it was made, on the clock, ms. */
  readonly sinceMs: number;
  /** `due`: to be sent, again if it has a key. `late`: its time is over; it is not sent again. */
  state: 'due' | 'sent' | 'waiting' | 'late';
  /** It was granted, and the grant revoked, before its answer came. */
  isRevoked: boolean;
}

/** The word for it in a script (lua/enqueue.lua). */
export function modeOf({ terms }: RemoteRequest): string {
  if (terms.how === 'settled') return 'observe';
  if (terms.steal === true) return 'steal';
  return terms.how === 'try' || terms.timeoutMs === 0 ? 'now' : 'wait';
}
