/** Requests with a callback: where it runs, in what order, and that it runs at most once. */

import { Callback } from '../src/api/callback.ts';
import type { Grant } from '../src/api/grant.ts';
import { check, equal, failureOf } from './assertions.ts';
import type { Suite } from './suite.ts';
import { uncaughtDuring, unhandledDuring } from './uncaught.ts';

const deliveries = ['queued', 'direct'] as const;

export function testCallbacks({ group, test, needing }: Suite): void {
  group('callbacks', () => {
    for (const delivery of deliveries) {
      test(`a ${delivery} callback receives its grant, and owns it`, async (w) => {
        const one = await w.enqueue('one', { exclusive: 'a' }, { delivery });
        const two = await w.enqueue('two', { exclusive: 'a' }, { delivery });
        await w.see({ held: ['one'], pending: ['two'] });
        await one.release();
        await w.see({ held: ['two'] });
        check(two.grant.token > one.grant.token, 'the token does not grow');
        await two.release();
      });

      test(`${delivery} callbacks run in arrival order`, async (w) => {
        const labels = ['one', 'two', 'three', 'four'];
        const holder = await w.take('holder', { exclusive: ['a', 'b'] });
        for (const [index, label] of labels.entries()) {
          await w.enqueue(label, { shared: index % 2 === 0 ? 'b' : 'a' }, { delivery });
        }
        await holder.release();
        await w.see({ held: labels });
        equal(w.reported, ['holder', ...labels], 'the order of reports');
      });

      test(`a long chain of ${delivery} callbacks that each let go needs no stack`, async (w) => {
        const length = w.backend.chainLength ?? 20_000;
        let count = 0;
        const done = new Promise<void>((resolve) => {
          const next = (grant: Grant) => {
            void grant.release();
            count++;
            if (count === length) resolve();
          };
          for (let index = 0; index < length; index++) {
            w.domain.enqueue({ exclusive: 'a' }, next, { delivery });
          }
        });
        await done;
        equal(count, length, 'how many ran');
      });
    }

    test('a queued callback never runs inside anybody’s call', async (w) => {
      let isInside = false;
      const inside: string[] = [];
      const call = async <T>(body: () => T): Promise<Awaited<T>> => {
        isInside = true;
        const result = body();
        isInside = false;
        return await result;
      };
      const ask = (label: string, set: { readonly exclusive: string }) => {
        return new Promise<Grant>((resolve) => {
          const onGrant = (grant: Grant) => {
            if (isInside) inside.push(label);
            resolve(grant);
          };
          void call(() => w.domain.enqueue(set, onGrant));
        });
      };
      const free = await ask('free', { exclusive: 'a' });
      const second = ask('after a release', { exclusive: 'a' });
      const writer = await w.ask('writer', { exclusive: ['a', 'b'] });
      const third = ask('after a cancel', { exclusive: 'b' });
      await call(() => free.release());
      await call(() => writer.cancel());
      for (const granted of [second, third]) {
        const grant = await granted;
        await call(() => grant.release());
      }
      equal(inside, [], 'callbacks that ran inside a call');
    });

    const direct = needing('direct');
    direct('a direct callback runs inside the call that causes the grant', async (w) => {
      const log: string[] = [];
      const delivery = 'direct';
      const first = await w.take('first', { exclusive: 'a' });
      const writer = await w.enqueue('writer', { exclusive: 'a' });
      const onGrant = (label: string) => (grant: Grant) => {
        log.push(label);
        void grant.release();
      };
      w.domain.enqueue({ shared: 'b' }, onGrant('free'), { delivery });
      log.push('enqueue returned');
      w.domain.enqueue({ shared: 'a' }, onGrant('reader'), { delivery });
      void first.grant.release();
      log.push('release returned');
      await writer.granted();
      void writer.grant.release();
      log.push('second release returned');
      const expected = ['free', 'enqueue returned', 'release returned', 'reader'];
      equal(log, [...expected, 'second release returned'], 'what ran when');
    });

    direct('direct callbacks run one after another, never within one another', async (w) => {
      const log: string[] = [];
      const delivery = 'direct';
      const holder = await w.take('holder', { exclusive: 'a' });
      const ask = (label: string) => {
        const onGrant = (grant: Grant) => {
          log.push(`${label} begins`);
          void grant.release();
          log.push(`${label} ends`);
        };
        w.domain.enqueue({ exclusive: 'a' }, onGrant, { delivery });
      };
      ask('one');
      ask('two');
      void holder.grant.release();
      equal(log, ['one begins', 'one ends', 'two begins', 'two ends'], 'what ran when');
    });

    direct('a direct callback finds the state as it is, and can do anything', async (w) => {
      const holder = await w.take('holder', { exclusive: ['a', 'b'] });
      const seen: unknown[] = [];
      const onGrant = (grant: Grant) => {
        seen.push(w.domain.enqueue({ shared: 'c' }, (own) => own.release()).cancel());
        const inner = w.domain.enqueue({ shared: 'b' }, () => seen.push('never'));
        seen.push(inner.cancel());
        void grant.release();
      };
      w.domain.enqueue({ exclusive: 'a' }, onGrant, { delivery: 'direct' });
      await w.ask('waiting', { exclusive: 'b' });
      await w.ask('last', { exclusive: 'a' });
      void holder.grant.release();
      equal(seen, [true, true], 'what came of the calls');
      await w.see({ held: ['waiting', 'last'] });
    });
  });

  group('callbacks that throw', () => {
    for (const delivery of deliveries) {
      test(`a ${delivery} callback that throws stops no other, and is reported`, async (w) => {
        const error = new Error('thrown by a callback on purpose');
        const holder = await w.take('holder', { exclusive: 'a' });
        const onGrant = () => {
          throw error;
        };
        const reported = await uncaughtDuring(1, async () => {
          w.domain.enqueue({ shared: 'a' }, onGrant, { delivery, label: 'throws' });
          const next = await w.enqueue('next', { shared: 'a' }, { delivery });
          await holder.release();
          await next.granted();
        });
        check(reported[0] === error, `another error is reported: ${String(reported[0])}`);
        await w.see({ held: ['next'] });
      });

      test(`what a ${delivery} callback that throws has been granted is recovered`, async (w) => {
        const error = new Error('thrown by a callback on purpose');
        const signals: AbortSignal[] = [];
        const onGrant = ({ signal }: Grant) => {
          signals.push(signal);
          throw error;
        };
        const set = { exclusive: 'a', shared: 'b' };
        await uncaughtDuring(2, async () => {
          w.domain.enqueue(set, onGrant, { delivery });
          const callback = new Callback({ delivery }, (grant) => onGrant(grant));
          w.domain.enqueue(set, () => undefined, { delivery: callback });
        });
        const { grant } = await w.take('next', { exclusive: ['a', 'b'] });
        equal(grant.recovered, ['a'], 'what is recovered');
        equal(
          signals.map(({ reason }) => reason === error),
          [true, true],
          'whether the signals have the reason',
        );
      });

      test(`a ${delivery} callback that releases before it throws leaves no flag`, async (w) => {
        await uncaughtDuring(1, async () => {
          const onGrant = (grant: Grant) => {
            void grant.release();
            throw new Error('thrown by a callback on purpose');
          };
          w.domain.enqueue({ exclusive: 'a' }, onGrant, { delivery });
        });
        const { grant } = await w.take('next', { exclusive: 'a' });
        equal(grant.recovered, [], 'what is recovered');
      });

      test(`a ${delivery} async callback throws when its promise rejects`, async (w) => {
        const error = new Error('rejected by a callback on purpose');
        const reported = await unhandledDuring(1, async () => {
          const onGrant = async () => {
            await w.domain.query();
            throw error;
          };
          w.domain.enqueue({ exclusive: 'a' }, onGrant, { delivery });
        });
        check(reported[0] === error, `another error is reported: ${String(reported[0])}`);
        const { grant } = await w.take('next', { exclusive: 'a' });
        equal(grant.recovered, ['a'], 'what is recovered');
      });
    }
  });

  group('cancelling', () => {
    for (const delivery of deliveries) {
      test(`cancel() of a ${delivery} request that waits ends it, once`, async (w) => {
        const holder = await w.take('holder', { exclusive: 'a' });
        const waiting = await w.enqueue('waiting', { exclusive: ['a', 'b'] }, { delivery });
        const behind = await w.enqueue('behind', { exclusive: 'b' }, { delivery });
        await w.see({ held: ['holder'], pending: ['waiting', 'behind'] });
        equal(waiting.cancel(), true, 'the first cancel()');
        equal(waiting.cancel(), false, 'the second cancel()');
        await behind.granted();
        await w.see({ held: ['holder', 'behind'] });
        await holder.release();
        await w.free('a');
        equal(waiting.state, 'cancelled', 'how it stands');
      });

      test(`cancel() of a ${delivery} request whose callback has run does nothing`, async (w) => {
        const holder = await w.enqueue('holder', { exclusive: 'a' }, { delivery });
        await holder.granted();
        equal(holder.cancel(), false, 'cancel()');
        await w.see({ held: ['holder'] });
        await holder.release();
        equal(holder.cancel(), false, 'cancel() after the release');
      });
    }

    test('a request that is cancelled before its callback releases its grant', async (w) => {
      const reported: string[] = [];
      const free = w.domain.enqueue({ exclusive: 'a' }, () => reported.push('free'));
      equal(free.cancel(), true, 'cancel() of what was free');
      const holder = await w.take('holder', { exclusive: 'a' });
      const due = w.domain.enqueue({ exclusive: 'a' }, () => reported.push('due'));
      const next = await w.ask('next', { exclusive: 'a' });
      const released = holder.grant.release();
      equal(due.cancel(), true, 'cancel() of what is due');
      equal(due.cancel(), false, 'cancel() again');
      await released;
      await next.granted();
      await w.see({ held: ['next'] });
      equal(reported, [], 'reported although cancelled');
    });

    test('a callback can cancel others that were granted along with it', async (w) => {
      const reported: string[] = [];
      const holder = await w.take('holder', { exclusive: 'a' });
      const others = ['one', 'two'];
      const waiters = new Map<string, { cancel(): boolean }>();
      const cancelled: string[] = [];
      const grants: Grant[] = [];
      for (const [index, label] of others.entries()) {
        const other = others[1 - index] as string;
        const onGrant = (grant: Grant) => {
          reported.push(label);
          grants.push(grant);
          if (waiters.get(other)?.cancel()) cancelled.push(other);
        };
        waiters.set(label, w.domain.enqueue({ shared: 'a' }, onGrant, { label }));
      }
      await w.domain.query();
      await holder.release();
      const last = await w.ask('last', { exclusive: 'a' });
      for (const grant of grants) await grant.release();
      await last.granted();
      equal(reported, ['one'], 'reported');
      equal(cancelled, ['two'], 'cancelled');
    });
  });

  group('callbacks of requests that are refused', () => {
    test('a time-out is reported once, with the reason', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const late = await w.enqueue('late', { exclusive: ['a', 'b'] }, { timeoutMs: 5 });
      equal(((await late.refusal()) as Error).name, 'TimeoutError', 'the reason');
      equal(late.cancel(), false, 'cancel() afterwards');
      await w.see({ held: ['holder'] });
      await w.free('b');
    });

    test('a signal that aborts is reported once, with its own reason', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const controller = new AbortController();
      const reason = {};
      const set = { exclusive: 'a' };
      const stopped = await w.enqueue('stopped', set, { signal: controller.signal });
      const cancelled = await w.enqueue('cancelled', set, { signal: controller.signal });
      equal(cancelled.cancel(), true, 'cancel()');
      controller.abort(reason);
      check((await stopped.refusal()) === reason, 'another reason than the signal’s');
      await w.see({ held: ['holder'] });
    });

    test('the close of a session is reported once', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const session = w.domain.session();
      const waiting = await w.enqueue('waiting', { exclusive: 'a' }, {}, session);
      await session.close();
      equal(((await waiting.refusal()) as Error).name, 'DomainClosedError', 'the reason');
      await w.see({ held: ['holder'] });
    });

    test('a set that is not free is refused with a time-out of 0', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const set = { exclusive: ['b', 'a'] };
      const reason = await failureOf(async () => {
        const request = await w.enqueue('now', set, { timeoutMs: 0 });
        throw await request.refusal();
      });
      equal((reason as Error).name, 'TimeoutError', 'the reason');
      await w.see({ held: ['holder'] });
      await w.free('b');
    });
  });
}
