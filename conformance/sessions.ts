/** Domains within a domain. */

import { check, equal, isError, reasonOf } from './assertions.ts';
import { refusesEverything } from './closing.ts';
import type { Suite } from './suite.ts';
import { entryOf } from './world.ts';

export function testSessions({ group, test }: Suite): void {
  group('sessions', () => {
    test('a session locks against the domain and against other sessions', async (w) => {
      const [one, two] = [w.domain.session(), w.domain.session()];
      const holder = await w.take('holder', { exclusive: 'a' }, {}, one);
      await w.ask('two', { exclusive: 'a' }, {}, two);
      await w.ask('domain', { shared: 'a' });
      equal(await one.tryAcquire({ shared: 'a' }), null, 'a try by the holder’s own session');
      await w.see({ held: ['holder'], pending: ['two', 'domain'] });
      await holder.release();
      await w.see({ held: ['two'], pending: ['domain'] });
    });

    test('its label is in entries of its requests, and in no others', async (w) => {
      const session = w.domain.session({ label: 'request 7' });
      equal(session.label, 'request 7', 'its label');
      equal(w.domain.session().label, undefined, 'the label of one without');
      await w.take('holder', { exclusive: 'a' }, {}, session);
      await w.ask('waiting', { exclusive: 'a' }, {}, session);
      await w.ask('nested', { exclusive: 'a' }, {}, session.session({ label: 'inner' }));
      await w.ask('other', { exclusive: 'a' });
      const snapshot = await w.domain.query();
      const sessions = ['holder', 'waiting', 'nested', 'other'].map(
        (label) => entryOf(snapshot, label).session,
      );
      equal(sessions, ['request 7', 'request 7', 'inner', undefined], 'sessions');
    });

    test('its label is in entries of requests without a label', async (w) => {
      const session = w.domain.session({ label: 'request 7' });
      const grant = await session.acquire({ exclusive: 'a' });
      const waiting = session.acquire({ exclusive: 'a' });
      const { held, pending } = await session.query();
      equal([held[0]?.session, pending[0]?.session], ['request 7', 'request 7'], 'sessions');
      equal([held[0]?.label, pending[0]?.label], [undefined, undefined], 'labels');
      await grant.release();
      await (await waiting).release();
    });

    test('its close ends what went through it, and nothing else', async (w) => {
      const session = w.domain.session();
      const holder = await w.take('holder', { exclusive: ['a', 'b'] }, {}, session);
      const waiting = await w.ask('waiting', { exclusive: ['c', 'a'] }, {}, session);
      const released = await w.take('released', { exclusive: 'd' }, {}, session);
      await released.release();
      await w.take('other', { exclusive: 'd' });
      const others = [
        await w.ask('next', { exclusive: 'a' }),
        await w.ask('free', { exclusive: 'c' }),
      ];
      const { signal } = holder.grant;
      await session.close();
      await waiting.refused('KDS_DOMAIN_CLOSED');
      isError(await reasonOf(signal, 'the holder'), 'KDS_GRANT_LOST');
      for (const ask of others) await ask.granted();
      equal((await w.domain.query()).held.length, 3, 'how many hold');
      equal(released.grant.signal.aborted, false, 'whether one released before is lost');
      await holder.release();
      equal((await w.domain.query()).held.length, 3, 'how many hold after a stale release');
    });

    test('what it holds goes to none of its own that wait', async (w) => {
      const session = w.domain.session();
      await w.take('holder', { exclusive: 'a' }, {}, session);
      const asks = [
        await w.ask('own', { exclusive: 'a' }, {}, session),
        await w.ask('nested', { exclusive: 'a' }, {}, session.session()),
      ];
      await w.ask('other', { exclusive: 'a' });
      await session.close();
      for (const ask of asks) await ask.refused('KDS_DOMAIN_CLOSED');
      await w.see({ held: ['other'] });
      equal(w.reported, ['holder', 'other'], 'reported');
    });

    test('its close grants none of its own requests', async (w) => {
      const session = w.domain.session();
      await w.take('reader', { shared: 'a' });
      const own = [
        await w.ask('own writer', { exclusive: 'a' }, {}, session),
        await w.ask('own reader', { shared: 'a' }, {}, session),
        await w.ask('own other', { shared: ['a', 'b'] }, {}, session),
      ];
      await w.ask('last', { shared: 'a', exclusive: 'b' });
      await session.close();
      for (const ask of own) await ask.refused('KDS_DOMAIN_CLOSED');
      await w.see({ held: ['reader', 'last'] });
      equal(w.reported, ['reader', 'last'], 'reported');
    });

    test('sessions within it end with it, and not the other way round', async (w) => {
      const outer = w.domain.session();
      const inner = outer.session();
      await w.take('outer', { exclusive: 'a' }, {}, outer);
      const first = await w.take('inner', { exclusive: 'b' }, {}, inner);
      await inner.close();
      await w.see({ held: ['outer'] });
      check(
        first.grant.signal.aborted,
        'the loss of a grant of the closed session is not reported',
      );
      const second = outer.session();
      const deep = await w.take('deep', { exclusive: 'b' }, {}, second.session());
      await outer.close();
      await w.see({});
      check(deep.grant.signal.aborted, 'the loss of a grant of an inner session is not reported');
      await refusesEverything(second);
    });

    test('a closed session refuses, and may be closed again', async (w) => {
      const session = w.domain.session();
      await w.take('holder', { exclusive: 'a' }, {}, session);
      await Promise.all([session.close(), session.close()]);
      await session.close();
      await refusesEverything(session);
      await w.take('domain', { exclusive: 'a' });
    });

    test('asyncDispose closes it', async (w) => {
      const session = w.domain.session();
      const holder = await w.take('holder', { exclusive: 'a' }, {}, session);
      await session[Symbol.asyncDispose]();
      check(holder.grant.signal.aborted, 'the loss is not reported');
      await w.free('a');
      await refusesEverything(session);
    });

    test('it offers what its domain offers', async (w) => {
      equal([...w.domain.session().capabilities], [...w.domain.capabilities], 'capabilities');
      equal([...w.domain.capabilities].sort(), [...w.backend.capabilities].sort(), 'as declared');
    });
  });
}
