/** The only deadlock, which is refused to callers that declare the grants that they keep. */

import type { DeadlockError } from '../src/api/errors.ts';
import type { Grant } from '../src/api/grant.ts';
import { check, equal, fails, failureOf, isError, mentions } from './assertions.ts';
import type { Suite } from './suite.ts';

export function testHolding({ group, test, needing }: Suite): void {
  group('holding', () => {
    test('a request behind one that waits for its caller is refused, with the cycle', async (w) => {
      const t1 = await w.take('t1', { exclusive: 'a' });
      const t2 = await w.ask('t2', { exclusive: ['a', 'b'] }, {}, await w.participant());
      const again = await w.ask('t1 again', { shared: 'b' }, { holding: t1.grant });
      const error = (await again.refused('KDS_DEADLOCK')) as DeadlockError;
      mentions(error, 't1', 't2');
      const seen = await w.see({ held: ['t1'], pending: ['t2'] });
      if (error.cycle.length > 0) {
        const steps = error.cycle.map(({ label, isHeld, set }) => ({ label, isHeld, set }));
        const expected = [
          { label: 't1 again', isHeld: false, set: { exclusive: [], shared: ['b'] } },
          { label: 't2', isHeld: false, set: { exclusive: ['a', 'b'], shared: [] } },
          { label: 't1', isHeld: true, set: { exclusive: ['a'], shared: [] } },
        ];
        equal(steps, expected, 'the cycle');
        equal(error.cycle[1]?.id, seen.pending[0]?.id, 'the id of who waits');
        equal(error.cycle[2]?.id, seen.held[0]?.id, 'the id of what is held');
      }
      await t1.release();
      await t2.granted();
    });

    test('who wants more of what he shares waits for himself, and is refused', async (w) => {
      const reader = await w.take('reader', { shared: 'a' });
      const more = await w.ask('more', { exclusive: ['a', 'b'] }, { holding: reader.grant });
      const { cycle } = (await more.refused('KDS_DEADLOCK')) as DeadlockError;
      if (cycle.length > 0) {
        const labels = cycle.map(({ label }) => label);
        equal(labels, ['more', 'reader'], 'the cycle');
      }
      await w.see({ held: ['reader'] });
      await w.free('b');
    });

    test('a cycle of three is refused to the request that closes it', async (w) => {
      const names = ['a', 'b', 'c'];
      const held = [];
      for (const name of names) held.push(await w.take(name, { exclusive: name }));
      const [a, b, c] = held.map(({ grant }) => grant);
      await w.ask('a to b', { exclusive: 'b' }, { holding: a });
      await w.ask('b to c', { exclusive: 'c' }, { holding: b });
      const last = await w.ask('c to a', { shared: 'a' }, { holding: c });
      const { cycle } = (await last.refused('KDS_DEADLOCK')) as DeadlockError;
      if (cycle.length > 0) {
        const labels = ['c to a', 'a', 'a to b', 'b', 'b to c', 'c'];
        equal(
          cycle.map(({ label }) => label),
          labels,
          'the cycle',
        );
      }
      await w.see({ held: names, pending: ['a to b', 'b to c'] });
      await held[2]?.release();
      await w.see({ held: ['a', 'b', 'b to c'], pending: ['a to b'] });
    });

    test('a chain without a cycle waits', async (w) => {
      const a = await w.take('a', { exclusive: 'a' });
      const b = await w.take('b', { exclusive: 'b' });
      const free = await w.take('free', { exclusive: 'c' }, { holding: [a.grant, b.grant] });
      const ask = await w.ask('a to b', { exclusive: 'b' }, { holding: a.grant });
      await w.ask('to both', { exclusive: ['a', 'b'] }, { holding: free.grant });
      await w.see({ held: ['a', 'b', 'free'], pending: ['a to b', 'to both'] });
      await b.release();
      await w.see({ held: ['a', 'free', 'a to b'], pending: ['to both'] });
      await ask.release();
      await a.release();
      await w.see({ held: ['free', 'to both'] });
    });

    test('without a declaration nothing is refused', async (w) => {
      const holder = await w.take('holder', { shared: 'a' });
      const upgrade = await w.ask('upgrade', { exclusive: 'a' });
      await w.ask('empty', { exclusive: 'a' }, { holding: [] });
      await w.see({ held: ['holder'], pending: ['upgrade', 'empty'] });
      await holder.release();
      await upgrade.release();
    });

    test('a cycle broken by a release or a cancel is not refused', async (w) => {
      const a = await w.take('a', { exclusive: 'a' });
      const b = await w.take('b', { exclusive: 'b' });
      const there = await w.ask('a to b', { exclusive: 'b' }, { holding: a.grant });
      await there.cancel();
      const back = await w.ask('b to a', { exclusive: 'a' }, { holding: b.grant });
      await w.see({ held: ['a', 'b'], pending: ['b to a'] });
      await a.release();
      await back.granted();
      await w.ask('once more', { exclusive: 'b' }, { holding: [a.grant] });
      await w.see({ held: ['b', 'b to a'], pending: ['once more'] });
    });

    test('what has been released is kept by nobody', async (w) => {
      const one = await w.take('one', { exclusive: 'a' });
      await one.release();
      const two = await w.take('two', { exclusive: 'a' });
      await w.ask('three', { exclusive: 'a' }, { holding: one.grant });
      await w.see({ held: ['two'], pending: ['three'] });
      await two.release();
      await w.see({ held: ['three'] });
    });

    test('one of many that are kept is enough', async (w) => {
      const grants: Grant[] = [];
      for (const name of ['a', 'b', 'c']) {
        grants.push((await w.take(name, { shared: name })).grant);
      }
      await w.ask('writer', { exclusive: 'b' });
      const ask = await w.ask('reader', { shared: ['d', 'b'] }, { holding: grants });
      await ask.refused('KDS_DEADLOCK');
      await w.free('d');
      await w.take('other', { shared: ['a', 'c'] }, { holding: grants });
    });

    test('a run and a callback are refused as well', async (w) => {
      const { grant } = await w.take('holder', { shared: 'a' });
      const set = { exclusive: ['a', 'b'] };
      let count = 0;
      const fn = () => {
        count++;
      };
      await fails(() => w.domain.run(set, { holding: grant }, fn), 'KDS_DEADLOCK', 'run');
      const error = await failureOf(async () => {
        throw await (await w.enqueue('callback', set, { holding: grant })).refusal();
      });
      isError(error, 'KDS_DEADLOCK', 'enqueue');
      equal(count, 0, 'how often the function ran');
      await w.see({ held: ['holder'] });
      await w.free('b');
    });

    test('what is no grant of the domain is refused, and leaves no trace', async (w) => {
      const stranger = await w.backend.open();
      try {
        const foreign = await stranger.domain.acquire({ exclusive: 'a' });
        for (const wrong of [foreign, {}, null, 5, 'a', [5], [foreign], { token: 1 }]) {
          const holding = wrong as Grant;
          await fails(() => w.domain.acquire({ exclusive: 'a' }, { holding }), 'TypeError');
        }
        await w.free('a');
        check(!foreign.signal.aborted, 'the foreign grant is lost');
        await foreign.release();
      } finally {
        await stranger.close();
      }
    });

    const downgrade = needing('downgrade', 'part-release');
    downgrade('a grant that is weakened is kept only as what it then is', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      const writer = await w.ask('writer', { exclusive: ['a', 'c'] });
      await holder.grant.release('a');
      await writer.granted();
      const ask = await w.ask('holder again', { shared: 'c' }, { holding: holder.grant });
      await w.see({ held: ['holder', 'writer'], pending: ['holder again'] });
      await writer.release();
      await ask.granted();
    });
  });
}
