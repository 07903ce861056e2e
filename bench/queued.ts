/**
 * Rows 4 and 5: many wait for one name, each lets go as soon as it has it. A sample is the time
 * from the holder's release until all have been through. Garbage of the queueing is collected
 * before that, so it is the handovers that are timed.
 */

import { Lock as MatrixLock } from '@matrixai/async-locks';
import { Lock as RocicorpLock } from '@rocicorp/lock';
import AsyncLock from 'async-lock';
import { Mutex } from 'async-mutex';
import AwaitLock from 'await-lock';
import { createDomain, type SyncGrant } from 'kds';
import { collectGarbage, type Subject } from './sampling.ts';

/** Queues so many behind a holder; `letGo` resolves when the last has been through. */
export type Queueing = (count: number) => Promise<{ letGo(): unknown }>;

const waiterCount = 100_000;
const sizes = [1_000, 100_000, 1_000_000];
const directly = { delivery: 'direct' } as const;

/** Row 4: both forms of kds next to one peer, whose queue may have to be shorter. */
export function handover(
  peer: string,
  queueing: Queueing,
  count = waiterCount,
  kds = { promises, direct },
): Subject[] {
  return [
    queueSubject('kds, promises', kds.promises, waiterCount),
    queueSubject('kds, direct', kds.direct, waiterCount),
    queueSubject(peer, queueing, count),
  ];
}

/** Row 5: the same work at each size, so a short queue is drained more often. */
export function handoverBySize(name: string, queueing: Queueing): Subject[] {
  return sizes.map((size) => {
    const repeats = Math.max(1, waiterCount / size);
    return queueSubject(`${name}, ${size.toLocaleString('en')} wait`, queueing, size, repeats);
  });
}

function queueSubject(name: string, queueing: Queueing, count: number, repeats = 1): Subject {
  // A queue that stays: as garbage is collected while nothing of a kind is alive, the engine throws
  // away what it had compiled for that kind.
  const staying = queueing(2);
  return {
    name,
    async sample() {
      await staying;
      let ms = 0;
      for (let repeat = 0; repeat < repeats; repeat++) {
        const { letGo } = await queueing(count);
        collectGarbage();
        const startMs = performance.now();
        await letGo();
        ms += performance.now() - startMs;
      }
      collectGarbage();
      return (ms / (repeats * count)) * 1e6;
    },
  };
}

/** Resolves at the last of so many calls of `pass`. */
export function turnstile(count: number): { pass(): void; through: Promise<void> } {
  let passed = 0;
  let open: () => void;
  const through = new Promise<void>((resolve) => {
    open = resolve;
  });
  const pass = (): void => {
    if (++passed === count) open();
  };
  return { pass, through };
}

export const promises: Queueing = async (count) => {
  const domain = createDomain();
  const holder = domain.tryAcquireSync({ exclusive: 'a' }) as SyncGrant;
  const { pass, through } = turnstile(count);
  const onGrant = (grant: SyncGrant): void => {
    grant.release();
    pass();
  };
  for (let index = 0; index < count; index++) {
    void domain.acquire({ exclusive: 'a' }).then(onGrant);
  }
  const letGo = (): Promise<void> => {
    holder.release();
    return through;
  };
  return { letGo };
};

export const direct: Queueing = async (count) => {
  const domain = createDomain();
  const holder = domain.tryAcquireSync({ exclusive: 'a' }) as SyncGrant;
  const { pass, through } = turnstile(count);
  const onGrant = (grant: SyncGrant): void => {
    grant.release();
    pass();
  };
  for (let index = 0; index < count; index++) domain.enqueue({ exclusive: 'a' }, onGrant, directly);
  const letGo = (): Promise<void> => {
    holder.release();
    return through;
  };
  return { letGo };
};

export const rocicorp: Queueing = async (count) => {
  const lock = new RocicorpLock();
  const release = await lock.lock();
  const { pass, through } = turnstile(count);
  const onGrant = (releaseMine: () => void): void => {
    releaseMine();
    pass();
  };
  for (let index = 0; index < count; index++) void lock.lock().then(onGrant);
  const letGo = (): Promise<void> => {
    release();
    return through;
  };
  return { letGo };
};

export const awaitLock: Queueing = async (count) => {
  const lock = new AwaitLock();
  await lock.acquireAsync();
  const { pass, through } = turnstile(count);
  const onGrant = (): void => {
    lock.release();
    pass();
  };
  for (let index = 0; index < count; index++) void lock.acquireAsync().then(onGrant);
  const letGo = (): Promise<void> => {
    lock.release();
    return through;
  };
  return { letGo };
};

export const asyncMutex: Queueing = async (count) => {
  const mutex = new Mutex();
  const release = await mutex.acquire();
  const { pass, through } = turnstile(count);
  const onGrant = (releaseMine: () => void): void => {
    releaseMine();
    pass();
  };
  for (let index = 0; index < count; index++) void mutex.acquire().then(onGrant);
  const letGo = (): Promise<void> => {
    release();
    return through;
  };
  return { letGo };
};

/** Its form with promises: with callbacks that are done at once it overflows the stack. */
export const asyncLock: Queueing = async (count) => {
  const lock = new AsyncLock({ maxPending: Number.POSITIVE_INFINITY });
  const { pass, through } = turnstile(count);
  let release = (): void => {};
  void lock.acquire('a', () => {
    return new Promise<void>((resolve) => {
      release = resolve;
    });
  });
  for (let index = 0; index < count; index++) void lock.acquire('a', pass);
  const letGo = (): Promise<void> => {
    release();
    return through;
  };
  return { letGo };
};

export const matrix: Queueing = async (count) => {
  const lock = new MatrixLock();
  const [release] = await lock.lock()();
  const { pass, through } = turnstile(count);
  const onGrant = ([releaseMine]: readonly [() => unknown, ...unknown[]]): void => {
    void releaseMine();
    pass();
  };
  for (let index = 0; index < count; index++) void lock.lock()().then(onGrant);
  const letGo = (): Promise<void> => {
    void release();
    return through;
  };
  return { letGo };
};

export const webLocks: Queueing = async (count) => {
  const { locks } = navigator;
  const { pass, through } = turnstile(count);
  const release = await new Promise<() => void>((holds) => {
    void locks.request('a', () => new Promise<void>(holds));
  });
  for (let index = 0; index < count; index++) void locks.request('a', pass);
  const letGo = (): Promise<void> => {
    release();
    return through;
  };
  return { letGo };
};
