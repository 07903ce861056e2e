/** What is published on Node's channels for Web Locks. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createDomain } from 'kds';
import { LockManager } from 'kds/web-locks';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { failureOf, Holder, pending, unreached } from './holding.ts';

const steps = ['start', 'grant', 'miss', 'end'] as const;
const heard: [string, Record<string, unknown>][] = [];
const listeners = steps.map((step) => (message: unknown) => {
  heard.push([step, message as Record<string, unknown>]);
});

beforeEach(() => {
  heard.length = 0;
  steps.forEach((step, index) => {
    subscribe(`locks.request.${step}`, listeners[index] as () => void);
  });
});

afterEach(() => {
  steps.forEach((step, index) => {
    unsubscribe(`locks.request.${step}`, listeners[index] as () => void);
  });
});

const exclusive = { name: 'a', mode: 'exclusive' };
const end = { ...exclusive, ifAvailable: false, steal: false, error: undefined };

it('a request is published at its start, when it is granted, and at its end', async () => {
  const locks = new LockManager(createDomain());
  const done = locks.request('a', { mode: 'shared' }, () => heard.push(['callback', {}]));
  expect(heard).toEqual([['start', { name: 'a', mode: 'shared' }]]);
  await done;
  expect(heard).toEqual([
    ['start', { name: 'a', mode: 'shared' }],
    ['grant', { name: 'a', mode: 'shared' }],
    ['callback', {}],
    ['end', { ...end, mode: 'shared' }],
  ]);
});

it('a lock that is not available is published as a miss', async () => {
  const locks = new LockManager(createDomain());
  const holder = await Holder.take(locks, 'a');
  heard.length = 0;
  await locks.request('a', { ifAvailable: true }, () => {});
  expect(heard).toEqual([
    ['start', exclusive],
    ['miss', exclusive],
    ['end', { ...end, ifAvailable: true }],
  ]);
  await holder.release();
});

it('the end has the error of the callback', async () => {
  const error = new Error('on purpose');
  const locks = new LockManager(createDomain());
  await failureOf(locks.request('a', () => Promise.reject(error)));
  expect(heard.at(-1)).toEqual(['end', { ...end, error }]);
  expect(heard.at(-1)?.[1]['error']).toBe(error);
});

it('the end has the error of a stolen lock, once, and the stealing request its own', async () => {
  const locks = new LockManager(createDomain());
  const holder = await Holder.take(locks, 'a');
  heard.length = 0;
  await locks.request('a', { steal: true }, () => {});
  const error = await failureOf(holder.done);
  await holder.release().catch(() => {});
  const ends = heard.filter(([step]) => step === 'end').map(([, message]) => message);
  expect(ends).toEqual([
    { ...end, error },
    { ...end, steal: true },
  ]);
});

it('the end has the reason of an abort, and nothing else does', async () => {
  const locks = new LockManager(createDomain());
  const holder = await Holder.take(locks, 'a');
  heard.length = 0;
  const controller = new AbortController();
  const done = locks.request('a', { signal: controller.signal }, unreached);
  await pending(locks, 'a', 1);
  controller.abort('enough');
  await failureOf(done);
  expect(heard).toEqual([
    ['start', exclusive],
    ['end', { ...end, error: 'enough' }],
  ]);
  await holder.release();
});

it('a set is published with the list of its names', async () => {
  await new LockManager(createDomain()).request(['a', 'b'], () => {});
  expect(heard.map(([, { name }]) => name)).toEqual([
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

it('a request refused for its arguments is not published', async () => {
  await failureOf(new LockManager(createDomain()).request('-', unreached));
  expect(heard).toEqual([]);
});
