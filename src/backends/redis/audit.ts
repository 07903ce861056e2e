/**
 * Asks the server what it has of a session, when notifications may have been missed, or the server
 * has lost some of its own state, as after a failover. Both sides are made to agree, page by page.
 *
 * Only what was there on both sides before a page was requested is judged: a request that has been
 * answered, and a grant. What is under way in either direction arrives by itself.
 */

import type { RemoteGrant } from '../../remote/grant.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { Delivery } from '../../runtime/delivery.ts';
import type { PendingRedisRequest } from './pending-request.ts';
import type { Scripts } from './scripts.ts';
import type { ServerSession } from './server-session.ts';

const pageCount = 256;

/** The backend, as an audit changes it. */
export interface AuditedBackend {
  readonly requests: RequestTable<PendingRedisRequest>;
  readonly scripts: Scripts;
  readonly session: ServerSession;
  readonly delivery: Delivery;
  receiveGrant(pending: PendingRedisRequest, fields: readonly string[]): void;
  receiveSettled(pending: PendingRedisRequest): void;
  receiveWaiting(pending: PendingRedisRequest): void;
  askAgain(pending: PendingRedisRequest): void;
  giveBackNumber(session: ServerSession, number: number): void;
  lose(id: number): void;
}

/**
 * False if the server does not know the session any more.
 *
 * @throws the errors of the calls.
 */
export async function audit(backend: AuditedBackend, session: ServerSession): Promise<boolean> {
  const { requests } = backend;
  for (let from = 0; from < Number.POSITIVE_INFINITY; ) {
    const waiting = requests.pending.filter(({ state }) => state === 'waiting');
    const held = requests.held;
    const args = [session.id, `${from}`, `${pageCount}`];
    const { answer } = await backend.scripts.run('audit', args);
    const [word, count, ...lines] = answer as readonly string[];
    if (session !== backend.session) return true;
    if (word !== 'known') return false;
    session.receivedAll(Number(count));
    const rows = lines.map((line) => line.split('\t'));
    const last = Number(rows.at(-1)?.[0] ?? 0);
    const next = rows.length < pageCount ? Number.POSITIVE_INFINITY : last + 1;
    const rowOf = new Map(rows.map((row) => [Number(row[0]), row]));
    const isMissing = (number: number): boolean =>
      number >= from && number < next && !rowOf.has(number);
    backend.delivery.asOne(() => {
      for (const [number, ...rest] of rows) receiveRow(backend, session, Number(number), rest);
      for (const pending of waiting) {
        const isWaiting = pending.state === 'waiting' && requests.isPending(pending.request);
        if (isWaiting && isMissing(pending.key?.number ?? 0)) backend.askAgain(pending);
      }
      for (const { grant, key } of held) {
        if (isMissing(key.number)) backend.lose(grant.id);
        const row = rowOf.get(key.number);
        if (row !== undefined) compare(backend, session, grant, row);
      }
    });
    from = next;
  }
  return true;
}

/**
 * A server that took over without a grant may have it in a queue, or granted once more, by another
 * token: other clients may have held it meanwhile. So the grant is lost here, and the server's is
 * given back.
 */
function compare(
  backend: AuditedBackend,
  session: ServerSession,
  grant: RemoteGrant,
  [number, , , token]: readonly string[],
): void {
  if (token === String(grant.token)) return;
  const isHeld = backend.requests.heldOf(session.idOf.get(Number(number)) ?? 0)?.grant === grant;
  if (isHeld) backend.giveBackNumber(session, Number(number));
  backend.lose(grant.id);
}

function receiveRow(
  backend: AuditedBackend,
  session: ServerSession,
  number: number,
  [state, ...rest]: readonly string[],
): void {
  const id = session.idOf.get(number);
  const pending = id === undefined ? undefined : backend.requests.pendingOf(id);
  if (pending === undefined) {
    // It is over here; the server has not received that, or has lost it.
    if (id === undefined) backend.giveBackNumber(session, number);
  } else if (state === 'granted') backend.receiveGrant(pending, rest);
  else if (state === 'settled') backend.receiveSettled(pending);
  else backend.receiveWaiting(pending);
}
