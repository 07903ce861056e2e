/**
 * Asks the server what it has of a session, when notifications may have been missed, or the server
 * has lost some of its own state, as after a failover. Both sides are made to agree, page by page.
 *
 * Only what was there on both sides before a page was requested is judged: a request that has been
 * answered, and a grant. What is under way in either direction arrives by itself.
 */

import type { RemoteGrant } from '../../remote/grant.ts';
import type { RequestTable } from '../../remote/request-table.ts';
import type { RedisSession } from './leased-session.ts';
import type { PendingRedisRequest } from './pending-request.ts';
import type { Receiver } from './receiver.ts';
import type { Scripts } from './scripts.ts';
import type { ServerSession } from './server-session.ts';

const pageCount = 256;

/** A client, as an audit compares it with the server. */
export interface AuditedClient {
  readonly requests: RequestTable<PendingRedisRequest>;
  readonly scripts: Scripts;
  readonly session: Pick<RedisSession, 'server'>;
  readonly receiver: Receiver;
}

/**
 * False if the server does not know the session any more.
 *
 * @throws the errors of the calls.
 */
export async function audit(client: AuditedClient, session: ServerSession): Promise<boolean> {
  const { requests, receiver } = client;
  for (let from = 0; from < Number.POSITIVE_INFINITY; ) {
    const waiting = [...requests.pending].filter(({ state }) => state === 'waiting');
    const held = [...requests.held];
    const args = [session.id, `${from}`, `${pageCount}`];
    const { answer } = await client.scripts.run('audit', args);
    const [word, count, ...lines] = answer as readonly string[];
    if (session !== client.session.server) return true;
    if (word !== 'known') return false;
    session.receivedAll(Number(count));
    const rows = lines.map((line) => line.split('\t'));
    const last = Number(rows.at(-1)?.[0] ?? 0);
    const next = rows.length < pageCount ? Number.POSITIVE_INFINITY : last + 1;
    const rowOf = new Map(rows.map((row) => [Number(row[0]), row]));
    const isMissing = (number: number): boolean =>
      number >= from && number < next && !rowOf.has(number);
    requests.delivery.asOne(() => {
      for (const [number, ...rest] of rows) receiveRow(client, session, Number(number), rest);
      for (const pending of waiting) {
        const isWaiting = pending.state === 'waiting' && requests.isPending(pending.request);
        if (isWaiting && isMissing(pending.key?.number ?? 0)) receiver.retry(pending);
      }
      for (const { grant, key } of held) {
        if (isMissing(key.number)) receiver.lost(grant.id);
        const row = rowOf.get(key.number);
        if (row !== undefined) compare(client, session, grant, row);
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
  { requests, receiver }: AuditedClient,
  session: ServerSession,
  grant: RemoteGrant,
  [number, , , token]: readonly string[],
): void {
  if (token === String(grant.token)) return;
  const isHeld = requests.heldOf(session.idOf.get(Number(number)) ?? 0)?.grant === grant;
  if (isHeld) receiver.giveBackNumber(session, Number(number));
  receiver.lost(grant.id);
}

function receiveRow(
  { requests, receiver }: AuditedClient,
  session: ServerSession,
  number: number,
  [state, ...rest]: readonly string[],
): void {
  const id = session.idOf.get(number);
  const pending = id === undefined ? undefined : requests.pendingOf(id);
  if (pending === undefined) {
    // It is over here; the server has not received that, or has lost it.
    if (id === undefined) receiver.giveBackNumber(session, number);
  } else if (state === 'granted') receiver.granted(pending, rest);
  else if (state === 'settled') receiver.settled(pending);
  else receiver.waiting(pending);
}
