/** Rows 27 to 29: units of a resource with a capacity, next to the semaphores of peers. */

import { Semaphore } from 'async-mutex';
import { Sema } from 'async-sema';
import { Effect } from 'effect';
import { createDomain, type SyncGrant } from 'kds';
import { createArena, openThreadsDomain } from 'kds/threads';
import pLimit from 'p-limit';
import { handover, type Queueing, turnstile } from './queued.ts';
import { keepAlive, type Loop, loopSubject, never, type Subject } from './sampling.ts';

function nothing(): void {}

const capacity = 4;
const capacities = { gpu: capacity, kept: capacity };
const directly = { delivery: 'direct' } as const;

/** Row 27: 2 of 4 units. Peers without weights take one unit twice, or one unit only. */
export async function freeUnits(): Promise<Subject[]> {
  const domain = createDomain({ capacity: capacities });
  const preparedDomain = createDomain({ capacity: capacities });
  const set = preparedDomain.prepare({ units: { gpu: 2 } });
  const syncDomain = createDomain({ capacity: capacities });
  const syncSet = syncDomain.prepare({ units: { gpu: 2 } });
  const runDomain = createDomain({ capacity: capacities });
  const semaphore = new Semaphore(capacity);
  const runSemaphore = new Semaphore(capacity);
  const sema = new Sema(capacity);
  const limit = pLimit(capacity);
  const permits = Effect.unsafeMakeSemaphore(capacity);
  const withPermits = permits.withPermits(2)(Effect.void);
  const keptUnits = { units: { kept: 2 } };
  keepAlive(domain.acquire(keptUnits), preparedDomain.acquire(keptUnits));
  keepAlive(
    syncDomain.tryAcquireSync(keptUnits),
    runDomain.run(keptUnits, () => never),
  );
  keepAlive(new Semaphore(capacity).acquire(2), new Sema(capacity).acquire());
  keepAlive(
    new Semaphore(capacity).runExclusive(() => never, 2),
    pLimit(capacity)(() => never),
  );
  const keptPermits = Effect.unsafeMakeSemaphore(capacity).withPermits(2)(Effect.never);
  keepAlive(Effect.runPromise(keptPermits));
  const loops: Record<string, Loop> = {
    'kds, acquire': async (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = await domain.acquire({ units: { gpu: 2 } });
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
    'kds, tryAcquireSync, prepared': (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = syncDomain.tryAcquireSync(syncSet) as SyncGrant;
        sum += grant.token;
        grant.release();
      }
      return sum;
    },
    'kds, run': async (count) => {
      for (let index = 0; index < count; index++)
        await runDomain.run({ units: { gpu: 2 } }, nothing);
    },
    'async-mutex, runExclusive': async (count) => {
      for (let index = 0; index < count; index++) await runSemaphore.runExclusive(nothing, 2);
    },
    'async-mutex, Semaphore': async (count) => {
      for (let index = 0; index < count; index++) {
        const [, release] = await semaphore.acquire(2);
        release();
      }
    },
    'async-sema (2 of 1 unit)': async (count) => {
      for (let index = 0; index < count; index++) {
        await sema.acquire();
        await sema.acquire();
        sema.release();
        sema.release();
      }
    },
    'p-limit (1 unit)': async (count) => {
      for (let index = 0; index < count; index++) await limit(nothing);
    },
    'Effect, Semaphore': async (count) => {
      for (let index = 0; index < count; index++) await Effect.runPromise(withPermits);
    },
  };
  const subjects: Subject[] = [];
  for (const [name, loop] of Object.entries(loops)) subjects.push(await loopSubject(name, loop));
  return subjects;
}

/**
 * Row 28: 100,000 wait for 2 of 4 units; of peers without weights, for 1 of 2. The number of rounds
 * is small where a hand-over takes longer the more wait.
 */
export const queueingPeers = [
  ['async-mutex, Semaphore', 2],
  ['async-sema (1 of 2)', 9],
  ['p-limit (1 of 2)', 9],
  ['Effect, Semaphore', 9],
] as const;

type QueueingPeer = (typeof queueingPeers)[number][0];

