/**
 * Rows 16 and 17: the Web Locks interface on one event loop, beside what Node has built in since
 * 24.5 and beside two polyfills of it.
 *
 * The polyfill called navigator.locks is for browsers: it keeps its state in localStorage, which is
 * a Map here, and is told of changes by events of a document, which is an EventTarget. So what is
 * measured is what it does itself.
 */

import { setTimeout } from 'node:timers/promises';
import { createDomain } from 'kds';
import { LockManager } from 'kds/web-locks';
import { locks as webLocks } from 'web-locks';
import { collectGarbage, keepAlive, loopSubject, never, type Subject } from './sampling.ts';

type Request = (name: string, callback: () => Promise<void>) => Promise<unknown>;

interface Locks {
  readonly request: Request;
}

async function nothing(): Promise<void> {}

/** What there is to compare with on this Node. */
async function peers(): Promise<readonly (readonly [name: string, locks: Locks])[]> {
  const builtIn = globalThis.navigator?.locks as Locks | undefined;
  return [
    ['kds, LockManager', new LockManager(createDomain()) as unknown as Locks],
    ...(builtIn === undefined ? [] : [['built in', builtIn] as const]),
    ['web-locks', webLocks],
    ['navigator.locks (polyfill)', await polyfill()],
  ];
}

async function polyfill(): Promise<Locks> {
  const items = new Map<string, string>();
  const localStorage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  const navigator: { locks?: Locks } = {};
  const window = { navigator, localStorage, addEventListener() {}, removeEventListener() {} };
  Object.assign(globalThis, { window, document: new EventTarget() });
  await import('navigator.locks');
  return navigator.locks as Locks;
}

/** Row 16: nobody else wants the lock. */
export async function freeWebLock(): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const [name, locks] of await peers()) {
    keepAlive(locks.request('kept', () => never));
    const loop = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await locks.request('a', nothing);
    };
    subjects.push(await loopSubject(name, loop));
  }
  return subjects;
}

const queuedCount = 1000;

/** Row 17: {@link queuedCount} requests for one name, granted one after the other. */
export async function queuedWebLocks(): Promise<Subject[]> {
  return (await peers())
    .filter(([name]) => !name.includes('polyfill'))
    .map(([name, locks]) => {
      // One that is held, and one that waits for it.
      keepAlive(
        locks.request('kept', () => never),
        locks.request('kept', nothing),
      );
      return queuedSubject(name, locks);
    });
}

function queuedSubject(name: string, locks: Locks): Subject {
  return {
    name,
    async sample() {
      // One of them leaves a timer for each request, which others are not to pay for.
      await setTimeout(20);
      collectGarbage();
      const startMs = performance.now();
      const requests: Promise<unknown>[] = [];
      for (let index = 0; index < queuedCount; index++) {
        requests.push(locks.request('b', nothing));
      }
      await Promise.all(requests);
      return ((performance.now() - startMs) / queuedCount) * 1e6;
    },
  };
}
