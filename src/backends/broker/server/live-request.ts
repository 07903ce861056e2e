/**
 * A request of a client, as the broker keeps it: from its arrival until its grant ends, or it is
 * refused. Its session identifies its owner; its id is the client's own.
 */

import type { SyncGrant, Waiter } from '../../../api/grant.ts';
import { labelLengthMax } from '../../../api/limits.ts';
import { cut } from '../../../runtime/escape.ts';
import type { ServedDomain } from '../../process/domain.ts';
import type { Ask, ClientInfo } from '../wire/messages.ts';

/** Length of a label in the name of a session: the rest is for its client. */
const labelLengthDescribed = labelLengthMax - 100;

/** A client's session, and the domain's that stands for it. */
export interface ServedSession {
  readonly session: ServedDomain;
  /** The owner id in the entries of its sets in the domain's snapshots. */
  readonly owner: number;
  readonly parent: ServedSession | undefined;
  readonly client: ClientInfo | undefined;
  /** As the client named it; that of the domain's session describes the client too. */
  readonly label: string | undefined;
  isEnded: boolean;
}

/** The connection of a request, notified if the grant is revoked. */
export interface Owner {
  readonly info: ClientInfo | undefined;
  lose(request: LiveRequest): void;
}

export class LiveRequest {
  readonly id: number;
  readonly owner: Owner;
  readonly served: ServedSession;
  /** What it is taken to cost in memory. */
  readonly byteCount: number;
  /** In the order of arrival, from one term of the broker to the next; 0: of the last to come. */
  queuePosition = 0;
  /** Until it is admitted to the domain: it came in the time of grace. */
  deferred: { readonly ask: Ask; readonly arrivedMs: number } | undefined = undefined;
  /** While it waits with a callback. */
  waiter: Waiter | undefined = undefined;
  /** While it waits for others to be gone. */
  observing: AbortController | undefined = undefined;
  grant: SyncGrant | undefined = undefined;
  /** As reported to the client; that of the domain's grant is another number. */
  token = 0;
  /** When it was granted by an earlier term: ms since 1970. */
  sinceMs: number | undefined = undefined;

  constructor(id: number, owner: Owner, served: ServedSession, byteCount: number) {
    this.id = id;
    this.owner = owner;
    this.served = served;
    this.byteCount = byteCount;
  }
}

/** The name of a client's session, for people; 0 is the client itself. */
export function describeSession(
  number: number,
  label: string | undefined,
  client: ClientInfo | undefined,
): string {
  const whose = `client ${client?.number}${number === 0 ? '' : `.${number}`}`;
  const origin = client?.pid === undefined ? whose : `${whose}, pid ${client.pid}`;
  const text = label ?? client?.label;
  return text === undefined ? origin : `${cut(text, labelLengthDescribed)} (${origin})`;
}
