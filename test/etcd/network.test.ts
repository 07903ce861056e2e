/** What a network does to calls and watches that are right by themselves. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Grant } from '../../src/index.ts';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { Follower } from './follower.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

describe.skipIf(!hasEtcd)(hasEtcd ? 'a bad network before etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  let network: BadNetwork;
  let follower: Follower;
  let domain: EtcdDomain;
  let other: EtcdDomain;
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  beforeEach(async () => {
    const name = `network ${++count}`;
    network = await BadNetwork.before(cluster.hosts[0] as string);
    follower = await Follower.of(cluster.hosts, name);
    domain = await openEtcdDomain(network.url, { name, leaseSeconds: 60, label: 'afar' });
    other = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60, label: 'near' });
  });
  afterEach(async () => {
    network.resume();
    network.cut(false);
    network.losesAnswer = () => false;
    await domain.close();
    await other.close();
    follower.close();
    await network.close();
  });

  it('a call whose answer is lost has been received once', async () => {
    let leftCount = 0;
    network.losesAnswer = (path) => path === '/v3/kv/txn' && leftCount-- > 0;
    // A watch may report what was done before its answer would have come.
    const withoutAnswer = async <T>(call: () => T): Promise<Awaited<T>> => {
      leftCount = 1;
      const result = await call();
      await until(() => leftCount <= 0, 'the answer is lost');
      return result;
    };
    for (let round = 0; round < 5; round++) {
      const grant = await withoutAnswer(() => domain.acquire({ exclusive: ['a', 'b'] }));
      await withoutAnswer(() => grant.downgrade('a'));
      await withoutAnswer(() => grant.release('b'));
      await withoutAnswer(() => grant.release());
    }
    expect(network.lostCount).toBe(20);
    await follower.log.reach(10_000);
    const added = follower.news.flatMap((news) => news.added);
    expect(added.length).toBe(5);
    expect(follower.replica.sets.size).toBe(0);
  });

  it('calls that come twice, at once and late, take effect once', async () => {
    network.repeats = (path) => (path === '/v3/kv/txn' ? (count++ % 3) * 20 : undefined);
    const tokens: number[] = [];
    for (let round = 0; round < 20; round++) {
      const grant = await domain.acquire({ exclusive: 'a', shared: 'b' });
      tokens.push(grant.token);
      if (round % 2 === 0) await grant.downgrade();
      await grant.release();
    }
    expect(tokens).toEqual([...new Set(tokens)].sort((one, two) => one - two));
    await until(() => network.repeatedCount >= 40, 'all copies have arrived');
    // A copy that came after the end of its set has made it again: that is removed.
    await until(async () => {
      await follower.log.reach(10_000);
      return follower.replica.sets.size === 0;
    }, 'what copies have made is gone');
    expect(follower.unreadable).toBeUndefined();
  });

  it('a copy of the request for a set, long after its release, is removed', async () => {
    let body = '';
    network.onCall = (path, said) => {
      // The second one, after the session's, asks that the set is not there.
      if (path === '/v3/kv/txn' && said.split('"CREATE"').length > 2) body = said;
    };
    const grant = await domain.acquire({ exclusive: 'a' });
    const { revision } = follower.replica;
    const waiting = other.acquire({ exclusive: 'a' });
    await grant.release();
    await (await waiting).release();
    const added = new Promise<void>((resolve) => {
      follower.onNews = (news) => {
        if (news.added.length > 0) resolve();
      };
    });
    await cluster.members[0]?.call('/v3/kv/txn', JSON.parse(body) as object);
    await added;
    expect(follower.replica.revision).toBeGreaterThan(revision);
    await until(() => follower.replica.sets.size === 0, 'it is gone');
    await (await other.acquire({ exclusive: 'a' })).release();
  });

  it('a watch that leaves something out is found out, and replaced', async () => {
    const grant = await other.acquire({ exclusive: 'a' });
    const waiting = domain.acquire({ exclusive: 'a' });
    await domain.query();
    let leftCount = 1;
    network.losesLine = (line) => line.includes('"DELETE"') && leftCount-- > 0;
    await grant.release();
    // It is told in vain that the other one has let go. To ask is to look.
    const { held } = await domain.query();
    expect(network.lostCount).toBe(1);
    expect(held.map(({ session }) => session)).toEqual(['afar']);
    await (await waiting).release();
  });

  it('a watch that leaves out who came first grants nothing to who comes next', async () => {
    let leftCount = 1;
    network.losesLine = (line) => line.includes('"create_revision"') && leftCount-- > 0;
    const first = await other.acquire({ exclusive: 'a' });
    await until(() => network.lostCount === 1, 'its arrival is lost on the way');
    let isGranted = false;
    const waiting = domain.acquire({ exclusive: 'a' }).then((grant) => {
      isGranted = true;
      return grant;
    });
    const { held, pending } = await domain.query();
    expect([held.length, pending.length, isGranted]).toEqual([1, 1, false]);
    await first.release();
    const second = await waiting;
    expect(second.token).toBeGreaterThan(first.token);
    await second.release();
  });

  it('what is granted while its watch is away has a token greater than all before', async () => {
    const first = await other.acquire({ exclusive: 'a' });
    // Its set arrives, waits, and is granted while the watch tells nothing.
    network.losesLine = () => true;
    const waiting = domain.acquire({ exclusive: 'a' });
    await until(async () => (await other.query()).pending.length === 1, 'its set waits');
    const between = await other.acquire({ exclusive: 'b' });
    await first.release();
    network.losesLine = () => false;
    network.cutOnce();
    const second = await waiting;
    expect(second.token).toBeGreaterThan(between.token);
    await second.release();
    await between.release();
  });

  it('when connections are cut again and again, nothing is lost but time', async () => {
    const held: Grant[] = [];
    for (let round = 0; round < 10; round++) {
      const grant = await other.acquire({ exclusive: 'a' });
      const waiting = domain.acquire({ exclusive: 'a', shared: `${round}` });
      if (round % 2 === 0) await domain.query();
      network.cutOnce();
      await grant.release();
      held.push(await waiting);
      network.cutOnce();
      await held[round]?.release();
    }
    expect(held.some(({ signal }) => signal.aborted)).toBe(false);
    const { held: left, pending } = await domain.query();
    expect([left, pending]).toEqual([[], []]);
  });

  it.each([
    ['before its first beat', 0],
    ['once its lease was renewed', 2],
  ])('a client cut off %s loses its grants before its lease is over', async (_, beatCount) => {
    const name = `cut off ${count}`;
    const watcher = await Follower.of(cluster.hosts, name);
    const client = await openEtcdDomain(network.url, { name, leaseSeconds: 3 });
    const grant = await client.acquire({ exclusive: 'a' });
    const waiting = client.acquire({ exclusive: ['a', 'b'] });
    const order: string[] = [];
    const isExpired = new Promise<void>((resolve) => {
      watcher.onNews = ({ haveSessionsEnded }) => {
        if (!haveSessionsEnded) return;
        order.push('expired');
        resolve();
      };
    });
    const { signal } = grant;
    const isLost = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        order.push('lost');
        resolve();
      });
    });
    let beatsAnswered = 0;
    network.losesAnswer = (path) => {
      if (path === '/v3/lease/keepalive') beatsAnswered++;
      return false;
    };
    await until(() => beatsAnswered >= beatCount, 'its beats were answered');
    network.freeze();
    await isLost;
    await isExpired;
    expect(order).toEqual(['lost', 'expired']);
    expect((signal.reason as { readonly code: string }).code).toBe('KDS_GRANT_LOST');
    network.resume();
    // What waited is asked for again, by another session, and is told what was left half done.
    const again = await waiting;
    expect([again.recovered, again.token > grant.token]).toEqual([['a'], true]);
    await grant.release();
    await again.release();
    expect((await client.query()).held).toEqual([]);
    await client.close();
    watcher.close();
  });
});

describe.skipIf(!hasEtcd)(hasEtcd ? 'one member of several' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  it('that is frozen but connected is left for another one', async () => {
    const target = cluster.hosts[0] as string;
    const networks = [await BadNetwork.before(target), await BadNetwork.before(target)];
    const hosts = networks.map(({ url }) => url);
    const domain = await openEtcdDomain(hosts, { name: 'frozen', leaseSeconds: 60 });
    const other = await openEtcdDomain(target, { name: 'frozen', leaseSeconds: 60 });
    for (const network of networks) {
      const grant = await domain.acquire({ exclusive: 'a' });
      const waiting = other.acquire({ exclusive: 'a' });
      await other.query();
      network.freeze();
      await grant.release();
      await (await waiting).release();
      await (await domain.acquire({ exclusive: 'a' })).release();
      network.resume();
    }
    await domain.close();
    await other.close();
    for (const network of networks) await network.close();
  });

  it('that receives from no other one any more loses those whose watch it serves', async () => {
    const three = await EtcdCluster.start({ memberCount: 3, heartbeatMs: 50, canPart: true });
    const connect = () => openEtcdDomain(three.hosts, { name: 'parted', leaseSeconds: 2 });
    const holder = await connect();
    const waiters = await Promise.all(Array.from({ length: 3 }, connect));
    // Each in turn, the leader among them: whichever somebody watches by, it is parted once.
    for (const member of three.members) {
      const grant = await holder.acquire({ exclusive: 'a' });
      const waiting = waiters.map((waiter) => waiter.acquire({ shared: 'a' }));
      await Promise.all(waiters.map((waiter) => waiter.query()));
      await three.part(member);
      await grant.release();
      for (const next of await Promise.all(waiting)) await next.release();
      three.heal();
    }
    for (const domain of [holder, ...waiters]) await domain.close();
    await three.remove();
  });
});
