/** Waiting until what is under way now is over, without being in anybody's way. */

import type { Domain } from '../src/api/domain.ts';
import { isKdsError } from '../src/api/errors.ts';
import type { SettledOptions } from '../src/api/options.ts';
import type { SetSpec } from '../src/api/sets.ts';
import { check, equal, fails, failureOf, within } from './assertions.ts';
import type { Suite } from './suite.ts';

/** A call of `settled`, and whether it has been answered. */
class Watch {
  isOver = false;
  readonly #over: Promise<void>;

  constructor(domain: Domain, set: SetSpec, options?: SettledOptions) {
    this.#over = domain.settled(set, options).then(() => {
      this.isOver = true;
    });
    this.#over.catch(() => undefined);
  }

  over(): Promise<void> {
    return within(this.#over, 'what conflicts to be gone');
  }
}

export function testSettled({ group, needing }: Suite): void {
  const test = needing('settled');
  const stealing = needing('settled', 'steal');

  group('settled', () => {
    test('what nothing conflicts with is settled at once', async (w) => {
      await w.domain.settled({ exclusive: ['a', 'b'] });
      await w.domain.settled({});
      await w.take('reader', { shared: 'a' });
      await w.take('writer', { exclusive: 'c' });
      await w.domain.settled({ shared: 'a', exclusive: 'b' }, { timeoutMs: 0 });
    });

    test('it waits for holders and for those who wait by then, not for later ones', async (w) => {
      const one = await w.take('one', { exclusive: 'a' });
      const two = await w.ask('two', { exclusive: 'a' });
      const watch = new Watch(w.domain, { shared: 'a' });
      await w.domain.query();
      await w.ask('three', { exclusive: 'a' });
      await one.release();
      await w.see({ held: ['two'], pending: ['three'] });
      equal(watch.isOver, false, 'whether it is over while the second holds');
      await two.release();
      await watch.over();
      await w.see({ held: ['three'] });
    });

    test('shared, it waits for writers only; exclusive, for readers too', async (w) => {
      const reader = await w.take('reader', { shared: 'a' });
      await w.domain.settled({ shared: 'a' });
      const writer = await w.ask('writer', { exclusive: 'a' });
      const late = await w.ask('late', { shared: 'a' });
      const shared = new Watch(w.domain, { shared: 'a' });
      const exclusive = new Watch(w.domain, { exclusive: 'a' });
      await reader.release();
      await writer.release();
      await shared.over();
      await w.see({ held: ['late'] });
      equal(exclusive.isOver, false, 'whether it is over while a reader holds');
      await late.release();
      await exclusive.over();
    });

    test('it waits on all of its resources, for each once', async (w) => {
      const a = await w.take('a', { exclusive: 'a' });
      const b = await w.take('b', { exclusive: 'b' });
      const watch = new Watch(w.domain, { shared: ['a', 'b', 'c'] });
      await w.domain.query();
      await a.release();
      await w.take('a again', { exclusive: 'a' });
      await w.domain.query();
      equal(watch.isOver, false, 'whether it is over while b is held');
      await b.release();
      await watch.over();
      await w.see({ held: ['a again'] });
    });

    test('it holds nothing, and is in nobody’s way', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const watch = new Watch(w.domain, { exclusive: ['a', 'b'] });
      await w.domain.query();
      await w.free('b');
      await w.take('b', { exclusive: 'b' });
      await w.ask('next', { shared: 'a' });
      await w.see({ held: ['holder', 'b'], pending: ['next'] });
      await holder.release();
      await watch.over();
      await w.see({ held: ['b', 'next'] });
    });

    test('those who stop waiting are gone as well', async (w) => {
      await w.take('holder', { shared: 'a' });
      const writer = await w.ask('writer', { exclusive: 'a' });
      const watch = new Watch(w.domain, { shared: 'a' });
      await w.domain.query();
      await writer.cancel();
      await watch.over();
      await w.see({ held: ['holder'] });
    });

    stealing('who steals what it waits for is waited for too', async (w) => {
      const other = await w.participant();
      await w.take('holder', { shared: 'a' });
      const watches = [w.domain, other].map((by) => new Watch(by, { exclusive: 'a' }));
      await w.domain.query();
      await other.query();
      const steal = await w.take('steal', { exclusive: 'a' }, { steal: true });
      await w.domain.query();
      await other.query();
      for (const watch of watches) equal(watch.isOver, false, 'whether it is over');
      await steal.release();
      for (const watch of watches) await watch.over();
    });

    test('it sees those of other parties, and one’s own', async (w) => {
      const other = await w.participant();
      const own = await w.take('own', { exclusive: 'a' });
      const theirs = await w.ask('theirs', { shared: 'a' }, {}, other);
      const watches = [w.domain, other].map((by) => new Watch(by, { exclusive: 'a' }));
      await w.domain.query();
      await other.query();
      await own.release();
      await theirs.granted();
      for (const watch of watches) equal(watch.isOver, false, 'whether it is over');
      await theirs.release();
      for (const watch of watches) await watch.over();
    });

    test('its time can be over, at once or later', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      for (const timeoutMs of [0, 5]) {
        await fails(() => w.domain.settled({ shared: 'a' }, { timeoutMs }), 'KDS_WAIT_TIMEOUT');
      }
      const watch = new Watch(w.domain, { shared: 'a' }, { timeoutMs: 2 ** 31 });
      await w.see({ held: ['holder'] });
      await holder.release();
      await watch.over();
    });

    test('a signal stops it with its own reason', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const reason = {};
      const controller = new AbortController();
      const { signal } = controller;
      const settled = failureOf(() => w.domain.settled({ shared: 'a' }, { signal }));
      await w.domain.query();
      controller.abort(reason);
      check((await settled) === reason, 'it rejects with another reason');
      const again = await failureOf(() => w.domain.settled({ shared: 'b' }, { signal }));
      check(again === reason, 'a signal that has aborted is ignored');
    });

    test('the close of its session ends it', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const session = w.domain.session();
      const settled = failureOf(() => session.settled({ shared: 'a' }));
      const watch = new Watch(w.domain, { shared: 'a' });
      await w.domain.query();
      await session.close();
      check(isKdsError(await settled, 'KDS_DOMAIN_CLOSED'), 'it has another end');
      equal(watch.isOver, false, 'whether another one is over');
      await holder.release();
      await watch.over();
    });

    test('what is no set and no option is refused', async (w) => {
      const { domain } = w;
      await fails(() => domain.settled(null as unknown as SetSpec), 'KDS_INVALID_SET');
      await fails(() => domain.settled({ exclusive: 5 as unknown as string }), 'KDS_INVALID_SET');
      await fails(() => domain.settled({}, { timeoutMs: -1 }), 'RangeError');
      await fails(() => domain.settled({}, { signal: 5 as unknown as AbortSignal }), 'TypeError');
      await fails(() => domain.settled({}, 5 as unknown as SettledOptions), 'TypeError');
    });

    const downgrade = needing('settled', 'downgrade', 'part-release');
    downgrade('what is weakened conflicts no more', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      const shared = new Watch(w.domain, { shared: 'a' });
      const exclusive = new Watch(w.domain, { exclusive: 'b' });
      await w.domain.query();
      await holder.grant.downgrade();
      await shared.over();
      equal(exclusive.isOver, false, 'whether it is over while b is shared');
      await holder.grant.release('b');
      await exclusive.over();
      await w.see({ held: ['holder'] });
    });
  });
}
