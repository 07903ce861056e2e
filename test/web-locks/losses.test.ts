/** Locks that end otherwise than by their callback, and what is made to learn of it. */

import { createDomain, GrantLostError, type SyncGrant } from 'kds';
import { createArena, openThreadsDomain } from 'kds/threads';
import { grantOf, type Lock, LockManager } from 'kds/web-locks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { whenLost } from '../../src/api/grant.ts';
import { failureOf, Holder } from './holding.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

describe.each([
  ['the process', () => createDomain()],
  ['threads', () => openThreadsDomain(createArena({ bytesMax: 2 ** 20 }))],
])('in the domain of %s', (_name, open) => {
  it('a lock that its callback abandons ends its request with that reason', async () => {
    const locks = new LockManager(open());
    const error = await failureOf(
      locks.request('a', (lock) => {
        grantOf(lock as Lock)?.abandon('within');
        return new Promise(() => {});
      }),
    );
    expect(error).toMatchObject({ name: 'AbortError', cause: 'within' });
  });

  it('and so does one that is abandoned later, whether or not its signal was read', async () => {
    const locks = new LockManager(open());
    for (const isRead of [false, true]) {
      const holder = await Holder.take(locks, 'a');
      const grant = grantOf(holder.lock as Lock);
      const signal = isRead ? grant?.signal : undefined;
      grant?.abandon('later');
      expect(await failureOf(holder.done)).toMatchObject({ name: 'AbortError', cause: 'later' });
      if (isRead) expect(signal).toMatchObject({ aborted: true, reason: 'later' });
    }
  });

  it('a lock that its callback releases early keeps the result of its callback', async () => {
    const locks = new LockManager(open());
    const done = locks.request('a', async (lock) => {
      grantOf(lock as Lock)?.release();
      await locks.request('a', { steal: true }, () => {});
      return 'done';
    });
    expect(await done).toBe('done');
  });

  it('a lock makes no AbortController, unless its signal is read', async () => {
    let count = 0;
    class Counted extends AbortController {
      constructor() {
        super();
        count++;
      }
    }
    const locks = new LockManager(open());
    vi.stubGlobal('AbortController', Counted);
    await Promise.all([1, 2].map(() => locks.request('a', () => {})));
    const holder = await Holder.take(locks, 'a');
    await locks.request('a', { steal: true }, () => {});
    expect(await failureOf(holder.done)).toMatchObject({ name: 'AbortError' });
    expect(count).toBe(0);
    await locks.request('a', (lock) => grantOf(lock as Lock)?.signal);
    expect(count).toBe(1);
  });

  it('the loss of a grant is reported once: at the time, or at once if that has passed', () => {
    const domain = open();
    const steal = (): SyncGrant => {
      let stolen: SyncGrant | undefined;
      const onGrant = (grant: SyncGrant): void => {
        stolen = grant;
      };
      domain.enqueue({ exclusive: 'a' }, onGrant, { steal: true, delivery: 'direct' });
      return stolen as SyncGrant;
    };
    const [before, after, released] = [vi.fn(), vi.fn(), vi.fn()];
    const grant = domain.acquireSync({ exclusive: 'a' });
    whenLost(grant, before);
    expect(before).not.toHaveBeenCalled();
    const next = steal();
    expect(before).toHaveBeenCalledExactlyOnceWith(expect.any(GrantLostError));
    expect(grant.signal.reason).toBeInstanceOf(GrantLostError);
    expect(before).toHaveBeenCalledOnce();
    const last = steal();
    whenLost(next, after);
    expect(after).toHaveBeenCalledExactlyOnceWith(next.signal.reason);
    last.release();
    whenLost(last, released);
    steal();
    expect(released).not.toHaveBeenCalled();
  });
});
