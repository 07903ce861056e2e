/**
 * Row 6: what a waiter keeps in memory, each subject in a process of its own.
 *
 * heapUsed and external, both after all garbage is collected; external counts array buffers too, so
 * these are not added again. A waiter is told by a function that all share; of a peer's forms the
 * smallest is taken. Waiters of kds want two names, those of peers one: more they cannot want.
 */

import { Lock as MatrixLock } from '@matrixai/async-locks';
import { Lock as RocicorpLock } from '@rocicorp/lock';
import AsyncLock from 'async-lock';
import { Mutex } from 'async-mutex';
import AwaitLock from 'await-lock';
import { createDomain } from 'kds';
import { collectGarbage, type Subject } from './sampling.ts';

/** Adds so many waiters to what is already held; what it returns keeps them alive. */
type Filling = (count: number) => unknown;

const direct = { delivery: 'direct' } as const;

function onGrant(): void {}

export function memorySubject(name: string, prepare: () => Promise<Filling>, count: number) {
  const subject: Subject = {
    name,
    async sample() {
      const fill = await prepare();
      const before = bytesUsed();
      const kept = fill(count);
      // Some enter their queue a few microtasks after the call.
      await new Promise((resolve) => setTimeout(resolve));
      const after = bytesUsed();
      if (kept === undefined) throw new Error(`${name} keeps nothing`);
      return (after - before) / count;
    },
  };
  return [subject];
}

function bytesUsed(): number {
  for (let turn = 0; turn < 3; turn++) collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export async function kdsDirect(): Promise<Filling> {
  const domain = createDomain();
  domain.tryAcquireSync({ exclusive: ['a', 'b'] });
  return (count) => {
    const set = { exclusive: ['a', 'b'] };
    for (let index = 0; index < count; index++) domain.enqueue(set, onGrant, direct);
    return domain;
  };
}

export async function kdsPromises(): Promise<Filling> {
  const domain = createDomain();
  domain.tryAcquireSync({ exclusive: ['a', 'b'] });
  return (count) => {
    const set = { exclusive: ['a', 'b'] };
    for (let index = 0; index < count; index++) void domain.acquire(set).then(onGrant);
    return domain;
  };
}

export async function rocicorp(): Promise<Filling> {
  const lock = new RocicorpLock();
  const release = await lock.lock();
  return (count) => {
    for (let index = 0; index < count; index++) void lock.lock().then(onGrant);
    return [lock, release];
  };
}

export async function awaitLock(): Promise<Filling> {
  const lock = new AwaitLock();
  await lock.acquireAsync();
  return (count) => {
    for (let index = 0; index < count; index++) void lock.acquireAsync().then(onGrant);
    return lock;
  };
}

export async function asyncMutex(): Promise<Filling> {
  const mutex = new Mutex();
  await mutex.acquire();
  return (count) => {
    for (let index = 0; index < count; index++) void mutex.acquire().then(onGrant);
    return mutex;
  };
}

/** Its form with callbacks, which needs no promise. */
export async function asyncLock(): Promise<Filling> {
  const lock = new AsyncLock({ maxPending: Number.POSITIVE_INFINITY });
  const work = (_done: () => void): void => {};
  lock.acquire('a', work, onGrant);
  return (count) => {
    for (let index = 0; index < count; index++) lock.acquire('a', work, onGrant);
    return lock;
  };
}

export async function matrix(): Promise<Filling> {
  const lock = new MatrixLock();
  await lock.lock()();
  return (count) => {
    for (let index = 0; index < count; index++) void lock.lock()().then(onGrant);
    return lock;
  };
}

export async function webLocks(): Promise<Filling> {
  const { locks } = navigator;
  await new Promise<void>((holds) => {
    void locks.request('a', () => {
      holds();
      return new Promise<void>(() => {});
    });
  });
  return (count) => {
    for (let index = 0; index < count; index++) void locks.request('a', onGrant);
    return locks;
  };
}
