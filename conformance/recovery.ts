/** Abandoned grants: later holders see the recovered flag until one has released normally. */

import { isKdsError } from '../src/api/errors.ts';
import { check, equal, isError, reasonOf } from './assertions.ts';
import type { Suite } from './suite.ts';

export function testRecovery({ group, test, needing }: Suite): void {
  group('what was left half done', () => {
    test('an abandoned grant is released, and its exclusive part is recovered', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      const next = await w.ask('next', { exclusive: ['c', 'a'], shared: 'b' });
      await holder.grant.abandon();
      await w.see({ held: ['next'] });
      equal([...next.grant.recovered].sort(), ['a', 'b'], 'recovered');
      await holder.release();
      await w.see({ held: ['next'] });
    });

    test('each grant lists it until an exclusive holder has released normally', async (w) => {
      await (await w.take('holder', { exclusive: 'a' })).grant.abandon();
      const readers = [await w.take('r1', { shared: 'a' }), await w.take('r2', { shared: 'a' })];
      for (const reader of readers) {
        equal(reader.grant.recovered, ['a'], `recovered by ${reader.label}`);
        await reader.release();
      }
      const tried = await w.domain.tryAcquire({ exclusive: ['b', 'a'] });
      equal(tried?.recovered, ['a'], 'recovered by a try');
      await tried?.abandon();
      const writer = await w.take('writer', { exclusive: 'a' });
      equal(writer.grant.recovered, ['a'], 'recovered by the writer');
      await writer.release();
      const whole = await w.take('whole', { exclusive: ['a', 'b'] });
      equal(whole.grant.recovered, ['b'], 'recovered once the writer has released');
    });

    test('waiting sets list it as of their grants', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const one = await w.ask('one', { exclusive: 'a' });
      const two = await w.ask('two', { exclusive: 'a' });
      await holder.grant.abandon();
      equal((await one.granted()).recovered, ['a'], 'recovered by the first');
      await one.release();
      equal((await two.granted()).recovered, [], 'recovered by the second');
      equal(one.grant.recovered, ['a'], 'recovered by the first, asked again');
    });

    test('a callback and a run have it as well', async (w) => {
      await (await w.take('holder', { exclusive: ['a', 'b'] })).grant.abandon();
      const callback = await w.enqueue('callback', { shared: 'a' });
      equal((await callback.granted()).recovered, ['a'], 'recovered by a callback');
      const recovered = await w.domain.run({ shared: ['b', 'c'] }, (grant) => grant.recovered);
      equal(recovered, ['b'], 'recovered by a run');
      await callback.release();
      await (await w.take('writer', { exclusive: ['a', 'b'] })).release();
    });

    test('an abandoned reader sets no recovered flag', async (w) => {
      await (await w.take('reader', { shared: 'a' })).grant.abandon();
      equal((await w.take('next', { exclusive: 'a' })).grant.recovered, [], 'recovered');
    });

    test('the signal of an abandoned grant aborts with the reason', async (w) => {
      const reason = new Error('gave up');
      const one = await w.take('one', { exclusive: 'a' });
      const { signal } = one.grant;
      await one.grant.abandon(reason);
      check((await reasonOf(signal, 'one')) === reason, 'it aborts with another reason');
      const two = await w.take('two', { exclusive: 'a' });
      const signalOfTwo = two.grant.signal;
      await two.grant.abandon();
      const error = await reasonOf(signalOfTwo, 'two');
      check(isKdsError(error, 'KDS_GRANT_LOST'), 'it has another code');
      await (await w.take('three', { exclusive: 'a' })).release();
    });

    test('a signal that is first read after abandon has aborted with the reason', async (w) => {
      const reason = new Error('gave up');
      const one = await w.take('one', { exclusive: 'a' });
      await one.grant.abandon(reason);
      const { signal } = one.grant;
      check(signal.aborted, 'it has not aborted');
      check(signal.reason === reason, 'it has aborted with another reason');
      const two = await w.take('two', { exclusive: 'a' });
      await two.grant.abandon();
      isError(two.grant.signal.reason, 'KDS_GRANT_LOST', 'the reason without a reason');
      await (await w.take('three', { exclusive: 'a' })).release();
    });

    test('a grant that has ended cannot be abandoned', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const { signal } = holder.grant;
      await holder.release();
      await holder.grant.abandon('late');
      equal(signal.aborted, false, 'whether its signal has aborted');
      equal((await w.take('next', { exclusive: 'a' })).grant.recovered, [], 'recovered');
    });

    test('the close of a session is a release, and sets no recovered flag', async (w) => {
      const session = w.domain.session();
      await w.take('holder', { exclusive: 'a' }, {}, session);
      await session.close();
      equal((await w.take('next', { exclusive: 'a' })).grant.recovered, [], 'recovered');
    });

    const downgrade = needing('downgrade');
    downgrade('an exclusive holder that downgrades has made it whole', async (w) => {
      await (await w.take('holder', { exclusive: ['a', 'b'] })).grant.abandon();
      const next = await w.take('next', { exclusive: ['a', 'b'] });
      await next.grant.downgrade('a');
      equal((await w.take('reader', { shared: 'a' })).grant.recovered, [], 'recovered');
      await next.grant.abandon();
      const last = await w.take('last', { shared: ['a', 'b'] });
      equal(last.grant.recovered, ['b'], 'recovered after the rest was abandoned');
    });

    const part = needing('part-release');
    part('an exclusive holder that releases a part has made that whole', async (w) => {
      await (await w.take('holder', { exclusive: ['a', 'b'] })).grant.abandon();
      const next = await w.take('next', { exclusive: ['a', 'b'] });
      await next.grant.release('a');
      await next.grant.abandon();
      const last = await w.take('last', { exclusive: ['a', 'b'] });
      equal(last.grant.recovered, ['b'], 'recovered');
    });
  });
}
