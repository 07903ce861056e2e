/** What a client of the broker tells of its own requests, to those who watch. */

import { type EventName, watchEvents } from 'kds';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshSocketPath, removePlaces } from '../broker/places.ts';
import { bundleBroker, removePrograms } from '../broker/programs.ts';

beforeAll(bundleBroker);
afterAll(() => {
  removePlaces();
  removePrograms();
});

it('a client tells how its requests and grants fare, as it hears of it', async () => {
  const socket = freshSocketPath();
  const domain = await openBrokerDomain({ socket, label: 'client', idleMs: 100 });
  const heard: string[] = [];
  const hosts = new Set<string>();
  const stop = watchEvents((name: EventName, event) => {
    const { outcome = '', cause = '' } = event as { outcome?: string; cause?: string };
    hosts.add(`${event.domain.host} ${event.domain.name} ${event.domain.label}`);
    heard.push(`${name.slice(4)} ${event.label} ${outcome}${cause}`.trim());
  });
  const one = await domain.acquire({ exclusive: ['a', 'b'] }, { label: 'one' });
  const two = domain.acquire({ exclusive: 'a', shared: 'c' }, { label: 'two' });
  await domain.tryAcquire({ shared: 'a' }, { label: 'three' });
  await domain.acquire({ shared: 'a' }, { label: 'four', timeoutMs: 1 }).catch(() => undefined);
  domain.enqueue({ shared: 'a' }, () => undefined, { label: 'five' }).cancel();
  one.release('b');
  one.abandon();
  (await two).downgrade();
  await domain.close();
  stop();
  expect(heard).toEqual([
    'request.start one',
    'request.grant one',
    'request.end one granted',
    'request.start two',
    'request.start three',
    'request.miss two',
    'request.end three denied',
    'request.start four',
    'request.miss four',
    'request.end four timed-out',
    'request.start five',
    'request.end five cancelled',
    'grant.weaken one',
    'grant.release one',
    'request.grant two',
    'grant.recovered two',
    'request.end two granted',
    'grant.weaken two',
    'grant.lost two closed',
  ]);
  expect([...hosts]).toEqual([`broker ${socket} client`]);
});
