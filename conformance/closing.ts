/** The end of a domain, and what is refused from then on. */

import type { Domain, SyncDomain } from '../src/api/domain.ts';
import { check, equal, fails, isError, reasonOf } from './assertions.ts';
import type { Suite } from './suite.ts';

const set = { exclusive: 'a' };
const closed = 'KDS_DOMAIN_CLOSED';

export function testClosing({ group, test, needing }: Suite): void {
  group('closing', () => {
    test('waiting requests are refused, and losses of grants reported', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      const silent = await w.take('silent', { shared: 'c' });
      const waiting = await w.ask('waiting', { exclusive: 'a' });
      const callback = await w.enqueue('callback', { exclusive: 'b' });
      const session = w.domain.session();
      const nested = await w.ask('nested', { exclusive: 'c' }, {}, session);
      const { signal } = holder.grant;
      await w.close();
      await waiting.refused(closed);
      await nested.refused(closed);
      isError(await callback.refusal(), closed, 'callback');
      isError(await reasonOf(signal, 'the holder'), 'KDS_GRANT_LOST');
      check(silent.grant.signal.aborted, 'a signal that is first asked for later has not aborted');
      equal(w.reported, ['holder', 'silent'], 'reported');
    });

    test('nobody is granted what falls free as it closes', async (w) => {
      await w.take('reader', { shared: 'a' });
      const asks = [
        await w.ask('writer', { exclusive: 'a' }),
        await w.ask('next reader', { shared: 'a' }),
        await w.ask('last', { exclusive: 'a' }),
      ];
      const callback = await w.enqueue('callback', { shared: 'a' }, { delivery: 'direct' });
      await w.close();
      for (const ask of asks) await ask.refused(closed);
      isError(await callback.refusal(), closed, 'callback');
      equal(w.reported, ['reader'], 'reported');
    });

    test('everything is refused from then on, also by its sessions', async (w) => {
      const session = w.domain.session();
      await w.close();
      await refusesEverything(w.domain);
      await refusesEverything(session);
    });

    test('it may be closed twice, and its sessions after it', async (w) => {
      const session = w.domain.session();
      await Promise.all([w.close(), w.close()]);
      await session.close();
      await w.domain.close();
    });

    test('what was held can be released afterwards, to no effect', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      const { token } = holder.grant;
      await w.close();
      await holder.grant.release();
      await holder.grant.abandon();
      await holder.grant[Symbol.asyncDispose]();
      equal(holder.grant.token, token, 'its token');
    });

    test('asyncDispose closes it', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      w.isClosed = true;
      await w.domain[Symbol.asyncDispose]();
      check(holder.grant.signal.aborted, 'the loss is not reported');
      await refusesEverything(w.domain);
    });

    test('a run that is under way goes on, and rejects when its function returns', async (w) => {
      let hasReturned = false;
      const running = w.domain.run({ exclusive: 'a' }, async (grant) => {
        await w.close();
        isError(await reasonOf(grant.signal, 'the run'), 'KDS_GRANT_LOST');
        hasReturned = true;
      });
      await fails(() => running, 'KDS_GRANT_LOST');
      check(hasReturned, 'the function was cut off');
    });

    const settled = needing('settled');
    settled('those who wait for others to be gone are refused', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const refused = fails(() => w.domain.settled({ shared: 'a' }), closed);
      await w.domain.query();
      await w.close();
      await refused;
    });

    const weakening = needing('downgrade', 'part-release');
    weakening('what was held cannot be weakened afterwards', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      await w.close();
      await fails(() => holder.grant.downgrade(), 'KDS_GRANT_LOST');
      await fails(() => holder.grant.release('a'), 'KDS_GRANT_LOST');
    });
  });
}

/** That each way to ask a closed domain, or session, for anything is refused. */
export async function refusesEverything(domain: Domain): Promise<void> {
  let count = 0;
  const fn = () => {
    count++;
  };
  await fails(() => domain.acquire(set), closed, 'acquire');
  await fails(() => domain.acquire({}), closed, 'acquire of nothing');
  await fails(() => domain.tryAcquire(set), closed, 'tryAcquire');
  await fails(() => domain.run(set, fn), closed, 'run');
  await fails(() => domain.enqueue(set, fn), closed, 'enqueue');
  await fails(() => domain.enqueue(set, fn, { delivery: 'direct' }), closed, 'enqueue, direct');
  await fails(() => domain.prepare(set), closed, 'prepare');
  await fails(() => domain.resource('a'), closed, 'resource');
  await fails(() => domain.session(), closed, 'session');
  if (domain.capabilities.has('settled')) {
    await fails(() => domain.settled(set), closed, 'settled');
  }
  if ('acquireSync' in domain) {
    const sync = domain as SyncDomain;
    await fails(() => sync.tryAcquireSync(set), closed, 'tryAcquireSync');
    await fails(() => sync.acquireSync(set), closed, 'acquireSync');
  }
  equal(count, 0, 'how often a function was called');
}
