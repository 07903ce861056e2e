/** Stealing: besides the end of a session, the only way to lose a grant. */

import { check, equal, fails, isError, reasonOf } from './assertions.ts';
import type { Suite } from './suite.ts';

const steal = { steal: true };

export function testSteal({ group, needing }: Suite): void {
  const test = needing('steal');

  group('steal', () => {
    test('revokes the grants in conflict, and is granted before waiting sets', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] }, {}, await w.participant());
      const { signal } = holder.grant;
      const waiting = await w.ask('waiting', { exclusive: 'a' });
      const operator = await w.take('operator', { exclusive: 'a' }, steal);
      await w.see({ held: ['operator'], pending: ['waiting'] });
      isError(await reasonOf(signal, 'the holder'), 'KDS_GRANT_LOST');
      check(!holder.grant.isHeld, 'a lost grant is held');
      check(
        operator.grant.token > holder.grant.token,
        'the token of the stealing request is no greater',
      );
      await operator.release();
      await waiting.granted();
      check(
        waiting.grant.token > operator.grant.token,
        'the token after the stealing request is no greater',
      );
      await w.see({ held: ['waiting'] });
    });

    test('makes all methods of a revoked grant do nothing', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.take('operator', { exclusive: ['a', 'b'] }, steal);
      await w.ask('next', { exclusive: 'a' });
      await holder.release();
      await holder.grant.abandon();
      await holder.grant[Symbol.asyncDispose]();
      await w.see({ held: ['operator'], pending: ['next'] });
      const error = await reasonOf(holder.grant.signal, 'a signal first read when lost');
      isError(error, 'KDS_GRANT_LOST');
    });

    test('releases all of a revoked set, also resources that it does not request', async (w) => {
      await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      await w.ask('b', { exclusive: 'b' });
      await w.ask('c', { exclusive: 'c' });
      await w.ask('a', { exclusive: ['a', 'd'] });
      await w.take('operator', { exclusive: 'a' }, steal);
      const { held } = await w.see({ held: ['operator', 'b', 'c'], pending: ['a'] });
      equal(held.length, 3, 'how many hold');
    });

    test('sets the recovered flag of exclusive resources of a revoked grant', async (w) => {
      await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      const next = await w.ask('next', { exclusive: ['b', 'c'] });
      const operator = await w.take('operator', { exclusive: ['a', 'd'] }, steal);
      equal(operator.grant.recovered, ['a'], 'recovered by the stealing request');
      equal((await next.granted()).recovered, ['b'], 'recovered by the next');
      await operator.release();
      await next.release();
      equal((await w.take('last', { exclusive: ['a', 'b'] })).grant.recovered, [], 'in the end');
    });

    test('revokes all readers, without a recovered flag', async (w) => {
      const one = await w.take('one', { shared: 'a' });
      const two = await w.take('two', { shared: ['a', 'b'] });
      const other = await w.take('other', { shared: 'b' });
      const signals = [one, two, other].map(({ grant }) => grant.signal);
      const operator = await w.take('operator', { exclusive: 'a' }, steal);
      await w.see({ held: ['other', 'operator'] });
      equal(operator.grant.recovered, [], 'recovered');
      await reasonOf(signals[0] as AbortSignal, 'one');
      await reasonOf(signals[1] as AbortSignal, 'two');
      equal(signals[2]?.aborted, false, 'whether a grant without a conflict is lost');
    });

    test('can revoke the grant of an earlier one', async (w) => {
      const one = await w.take('one', { exclusive: 'a' }, steal);
      const two = await w.take('two', { exclusive: 'a' }, steal);
      await w.see({ held: ['two'] });
      check(one.grant.signal.aborted, 'the first grant is not reported as lost');
      check(two.grant.token > one.grant.token, 'the second token is no greater');
    });

    test('blocks a waiting set that had other resources triggered', async (w) => {
      const holder = await w.take('holder', { exclusive: 'b' });
      await w.ask('waiting', { exclusive: ['a', 'b'] });
      const operator = await w.take('operator', { exclusive: 'a' }, steal);
      await holder.release();
      await w.see({ held: ['operator'], pending: ['waiting'] });
      await operator.release();
      await w.see({ held: ['waiting'] });
    });

    test('keeps the order of waiting sets', async (w) => {
      await w.take('r0', { shared: 'a' });
      const labels = ['writer', 'r1', 'r2'];
      const writer = await w.ask('writer', { exclusive: 'a' });
      await w.ask('r1', { shared: 'a' });
      await w.ask('r2', { shared: 'a' });
      const operator = await w.take('operator', { exclusive: 'a' }, steal);
      await w.see({ held: ['operator'], pending: labels });
      await w.ask('late', { exclusive: 'a' });
      await operator.release();
      await w.see({ held: ['writer'], pending: ['r1', 'r2', 'late'] });
      await writer.release();
      await w.see({ held: ['r1', 'r2'], pending: ['late'] });
    });

    test('acquires a free set like any request', async (w) => {
      const operator = await w.take(
        'operator',
        { exclusive: ['a', 'b'] },
        { steal: true, timeoutMs: 0 },
      );
      equal(operator.grant.recovered, [], 'recovered');
      await w.take('also', {}, steal);
      await w.take('honest', { exclusive: 'c' }, { steal: false });
      await fails(
        () => w.domain.acquire({ exclusive: 'a' }, { steal: false, timeoutMs: 0 }),
        'KDS_WAIT_TIMEOUT',
      );
    });

    test('refuses shared resources, without an effect', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await fails(() => w.domain.acquire({ shared: 'a' }, steal), 'KDS_INVALID_SET');
      const mixed = { exclusive: 'a', shared: 'c' };
      await fails(() => w.domain.acquire(mixed, steal), 'KDS_INVALID_SET');
      await w.see({ held: ['holder'] });
      equal(holder.grant.signal.aborted, false, 'whether the grant is lost');
      await w.free('c');
    });

    test('works for a request with a callback', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const operator = await w.enqueue('operator', { exclusive: 'a' }, steal);
      await operator.granted();
      await w.see({ held: ['operator'] });
      check(holder.grant.signal.aborted, 'the loss is not reported');
    });

    test('lets a revoked run go on, which rejects when its function returns', async (w) => {
      const labels: string[] = [];
      const running = w.domain.run({ exclusive: 'a' }, async (grant) => {
        const operator = await w.take('operator', { exclusive: 'a' }, steal);
        isError(await reasonOf(grant.signal, 'the run'), 'KDS_GRANT_LOST');
        labels.push(operator.label);
      });
      await fails(() => running, 'KDS_GRANT_LOST');
      equal(labels, ['operator'], 'what ran');
      await w.see({ held: ['operator'] });
    });

    const weakening = needing('steal', 'downgrade', 'part-release');
    weakening('refuses to weaken a grant that is lost', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.take('operator', { exclusive: 'a' }, steal);
      await w.take('next', { exclusive: 'b' });
      await fails(() => holder.grant.downgrade(), 'KDS_GRANT_LOST');
      await fails(() => holder.grant.downgrade('b'), 'KDS_GRANT_LOST');
      await fails(() => holder.grant.release('b'), 'KDS_GRANT_LOST');
      await w.see({ held: ['operator', 'next'] });
    });
  });
}
