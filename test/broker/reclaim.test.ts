/** Grants that are reclaimed from the next broker, of which some had been given to others since. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningBroker } from '../../src/backends/broker/server/broker.ts';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { owned, RawClient, shared } from './raw-client.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

let broker: RunningBroker | undefined;
let one: RawClient;
let two: RawClient;

/** A broker whose time of grace lasts as long as the test: the one before ended with a client. */
beforeEach(async () => {
  const socketPath = freshSocketPath();
  const before = await runBroker({ socketPath });
  const client = await RawClient.greeted(socketPath);
  await before?.close();
  await client.closed();
  broker = await runBroker({ socketPath, graceMs: 3_600_000 });
  one = await RawClient.greeted(socketPath);
  two = await RawClient.greeted(socketPath);
});

afterEach(async () => {
  await broker?.close();
  removePlaces();
});

const reclaim = (id: number, token: number, set: object) => ({ do: 'reclaim', id, token, ...set });

async function tokensHeld(client: RawClient): Promise<readonly unknown[]> {
  client.say({ do: 'query', id: 99 });
  const { held } = await client.next('snapshot');
  return (held as readonly { token: number }[]).map(({ token }) => token);
}

describe('of two grants in conflict', () => {
  it('the one with the greater token is kept, although it is reclaimed later', async () => {
    one.say(reclaim(1, 5, owned('a', 'b')));
    await one.next('granted');
    two.say({ do: 'acquire', id: 2, ...shared('b') }, reclaim(1, 7, owned('a')));
    expect(await two.next('granted')).toEqual({ is: 'granted', id: 1, token: 7, recovered: ['a'] });
    expect(await one.next('lost')).toMatchObject({ id: 1, code: 'KDS_GRANT_LOST' });
    expect(await tokensHeld(two)).toEqual([7]);
    // The grant that was lost is ignored; the other one is not affected.
    one.say({ do: 'release', id: 1 });
    expect(await tokensHeld(one)).toEqual([7]);
  });

  it('the one with the greater token is kept, although it is reclaimed earlier', async () => {
    one.say(reclaim(1, 7, owned('a')));
    await one.next('granted');
    two.say(reclaim(1, 5, owned('a')), reclaim(2, 7, owned('a')));
    expect(await two.next('lost')).toMatchObject({ id: 1 });
    expect(await two.next('lost')).toMatchObject({ id: 2 });
    expect(await tokensHeld(one)).toEqual([7]);
  });
});

it('one greater token among those in conflict keeps them all', async () => {
  one.say(reclaim(1, 3, shared('a')), reclaim(2, 9, shared('a')));
  await one.next('granted');
  await one.next('granted');
  two.say(reclaim(1, 5, owned('a')));
  expect(await two.next('lost')).toMatchObject({ id: 1 });
  expect(await tokensHeld(two)).toEqual([3, 9]);
  two.say(reclaim(1, 11, owned('a')));
  await two.next('granted');
  expect([await one.next('lost'), await one.next('lost')]).toMatchObject([{ id: 1 }, { id: 2 }]);
  expect(await tokensHeld(two)).toEqual([11]);
});

it('what was released or downgraded since is in conflict no more', async () => {
  one.say(
    reclaim(1, 3, owned('a', 'b')),
    { do: 'downgrade', id: 1, part: ['a'] },
    { do: 'release', id: 1, part: ['b'] },
    reclaim(2, 4, owned('c')),
  );
  await one.next('granted');
  await one.next('granted');
  two.say(reclaim(1, 5, { parts: [...shared('a').parts, ...owned('b', 'c').parts] }));
  await two.next('granted');
  expect(await one.next('lost')).toMatchObject({ id: 2 });
  expect(await tokensHeld(two)).toEqual([3, 5]);
});
