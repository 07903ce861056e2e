/** Events of a client of the broker, of its own requests. */

import { openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleBroker, removePrograms } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { EventRecorder } from './event-recorder.ts';

beforeAll(bundleBroker);
afterAll(() => {
  removePlaces();
  removePrograms();
});

it('a client publishes the events of its requests and grants', async () => {
  const socket = freshSocketPath();
  const domain = await openBrokerDomain({ socket, label: 'client', idleMs: 100 });
  const recorder = new EventRecorder();
  const one = await domain.acquire({ exclusive: ['a', 'b'] }, { label: 'one' });
  const two = domain.acquire({ exclusive: 'a', shared: 'c' }, { label: 'two' });
  await domain.tryAcquire({ shared: 'a' }, { label: 'three' });
  await domain.acquire({ shared: 'a' }, { label: 'four', timeoutMs: 1 }).catch(() => undefined);
  domain.enqueue({ shared: 'a' }, () => undefined, { label: 'five' }).cancel();
  one.release('b');
  one.abandon();
  (await two).downgrade();
  await domain.close();
  recorder.stop();
  expect(recorder.lines).toEqual([
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
  expect([...recorder.domains]).toEqual([`broker ${socket} client`]);
});
