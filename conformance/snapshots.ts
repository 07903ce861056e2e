/** The result of `query()`. */

import { check, equal } from './assertions.ts';
import type { Suite } from './suite.ts';
import { entryOf } from './world.ts';

/** Clocks of one machine, read at different times and by different parties, agree within this. */
const clockErrorMs = 10_000;

export function testSnapshots({ group, test }: Suite): void {
  group('snapshots', () => {
    test('an entry has its set, owner and token', async (w) => {
      const session = w.domain.session({ label: 'session' });
      const set = { exclusive: ['b', 'a'], shared: ['c'] };
      const holder = await w.take('holder', set, {}, session);
      const { held, pending } = await w.domain.query();
      const [entry] = held;
      equal(pending, [], 'pending');
      equal(entry?.set, set, 'the set, in the order in which it was named');
      equal(entry?.label, 'holder', 'the label');
      equal(entry?.session, 'session', 'the session');
      equal(entry?.token, holder.grant.token, 'the token');
      equal(entry?.waitingFor, [], 'whom it waits for');
    });

    test('an entry of one who waits has no token, and the same id once it is held', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      await w.ask('waiting', { exclusive: 'b', shared: 'a' });
      const waiting = entryOf(await w.domain.query(), 'waiting');
      equal(waiting.token, undefined, 'the token');
      equal(waiting.set, { exclusive: ['b'], shared: ['a'] }, 'the set');
      await holder.release();
      const held = entryOf(await w.domain.query(), 'waiting');
      equal(held.id, waiting.id, 'the id');
      check(held.since >= waiting.since, 'it is held since before it was asked for');
      check((held.token ?? 0) > holder.grant.token, 'its token is no greater');
    });

    test('ids are those of one request each, and grow with arrival', async (w) => {
      await w.take('one', { exclusive: 'a' });
      await w.ask('two', { exclusive: 'a' }, {}, await w.participant());
      await w.take('three', { exclusive: 'b' });
      await w.ask('four', { exclusive: 'a' });
      const snapshot = await w.domain.query();
      const ids = ['one', 'two', 'three', 'four'].map((label) => entryOf(snapshot, label).id);
      equal(
        ids,
        [...ids].sort((a, b) => a - b),
        'ids',
      );
      equal(new Set(ids).size, 4, 'how many ids there are');
    });

    test('since is when it was granted or asked for, in ms since 1970', async (w) => {
      const before = Date.now() - clockErrorMs;
      await w.take('holder', { exclusive: 'a' });
      await w.ask('waiting', { exclusive: 'a' });
      const { held, pending } = await w.domain.query();
      for (const { since, label } of [...held, ...pending]) {
        const isPlausible = since >= before && since <= Date.now() + clockErrorMs;
        check(isPlausible, `${label} has since ${since}`);
      }
    });

    test('held sets are in the order of tokens, and waiting ones in arrival order', async (w) => {
      const a = await w.take('a', { exclusive: 'a' });
      const b = await w.take('b', { exclusive: 'b' });
      await w.ask('behind a', { exclusive: ['a', 'c'] });
      await w.ask('behind b', { exclusive: 'b' });
      await w.ask('behind both', { shared: ['b', 'a'] });
      await w.see({ held: ['a', 'b'], pending: ['behind a', 'behind b', 'behind both'] });
      await b.release();
      await w.take('d', { exclusive: 'd' });
      await a.release();
      await w.see({ held: ['behind b', 'd', 'behind a'], pending: ['behind both'] });
    });

    test('waitingFor names the nearest ones in the way, on each resource', async (w) => {
      const idsOf = async (...labels: readonly string[]) => {
        const snapshot = await w.domain.query();
        return labels.map((label) => entryOf(snapshot, label).id);
      };
      await w.take('r1', { shared: 'a' });
      await w.take('r2', { shared: ['a', 'b'] });
      await w.take('x', { exclusive: 'c' });
      await w.ask('writer', { exclusive: ['a', 'c'] });
      await w.ask('reader', { shared: ['b', 'a'] });
      await w.ask('last', { exclusive: ['a', 'b'] });
      await w.ask('free', { shared: 'd', exclusive: 'c' });
      const snapshot = await w.domain.query();
      const waitingFor = (label: string) => entryOf(snapshot, label).waitingFor;
      equal(waitingFor('writer'), await idsOf('r1', 'r2', 'x'), 'whom the writer waits for');
      equal(waitingFor('reader'), await idsOf('writer'), 'whom the reader waits for');
      equal(waitingFor('last'), await idsOf('r2', 'reader'), 'whom the last waits for');
      equal(waitingFor('free'), await idsOf('writer'), 'whom another one waits for');
    });

    test('one who waits on two resources for the same names it once', async (w) => {
      await w.take('holder', { exclusive: ['a', 'b'] });
      await w.ask('waiting', { exclusive: ['b', 'a'] });
      const snapshot = await w.domain.query();
      const { id } = entryOf(snapshot, 'holder');
      equal(entryOf(snapshot, 'waiting').waitingFor, [id], 'whom it waits for');
    });

    test('it is plain data, that stays as it is', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', '\0', '\ud800'] });
      await w.ask('waiting', { exclusive: 'a' });
      const snapshot = await w.domain.query();
      const copy = structuredClone(snapshot);
      equal(copy, snapshot, 'a clone');
      equal(JSON.parse(JSON.stringify(snapshot)), snapshot, 'what went through JSON');
      await holder.release();
      equal(copy, snapshot, 'the earlier snapshot');
    });

    test('it is the same for all parties, and disturbs nobody', async (w) => {
      const other = await w.participant();
      await w.take('holder', { exclusive: 'a' }, {}, other);
      await w.ask('waiting', { shared: 'a' });
      const one = await w.domain.query();
      const two = await other.query();
      const idsOf = ({ held, pending }: typeof one) => [...held, ...pending].map(({ id }) => id);
      equal(idsOf(two), idsOf(one), 'ids');
      equal(await w.domain.query(), one, 'asked again');
    });
  });
}
