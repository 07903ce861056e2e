/** Row 18: a fence that is made, gets a callback and is signalled, beside a promise that is. */

import { Fence } from 'kds/fences';
import { keepAlive, loopSubject, never, type Subject } from './sampling.ts';

export async function signalledFence(): Promise<Subject[]> {
  let seenCount = 0;
  const see = (): void => {
    seenCount++;
  };
  const kept = new Fence();
  kept.addCallback(see);
  keepAlive(kept, kept.then(see), never.then(see));
  return [
    await loopSubject('kds, fence', (count) => {
      for (let index = 0; index < count; index++) {
        const fence = new Fence();
        fence.addCallback(see);
        fence.signal();
      }
      return seenCount;
    }),
    await loopSubject('kds, fence, awaited', async (count) => {
      for (let index = 0; index < count; index++) {
        const fence = new Fence();
        const seen = fence.then(see);
        fence.signal();
        await seen;
      }
      return seenCount;
    }),
    await loopSubject('a bare promise', async (count) => {
      for (let index = 0; index < count; index++) {
        let resolve = (): void => {};
        const promise = new Promise<void>((settle) => {
          resolve = settle;
        });
        const seen = promise.then(see);
        resolve();
        await seen;
      }
      return seenCount;
    }),
  ];
}
