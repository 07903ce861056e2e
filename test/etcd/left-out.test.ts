/**
 * What a watch leaves out, as watches have done, while other things happen that do not show it by
 * themselves: a session that ends is no transaction, so nothing counts it, and it counts nothing.
 */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listIn, prefixRange } from '../../src/backends/etcd/calls.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

/** The least that etcd gives. */
const leaseSeconds = 2;

const title = hasEtcd ? 'when a watch leaves out' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, () => {
  let cluster: EtcdCluster;
  let network: BadNetwork;
  let deaths: BadNetwork;
  /** Its watch leaves something out. It came first, so it buries first. */
  let afar: EtcdDomain;
  let near: EtcdDomain;
  /** It dies as its own network falls silent. */
  let victim: EtcdDomain;
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  beforeEach(async () => {
    const [member = ''] = cluster.hosts;
    const terms = { name: `left out ${++count}`, leaseSeconds };
    network = await BadNetwork.before(member);
    deaths = await BadNetwork.before(member);
    afar = await openEtcdDomain(network.url, terms);
    near = await openEtcdDomain(member, terms);
    victim = await openEtcdDomain(deaths.url, { ...terms, label: 'victim' });
  });
  afterEach(async () => {
    deaths.resume();
    for (const domain of [afar, near, victim]) await domain.close();
    for (const each of [network, deaths]) await each.close();
  });

  /** Of all that is told from now on, the first line that deletes something. */
  function leaveOutNextEnd(): void {
    let leftCount = 1;
    network.losesLine = (line) => line.includes('"DELETE"') && leftCount-- > 0;
  }

  /** As etcd does when a lease is over. */
  async function endSessionOf(label: string): Promise<void> {
    const { sessions } = new Keys(`left out ${count}`);
    const [member] = cluster.members;
    const answer = await member?.call('/v3/kv/range', prefixRange(sessions));
    const [session] = listIn(answer ?? {}, 'kvs').filter((json) => {
      return JSON.parse(atob(String(json['value']))).label === label;
    });
    await member?.call('/v3/lease/revoke', { ID: session?.['lease'] });
  }

  async function isLeftOut(): Promise<void> {
    await until(() => network.lostCount === 1, 'it is left out');
  }

  it('a release, and a session ends then, nobody waits for ever', async () => {
    const grant = await near.acquire({ exclusive: 'a' });
    const waiting = afar.acquire({ exclusive: 'a' });
    await afar.query();
    leaveOutNextEnd();
    await grant.release();
    await isLeftOut();
    await near.close();
    await (await waiting).release();
    expect((await afar.query()).held).toEqual([]);
  });

  it('the end of a set, but not the rest of that revision, all keys are read', async () => {
    const grant = await near.acquire({ exclusive: 'a' });
    const waiting = afar.acquire({ exclusive: 'a' });
    await afar.query();
    // As etcd did until 2024, where it was compacted at that revision, to a watch that was behind:
    // https://github.com/etcd-io/etcd/issues/18089
    let isLeftOut = false;
    network.alters = (line) => {
      const message = JSON.parse(line) as { result: { events?: { type?: string }[] } };
      const { events = [] } = message.result;
      message.result.events = events.filter(({ type }) => type !== 'DELETE');
      isLeftOut ||= message.result.events.length < events.length;
      return JSON.stringify(message);
    };
    await grant.release();
    await until(() => isLeftOut, 'it is left out');
    await (await waiting).release();
  });

  it('the end of a session, it is found at the next heartbeat', async () => {
    await victim.acquire({ exclusive: 'a' });
    await near.close();
    await afar.query();
    leaveOutNextEnd();
    deaths.freeze();
    await isLeftOut();
    // What comes later is heard, so that all seems to have been.
    await (await afar.acquire({ exclusive: 'b' })).release();
    const grant = await afar.acquire({ exclusive: 'a' });
    expect(grant.recovered).toEqual(['a']);
    await grant.release();
  });

  it('that a dead one had been granted something, it is flagged nevertheless', async () => {
    const first = await near.acquire({ exclusive: 'a' });
    const victims = victim.acquire({ exclusive: 'a' });
    await until(async () => (await near.query()).pending.length === 1, 'it waits');
    const waiting = afar.acquire({ exclusive: 'a' });
    await until(async () => (await near.query()).pending.length === 2, 'both wait');
    leaveOutNextEnd();
    await first.release();
    await victims;
    await isLeftOut();
    // At once, before anybody's beat has found out.
    await endSessionOf('victim');
    const grant = await waiting;
    expect(grant.recovered).toEqual(['a']);
    await grant.release();
  });

  it('a set that comes and is stolen meanwhile, it is put in line again', async () => {
    await afar.query();
    network.losesLine = () => true;
    const waiting = afar.acquire({ exclusive: 'a' });
    await until(async () => (await near.query()).held.length === 1, 'it is granted');
    const stolen = await near.acquire({ exclusive: 'a' }, { steal: true });
    await until(async () => (await near.query()).held.length === 1, 'nothing is left of it');
    network.losesLine = () => false;
    // All keys are read anew, and do not show that there was anything.
    await stolen.release();
    await (await waiting).release();
    expect((await near.query()).held).toEqual([]);
  });

  it('a stealing request and its own steal, it fails', async () => {
    await afar.query();
    network.losesLine = () => true;
    const waiting = afar.acquire({ exclusive: 'a' }, { steal: true });
    await until(async () => (await near.query()).held.length === 1, 'it is granted');
    const stolen = await near.acquire({ exclusive: 'a' }, { steal: true });
    network.losesLine = () => false;
    await expect(waiting).rejects.toMatchObject({ code: 'KDS_GRANT_LOST' });
    expect(stolen.signal.aborted).toBe(false);
    await stolen.release();
  });

  it('the coming of a session, its sets are not those of a dead one', async () => {
    let leftCount = 1;
    network.losesLine = (line) => !line.includes('"created"') && leftCount-- > 0;
    const [member = ''] = cluster.hosts;
    const late = await openEtcdDomain(member, { name: `left out ${count}`, leaseSeconds });
    await isLeftOut();
    const grant = await late.acquire({ exclusive: 'a' });
    const { held } = await afar.query();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(held).toHaveLength(1);
    expect(grant.signal.aborted).toBe(false);
    await grant.release();
    await late.close();
  });
});
