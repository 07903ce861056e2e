/**
 * The algorithms of https://w3c.github.io/web-locks/ step by step, on every backend. Groups are
 * named for the algorithms; what only shapes of arguments matter for is in
 * request-arguments.test.ts.
 */

import { type Lock, LockManager } from 'kds/web-locks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptied, failureOf, Gate, Holder, pending, turn, unreached } from './holding.ts';
import { type World, worldKinds } from './worlds.ts';

describe.each(worldKinds.map((kind) => [kind.name, kind] as const))('on %s', (_name, kind) => {
  beforeAll(() => kind.start?.());
  afterAll(() => kind.end?.());

  /** A test in a world of its own, in which nothing may be left. */
  const inWorld = (body: (locks: LockManager, world: World) => Promise<void>) => async () => {
    const world = await kind.open();
    const locks = await world.agent();
    await body(locks, world);
    await emptied(locks);
    await world.close();
  };

  describe('request a lock', () => {
    it(
      'a free lock is granted, with its name and in the mode asked for',
      inWorld(async (locks) => {
        const told = (lock: Lock | null) => [lock instanceof Object, lock?.name, lock?.mode];
        expect(await locks.request('a', told)).toEqual([true, 'a', 'exclusive']);
        expect(await locks.request('a', { mode: 'exclusive' }, told)).toEqual([
          true,
          'a',
          'exclusive',
        ]);
        expect(await locks.request('a', { mode: 'shared' }, told)).toEqual([true, 'a', 'shared']);
      }),
    );

    it.each(['', ' ', 'a\0b', '\uD800', '\uDC00', '\uDC00\uD800', '\uFFFF', 'x-y', '__proto__'])(
      'any DOMString is a name: %j',
      async (name) => {
        await inWorld(async (locks) => {
          expect(await locks.request(name, (lock) => lock?.name)).toBe(name);
        })();
      },
    );

    it(
      'a lone surrogate is another name than what it would be replaced with',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, '\uD800');
        expect(await locks.request('\uFFFD', (lock) => lock?.name)).toBe('\uFFFD');
        await holder.release();
      }),
    );

    it(
      'requests for one name are granted in the order in which they were made',
      inWorld(async (locks) => {
        const order: number[] = [];
        const log = (n: number) => () => order.push(n);
        await Promise.all([1, 2, 3, 4].map((n) => locks.request('a', log(n))));
        expect(order).toEqual([1, 2, 3, 4]);
      }),
    );

    it(
      'requests for other names do not wait for them',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        const order: string[] = [];
        const waiting = locks.request('a', () => order.push('a'));
        await locks.request('b', () => order.push('b'));
        await holder.release();
        await waiting;
        expect(order).toEqual(['b', 'a']);
      }),
    );

    it(
      'with ifAvailable, a lock that is free is granted',
      inWorld(async (locks) => {
        const told = await locks.request('a', { ifAvailable: true }, (lock) => lock?.name);
        expect(told).toBe('a');
      }),
    );

    it.each([
      ['exclusive', 'exclusive'],
      ['shared', 'exclusive'],
      ['exclusive', 'shared'],
    ] as const)(
      'with ifAvailable, held %s and asked for %s, it calls back with null',
      (held, mode) =>
        inWorld(async (locks, world) => {
          const holder = await Holder.take(locks, 'a', { mode: held });
          const other = await world.agent();
          const told = await other.request('a', { mode, ifAvailable: true }, (lock) => [lock]);
          expect(told).toEqual([null]);
          await holder.release();
        })(),
    );

    it(
      'with ifAvailable, shared beside shared is granted',
      inWorld(async (locks, world) => {
        const holder = await Holder.take(locks, 'a', { mode: 'shared' });
        const other = await world.agent();
        const options = { mode: 'shared', ifAvailable: true } as const;
        expect(await other.request('a', options, (lock) => lock?.mode)).toBe('shared');
        await holder.release();
      }),
    );

    it(
      'with ifAvailable, it does not get past those who wait',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a', { mode: 'shared' });
        const waiting = locks.request('a', () => 'had it');
        const options = { mode: 'shared', ifAvailable: true } as const;
        expect(await locks.request('a', options, (lock) => lock)).toBe(null);
        await holder.release();
        expect(await waiting).toBe('had it');
      }),
    );

    it(
      'with ifAvailable, what the callback comes to is the outcome although it got no lock',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        const ask = <R>(callback: () => R) => locks.request('a', { ifAvailable: true }, callback);
        const reason = { name: 'on purpose' };
        expect(await ask(() => 1)).toBe(1);
        expect(await ask(async () => 2)).toBe(2);
        expect(
          await failureOf(
            ask(() => {
              throw reason;
            }),
          ),
        ).toBe(reason);
        expect(await failureOf(ask(() => Promise.reject(reason)))).toBe(reason);
        await holder.release();
      }),
    );

    it(
      'with ifAvailable, a lock is available again as soon as its release is reported',
      inWorld(async (locks) => {
        await locks.request('a', async () => {
          await locks.request('b', () => {});
          const told = await locks.request('b', { ifAvailable: true }, (lock) => lock?.name);
          expect(told).toBe('b');
        });
      }),
    );

    it(
      'with steal, a free lock is granted',
      inWorld(async (locks) => {
        expect(await locks.request('a', { steal: true }, (lock) => lock?.mode)).toBe('exclusive');
      }),
    );

    it(
      'with steal, the promises of all holders reject with AbortError, and their callbacks go on',
      inWorld(async (locks, world) => {
        const holders = [
          await Holder.take(locks, 'a', { mode: 'shared' }),
          await Holder.take(await world.agent(), 'a', { mode: 'shared' }),
        ];
        expect(await locks.request('a', { steal: true }, () => 'stolen')).toBe('stolen');
        for (const holder of holders) {
          const error = await failureOf(holder.done);
          expect(error).toBeInstanceOf(DOMException);
          expect(error).toMatchObject({ name: 'AbortError', code: 20 });
          // Too late to make any difference, and nobody hears of it as unhandled.
          holder.refuse(new Error('of the revoked callback'));
        }
        await turn();
      }),
    );

    it(
      'with steal, holders of other names keep theirs',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        await locks.request('b', { steal: true }, () => {});
        const told = await locks.request('a', { ifAvailable: true }, (lock) => lock);
        expect(told).toBe(null);
        expect(await holder.release('kept')).toBe('kept');
      }),
    );

    it(
      'with steal, it comes before those who wait, and they go on waiting',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        const order: string[] = [];
        const waiting = locks.request('a', () => order.push('waiting'));
        const steal = locks.request('a', { steal: true }, async () => {
          order.push('steal');
          await pending(locks, 'a', 1);
          order.push('steal ends');
        });
        await Promise.all([steal, waiting, failureOf(holder.done)]);
        expect(order).toEqual(['steal', 'steal ends', 'waiting']);
      }),
    );

    it(
      'with steal, the last request wins',
      inWorld(async (locks, world) => {
        const first = await Holder.take(locks, 'a', { steal: true });
        const second = await Holder.take(await world.agent(), 'a', { steal: true });
        expect(await failureOf(first.done)).toMatchObject({ name: 'AbortError' });
        expect(await second.release('kept')).toBe('kept');
      }),
    );

    it(
      'stolen before its callback was called, it is called back first, and then rejects',
      inWorld(async (locks) => {
        const order: string[] = [];
        const revoked = locks.request('a', (lock) => {
          order.push(`revoked ${lock?.name}`);
          return new Promise(() => {});
        });
        const steal = locks.request('a', { steal: true }, () => order.push('steal'));
        expect(await failureOf(revoked)).toMatchObject({ name: 'AbortError' });
        await steal;
        expect(order).toEqual(['revoked a', 'steal']);
      }),
    );
  });

  describe('grantable', () => {
    it(
      'a shared lock is granted beside shared ones, an exclusive one beside none',
      inWorld(async (locks, world) => {
        const other = await world.agent();
        const readers = [
          await Holder.take(locks, 'a', { mode: 'shared' }),
          await Holder.take(other, 'a', { mode: 'shared' }),
        ];
        let isWriting = false;
        const writer = locks.request('a', () => {
          isWriting = true;
        });
        await pending(other, 'a', 1);
        await readers[0]?.release();
        await pending(other, 'a', 1);
        expect(isWriting).toBe(false);
        await readers[1]?.release();
        await writer;
        expect(isWriting).toBe(true);
      }),
    );

    it(
      'who is not the first in the queue waits, though it would go with who holds the lock',
      inWorld(async (locks) => {
        const reader = await Holder.take(locks, 'a', { mode: 'shared' });
        const order: string[] = [];
        const writer = locks.request('a', () => order.push('writer'));
        const second = locks.request('a', { mode: 'shared' }, () => order.push('second reader'));
        await pending(locks, 'a', 2);
        await reader.release();
        await Promise.all([writer, second]);
        expect(order).toEqual(['writer', 'second reader']);
      }),
    );

    it(
      'who holds a lock and asks for it again waits for himself',
      inWorld(async (locks) => {
        const told = await locks.request('a', () =>
          locks.request('a', { ifAvailable: true }, (lock) => lock),
        );
        expect(told).toBe(null);
      }),
    );
  });

  describe('process the lock request queue', () => {
    it(
      'when an exclusive lock is released, all shared ones up to the next exclusive are granted',
      inWorld(async (locks) => {
        const writer = await Holder.take(locks, 'a');
        const readers = [1, 2, 3].map(() => Holder.take(locks, 'a', { mode: 'shared' }));
        const last = Holder.take(locks, 'a');
        const later = [1, 2].map(() => Holder.take(locks, 'a', { mode: 'shared' }));
        const counts = async () => {
          const { held, pending } = await locks.query();
          return [held.map(({ mode }) => mode), pending.map(({ mode }) => mode)];
        };
        const [e, s] = ['exclusive', 'shared'];
        expect(await counts()).toEqual([[e], [s, s, s, e, s, s]]);
        await writer.release();
        for (const reader of await Promise.all(readers)) {
          expect((await counts())[1]).toEqual([e, s, s]);
          await reader.release();
        }
        expect(await counts()).toEqual([[e], [s, s]]);
        await (await last).release();
        for (const reader of await Promise.all(later)) await reader.release();
      }),
    );

    it(
      'the callback is called from a task of its own, when all microtasks are through',
      inWorld(async (locks) => {
        let isCalled = false;
        const done = locks.request('a', () => {
          isCalled = true;
        });
        for (let count = 0; count < 100; count++) await null;
        expect(isCalled).toBe(false);
        await done;
        expect(isCalled).toBe(true);
      }),
    );

    it(
      'if the signal aborts after the grant and before that task, the callback is never called',
      inWorld(async (locks) => {
        const controller = new AbortController();
        const done = locks.request('a', { signal: controller.signal }, unreached);
        await null;
        controller.abort('in between');
        expect(await failureOf(done)).toBe('in between');
        expect(await locks.request('a', (lock) => lock?.name)).toBe('a');
      }),
    );

    it(
      'once the callback is called, the signal is ignored',
      inWorld(async (locks) => {
        const controller = new AbortController();
        const holder = await Holder.take(locks, 'a', { signal: controller.signal });
        controller.abort();
        expect(await holder.release('kept')).toBe('kept');
      }),
    );

    it(
      'and so it is when the lock is about to be released',
      inWorld(async (locks) => {
        const controller = new AbortController();
        const holder = await Holder.take(locks, 'a', { signal: controller.signal });
        const done = holder.release('kept');
        controller.abort();
        expect(await done).toBe('kept');
      }),
    );

    it(
      'the callback is called as a function, with the lock alone',
      inWorld(async (locks) => {
        const told = await locks.request('a', function (this: unknown, ...given: unknown[]) {
          return [this, given.length];
        });
        expect(told).toEqual([undefined, 1]);
      }),
    );
  });

  describe('at the end of the waiting promise', () => {
    it.each([
      ['a value', () => 7],
      ['a promise', async () => 7],
      // biome-ignore lint/suspicious/noThenProperty: that is what is tested.
      ['a thenable', () => ({ then: (resolve: (value: number) => void) => resolve(7) })],
    ] as [string, () => unknown][])(
      'the request resolves with what the callback returned: %s',
      async (_, callback) => {
        await inWorld(async (locks) => {
          expect(await locks.request('a', callback)).toBe(7);
        })();
      },
    );

    it.each([
      [
        'throws',
        (reason: unknown) => {
          throw reason;
        },
      ],
      ['rejects', (reason: unknown) => Promise.reject(reason)],
    ])('the request rejects with what the callback %s, whatever that is', async (_, callback) => {
      await inWorld(async (locks) => {
        let isAsked = false;
        const thenable = {
          // biome-ignore lint/suspicious/noThenProperty: it must not be called.
          then: () => {
            isAsked = true;
          },
        };
        for (const reason of [new Error('on purpose'), { name: 'test' }, thenable, undefined]) {
          const done = locks.request('a', () => callback(reason));
          expect(done).toBeInstanceOf(Promise);
          const outcome = await Promise.allSettled([done]);
          expect(outcome).toEqual([{ status: 'rejected', reason }]);
          expect((outcome[0] as PromiseRejectedResult).reason).toBe(reason);
        }
        expect(isAsked).toBe(false);
      })();
    });

    it(
      'the lock is held until then, and its request ends after the release',
      inWorld(async (locks, world) => {
        const other = await world.agent();
        const gate = new Gate();
        const order: string[] = [];
        const first = locks.request('a', () => gate.passed);
        await locks.request('b', () => {});
        const second = other.request('a', () => order.push('second'));
        await pending(other, 'a', 1);
        void gate.passed.then(() => order.push('holding'));
        const told = first.then(() => order.push('released'));
        gate.open();
        await Promise.all([told, second]);
        expect(order.indexOf('holding')).toBe(0);
        const free = await locks.request('a', { ifAvailable: true }, (lock) => lock?.name);
        expect(free).toBe('a');
      }),
    );

    it(
      'a rejection releases the lock too',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        const second = locks.request('a', () => 'second');
        holder.refuse('on purpose');
        expect(await failureOf(holder.done)).toBe('on purpose');
        expect(await second).toBe('second');
      }),
    );
  });

  describe('signal to abort the request', () => {
    it(
      'a request that waits rejects with the reason itself, and has left the queue',
      inWorld(async (locks, world) => {
        const holder = await Holder.take(locks, 'a');
        const controller = new AbortController();
        const { signal } = controller;
        const aborted = locks.request('a', { signal }, unreached);
        const next = locks.request('a', () => 'next');
        await pending(locks, 'a', 2);
        const reason = { any: 'value' };
        controller.abort(reason);
        expect(await failureOf(aborted)).toBe(reason);
        await pending(await world.agent(), 'a', 1);
        await holder.release();
        expect(await next).toBe('next');
      }),
    );

    it(
      'without a reason given it is the AbortError that the signal made',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        const controller = new AbortController();
        const aborted = locks.request('a', { signal: controller.signal }, unreached);
        controller.abort();
        const error = await failureOf(aborted);
        expect(error).toBe(controller.signal.reason);
        expect(error).toMatchObject({ name: 'AbortError', code: 20 });
        await holder.release();
      }),
    );

    it(
      'who waits behind it moves up at once',
      inWorld(async (locks) => {
        const reader = await Holder.take(locks, 'a', { mode: 'shared' });
        const controller = new AbortController();
        const writer = locks.request('a', { signal: controller.signal }, unreached);
        const second = locks.request('a', { mode: 'shared' }, () => 'second reader');
        controller.abort('no more');
        expect(await failureOf(writer)).toBe('no more');
        expect(await second).toBe('second reader');
        await reader.release();
      }),
    );

    it(
      'an abort in the tick of the request wins, and the next request is granted',
      inWorld(async (locks) => {
        const controller = new AbortController();
        const aborted = locks.request('a', { signal: controller.signal }, unreached);
        const next = locks.request('a', () => 'next');
        controller.abort('at once');
        expect(await failureOf(aborted)).toBe('at once');
        expect(await next).toBe('next');
      }),
    );

    it(
      'one signal ends all that wait with it, and nothing else',
      inWorld(async (locks) => {
        const holder = await Holder.take(locks, 'a');
        const controller = new AbortController();
        const { signal } = controller;
        const aborted = [1, 2, 3].map(() => locks.request('a', { signal }, unreached));
        const other = locks.request('a', () => 'other');
        controller.abort('all');
        expect(await Promise.all(aborted.map(failureOf))).toEqual(['all', 'all', 'all']);
        await holder.release();
        expect(await other).toBe('other');
      }),
    );
  });

  describe('snapshot the lock state', () => {
    it(
      'lists name, mode and client of each lock and request, requests in their order',
      inWorld(async (locks, world) => {
        const other = await world.agent();
        const reader = await Holder.take(locks, 'a', { mode: 'shared' });
        const second = await Holder.take(other, 'a', { mode: 'shared' });
        const writer = await Holder.take(other, 'b');
        const first = locks.request('a', () => {});
        await pending(locks, 'a', 1);
        const then = other.request('a', { mode: 'shared' }, () => {});
        await pending(locks, 'a', 2);
        const [mine, others] = [locks.clientId, other.clientId];
        expect(mine).not.toBe(others);
        for (const agent of [locks, other]) {
          expect(await agent.query()).toEqual({
            held: [
              { name: 'a', mode: 'shared', clientId: mine },
              { name: 'a', mode: 'shared', clientId: others },
              { name: 'b', mode: 'exclusive', clientId: others },
            ],
            pending: [
              { name: 'a', mode: 'exclusive', clientId: mine },
              { name: 'a', mode: 'shared', clientId: others },
            ],
          });
        }
        for (const holder of [reader, second, writer]) await holder.release();
        await Promise.all([first, then]);
      }),
    );

    it(
      'a lock is held from the grant on, not only once its callback is called',
      inWorld(async (locks) => {
        const done = locks.request('a', () => {});
        const { held } = await locks.query();
        expect(held.map(({ name }) => name)).toEqual(['a']);
        await done;
      }),
    );

    it(
      'it can show a deadlock',
      inWorld(async (locks, world) => {
        const other = await world.agent();
        const controller = new AbortController();
        const { signal } = controller;
        const mine = await Holder.take(locks, 'a');
        const others = await Holder.take(other, 'b');
        const waiting = [
          locks.request('b', { signal }, unreached),
          other.request('a', { signal }, unreached),
        ];
        await pending(locks, 'a', 1);
        await pending(locks, 'b', 1);
        const { held, pending: stuck } = await locks.query();
        const clientOf = (infos: typeof held, name: string) =>
          infos.find((info) => info.name === name)?.clientId;
        expect(clientOf(held, 'a')).toBe(clientOf(stuck, 'b'));
        expect(clientOf(held, 'b')).toBe(clientOf(stuck, 'a'));
        controller.abort('enough');
        expect(await Promise.all(waiting.map(failureOf))).toEqual(['enough', 'enough']);
        await mine.release();
        await others.release();
      }),
    );
  });

  describe('terminate remaining locks and requests', () => {
    it(
      'when an agent is closed, others get what it held and waited for',
      inWorld(async (locks, world) => {
        const ending = await world.agent();
        const holder = await Holder.take(ending, 'a');
        const own = await Holder.take(locks, 'b');
        const waiting = ending.request('b', unreached);
        const next = locks.request('a', () => 'next');
        await pending(locks, 'a', 1);
        await pending(locks, 'b', 1);
        const errors = Promise.all([failureOf(holder.done), failureOf(waiting)]);
        await ending.close();
        expect(await errors).toMatchObject([{ name: 'AbortError' }, { name: 'AbortError' }]);
        expect(await next).toBe('next');
        await own.release();
      }),
    );

    it(
      'callbacks of grants that were not reported yet are not called any more',
      inWorld(async (_, world) => {
        const ending = await world.agent();
        const done = ending.request('a', unreached);
        const missed = ending.request('a', { ifAvailable: true }, unreached);
        const errors = Promise.all([failureOf(done), failureOf(missed)]);
        await ending.close();
        expect(await errors).toMatchObject([{ name: 'AbortError' }, { name: 'AbortError' }]);
      }),
    );

    it(
      'a closed agent refuses with an InvalidStateError, and may be closed again',
      inWorld(async (_, world) => {
        const closed = new LockManager(world.domain);
        await closed.close();
        await closed[Symbol.asyncDispose]();
        for (const done of [closed.request('a', unreached), closed.query()]) {
          expect(await failureOf(done)).toMatchObject({ name: 'InvalidStateError', code: 11 });
        }
      }),
    );
  });
});
