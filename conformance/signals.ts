/** Stopping to wait by an AbortSignal. */

import { check, equal, fails, failureOf } from './assertions.ts';
import type { Suite } from './suite.ts';

/** Signals of a library, which abort as a listener is added to them. */
const eagerSignals: Readonly<Record<string, (reason: unknown) => AbortSignal>> = {
  'a signal that calls its listener as that is added': (reason) => eagerSignal(reason, true, true),
  'a signal that has aborted as its listener is added, and does not call it': (reason) =>
    eagerSignal(reason, true, false),
  'a signal that calls its listener without being aborted': (reason) =>
    eagerSignal(reason, false, true),
};

function eagerSignal(reason: unknown, aborts: boolean, calls: boolean): AbortSignal {
  const signal = {
    aborted: false,
    reason,
    addEventListener: (_: string, listener: () => void) => {
      signal.aborted = aborts;
      if (calls) listener();
    },
    removeEventListener: () => undefined,
  };
  return signal as unknown as AbortSignal;
}

export function testSignals({ group, test }: Suite): void {
  group('signals', () => {
    test('a request whose signal aborts is refused with the reason itself', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const reasons: readonly unknown[] = [new Error('enough'), { plain: true }, 'text', null, 0];
      for (const [index, reason] of reasons.entries()) {
        const controller = new AbortController();
        const { signal } = controller;
        const ask = await w.ask(`${index}`, { exclusive: ['a', 'b'] }, { signal });
        await w.see({ held: ['holder'], pending: [`${index}`] });
        controller.abort(reason);
        check(Object.is(await ask.refusal(), reason), `another reason than ${String(reason)}`);
        await w.see({ held: ['holder'] });
      }
      await w.free('b');
    });

    test('without a reason of one’s own it is the AbortError of the signal', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const controller = new AbortController();
      const ask = await w.ask('waiting', { shared: 'a' }, { signal: controller.signal });
      controller.abort();
      const reason = await ask.refusal();
      check(reason === controller.signal.reason, 'another reason than that of the signal');
      equal((reason as Error).name, 'AbortError', 'its name');
    });

    test('the time-out of a signal rejects with the reason of the signal', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const signal = AbortSignal.timeout(5);
      const ask = await w.ask('waiting', { shared: 'a' }, { signal });
      check((await ask.refusal()) === signal.reason, 'another reason than that of the signal');
      await w.see({ held: ['holder'] });
    });

    test('a signal that has aborted refuses at once even what is free', async (w) => {
      const reason = new Error('before');
      const signal = AbortSignal.abort(reason);
      const set = { exclusive: 'a' };
      const run = () => w.domain.run(set, { signal }, () => check(false, 'it runs'));
      check((await failureOf(() => w.domain.acquire(set, { signal }))) === reason, 'acquire');
      check((await failureOf(run)) === reason, 'run');
      check((await failureOf(() => w.enqueue('callback', set, { signal }))) === reason, 'enqueue');
      await w.free('a');
    });

    test('a signal has no effect after the grant', async (w) => {
      const controller = new AbortController();
      const { signal } = controller;
      const holder = await w.take('holder', { exclusive: 'a' }, { signal });
      const next = await w.ask('next', { exclusive: 'a' }, { signal });
      await holder.release();
      await next.granted();
      controller.abort();
      await w.see({ held: ['next'] });
      equal(next.grant.signal.aborted, false, 'whether the grant is lost');
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try of what is held');
    });

    test('one signal stops all that wait with it, and nobody else', async (w) => {
      const controller = new AbortController();
      const { signal } = controller;
      const holder = await w.take('holder', { exclusive: 'a' }, { signal });
      const asks = [];
      for (let index = 0; index < 50; index++) {
        const set = index % 3 === 0 ? { exclusive: ['a', 'b'] } : { shared: ['b', 'a'] };
        asks.push(await w.ask(`${index}`, set, { signal }));
      }
      await w.ask('other', { shared: 'b' });
      controller.abort('all of you');
      for (const ask of asks) equal(await ask.refusal(), 'all of you', ask.label);
      await w.see({ held: ['holder', 'other'] });
      await holder.release();
      await w.free('a');
    });

    test('of an abort and a grant that meet, one comes to pass and nothing leaks', async (w) => {
      for (const isReleasedFirst of [true, false]) {
        const controller = new AbortController();
        const holder = await w.take('holder', { exclusive: 'a' });
        const meets = await w.ask('meets', { exclusive: 'a' }, { signal: controller.signal });
        const next = await w.ask('next', { exclusive: 'a' });
        if (!isReleasedFirst) controller.abort('met');
        const released = holder.grant.release();
        if (isReleasedFirst) controller.abort('met');
        await released;
        const outcome = await meets.granted().catch((reason: unknown) => reason);
        if (meets.state === 'granted') await meets.release();
        else equal(outcome, 'met', 'the reason');
        await next.granted();
        await w.see({ held: ['next'] });
        await next.release();
      }
    });

    test('no listener is left on a signal with which nobody waits', async (w) => {
      const { signal } = new AbortController();
      const listeners = new Map<unknown, unknown>();
      const count = (method: 'addEventListener' | 'removeEventListener') => {
        const original = signal[method].bind(signal) as (...args: readonly unknown[]) => void;
        signal[method] = (type: string, listener: unknown, ...rest: readonly unknown[]) => {
          if (method === 'addEventListener') listeners.set(listener, type);
          else listeners.delete(listener);
          original(type, listener, ...rest);
        };
      };
      count('addEventListener');
      count('removeEventListener');
      const holder = await w.take('holder', { exclusive: 'a' }, { signal });
      const late = await w.ask('late', { exclusive: 'a' }, { signal, timeoutMs: 5 });
      const next = await w.ask('next', { exclusive: 'a' }, { signal });
      const callback = await w.enqueue('callback', { exclusive: 'a' }, { signal });
      await late.refused('KDS_WAIT_TIMEOUT');
      equal(callback.cancel(), true, 'whether it is cancelled');
      await holder.release();
      await next.release();
      await w.see({});
      equal(listeners.size, 0, 'listeners left');
    });

    for (const [what, eager] of Object.entries(eagerSignals)) {
      test(`${what} is not overlooked, and leaves no trace`, async (w) => {
        await w.take('holder', { exclusive: 'a' });
        const reason = new Error('while it was listened to');
        for (const set of [{ exclusive: ['b', 'a'] }, { shared: 'a' }]) {
          const ask = await w.ask('asks', set, { signal: eager(reason) });
          check((await ask.refusal()) === reason, 'acquire: another reason');
          const request = await w.enqueue('enqueues', set, { signal: eager(reason) });
          check((await request.refusal()) === reason, 'enqueue: another reason');
          equal(request.cancel(), false, 'cancel() afterwards');
          const run = () => w.domain.run(set, { signal: eager(reason) }, () => check(false, 'run'));
          check((await failureOf(run)) === reason, 'run: another reason');
          await w.see({ held: ['holder'] });
        }
        await w.free('b');
      });
    }

    test('a signal that a getter aborts, of an option or a set, refuses the request', async (w) => {
      const reason = new Error('by a getter');
      await w.take('holder', { exclusive: 'a' });
      for (const name of ['a', 'b']) {
        const byOption = new AbortController();
        const options = {
          signal: byOption.signal,
          get label() {
            byOption.abort(reason);
            return 'aborts';
          },
        };
        const acquired = failureOf(() => w.domain.acquire({ exclusive: name }, options));
        check((await acquired) === reason, 'an option: another reason');
        const bySet = new AbortController();
        const set = {
          get exclusive() {
            bySet.abort(reason);
            return name;
          },
        };
        const { signal } = bySet;
        const enqueued = failureOf(async () => {
          const request = await w.enqueue('enqueued', set, { signal });
          throw await request.refusal();
        });
        check((await enqueued) === reason, 'a set: another reason');
      }
      await w.see({ held: ['holder'] });
      await w.free('b');
    });

    test('a signal whose own code grants the request is of no effect any more', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const signal = {
        aborted: false,
        reason: undefined,
        addEventListener: () => void holder.grant.release(),
        removeEventListener: () => undefined,
      } as unknown as AbortSignal;
      const waiting = await w.ask('waiting', { exclusive: 'a' }, { signal });
      await waiting.granted();
      await w.see({ held: ['waiting'] });
    });

    test('what is no signal is refused, and leaves no trace', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      for (const wrong of [null, 5, 'abort', {}, new AbortController(), new EventTarget()]) {
        const signal = wrong as unknown as AbortSignal;
        await fails(() => w.domain.acquire({ exclusive: 'b' }, { signal }), 'TypeError');
        await fails(() => w.domain.acquire({ exclusive: ['a', 'b'] }, { signal }), 'TypeError');
      }
      await w.see({ held: ['holder'] });
      await w.free('b');
    });
  });
}