export function queuedUnits(peer: QueueingPeer): Subject[] {
  const queueings: Readonly<Record<QueueingPeer, Queueing>> = {
    'async-mutex, Semaphore': asyncMutex,
    'async-sema (1 of 2)': asyncSema,
    'p-limit (1 of 2)': inPLimit,
    'Effect, Semaphore': effect,
  };
  return handover(peer, queueings[peer], undefined, { promises, direct });
}

/** Row 29: threads. */
export async function unitsInArena(): Promise<Subject[]> {
  const domain = openThreadsDomain(createArena(), { capacity: capacities });
  const units = domain.prepare({ units: { gpu: 2 } });
  const exclusiveDomain = openThreadsDomain(createArena());
  keepAlive(domain.tryAcquireSync({ units: { kept: 2 } }));
  keepAlive(exclusiveDomain.tryAcquireSync({ exclusive: ['kept a', 'kept b'] }));
  const exclusive = exclusiveDomain.prepare({ exclusive: ['a', 'b'] });
  return [
    await loopSubject('2 of 4 units', (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = domain.tryAcquireSync(units) as SyncGrant;
        sum += grant.token;
        grant.release();
      }
      return sum;
    }),
    await loopSubject('2 exclusive names', (count) => {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        const grant = exclusiveDomain.tryAcquireSync(exclusive) as SyncGrant;
        sum += grant.token;
        grant.release();
      }
      return sum;
    }),
  ];
}

const promises: Queueing = async (count) => {
  const domain = createDomain({ capacity: { gpu: capacity } });
  const holder = domain.tryAcquireSync({ units: { gpu: capacity } }) as SyncGrant;
  const { pass, through } = turnstile(count);
  const onGrant = (grant: SyncGrant): void => {
    grant.release();
    pass();
  };
  for (let index = 0; index < count; index++) {
    void domain.acquire({ units: { gpu: 2 } }).then(onGrant);
  }
  const letGo = (): Promise<void> => {
    holder.release();
    return through;
  };
  return { letGo };
};

const direct: Queueing = async (count) => {
  const domain = createDomain({ capacity: { gpu: capacity } });
  const holder = domain.tryAcquireSync({ units: { gpu: capacity } }) as SyncGrant;
  const { pass, through } = turnstile(count);
  const onGrant = (grant: SyncGrant): void => {
    grant.release();
    pass();
  };
  const set = domain.prepare({ units: { gpu: 2 } });
  for (let index = 0; index < count; index++) domain.enqueue(set, onGrant, directly);
  const letGo = (): Promise<void> => {
    holder.release();
    return through;
  };
  return { letGo };
};

const asyncMutex: Queueing = async (count) => {
  const semaphore = new Semaphore(capacity);
  const [, release] = await semaphore.acquire(capacity);
  const { pass, through } = turnstile(count);
  const onGrant = ([, releaseMine]: readonly [number, () => void]): void => {
    releaseMine();
    pass();
  };
  for (let index = 0; index < count; index++) void semaphore.acquire(2).then(onGrant);
  const letGo = (): Promise<void> => {
    release();
    return through;
  };
  return { letGo };
};

const asyncSema: Queueing = async (count) => {
  const sema = new Sema(2);
  await Promise.all([sema.acquire(), sema.acquire()]);
  const { pass, through } = turnstile(count);
  const onGrant = (): void => {
    sema.release();
    pass();
  };
  for (let index = 0; index < count; index++) void sema.acquire().then(onGrant);
  const letGo = (): Promise<void> => {
    sema.release();
    sema.release();
    return through;
  };
  return { letGo };
};

const inPLimit: Queueing = async (count) => {
  const limit = pLimit(2);
  const { pass, through } = turnstile(count);
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  for (let holder = 0; holder < 2; holder++) void limit(() => gate);
  for (let index = 0; index < count; index++) void limit(pass);
  const letGo = (): Promise<void> => {
    open();
    return through;
  };
  return { letGo };
};

const effect: Queueing = async (count) => {
  const semaphore = Effect.unsafeMakeSemaphore(capacity);
  const { pass, through } = turnstile(count);
  await Effect.runPromise(semaphore.take(capacity));
  const passing = semaphore.withPermits(2)(Effect.sync(pass));
  for (let index = 0; index < count; index++) Effect.runFork(passing);
  const letGo = (): Promise<void> => {
    Effect.runFork(semaphore.release(capacity));
    return through;
  };
  return { letGo };
};
