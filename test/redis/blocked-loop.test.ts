import type { Grant } from 'kds';
import { expect, it } from 'vitest';
import { withRedisServer } from './opened.ts';
import { describeWithRedis } from './server.ts';

const leaseMs = 300;

/** No timer and no message of this process gets through meanwhile. */
function blockFor(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs; );
}

describeWithRedis('an event loop that was blocked for longer than the lease', () => {
  const redis = withRedisServer();

  const reads: Readonly<Record<string, (grant: Grant, signal: AbortSignal) => unknown>> = {
    'grant.signal.aborted': ({ signal }) => signal.aborted,
    'the aborted of a signal taken before': (_, signal) => signal.aborted,
    'the reason of a signal taken before': (_, signal) => signal.reason?.code === 'KDS_GRANT_LOST',
    'AbortSignal.any': ({ signal }) => AbortSignal.any([signal]).aborted,
    'throwIfAborted of a signal taken before': (_, signal) => {
      expect(() => signal.throwIfAborted()).toThrow(/lease/);
      return true;
    },
    downgrade: (grant) => {
      expect(() => grant.downgrade()).toThrow(expect.objectContaining({ code: 'KDS_GRANT_LOST' }));
      return true;
    },
    'release of a part': (grant) => {
      const lost = expect.objectContaining({ code: 'KDS_GRANT_LOST' });
      expect(() => grant.release('x')).toThrow(lost);
      return true;
    },
    'release, after which the signal has aborted': (grant, signal) => {
      void grant.release();
      return signal.aborted;
    },
    'abandon, whose reason comes too late': (grant, signal) => {
      void grant.abandon(new Error('mine'));
      return signal.reason?.code === 'KDS_GRANT_LOST';
    },
  };
  it.each(Object.keys(reads))('finds the grant lost, by %s', async (way) => {
    const read = reads[way] as (grant: Grant, signal: AbortSignal) => unknown;
    const domain = await redis.open(undefined, { leaseMs });
    const grant = await domain.acquire({ exclusive: ['x', 'y'] });
    const { signal } = grant;
    let abortCount = 0;
    signal.addEventListener('abort', () => abortCount++);
    blockFor(leaseMs);
    expect(read(grant, signal)).toBe(true);
    expect([signal.aborted, abortCount]).toEqual([true, 1]);
  });

  it('finds a grant lost although its signal was never read', async () => {
    const domain = await redis.open(undefined, { leaseMs });
    const grant = await domain.acquire({ exclusive: 'x' });
    blockFor(leaseMs);
    expect(grant.signal.aborted).toBe(true);
  });

  it('leaves the recovered flag of a lost holder, also after a late release', async () => {
    const domain = await redis.open(undefined, { leaseMs });
    const grant = await domain.acquire({ exclusive: 'x' });
    blockFor(leaseMs);
    await grant.release();
    expect((await domain.acquire({ exclusive: 'x' })).recovered).toEqual(['x']);
  });
});
