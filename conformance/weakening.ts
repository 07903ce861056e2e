/** Giving back early: release of a part, and exclusive made shared. */

import type { Resource } from '../src/api/sets.ts';
import { check, equal, fails } from './assertions.ts';
import type { Suite } from './suite.ts';
import { entryOf } from './world.ts';

export function testWeakening({ group, needing }: Suite): void {
  const part = needing('part-release');
  const downgrade = needing('downgrade');
  const both = needing('part-release', 'downgrade');

  group('release of a part', () => {
    part('it lets through exactly those who waited for that part', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b', 'c'], shared: 'd' });
      await w.ask('a', { exclusive: 'a' });
      await w.ask('b', { exclusive: 'b' });
      await w.ask('b and c', { shared: ['b', 'c'] });
      await w.ask('d', { exclusive: 'd' });
      await holder.grant.release('b');
      await w.see({ held: ['holder', 'b'], pending: ['a', 'b and c', 'd'] });
      await holder.grant.release(['d', 'a']);
      await w.see({ held: ['holder', 'b', 'a', 'd'], pending: ['b and c'] });
      equal(entryOf(await w.domain.query(), 'holder').set, { exclusive: ['c'], shared: [] }, 'set');
    });

    part('with its last part a grant ends', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a', shared: 'b' });
      await w.ask('next', { exclusive: ['a', 'b'] });
      await holder.grant.release('a');
      await w.see({ held: ['holder'], pending: ['next'] });
      check(holder.grant.isHeld, 'a grant that has a part left is not held');
      await holder.grant.release('b');
      check(!holder.grant.isHeld, 'a grant that has no part left is held');
      await w.see({ held: ['next'] });
      await fails(() => holder.grant.release('b'), 'KDS_GRANT_LOST');
      await holder.release();
      await w.see({ held: ['next'] });
    });

    part('all of it named as a part ends a grant', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'], shared: 'c' });
      await w.ask('next', { exclusive: ['a', 'b', 'c'] });
      await holder.grant.release(['c', 'a', 'b']);
      await w.see({ held: ['next'] });
    });

    part('a part may be named by a handle, and twice', async (w) => {
      const own = w.domain.resource();
      const named = w.domain.resource('a');
      const holder = await w.take('holder', { exclusive: [own, 'a', 'b'] });
      await holder.grant.release([named, own, 'a', own]);
      equal(entryOf(await w.domain.query(), 'holder').set.exclusive, ['b'], 'what is held');
      await own.close();
      await w.free('a');
    });

    part('a part that it does not hold is refused, and nothing is done', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.take('other', { exclusive: 'c' });
      const stranger = w.domain.resource();
      const wrong = [['a', 'c'], ['b', 'a', 'nobody’s'], [stranger], ['a', stranger]];
      for (const names of wrong) {
        await fails(() => holder.grant.release(names), 'KDS_INVALID_SET');
      }
      const { held } = await w.see({ held: ['holder', 'other'] });
      equal(held[0]?.set.exclusive, ['a', 'b'], 'what is held');
      await holder.grant.release('a');
      await fails(() => holder.grant.release(['b', 'a']), 'KDS_INVALID_SET', 'released before');
      await w.free('a');
    });

    part('what is no part is refused, and nothing is done', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      for (const wrong of [null, 5, {}, [null], ['a', 5], { exclusive: 'a' }]) {
        const refs = wrong as unknown as string;
        await fails(() => holder.grant.release(refs), 'KDS_INVALID_SET', `part ${String(wrong)}`);
      }
      await w.see({ held: ['holder'] });
    });

    part('a part of nothing is nothing', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      await holder.grant.release([]);
      await w.see({ held: ['holder'] });
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of what is held');
    });

    part('a part of a grant that has ended is refused', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await holder.release();
      await w.take('next', { exclusive: ['a', 'b'] });
      await fails(() => holder.grant.release('a'), 'KDS_GRANT_LOST');
      await w.see({ held: ['next'] });
    });
  });

  group('downgrade', () => {
    downgrade('readers come in, and no writer does', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.ask('reader', { shared: ['a', 'b'] });
      await w.ask('writer', { exclusive: 'a' });
      await w.ask('late', { shared: 'a' });
      await holder.grant.downgrade();
      const seen = await w.see({ held: ['holder', 'reader'], pending: ['writer', 'late'] });
      equal(entryOf(seen, 'holder').set, { exclusive: [], shared: ['a', 'b'] }, 'what is held');
      await holder.release();
      await w.see({ held: ['reader'], pending: ['writer', 'late'] });
    });

    downgrade('a part of it alone is made shared', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b', 'c'] });
      await w.ask('a', { shared: 'a' });
      await w.ask('b', { shared: 'b' });
      await w.ask('c', { shared: 'c' });
      await holder.grant.downgrade(['c', 'a']);
      await w.see({ held: ['holder', 'a', 'c'], pending: ['b'] });
      await holder.grant.downgrade('b');
      await w.see({ held: ['holder', 'a', 'c', 'b'] });
      await holder.release();
      await w.see({ held: ['a', 'c', 'b'] });
    });

    downgrade('of what is shared it changes nothing', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a', shared: ['b', 'c'] });
      await w.ask('writer', { exclusive: 'b' });
      await w.ask('reader', { shared: ['a', 'c'] });
      await holder.grant.downgrade(['b', 'c']);
      await w.see({ held: ['holder'], pending: ['writer', 'reader'] });
      await holder.grant.downgrade();
      await holder.grant.downgrade();
      await w.see({ held: ['holder', 'reader'], pending: ['writer'] });
    });

    downgrade('a part of nothing is nothing', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      await holder.grant.downgrade([]);
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of what is held');
    });

    downgrade('a part that it does not hold is refused, and nothing is done', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.take('other', { exclusive: 'c' });
      await w.ask('reader', { shared: 'a' });
      const own: Resource = w.domain.resource();
      const wrong: readonly unknown[] = [['a', 'c'], ['a', own], 'nobody’s', null, 5, ['a', {}]];
      for (const refs of wrong) {
        await fails(() => holder.grant.downgrade(refs as string), 'KDS_INVALID_SET');
      }
      await w.see({ held: ['holder', 'other'], pending: ['reader'] });
    });

    downgrade('of a grant that has ended it is refused', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      await holder.release();
      await w.take('next', { exclusive: 'a' });
      await fails(() => holder.grant.downgrade(), 'KDS_GRANT_LOST', 'all');
      await fails(() => holder.grant.downgrade('a'), 'KDS_GRANT_LOST', 'a part');
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of what is held');
    });

    both('a grant can be weakened step by step, and its token stays', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      const { token } = holder.grant;
      await w.ask('reader', { shared: 'a' });
      await w.ask('writer', { exclusive: 'b' });
      await holder.grant.downgrade();
      await holder.grant.release('b');
      await w.see({ held: ['holder', 'reader', 'writer'] });
      equal(holder.grant.token, token, 'the token');
      await fails(() => holder.grant.downgrade('b'), 'KDS_INVALID_SET', 'released before');
      equal(holder.grant.signal.aborted, false, 'whether it is lost');
    });
  });
}
