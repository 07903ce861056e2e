/** Synchronous holders, and what a request may do about resources that such hold. */

import type { AcquireOptions } from '../src/api/options.ts';
import { check, equal, fails, failureOf, isError, mentions } from './assertions.ts';
import { offers } from './backend.ts';
import type { Suite } from './suite.ts';

export function testLocked({ group, needing, backend }: Suite): void {
  const test = needing('sync');
  const fail: AcquireOptions = { locked: 'fail' };
  const ignore: AcquireOptions = { locked: 'ignore' };

  group('synchronous requests', () => {
    test('what is free is had at once, and what is not is not', async (w) => {
      const one = w.sync.tryAcquireSync({ exclusive: 'a', shared: 'b' }, { label: 'one' });
      check(one !== null, 'a try of what is free comes to null');
      equal(w.sync.tryAcquireSync({ shared: ['c', 'a'] }), null, 'a try of what is held');
      const two = w.sync.acquireSync({ shared: 'b' }, { label: 'two', timeoutMs: 0 });
      check(two.token > one.token, 'the token does not grow');
      await w.ask('writer', { exclusive: 'b' });
      equal(w.sync.tryAcquireSync({ shared: 'b' }), null, 'a try past one who waits');
      await w.see({ held: ['one', 'two'], pending: ['writer'] });
      one.release();
      two.release();
      await w.see({ held: ['writer'] });
      await w.free('a', 'c');
    });

    test('what cannot be had in time is refused, and leaves no trace', async (w) => {
      await w.take('the holder', { exclusive: 'a' });
      const set = { exclusive: ['a', 'b'] };
      const timeouts = offers(backend, 'blocking') ? [0, 10] : [0, 10, Number.POSITIVE_INFINITY];
      for (const timeoutMs of timeouts) {
        const error = await fails(() => w.sync.acquireSync(set, { timeoutMs }), 'KDS_WAIT_TIMEOUT');
        mentions(error, '"a"', '"the holder"');
      }
      await w.see({ held: ['the holder'] });
      await w.free('b');
    });

    test('the snapshot that is had at once is the same', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      await w.ask('waiting', { shared: 'a' });
      equal(w.sync.querySync(), await w.domain.query(), 'querySync()');
    });

    test('a session of such a domain is one too', async (w) => {
      const session = w.sync.session({ label: 'session' });
      session.acquireSync({ exclusive: 'a' }, { label: 'one' });
      equal(session.tryAcquireSync({ shared: 'a' }), null, 'a try of what is held');
      equal(session.querySync().held[0]?.session, 'session', 'the session of the entry');
      await session.close();
      await w.free('a');
    });
  });

  group('locked', () => {
    test('by default, and with wait, one waits for a synchronous holder', async (w) => {
      const holder = w.sync.acquireSync({ exclusive: 'a' }, { label: 'holder' });
      await w.ask('one', { shared: 'a' });
      await w.ask('two', { shared: 'a' }, { locked: 'wait' });
      await w.see({ held: ['holder'], pending: ['one', 'two'] });
      holder.release();
      await w.see({ held: ['one', 'two'] });
    });

    test('fail refuses a request, names the holder, and leaves no trace', async (w) => {
      const holder = w.sync.acquireSync({ exclusive: 'the screen' }, { label: 'the driver' });
      const set = { exclusive: ['b', 'the screen'] };
      const error = await fails(() => w.domain.acquire(set, fail), 'KDS_LOCKED', 'acquire');
      mentions(error, '"the screen"', '"the driver"');
      await fails(() => w.domain.run(set, fail, () => undefined), 'KDS_LOCKED', 'run');
      const refusal = await failureOf(async () => {
        throw await (await w.enqueue('callback', set, fail)).refusal();
      });
      isError(refusal, 'KDS_LOCKED', 'enqueue');
      await w.see({ held: ['the driver'] });
      await w.free('b');
      holder.release();
      await w.take('later', set, fail);
    });

    test('with fail one is refused by a try that was granted too, in any mode', async (w) => {
      const holder = w.sync.tryAcquireSync({ shared: 'a' });
      await fails(() => w.domain.acquire({ shared: 'a' }, fail), 'KDS_LOCKED');
      await w.take('other', { shared: 'b' }, fail);
      holder?.release();
      for (let round = 0; round < 3; round++) {
        w.sync.tryAcquireSync({ exclusive: 'a' })?.release();
        w.sync.acquireSync({ exclusive: 'a' }).release();
      }
      await w.take('later', { exclusive: 'a' }, fail);
    });

    test('with fail one waits for holders that are not synchronous', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      equal(w.sync.tryAcquireSync({ shared: 'a' }), null, 'a try of what is held');
      await w.ask('waiting', { exclusive: 'a' }, fail);
      await w.see({ held: ['holder'], pending: ['waiting'] });
      await holder.release();
      await w.see({ held: ['waiting'] });
    });

    test('ignore does not wait for locked resources, and lists them', async (w) => {
      const holder = w.sync.acquireSync({ exclusive: 'a' }, { label: 'holder' });
      const one = await w.take('one', { exclusive: ['b', 'a'] }, ignore);
      equal(one.grant.ignored, ['a'], 'ignored');
      await w.see({ held: ['holder', 'one'] });
      await one.release();
      await w.see({ held: ['holder'] });
      holder.release();
      const two = await w.take('two', { exclusive: 'a' }, ignore);
      equal(two.grant.ignored, [], 'ignored when it is free');
    });

    test('with ignore one still waits for what is not locked', async (w) => {
      const sync = w.sync.acquireSync({ exclusive: 'a' }, { label: 'sync' });
      const holder = await w.take('holder', { exclusive: 'b' });
      const waiting = await w.ask('waiting', { exclusive: ['a', 'b'] }, ignore);
      const { pending, held } = await w.see({ held: ['sync', 'holder'], pending: ['waiting'] });
      equal(pending[0]?.waitingFor, [held[1]?.id], 'whom it waits for');
      await holder.release();
      equal((await waiting.granted()).ignored, ['a'], 'ignored');
      await w.see({ held: ['sync', 'waiting'] });
      sync.release();
    });

    test('one who ignores still blocks later sets, and lets nobody past', async (w) => {
      const holder = w.sync.acquireSync({ exclusive: 'a' }, { label: 'holder' });
      const ignoring = await w.take('ignoring', { exclusive: 'a' }, ignore);
      await w.ask('reader', { shared: 'a' });
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try');
      await w.see({ held: ['holder', 'ignoring'], pending: ['reader'] });
      holder.release();
      await w.see({ held: ['ignoring'], pending: ['reader'] });
      await ignoring.release();
      await w.see({ held: ['reader'] });
    });

    test('a reader who ignores lets no later reader past an exclusive holder', async (w) => {
      const holder = w.sync.acquireSync({ exclusive: 'a' }, { label: 'holder' });
      const ignoring = await w.take('ignoring', { shared: 'a' }, ignore);
      await w.ask('reader', { shared: 'a' });
      await w.see({ held: ['holder', 'ignoring'], pending: ['reader'] });
      await ignoring.release();
      await w.see({ held: ['holder'], pending: ['reader'] });
      holder.release();
      await w.see({ held: ['reader'] });
    });

    test('one who ignores shares with a synchronous reader as ever', async (w) => {
      const holder = w.sync.acquireSync({ shared: 'a' });
      const reader = await w.take('reader', { shared: 'a' }, ignore);
      equal(reader.grant.ignored, [], 'ignored by a reader');
      const writer = await w.take('writer', { exclusive: 'a' }, ignore);
      equal(writer.grant.ignored, ['a'], 'ignored by a writer');
      await writer.release();
      holder.release();
    });

    test('an error does not blame who is ignored', async (w) => {
      const sync = w.sync.acquireSync({ exclusive: 'a' }, { label: 'the driver' });
      await w.take('the writer', { exclusive: 'b' });
      const set = { exclusive: ['a', 'b'] };
      const late = await w.ask('late', set, { locked: 'ignore', timeoutMs: 5 });
      const { message } = await late.refused('KDS_WAIT_TIMEOUT');
      check(message.includes('"the writer"'), `"${message}" does not name the writer`);
      check(!message.includes('"the driver"'), `"${message}" names the driver`);
      sync.release();
    });

    test('a policy that is none is refused', async (w) => {
      for (const wrong of ['', 'Wait', null, 0, true]) {
        const locked = wrong as unknown as 'wait';
        await fails(() => w.domain.acquire({ exclusive: 'a' }, { locked }), 'TypeError');
      }
      await w.free('a');
    });
  });
}
