/** Synchronous callers where there is nobody to block for. */

import { createDomain, DeadlockError, LockedError, WaitTimeoutError } from 'kds';
import { describe, expect, it } from 'vitest';
import { tracesIn } from './inside.ts';

const exclusive = { exclusive: 'a' };
const shared = { shared: 'a' };

describe('acquireSync', () => {
  it('gives the set at once', () => {
    const domain = createDomain();
    const grant = domain.acquireSync({ exclusive: 'a', shared: 'b' }, { label: 'sync' });
    expect(domain.querySync().held).toMatchObject([{ label: 'sync', token: grant.token }]);
    grant.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it.each([undefined, 0, 1000, Number.POSITIVE_INFINITY])(
    'or throws at once, whatever the time-out (%s), and leaves no trace',
    (timeoutMs) => {
      const domain = createDomain();
      const holder = domain.acquireSync(exclusive, { label: 'the holder' });
      const ask = () => domain.acquireSync(shared, { timeoutMs });
      expect(ask).toThrow(WaitTimeoutError);
      expect(ask).toThrow('held by "the holder"');
      holder.release();
      expect(tracesIn(domain)).toEqual([]);
    },
  );

  it('names the reason, one event loop, and what to call instead', () => {
    const domain = createDomain();
    const holder = domain.acquireSync(exclusive);
    expect(() => domain.acquireSync(exclusive)).toThrow(/one event loop .* acquire\(\)/);
    holder.release();
  });

  it('holds as a synchronous caller, until it releases', async () => {
    const domain = createDomain();
    const holder = domain.acquireSync({ exclusive: ['a', 'b'] }, { label: 'console' });
    const fail = () => domain.acquire(shared, { locked: 'fail' });
    await expect(fail()).rejects.toThrow(LockedError);
    await expect(fail()).rejects.toThrow('held by "console"');
    const ignoring = await domain.acquire(shared, { locked: 'ignore' });
    expect(ignoring.ignored).toEqual(['a']);
    ignoring.release();
    holder.release('a');
    (await fail()).release();
    await expect(domain.acquire({ shared: 'b' }, { locked: 'fail' })).rejects.toThrow(LockedError);
    holder.release();
    (await domain.acquire({ shared: 'b' }, { locked: 'fail' })).release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('that was refused does not count as a synchronous caller', async () => {
    const domain = createDomain();
    const holder = await domain.acquire(shared);
    expect(() => domain.acquireSync(exclusive)).toThrow(WaitTimeoutError);
    expect(domain.tryAcquireSync(exclusive)).toBe(null);
    (await domain.acquire(shared, { locked: 'fail' })).release();
    holder.release();
  });

  it('a synchronous try holds as a synchronous caller, an asynchronous one does not', async () => {
    const domain = createDomain();
    const sync = domain.tryAcquireSync(exclusive);
    const ordinary = await domain.tryAcquire({ exclusive: 'b' });
    await expect(domain.acquire(shared, { locked: 'fail' })).rejects.toThrow(LockedError);
    const wait = domain.acquire({ shared: 'b' }, { locked: 'fail', timeoutMs: 0 });
    await expect(wait).rejects.toThrow(WaitTimeoutError);
    sync?.release();
    ordinary?.release();
    expect(tracesIn(domain)).toEqual([]);
  });

  it('what others passed over is not listed as in the way of who passed over it', async () => {
    const domain = createDomain();
    const sync = domain.acquireSync(exclusive);
    const holder = await domain.acquire({ exclusive: 'b' });
    const options = { locked: 'ignore', label: 'W', timeoutMs: 1e9 } as const;
    const waiter = domain.acquire({ exclusive: ['a', 'b'] }, options);
    const { held, pending } = domain.querySync();
    expect(pending[0]?.waitingFor).toEqual([held[1]?.id]);
    const try1 = domain.acquire({ exclusive: ['a', 'b'] }, { locked: 'ignore', timeoutMs: 0 });
    const reason = await try1.catch((error: Error) => error.message);
    expect(reason).toContain('"b" is');
    expect(reason).not.toContain('"a" is');
    holder.release();
    expect((await waiter).ignored).toEqual(['a']);
    sync.release();
  });

  it('inside of a nested run reports the cycle', async () => {
    const domain = createDomain({ nested: 'checked' });
    await domain.run(exclusive, () => {
      expect(() => domain.acquireSync(exclusive)).toThrow(DeadlockError);
    });
    expect(tracesIn(domain)).toEqual([]);
  });
});
