/** Time limits of requests, and their errors. */

import { equal, fails, mentions } from './assertions.ts';
import type { Suite } from './suite.ts';

/** Too short to hold a test up, and long enough for others to be asked meanwhile. */
const shortMs = 20;
/** Timers of the platform end after 2^31 ms, and fire at once beyond that. */
const longMs: readonly number[] = [
  2 ** 31,
  2 ** 32 + 1,
  Number.MAX_VALUE,
  Number.POSITIVE_INFINITY,
];

export function testWaiting({ group, test }: Suite): void {
  group('time-outs', () => {
    test('a request that is not granted in time is refused, and leaves no trace', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const late = await w.ask('late', { exclusive: ['a', 'b'] }, { timeoutMs: shortMs });
      await late.refused('KDS_WAIT_TIMEOUT');
      await w.see({ held: ['holder'] });
      await w.free('b');
      await holder.release();
      await w.free('a', 'b');
    });

    test('the error has the time, the set and the blockers', async (w) => {
      await w.take('the nightly run', { exclusive: ['the index', 'b'] });
      const late = await w.ask('late', { shared: 'the index' }, { timeoutMs: shortMs });
      const error = await late.refused('KDS_WAIT_TIMEOUT');
      mentions(error, `${shortMs} ms`, '"the index"', '"the nightly run"');
      const now = await w.ask('now', { shared: ['c', 'b'] }, { timeoutMs: 0 });
      mentions(await now.refused('KDS_WAIT_TIMEOUT'), '"b"', '"the nightly run"');
    });

    test('a time-out of 0 means now or never', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' }, { timeoutMs: 0 });
      const writer = await w.ask('writer', { exclusive: ['a', 'b'] });
      for (const timeoutMs of [0, -0]) {
        const never = { exclusive: ['b', 'c'] };
        await fails(() => w.domain.acquire(never, { timeoutMs }), 'KDS_WAIT_TIMEOUT', 'a try');
      }
      await w.see({ held: ['holder'], pending: ['writer'] });
      await w.free('c');
      await writer.cancel();
      await w.take('now', { exclusive: 'b' }, { timeoutMs: 0 });
      await holder.release();
    });

    test('a time-out that is long, or without end, does not pass at once', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const labels = longMs.map((timeoutMs) => `${timeoutMs} ms`);
      for (const timeoutMs of longMs) {
        await w.ask(`${timeoutMs} ms`, { shared: 'a' }, { timeoutMs });
      }
      const short = await w.ask('short', { shared: 'a' }, { timeoutMs: shortMs });
      await short.refused('KDS_WAIT_TIMEOUT');
      await w.see({ held: ['holder'], pending: labels });
      await holder.release();
      await w.see({ held: labels });
    });

    test('the time is over for one and not for those who have longer', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const long = await w.ask('long', { exclusive: 'a' }, { timeoutMs: 2 * shortMs });
      const short = await w.ask('short', { shared: 'a' }, { timeoutMs: 0.5 });
      await w.ask('patient', { shared: 'a' });
      await short.refused('KDS_WAIT_TIMEOUT');
      await long.refused('KDS_WAIT_TIMEOUT');
      await w.see({ held: ['holder'], pending: ['patient'] });
    });

    test('a writer whose time is over lets the readers behind it through', async (w) => {
      await w.take('first', { shared: 'a' });
      const writer = await w.ask('writer', { exclusive: 'a' }, { timeoutMs: shortMs });
      const reader = await w.ask('reader', { shared: 'a' });
      await writer.refused('KDS_WAIT_TIMEOUT');
      await reader.granted();
      await w.see({ held: ['first', 'reader'] });
    });

    test('a time-out has no effect after the grant', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' }, { timeoutMs: shortMs });
      const next = await w.ask('next', { exclusive: 'a' }, { timeoutMs: 600_000 });
      const late = await w.ask('late', { exclusive: 'a' }, { timeoutMs: 2 * shortMs });
      await late.refused('KDS_WAIT_TIMEOUT');
      await w.see({ held: ['holder'], pending: ['next'] });
      equal(holder.grant.signal.aborted, false, 'whether the grant is lost');
      await holder.release();
      await next.granted();
    });

    test('a time-out that is none is refused, and leaves no trace', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      for (const timeoutMs of [Number.NaN, -1, Number.NEGATIVE_INFINITY, -Number.MIN_VALUE]) {
        await fails(() => w.domain.acquire({ shared: ['a', 'b'] }, { timeoutMs }), 'RangeError');
        await fails(() => w.domain.acquire({ exclusive: 'b' }, { timeoutMs }), 'RangeError');
      }
      for (const wrong of ['5', null, true, {}, [1], 5n]) {
        const timeoutMs = wrong as unknown as number;
        await fails(() => w.domain.acquire({ exclusive: 'b' }, { timeoutMs }), 'TypeError');
      }
      await w.see({ held: ['holder'] });
      await w.free('b');
    });
  });
}
