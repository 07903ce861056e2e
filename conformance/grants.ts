/** What a grant is good for: its token, its one end, its signal, its disposal. */

import type { SyncGrant } from '../src/api/grant.ts';
import { check, equal, fails } from './assertions.ts';
import type { Suite } from './suite.ts';

export function testGrants({ group, test, needing }: Suite): void {
  group('tokens', () => {
    test('a token is a safe integer, and grows with every grant', async (w) => {
      const other = await w.participant();
      let last = 0;
      for (let round = 0; round < 20; round++) {
        const by = round % 2 === 0 ? w.domain : other;
        const set = round % 3 === 0 ? {} : { shared: `r${round % 4}` };
        const { grant } = await w.take(`${round}`, set, {}, by);
        check(Number.isSafeInteger(grant.token), `${grant.token} is no safe integer`);
        check(grant.token > last, `${grant.token} comes after ${last}`);
        last = grant.token;
      }
    });

    test('who waited has a token greater than all who were granted meanwhile', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const waiting = await w.ask('waiting', { exclusive: 'a' });
      const meanwhile = await w.take('meanwhile', { exclusive: 'b' });
      const tried = await w.domain.tryAcquire({ exclusive: 'c' });
      await holder.release();
      const { token } = await waiting.granted();
      check(token > meanwhile.grant.token && token > (tried?.token ?? 0), 'the token is old');
      await tried?.release();
      const next = await w.take('next', { exclusive: 'c' });
      check(next.grant.token > token, 'the next token is no greater');
    });

    test('requests that come to nothing do not make a token go back', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      await fails(() => w.domain.acquire({ shared: 'a' }, { timeoutMs: 0 }), 'KDS_WAIT_TIMEOUT');
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try');
      const { token } = holder.grant;
      await holder.release();
      check(holder.grant.token === token, 'a grant that was released has another token');
      const next = await w.take('next', { exclusive: 'a' });
      check(next.grant.token > token, `${next.grant.token} comes after ${token}`);
    });
  });

  group('the end of a grant', () => {
    test('a grant is held until its end, whichever that is', async (w) => {
      const released = await w.take('released', { exclusive: 'a' });
      check(released.grant.isHeld, 'a new grant is not held');
      await released.release();
      check(!released.grant.isHeld, 'a released grant is held');
      const abandoned = await w.take('abandoned', { exclusive: 'a' });
      await abandoned.grant.abandon();
      check(!abandoned.grant.isHeld, 'an abandoned grant is held');
      const closed = await w.participant();
      const { grant } = await w.take('closed', {}, {}, closed);
      check(grant.isHeld, 'the grant of an empty set is not held');
      await closed.close();
      check(!grant.isHeld, 'a grant of a closed domain is held');
    });

    test('a second release does nothing, also for a later holder', async (w) => {
      const one = await w.take('one', { exclusive: 'a' });
      const two = await w.ask('two', { exclusive: 'a' });
      const three = await w.ask('three', { exclusive: 'a' });
      await one.release();
      await one.release();
      await w.see({ held: ['two'], pending: ['three'] });
      await two.release();
      await one.release();
      await two.release();
      await w.see({ held: ['three'] });
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of what is held');
      await three.release();
      await one.release();
      await w.free('a');
    });

    test('releases at one time end it once', async (w) => {
      const one = await w.take('one', { exclusive: 'a' });
      await w.ask('two', { exclusive: 'a' });
      await w.ask('three', { exclusive: 'a' });
      const { grant } = one;
      await Promise.all([grant.release(), grant.release(), grant.abandon(), grant.release()]);
      await w.see({ held: ['two'], pending: ['three'] });
    });

    test('the words of a released grant can be another’s, and stay so', async (w) => {
      const stale = [];
      for (let round = 0; round < 5; round++) {
        const ask = await w.take('stale', { exclusive: ['a', 'b'], shared: 'c' });
        await ask.release();
        stale.push(ask.grant);
      }
      await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      for (const grant of stale) {
        await grant.release();
        await grant.abandon();
        await grant[Symbol.asyncDispose]();
      }
      const { held } = await w.see({ held: ['holder'] });
      equal(held[0]?.set, { exclusive: ['a', 'b'], shared: ['c'] }, 'what is held');
    });

    test('asyncDispose releases, and may come after a release', async (w) => {
      const one = await w.take('one', { exclusive: 'a' });
      await one.grant[Symbol.asyncDispose]();
      await w.see({});
      const two = await w.take('two', { exclusive: 'a' });
      await two.release();
      await two.grant[Symbol.asyncDispose]();
      await w.free('a');
    });

    const sync = needing('sync');
    sync('a release is done when it returns, and so is a disposal', async (w) => {
      const set = { exclusive: 'a' };
      const one = w.sync.tryAcquireSync(set);
      equal(one?.release(), undefined, 'what release() returns');
      const two = w.sync.tryAcquireSync(set);
      two?.[Symbol.dispose]();
      const three = w.sync.tryAcquireSync(set);
      two?.[Symbol.dispose]();
      equal(w.sync.tryAcquireSync(set), null, 'a try while it is held');
      three?.abandon();
      const grant = (await w.take('four', set)).grant as SyncGrant;
      grant[Symbol.dispose]();
      equal(w.sync.querySync().held, [], 'what is held');
      check(one !== null && two !== null && three !== null, 'a try of what is free comes to null');
      (await w.take('five', set)).grant as SyncGrant;
    });
  });

  group('the signal of a grant', () => {
    test('it does not abort when the grant is released', async (w) => {
      const one = await w.take('one', { exclusive: 'a' });
      const two = await w.take('two', { exclusive: 'b' });
      const { signal } = one.grant;
      check(one.grant.signal === signal, 'it is another one each time');
      await one.release();
      await two.release();
      equal(signal.aborted, false, 'one that was asked for before');
      equal(two.grant.signal.aborted, false, 'one that is asked for afterwards');
    });

    test('nothing is recovered and nothing is ignored as a rule', async (w) => {
      const { grant } = await w.take('one', { exclusive: 'a', shared: 'b' });
      equal(grant.recovered, [], 'recovered');
      equal(grant.ignored, [], 'ignored');
    });
  });
}
