/**
 * Asking the server what it has of a session, when news may have been missed, or the server has
 * lost some of its own, as after a failover. Both sides are made to agree again, page by page.
 *
 * Only what was there on both sides before a page was asked for is judged: a request that has
 * been answered, and a grant. What is on its way either way settles itself.
 */

import type { RemoteGrant } from '../../remote/grant.ts';
import type { RedisLink } from './backend.ts';
import type { Asked } from './pending-request.ts';
import type { ServerSession } from './server-session.ts';

const pageCount = 256;

/** @throws what the calls fail with. */
export async function audit(link: RedisLink, session: ServerSession): Promise<void> {
  for (let from = 0; from < Number.POSITIVE_INFINITY; ) {
    const waiting = [...link.asked.values()].filter(({ state }) => state === 'waiting');
    const held = [...link.grants.values()];
    const args = [session.id, `${from}`, `${pageCount}`];
    const { answer } = await link.scripts.run('audit', args);
    const [word, told, ...lines] = answer as readonly string[];
    if (session !== link.session) return;
    if (word !== 'known') {
      link.lookAgain();
      return;
    }
    session.heardAll(Number(told));
    const rows = lines.map((line) => line.split('\t'));
    const last = Number(rows.at(-1)?.[0] ?? 0);
    const next = rows.length < pageCount ? Number.POSITIVE_INFINITY : last + 1;
    const rowOf = new Map(rows.map((row) => [Number(row[0]), row]));
    const isMissing = (number: number): boolean =>
      number >= from && number < next && !rowOf.has(number);
    link.delivery.asOne(() => {
      for (const [number, ...rest] of rows) hearOf(link, session, Number(number), rest);
      for (const asked of waiting) {
        if (isStill(link, asked) && isMissing(asked.place?.number ?? 0)) link.askAnew(asked);
      }
      for (const { grant, place } of held) {
        if (isMissing(place.number)) grant.lose();
        const row = rowOf.get(place.number);
        if (row !== undefined) compare(link, session, grant, row);
      }
    });
    from = next;
  }
}

function isStill(link: RedisLink, asked: Asked): boolean {
  return asked.state === 'waiting' && link.asked.get(asked.request.id) === asked;
}

/**
 * A server that took over without a grant may have it wait, or granted once more, by another token:
 * others may have held it meanwhile. So what is held here is lost, and that is given back.
 */
function compare(
  link: RedisLink,
  session: ServerSession,
  grant: RemoteGrant,
  [number, , , token]: readonly string[],
): void {
  if (token === String(grant.token)) return;
  if (link.grantAs(Number(number)) === grant) link.giveBackNumber(session, Number(number));
  grant.lose();
}

function hearOf(
  link: RedisLink,
  session: ServerSession,
  number: number,
  [state, ...rest]: readonly string[],
): void {
  const asked = link.askedAs(number);
  if (asked === undefined) {
    // It is over here; perhaps the server has not heard of that, or has forgotten it.
    if (link.grantAs(number) === undefined) link.giveBackNumber(session, number);
  } else if (state === 'granted') {
    link.grant(asked, rest);
  } else if (state === 'settled') {
    link.settled(asked);
  } else {
    asked.state = 'waiting';
    asked.request.missed();
  }
}
