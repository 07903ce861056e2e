/** What a client finds that has not had a turn of its event loop for longer than its lease. */

import { type EtcdDomain, type EtcdGrant, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EtcdCluster, hasEtcd } from './server.ts';

/** The least that etcd gives. */
const leaseSeconds = 2;
const lost = expect.objectContaining({ code: 'KDS_GRANT_LOST' });

/** No timer and no message of this process gets through meanwhile. */
function blockForLease(): void {
  for (const endMs = performance.now() + leaseSeconds * 1000; performance.now() < endMs; );
}

const title = hasEtcd ? 'an event loop blocked for longer than the lease' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, { timeout: 60_000 }, () => {
  let cluster: EtcdCluster;
  let domain: EtcdDomain;
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());
  beforeEach(async () => {
    domain = await openEtcdDomain(cluster.hosts, { name: `blocked ${++count}`, leaseSeconds });
  });
  afterEach(() => domain.close());

  const reads: Readonly<Record<string, (grant: EtcdGrant, signal: AbortSignal) => unknown>> = {
    'grant.signal.aborted': ({ signal }) => signal.aborted,
    'the aborted of a signal taken before': (_, signal) => signal.aborted,
    downgrade: (grant) => {
      expect(() => grant.downgrade()).toThrow(lost);
      return true;
    },
    guard: (grant) => {
      expect(() => grant.guard()).toThrow(lost);
      return true;
    },
    'release of a part': (grant) => {
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
    const read = reads[way] as (grant: EtcdGrant, signal: AbortSignal) => unknown;
    const grant = (await domain.acquire({ exclusive: ['x', 'y'] })) as EtcdGrant;
    const { signal } = grant;
    blockForLease();
    expect(read(grant, signal)).toBe(true);
    expect(signal.aborted).toBe(true);
  });

  it('leaves the flag of a lost holder, also after a late release', async () => {
    const grant = await domain.acquire({ exclusive: 'x' });
    blockForLease();
    await grant.release();
    const next = await domain.acquire({ exclusive: 'x' });
    expect(next.recovered).toEqual(['x']);
    await next.release();
  });
});
