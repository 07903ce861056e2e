/** An etcd that takes no more, as its data has grown to its quota. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { putOf } from '../../src/backends/etcd/calls.ts';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { EtcdCluster, type EtcdMember, hasEtcd } from './server.ts';

const leaseSeconds = 10;

const title = hasEtcd ? 'an etcd at its quota' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, () => {
  let cluster: EtcdCluster;
  let member: EtcdMember;
  const opened: EtcdDomain[] = [];

  beforeEach(async () => {
    cluster = await EtcdCluster.start({ quotaBytes: 200_000 });
    [member] = cluster.members as [EtcdMember];
  });
  afterEach(async () => {
    for (const domain of opened.splice(0)) await domain.close();
    await cluster.remove();
  });

  async function open(url = member.url): Promise<EtcdDomain> {
    const domain = await openEtcdDomain(url, { name: 'full', leaseSeconds });
    opened.push(domain);
    return domain;
  }

  async function fill(): Promise<void> {
    const put = () =>
      member.call('/v3/kv/txn', { success: [putOf('elsewhere', 'x'.repeat(20_000))] });
    await until(async () => (await put()) === undefined, 'it is full');
  }

  it('keeps what is held, and takes requests once there is space', async () => {
    const domain = await open();
    const grant = await domain.acquire({ exclusive: 'a' });
    await fill();
    const inVain = domain.acquire({ exclusive: 'b' }, { timeoutMs: 500 });
    await expect(inVain).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
    const waiting = domain.acquire({ exclusive: 'b' });
    const weakened = grant.downgrade();
    // Longer than a lease.
    await new Promise((resolve) => setTimeout(resolve, 1000 * leaseSeconds + 1000));
    expect(grant.signal.aborted).toBe(false);
    await makeSpace(member);
    await weakened;
    const next = await waiting;
    expect(next.recovered).toEqual([]);
    await next.release();
    await grant.release();
    expect(await domain.query()).toMatchObject({ held: [], pending: [] });
  });

  it('takes releases, and the end of what waits, which need no space', async () => {
    const [one, other] = [await open(), await open()];
    const grant = await one.acquire({ exclusive: 'a', shared: 'b' });
    const flagged = await one.acquire({ exclusive: 'c' });
    await flagged.abandon();
    // Its release clears the flag.
    const second = await one.acquire({ exclusive: 'c' });
    const inFront = one.acquire({ exclusive: ['a', 'c'] }, { signal: AbortSignal.timeout(1) });
    await expect(inFront).rejects.toThrow();
    const waiting = other.acquire({ exclusive: 'a' });
    const behind = other.acquire({ exclusive: 'c' });
    await until(async () => (await one.query()).pending.length === 2, 'both wait');
    await fill();
    // What needs a put is said first, and holds up nothing.
    const inVain = one.acquire({ exclusive: 'd' }, { timeoutMs: 100 });
    await Promise.all([grant.release(), second.release()]);
    const next = await waiting;
    expect((await behind).recovered).toEqual([]);
    await expect(inVain).rejects.toMatchObject({ code: 'KDS_WAIT_TIMEOUT' });
    await next.release();
    expect((await one.query()).held).toHaveLength(1);
    await other.close();
    expect(await one.query()).toMatchObject({ held: [], pending: [] });
    await makeSpace(member);
    const latest = await one.acquire({ exclusive: ['a', 'c'] });
    expect(latest.recovered).toEqual([]);
    expect(latest.token).toBeGreaterThan(next.token);
    await latest.release();
  });

  it('is seen by a client whose watch leaves out a release that nothing counts', async () => {
    const network = await BadNetwork.before(member.url);
    const [near, afar] = [await open(), await open(network.url)];
    const [a, b] = [await near.acquire({ exclusive: 'a' }), await near.acquire({ exclusive: 'b' })];
    const waiting = [afar.acquire({ exclusive: 'a' }), afar.acquire({ exclusive: 'b' })];
    await until(async () => (await near.query()).pending.length === 2, 'both wait');
    await fill();
    let leftCount = 1;
    network.losesLine = (line) => line.includes('"DELETE"') && leftCount-- > 0;
    await a.release();
    await until(() => network.lostCount === 1, 'it is left out');
    // No question but the next beat finds it.
    await (await waiting[0])?.release();
    leftCount = 1;
    network.lostCount = 0;
    await b.release();
    await until(() => network.lostCount === 1, 'it is left out again');
    await makeSpace(member);
    await (await near.acquire({ exclusive: 'c' })).release();
    await (await waiting[1])?.release();
    expect(await afar.query()).toMatchObject({ held: [], pending: [] });
    await network.close();
  });

  it('keeps the sets that a dead client held until there is space for a flag', async () => {
    const network = await BadNetwork.before(member.url);
    const [near, victim] = [await open(), await open(network.url)];
    await victim.acquire({ exclusive: 'a' });
    await victim.acquire({ shared: 'b' });
    await fill();
    network.freeze();
    // It held this shared only, so the next holder need not be warned.
    await until(async () => {
      const { held } = await near.query();
      return held.length === 1 && held[0]?.set.exclusive[0] === 'a';
    }, 'what needs no flag is put away');
    await makeSpace(member);
    const next = await near.acquire({ exclusive: ['a', 'b'] });
    expect(next.recovered).toEqual(['a']);
    await next.release();
    network.resume();
    await victim.close();
    await network.close();
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
