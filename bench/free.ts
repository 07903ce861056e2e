/** Rows 1 to 3: what is asked for is free, so this is the price of the calls alone. */

import { LockBox, Lock as MatrixLock } from '@matrixai/async-locks';
import { Lock as RocicorpLock } from '@rocicorp/lock';
import AsyncLock from 'async-lock';
import { Mutex } from 'async-mutex';
import AwaitLock from 'await-lock';
import { createDomain, type SyncGrant } from 'kds';
import { keepAlive, type Loop, loopSubject, never, type Subject } from './sampling.ts';

function nothing(): void {}

export const bareAwait: Loop = async (count) => {
  for (let index = 0; index < count; index++) await null;
};

/** Loops of kds alone by row: a process that has used everything runs them too. */
export const kdsLoops = { 1: kdsSyncPair, 2: kdsAwaitedPair, 3: kdsAwaitedName } as const;

function kdsSyncPair(): Record<string, Loop> {
  const domain = createDomain();
  const [a, b] = [domain.resource(), domain.resource()];
  const set = domain.prepare({ exclusive: [a, b] });
  keepAlive(domain.tryAcquireSync({ exclusive: [domain.resource(), domain.resource()] }));
  return {
    'kds, tryAcquireSync': (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = domain.tryAcquireSync(set) as SyncGrant;
        sum += grant.token;
        grant.release();
      }
      return sum;
    },
  };
}

function kdsAwaitedPair(): Record<string, Loop> {
  const domain = createDomain();
  const preparedDomain = createDomain();
  const set = preparedDomain.prepare({ exclusive: ['a', 'b'] });
  const keptSet = { exclusive: ['kept a', 'kept b'] };
  keepAlive(domain.acquire(keptSet), preparedDomain.acquire(keptSet));
  return {
    'kds, acquire': async (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = await domain.acquire({ exclusive: ['a', 'b'] });
        sum += grant.token;
        grant.release();
      }
      return sum;
    },
    'kds, acquire, prepared': async (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = await preparedDomain.acquire(set);
        sum += grant.token;
        grant.release();
      }
      return sum;
    },
  };
}

function kdsAwaitedName(): Record<string, Loop> {
  const domain = createDomain();
  const preparedDomain = createDomain();
  const set = preparedDomain.prepare({ exclusive: 'a' });
  keepAlive(domain.acquire({ exclusive: 'kept' }), preparedDomain.acquire({ exclusive: 'kept' }));
  return {
    'kds, acquire': async (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = await domain.acquire({ exclusive: 'a' });
        sum += grant.token;
        grant.release();
      }
      return sum;
    },
    'kds, acquire, prepared': async (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = await preparedDomain.acquire(set);
        sum += grant.token;
        grant.release();
      }
      return sum;
    },
  };
}

/** Row 1. */
export function syncPair(): Promise<Subject[]> {
  return warmUp({ ...kdsSyncPair(), 'a bare await': bareAwait });
}

/** Row 2. */
export function awaitedPair(): Promise<Subject[]> {
  const asyncLock = new AsyncLock();
  const [first, second] = [new Mutex(), new Mutex()];
  const lockBox = new LockBox();
  const settled = Promise.resolve();
  keepAlive(
    asyncLock.acquire(['kept a', 'kept b'], () => never),
    new Mutex().acquire(),
  );
  keepAlive(lockBox.lock(['kept a', MatrixLock], ['kept b', MatrixLock])());
  return warmUp({
    ...kdsAwaitedPair(),
    'async-lock': async (count) => {
      for (let index = 0; index < count; index++) await asyncLock.acquire(['a', 'b'], nothing);
    },
    'two async-mutexes in order': async (count) => {
      for (let index = 0; index < count; index++) {
        const releaseFirst = await first.acquire();
        const releaseSecond = await second.acquire();
        releaseSecond();
        releaseFirst();
      }
    },
    '@matrixai/async-locks': async (count) => {
      for (let index = 0; index < count; index++) {
        const [release] = await lockBox.lock(['a', MatrixLock], ['b', MatrixLock])();
        await release();
      }
    },
    ...withWebLocks((locks) => async (count) => {
      for (let index = 0; index < count; index++) {
        await locks.request('a', () => locks.request('b', nothing));
      }
    }),
    'a bare Promise.all': async (count) => {
      for (let index = 0; index < count; index++) await Promise.all([settled, settled]);
    },
    'a bare await': bareAwait,
  });
}

/** Row 3. */
export function awaitedName(): Promise<Subject[]> {
  const rocicorpLock = new RocicorpLock();
  const awaitLock = new AwaitLock();
  const mutex = new Mutex();
  const asyncLock = new AsyncLock();
  const matrixLock = new MatrixLock();
  const keptLock = new AwaitLock();
  keepAlive(
    keptLock,
    keptLock.acquireAsync(),
    asyncLock.acquire('kept', () => never),
  );
  keepAlive(new RocicorpLock().lock(), new Mutex().acquire(), new MatrixLock().lock()());
  return warmUp({
    ...kdsAwaitedName(),
    '@rocicorp/lock': async (count) => {
      for (let index = 0; index < count; index++) {
        const release = await rocicorpLock.lock();
        release();
      }
    },
    'await-lock': async (count) => {
      for (let index = 0; index < count; index++) {
        await awaitLock.acquireAsync();
        awaitLock.release();
      }
    },
    'async-mutex': async (count) => {
      for (let index = 0; index < count; index++) {
        const release = await mutex.acquire();
        release();
      }
    },
    'async-lock': async (count) => {
      for (let index = 0; index < count; index++) await asyncLock.acquire('a', nothing);
    },
    '@matrixai/async-locks': async (count) => {
      for (let index = 0; index < count; index++) {
        const [release] = await matrixLock.lock()();
        await release();
      }
    },
    ...withWebLocks((locks) => async (count) => {
      for (let index = 0; index < count; index++) await locks.request('a', nothing);
    }),
    'a bare await': bareAwait,
  });
}

function withWebLocks(loopOver: (locks: LockManager) => Loop): Record<string, Loop> {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return {};
  keepAlive(locks.request('kept', () => never));
  return { 'navigator.locks': loopOver(locks) };
}

export async function warmUp(loops: Record<string, Loop>): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const [name, loop] of Object.entries(loops)) subjects.push(await loopSubject(name, loop));
  return subjects;
}
