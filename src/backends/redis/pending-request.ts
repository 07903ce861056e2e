/** What a client keeps of the requests that it has made. */

import type { RemoteRequest } from '../../remote/request.ts';
import type { ServerSession } from './server-session.ts';

/** What the server knows a set by. */
export interface Place {
  readonly session: ServerSession;
  readonly number: number;
  /** Of the set at the server, once it is granted. */
  id?: string | undefined;
  /** Names in the set. */
  readonly linkCount: number;
}

/** A request that waits for the server's word. */
export interface Asked {
  readonly request: RemoteRequest;
  readonly links: string;
  readonly sinceMs: number;
  readonly stopDeadline: () => void;
  /** Undefined until it is sent, and again when it is to be sent as another one. */
  place: Place | undefined;
  /** `due`: to be sent, again if it has a place. */
  state: 'due' | 'sent' | 'waiting';
  /** It was granted and taken away before its answer came. */
  isRobbed: boolean;
}

/** The word for it in a script (lua/enqueue.lua). */
export function howOf({ terms }: RemoteRequest): string {
  if (terms.how === 'settled') return 'watch';
  if (terms.steal === true) return 'steal';
  return terms.how === 'try' || terms.timeoutMs === 0 ? 'now' : 'wait';
}
