/** A `Callback`: one delivery that many requests share, with an end of its own. */

import { Callback } from '../src/api/callback.ts';
import type { Grant } from '../src/api/grant.ts';
import { check, equal, fails } from './assertions.ts';
import type { Suite } from './suite.ts';

export function testCallbackObjects({ group, test, needing }: Suite): void {
  group('callback objects', () => {
    test('many requests share a callback, and each has its own function', async (w) => {
      const callback = new Callback();
      const one = await w.enqueue('one', { exclusive: 'a' }, { delivery: callback });
      const two = await w.enqueue('two', { exclusive: 'a' }, { delivery: callback });
      await w.enqueue('three', { exclusive: 'b' }, { delivery: callback });
      await w.see({ held: ['one', 'three'], pending: ['two'] });
      await one.release();
      await two.granted();
      callback.close();
    });

    test('the function of a callback is called in place of each request’s own', async (w) => {
      const seen: string[] = [];
      const callback = new Callback({ delivery: 'queued' }, (grant, onGrant) => {
        seen.push('before');
        onGrant(grant);
        seen.push('after');
      });
      const set = { exclusive: 'a' };
      const request = await w.enqueue('request', set, { delivery: callback });
      await request.granted();
      equal(seen, ['before', 'after'], 'what ran');
    });

    test('a callback that requests wait with cannot be closed', async (w) => {
      const callback = new Callback();
      const delivery = callback;
      const holder = await w.take('holder', { exclusive: 'a' });
      const cancelled = await w.enqueue('cancelled', { exclusive: 'a' }, { delivery });
      const late = await w.enqueue('late', { exclusive: 'a' }, { delivery, timeoutMs: 5 });
      const next = await w.enqueue('next', { exclusive: 'a' }, { delivery });
      await fails(() => callback.close(), 'KDS_RESOURCE_BUSY', 'with three');
      equal(cancelled.cancel(), true, 'cancel()');
      await late.refusal();
      await fails(() => callback.close(), 'KDS_RESOURCE_BUSY', 'with one');
      check(callback.isOpen, 'it is closed although it refused to be');
      await holder.release();
      await next.granted();
      callback.close();
      check(!callback.isOpen, 'it is open although it was closed');
    });

    test('a closed callback is refused, and leaves no trace', async (w) => {
      const callback = new Callback();
      callback.close();
      callback.close();
      const set = { exclusive: 'a' };
      const delivery = callback;
      await fails(() => w.enqueue('late', set, { delivery }), 'KDS_DOMAIN_CLOSED');
      await w.free('a');
    });

    test('what is no delivery is none of a callback either', async () => {
      const wrong = 'later' as 'queued';
      await fails(() => new Callback({ delivery: wrong }), 'TypeError', 'a delivery');
      const run = 5 as unknown as () => void;
      await fails(() => new Callback({}, run), 'TypeError', 'a function');
    });

    const direct = needing('direct');
    direct('a callback that is closed runs at once what is due, and only that', async (w) => {
      const reported: string[] = [];
      const callback = new Callback();
      const onGrant = (label: string) => (grant: Grant) => {
        reported.push(label);
        void grant.release();
      };
      w.domain.enqueue({ exclusive: 'a' }, onGrant('one'), { delivery: callback });
      const gone = w.domain.enqueue({ shared: 'b' }, onGrant('gone'), { delivery: callback });
      w.domain.enqueue({ exclusive: 'c' }, onGrant('two'), { delivery: callback });
      w.domain.enqueue({ exclusive: 'd' }, onGrant('other'));
      gone.cancel();
      equal(reported, [], 'reported before the close');
      callback.close();
      equal(reported, ['one', 'two'], 'reported by the close');
      await w.domain.query();
      equal(reported, ['one', 'two', 'other'], 'reported in the end');
    });

    direct('a direct callback runs in the call that grants, with its own function', async (w) => {
      const reported: string[] = [];
      const callback = new Callback({ delivery: 'direct' }, (grant, onGrant) => {
        reported.push('callback');
        onGrant(grant);
      });
      const onGrant = (grant: Grant) => {
        reported.push('own');
        void grant.release();
      };
      w.domain.enqueue({ exclusive: 'a' }, onGrant, { delivery: callback });
      equal(reported, ['callback', 'own'], 'reported when enqueue() has returned');
      callback.close();
    });
  });
}
