/** Taking what others hold: the only thing, besides death, that takes a grant back. */

import { check, equal, fails, isError, reasonOf } from './assertions.ts';
import type { Suite } from './suite.ts';

const steal = { steal: true };

export function testSteal({ group, needing }: Suite): void {
  const test = needing('steal');

  group('steal', () => {
    test('whoever holds is robbed, and the thief is granted before those who wait', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] }, {}, await w.party());
      const { signal } = holder.grant;
      const waiting = await w.ask('waiting', { exclusive: 'a' });
      const thief = await w.take('thief', { exclusive: 'a' }, steal);
      await w.see({ held: ['thief'], pending: ['waiting'] });
      isError(await reasonOf(signal, 'the holder'), 'KDS_GRANT_LOST');
      check(!holder.grant.isHeld, 'a lost grant is held');
      check(thief.grant.token > holder.grant.token, 'the token of the thief is no greater');
      await thief.release();
      await waiting.granted();
      check(waiting.grant.token > thief.grant.token, 'the token after the thief is no greater');
      await w.see({ held: ['waiting'] });
    });

    test('what the robbed one does with its grant changes nothing any more', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.take('thief', { exclusive: ['a', 'b'] }, steal);
      await w.ask('next', { exclusive: 'a' });
      await holder.release();
      await holder.grant.abandon();
      await holder.grant[Symbol.asyncDispose]();
      await w.see({ held: ['thief'], pending: ['next'] });
      const error = await reasonOf(holder.grant.signal, 'a signal first asked for when lost');
      isError(error, 'KDS_GRANT_LOST');
    });

    test('all of a robbed set falls free, also what the thief has no use for', async (w) => {
      await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      await w.ask('b', { exclusive: 'b' });
      await w.ask('c', { exclusive: 'c' });
      await w.ask('a', { exclusive: ['a', 'd'] });
      await w.take('thief', { exclusive: 'a' }, steal);
      const { held } = await w.see({ held: ['thief', 'b', 'c'], pending: ['a'] });
      equal(held.length, 3, 'how many hold');
    });

    test('what an exclusive holder was robbed of is recovered', async (w) => {
      await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      const next = await w.ask('next', { exclusive: ['b', 'c'] });
      const thief = await w.take('thief', { exclusive: ['a', 'd'] }, steal);
      equal(thief.grant.recovered, ['a'], 'recovered by the thief');
      equal((await next.granted()).recovered, ['b'], 'recovered by the next');
      await thief.release();
      await next.release();
      equal((await w.take('last', { exclusive: ['a', 'b'] })).grant.recovered, [], 'in the end');
    });

    test('readers are robbed together, and leave no mark', async (w) => {
      const one = await w.take('one', { shared: 'a' });
      const two = await w.take('two', { shared: ['a', 'b'] });
      const other = await w.take('other', { shared: 'b' });
      const signals = [one, two, other].map(({ grant }) => grant.signal);
      const thief = await w.take('thief', { exclusive: 'a' }, steal);
      await w.see({ held: ['other', 'thief'] });
      equal(thief.grant.recovered, [], 'recovered');
      await reasonOf(signals[0] as AbortSignal, 'one');
      await reasonOf(signals[1] as AbortSignal, 'two');
      equal(signals[2]?.aborted, false, 'whether who does not conflict is lost');
    });

    test('a thief can be robbed', async (w) => {
      const one = await w.take('one', { exclusive: 'a' }, steal);
      const two = await w.take('two', { exclusive: 'a' }, steal);
      await w.see({ held: ['two'] });
      check(one.grant.signal.aborted, 'the first thief is not told');
      check(two.grant.token > one.grant.token, 'the second thief has no greater token');
    });

    test('a waiting set that lacked little has to wait for the thief too', async (w) => {
      const holder = await w.take('holder', { exclusive: 'b' });
      await w.ask('waiting', { exclusive: ['a', 'b'] });
      const thief = await w.take('thief', { exclusive: 'a' }, steal);
      await holder.release();
      await w.see({ held: ['thief'], pending: ['waiting'] });
      await thief.release();
      await w.see({ held: ['waiting'] });
    });

    test('those who wait keep their order behind the thief', async (w) => {
      await w.take('r0', { shared: 'a' });
      const labels = ['writer', 'r1', 'r2'];
      const writer = await w.ask('writer', { exclusive: 'a' });
      await w.ask('r1', { shared: 'a' });
      await w.ask('r2', { shared: 'a' });
      const thief = await w.take('thief', { exclusive: 'a' }, steal);
      await w.see({ held: ['thief'], pending: labels });
      await w.ask('late', { exclusive: 'a' });
      await thief.release();
      await w.see({ held: ['writer'], pending: ['r1', 'r2', 'late'] });
      await writer.release();
      await w.see({ held: ['r1', 'r2'], pending: ['late'] });
    });

    test('what nobody holds is simply taken', async (w) => {
      const thief = await w.take('thief', { exclusive: ['a', 'b'] }, { steal: true, timeoutMs: 0 });
      equal(thief.grant.recovered, [], 'recovered');
      await w.take('also', {}, steal);
      await w.take('honest', { exclusive: 'c' }, { steal: false });
      await fails(
        () => w.domain.acquire({ exclusive: 'a' }, { steal: false, timeoutMs: 0 }),
        'KDS_WAIT_TIMEOUT',
      );
    });

    test('shared resources cannot be stolen, and nothing is done', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await fails(() => w.domain.acquire({ shared: 'a' }, steal), 'KDS_INVALID_SET');
      const mixed = { exclusive: 'a', shared: 'c' };
      await fails(() => w.domain.acquire(mixed, steal), 'KDS_INVALID_SET');
      await w.see({ held: ['holder'] });
      equal(holder.grant.signal.aborted, false, 'whether the holder is robbed');
      await w.free('c');
    });

    test('a callback can be made a thief', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const thief = await w.enqueue('thief', { exclusive: 'a' }, steal);
      await thief.granted();
      await w.see({ held: ['thief'] });
      check(holder.grant.signal.aborted, 'the holder is not told');
    });

    test('a run that is robbed goes on, and rejects when its function returns', async (w) => {
      const labels: string[] = [];
      const running = w.domain.run({ exclusive: 'a' }, async (grant) => {
        const thief = await w.take('thief', { exclusive: 'a' }, steal);
        isError(await reasonOf(grant.signal, 'the run'), 'KDS_GRANT_LOST');
        labels.push(thief.label);
      });
      await fails(() => running, 'KDS_GRANT_LOST');
      equal(labels, ['thief'], 'what ran');
      await w.see({ held: ['thief'] });
    });

    const weakening = needing('steal', 'downgrade', 'part-release');
    weakening('a grant that is lost cannot be weakened', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.take('thief', { exclusive: 'a' }, steal);
      await w.take('next', { exclusive: 'b' });
      await fails(() => holder.grant.downgrade(), 'KDS_GRANT_LOST');
      await fails(() => holder.grant.downgrade('b'), 'KDS_GRANT_LOST');
      await fails(() => holder.grant.release('b'), 'KDS_GRANT_LOST');
      await w.see({ held: ['thief', 'next'] });
    });
  });
}
