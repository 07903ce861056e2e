/** Holding a set while a function runs. */

import type { Grant } from '../src/api/grant.ts';
import type { AcquireOptions } from '../src/api/options.ts';
import type { SetSpec } from '../src/api/sets.ts';
import { check, equal, fails, failureOf } from './assertions.ts';
import type { Suite } from './suite.ts';

export function testRun({ group, test, needing }: Suite): void {
  group('run', () => {
    test('it passes the grant in and the value out, and releases', async (w) => {
      const values: readonly unknown[] = [42, undefined, null, { some: 'object' }];
      for (const value of values) {
        const result = await w.domain.run({ exclusive: 'a', shared: 'b' }, (grant) => {
          check(Number.isSafeInteger(grant.token), 'it is run without a grant');
          return value;
        });
        check(result === value, `another value than ${String(value)}`);
        await w.free('a', 'b');
      }
    });

    test('the set is held until what the function returns has settled', async (w) => {
      const options = { label: 'run' };
      const result = await w.domain.run({ exclusive: 'a' }, options, async () => {
        await w.see({ held: ['run'] });
        equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try meanwhile');
        return 'done';
      });
      equal(result, 'done', 'the result');
      await w.see({});
    });

    test('it releases when the function throws, and rejects with that', async (w) => {
      const error = new Error('on purpose');
      const throws = () => {
        throw error;
      };
      const rejects = () => Promise.reject(error);
      for (const fn of [throws, rejects]) {
        check((await failureOf(() => w.domain.run({ exclusive: 'a' }, fn))) === error, 'rejects');
        await w.free('a');
      }
    });

    test('those who wait go on when the function has ended', async (w) => {
      const { promise, resolve } = gate();
      const options = { label: 'run' };
      const running = w.domain.run({ exclusive: 'a' }, options, () => promise);
      const next = await w.ask('next', { exclusive: 'a' });
      await w.see({ held: ['run'], pending: ['next'] });
      resolve();
      await running;
      await next.granted();
      await w.see({ held: ['next'] });
    });

    test('functions of the same set run one after another, in order', async (w) => {
      const log: string[] = [];
      const runs = ['one', 'two', 'three'].map((label) =>
        w.domain.run({ exclusive: 'a' }, async () => {
          log.push(`${label} begins`);
          await w.domain.query();
          log.push(`${label} ends`);
        }),
      );
      await Promise.all(runs);
      const expected = ['one', 'two', 'three'].flatMap((each) => [
        `${each} begins`,
        `${each} ends`,
      ]);
      equal(log, expected, 'what ran when');
    });

    test('a function that releases by itself is as good', async (w) => {
      await w.domain.run({ exclusive: 'a' }, async (grant) => {
        await grant.release();
        await w.free('a');
      });
      await w.free('a');
    });

    test('runs within runs hold all of their sets', async (w) => {
      const outer = { label: 'outer' };
      const inner = { label: 'inner' };
      await w.domain.run({ exclusive: 'a' }, outer, async () => {
        await w.domain.run({ exclusive: 'b', shared: 'c' }, inner, () =>
          w.see({ held: ['outer', 'inner'] }),
        );
        await w.see({ held: ['outer'] });
      });
      await w.see({});
    });

    test('it rejects as acquire does, and then the function never runs', async (w) => {
      let count = 0;
      const fn = () => {
        count++;
      };
      await w.take('holder', { exclusive: 'a' });
      const run = (options: AcquireOptions) => () => {
        return w.domain.run({ exclusive: ['a', 'b'] }, options, fn);
      };
      await fails(run({ timeoutMs: 0 }), 'KDS_WAIT_TIMEOUT');
      await fails(run({ timeoutMs: 5 }), 'KDS_WAIT_TIMEOUT');
      await fails(run({ timeoutMs: Number.NaN }), 'RangeError');
      equal(await failureOf(run({ signal: AbortSignal.abort('no') })), 'no', 'the reason');
      const none = null as unknown as SetSpec;
      await fails(() => w.domain.run(none, fn), 'KDS_INVALID_SET');
      await w.see({ held: ['holder'] });
      await w.free('b');
      equal(count, 0, 'how often it ran');
    });

    const steal = needing('steal');
    steal(
      'a function that fails rejects with its own error, also if the grant was lost',
      async (w) => {
        const error = new Error('on purpose');
        const running = w.domain.run({ exclusive: 'a' }, async () => {
          await w.take('operator', { exclusive: 'a' }, { steal: true });
          await w.domain.query();
          throw error;
        });
        check((await failureOf(() => running)) === error, 'another error');
      },
    );

    test('it rejects if its session was closed while the function ran', async (w) => {
      const session = w.domain.session();
      const running = session.run({ exclusive: 'a' }, async () => {
        await session.close();
        return 'value';
      });
      await fails(() => running, 'KDS_GRANT_LOST');
      await w.free('a');
    });

    test('a function that lets go by itself, or gives up, has its value returned', async (w) => {
      const ends: readonly ((grant: Grant) => unknown)[] = [
        (grant) => grant.release(),
        (grant) => grant.abandon(),
        (grant) => grant.abandon(new Error('half done')),
      ];
      for (const end of ends) {
        const running = w.domain.run({ exclusive: 'a' }, async (grant) => {
          await end(grant);
          return 'value';
        });
        equal(await running, 'value', 'the result');
        await w.free('a');
      }
    });

    test('what an async generator reads is not held for it: it holds a grant itself', async (w) => {
      const set = { exclusive: 'table' };
      async function* tries() {
        yield await w.domain.tryAcquire(set);
      }
      function* none() {}
      for (const generator of [tries, none] as readonly (() => unknown)[]) {
        await fails(() => w.domain.run(set, generator), 'TypeError');
      }
      await w.free('table');
      const rows = await w.domain.run(set, () => tries());
      // It was returned before its body began, so the grant was released.
      for await (const grant of rows) {
        check(grant !== null, 'the set is held while the generator is read');
        await grant.release();
      }
      async function* heldRows() {
        const grant = await w.domain.acquire(set);
        try {
          yield 1;
          yield 2;
        } finally {
          await grant.release();
        }
      }
      for await (const row of heldRows()) {
        equal(await w.domain.tryAcquire(set), null, `a try at row ${row}`);
        if (row === 2) break;
      }
      await w.free('table');
    });

    test('without a function it takes nothing', async (w) => {
      for (const wrong of [undefined, null, 5, 'fn']) {
        const fn = wrong as unknown as () => void;
        await fails(() => w.domain.run({ exclusive: 'a' }, {}, fn), 'TypeError');
      }
      await w.free('a');
    });
  });
}

/** A promise, and what resolves it. */
function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
