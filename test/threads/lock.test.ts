/** What a step beside another one of the lock can do to who takes it. */

import { expect, it } from 'vitest';
import { ArenaLock, type LockEnvironment, type Steps } from '../../src/backends/threads/lock.ts';

it('a thread that loses a free lock counts its checks of the other from then on', () => {
  const control = new Int32Array(new SharedArrayBuffer(4));
  const looks: [number, number][] = [];
  const environment: LockEnvironment = {
    spinCount: 0,
    maySleep: true,
    isDead: () => false,
    stillWaits: (lookCount, owner) => {
      looks.push([lookCount, owner]);
      if (looks.length === 2) Atomics.store(control, 0, 0);
    },
  };
  const other = new ArenaLock(control, 0, 1, environment);
  let timesFree = 0;
  const steps: Steps = {
    ...atomics(),
    load: ((words: Int32Array, at: number) => {
      const found = Atomics.load(words, at);
      // It is seen to be free, and then the other one is quicker.
      if (found === 0 && timesFree++ === 0) other.take();
      return found;
    }) as typeof Atomics.load,
    wait: (() => 'timed-out') as typeof Atomics.wait,
  };
  other.take();
  const mine = new ArenaLock(control, 0, 0, environment, {
    ...steps,
    compareExchange: ((words: Int32Array, at: number, from: number, to: number) => {
      const found = Atomics.compareExchange(words, at, from, to);
      // The first try finds it taken; before the first look it is let go.
      if (timesFree === 0 && from === 0) other.letGo();
      return found;
    }) as typeof Atomics.compareExchange,
  });
  expect(mine.take()).toBe(-1);
  expect(looks).toEqual([
    [0, 1],
    [1, 1],
  ]);
});

function atomics(): Steps {
  const { load, store, compareExchange, exchange, add, wait, notify } = Atomics;
  return { load, store, compareExchange, exchange, add, wait, notify };
}
