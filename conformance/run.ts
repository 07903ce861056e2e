/** Holding a set while a function runs. */

import type { AcquireOptions } from '../src/domain/options.ts';
import type { SetSpec } from '../src/domain/sets.ts';
import { check, equal, fails, failureOf } from './assertions.ts';
import type { Suite } from './suite.ts';

export function testRun({ group, test }: Suite): void {
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
