/** An etcd that takes no more, as its data has grown to its quota. */

import { openEtcdDomain } from 'kds/etcd';
import { describe, expect, it } from 'vitest';
import { putOf } from '../../src/hosts/etcd/calls.ts';
import { until } from '../broker/programs.ts';
import { EtcdCluster, type EtcdMember, hasEtcd } from './server.ts';

describe.skipIf(!hasEtcd)(hasEtcd ? 'an etcd at its quota' : 'skipped: no etcd', () => {
  it('keeps what is held, and takes what was said meanwhile once there is space', async () => {
    const cluster = await EtcdCluster.start({ quotaBytes: 200_000 });
    const [member] = cluster.members as [EtcdMember];
    const domain = await openEtcdDomain(member.url, { name: 'full', leaseSeconds: 10 });
    const grant = await domain.acquire({ exclusive: 'a' });
    const fill = () =>
      member.call('/v3/kv/txn', { success: [putOf('elsewhere', 'x'.repeat(20_000))] });
    await until(async () => (await fill()) === undefined, 'it is full');
    const inVain = domain.acquire({ exclusive: 'b' }, { timeoutMs: 500 });
    await expect(inVain).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
    const waiting = domain.acquire({ exclusive: 'a' });
    const released = grant.release();
    // Longer than a lease.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(grant.signal.aborted).toBe(false);
    await makeSpace(member);
    await released;
    const next = await waiting;
    expect(next.recovered).toEqual([]);
    await next.release();
    expect(await domain.query()).toMatchObject({ held: [], pending: [] });
    await domain.close();
    await cluster.remove();
  });
});

/** As an operator does it. */
async function makeSpace(member: EtcdMember): Promise<void> {
  const status = (await member.call('/v3/maintenance/status', {})) ?? {};
  const { revision, member_id } = status['header'] as Readonly<Record<string, string>>;
  await member.call('/v3/kv/compaction', { revision, physical: true });
  await member.call('/v3/maintenance/defragment', {});
  await member.call('/v3/maintenance/alarm', {
    action: 'DEACTIVATE',
    memberID: member_id,
    alarm: 'NOSPACE',
  });
}
