/** What only grants in etcd do: they guard transactions, and outlive neither steal nor death. */

import { type EtcdCondition, type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createdAt, putOf, toBase64 } from '../../src/backends/etcd/calls.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import { bundleProgram, heard, removePrograms, startClient, until } from '../broker/programs.ts';
import { Follower } from './follower.ts';
import { EtcdCluster, type EtcdMember, hasEtcd } from './server.ts';

/** The second condition is that the session is there. */
const sessionKeyOf = (guard: readonly EtcdCondition[]): string => guard[1]?.key ?? '';

describe.skipIf(!hasEtcd)(hasEtcd ? 'grants in etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  let member: EtcdMember;
  let follower: Follower;
  let name = '';
  let count = 0;
  let domain: EtcdDomain;
  let other: EtcdDomain;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    member = cluster.members[0] as EtcdMember;
  });
  afterAll(async () => {
    removePrograms();
    await cluster.remove();
  });
  beforeEach(async () => {
    name = `grants ${++count}`;
    follower = await Follower.of(cluster.hosts, name);
    domain = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 });
    other = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 });
  });
  afterEach(async () => {
    await domain.close();
    await other.close();
    follower.close();
  });

  /** A transaction of a user's own; whether it did anything. */
  const writes = async (conditions: readonly EtcdCondition[]): Promise<boolean> => {
    const compare = conditions.map(({ key, target, revision }) => ({
      key: toBase64(key),
      result: 'EQUAL',
      ...(target === 'Mod'
        ? { target: 'MOD', mod_revision: String(revision) }
        : { target: 'CREATE', create_revision: String(revision) }),
    }));
    const success = [putOf('mine', 'written')];
    const answer = await member.call('/v3/kv/txn', { compare, success });
    expect(answer).toBeDefined();
    return answer?.['succeeded'] === true;
  };

  it('that are released as their domain is closed were not lost', async () => {
    for (let round = 0; round < 5; round++) {
      const closing = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 });
      const grant = await closing.acquire({ exclusive: 'a' });
      void grant.release();
      await closing.close();
      const next = await other.acquire({ exclusive: 'a' });
      expect(next.recovered).toEqual([]);
      await next.release();
    }
  });

  it('let a transaction through as long as they live', async () => {
    const grant = await domain.acquire({ exclusive: 'a' });
    const guard = grant.guard();
    expect(await writes(guard)).toBe(true);
    expect(await writes(guard)).toBe(true);
    await grant.release();
    expect(await writes(guard)).toBe(false);
    expect(() => grant.guard()).toThrow(expect.objectContaining({ code: 'KDS_GRANT_LOST' }));
  });

  it("let none through that began before a weakening, a steal, or a session's end", async () => {
    const grant = await domain.acquire({ exclusive: ['a', 'b'] });
    const before = grant.guard();
    await grant.downgrade('b');
    expect(await writes(before)).toBe(false);
    await domain.query();
    const weakened = grant.guard();
    expect(await writes(weakened)).toBe(true);
    const steal = await other.acquire({ exclusive: 'c' }, { steal: true });
    expect(await writes(weakened)).toBe(false);
    await domain.query();
    const afterTheft = grant.guard();
    expect(await writes(afterTheft)).toBe(true);
    const robber = await other.acquire({ exclusive: 'a' }, { steal: true });
    expect(await writes(afterTheft)).toBe(false);
    expect(await writes(robber.guard())).toBe(true);
    const ofRobber = robber.guard();
    await other.close();
    expect(await writes(ofRobber)).toBe(false);
    await steal.release();
  });

  it('of a client whose session is over guard nothing, though its set is still there', async () => {
    const grant = await domain.acquire({ exclusive: 'a' });
    const guard = grant.guard();
    const session = sessionKeyOf(guard);
    await member.call('/v3/kv/deleterange', { key: toBase64(session) });
    expect(await writes(guard)).toBe(false);
    const next = await other.acquire({ exclusive: 'a' });
    expect(next.recovered).toEqual(['a']);
    await until(() => grant.signal.aborted, 'the client hears that its session is over');
    await next.release();
  });

  it('are lost as soon as the log has the end of their session', async () => {
    const alone = await openEtcdDomain(cluster.hosts, {
      name: `${name} alone`,
      leaseSeconds: 3600,
    });
    const grant = await alone.acquire({ exclusive: 'a' });
    const session = sessionKeyOf(grant.guard());
    const isLost = new Promise((resolve) => grant.signal.addEventListener('abort', resolve));
    await member.call('/v3/kv/deleterange', { key: toBase64(session) });
    await isLost;
    expect(() => grant.guard()).toThrow(expect.objectContaining({ code: 'KDS_GRANT_LOST' }));
    const next = await alone.acquire({ exclusive: 'a' });
    expect(next.recovered).toEqual(['a']);
    await alone.close();
  });

  it('are conditions of an etcd3 transaction', async () => {
    const { Etcd3 } = await import('etcd3');
    const etcd = new Etcd3({ hosts: member.url });
    const grant = await domain.acquire({ exclusive: 'a' });
    const guard = grant.guard();
    const commit = () => {
      const [first, ...others] = guard;
      const txn = etcd.if(first.key, first.target, '==', first.revision);
      for (const { key, target, revision } of others) txn.and(key, target, '==', revision);
      return txn.then(etcd.put('stock').value(17)).commit();
    };
    expect((await commit()).succeeded).toBe(true);
    await other.acquire({ exclusive: 'b' }, { steal: true }).then((steal) => steal.release());
    expect((await commit()).succeeded).toBe(false);
    await grant.release();
    etcd.close();
  });

  it('are stolen from each holder, by many requests at a time, one after another', async () => {
    const clients = await Promise.all(
      Array.from({ length: 6 }, () => openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 })),
    );
    const holder = await domain.acquire({ exclusive: ['a', 'b'] });
    const readers = await Promise.all(clients.map((each) => each.acquire({ shared: 'c' })));
    const steals = await Promise.all(
      clients.map((each) => each.acquire({ exclusive: ['a', 'c'] }, { steal: true })),
    );
    const tokens = steals.map(({ token }) => token);
    expect(new Set(tokens).size).toBe(clients.length);
    const last = steals.find(({ token }) => token === Math.max(...tokens));
    await until(() => steals.filter(({ signal }) => !signal.aborted).length === 1, 'one is left');
    expect(last?.signal.aborted).toBe(false);
    await until(() => holder.signal.aborted, 'the holder is told');
    await until(() => readers.every(({ signal }) => signal.aborted), 'the readers are told');
    // Those that were revoked in a race give way by themselves.
    await until(async () => {
      const { held, pending } = await domain.query();
      return held.length === 1 && pending.length === 0;
    }, 'what was revoked is gone');
    await last?.release();
    const next = await domain.acquire({ exclusive: ['a', 'b', 'c'] });
    // The last one has released what it stole in good order.
    expect(next.recovered).toEqual(['b']);
    await next.release();
    for (const client of clients) await client.close();
  });

  it('of a client that is killed pass on, flagged, when its lease is over', async () => {
    const program = await bundleProgram(new URL('./holder.ts', import.meta.url));
    const child = startClient(program, member.url, name);
    expect(await heard(child)).toBe('ready');
    const waiting = domain.acquire({ exclusive: ['held', 'read'] });
    const { held, pending } = await domain.query();
    expect(held.map(({ client }) => client?.pid)).toEqual([child.pid, child.pid]);
    expect(pending.length).toBe(1);
    child.kill('SIGKILL');
    const grant = await waiting;
    expect(grant.recovered).toEqual(['held']);
    await grant.release();
    const clean = await other.acquire({ exclusive: ['held', 'read'] });
    expect(clean.recovered).toEqual([]);
    await clean.release();
    await follower.log.reach(10_000);
    expect([follower.replica.sets.size, follower.replica.flags.size]).toEqual([0, 0]);
  });

  it('of all clients that were killed are found by the first to come', async () => {
    const program = await bundleProgram(new URL('./holder.ts', import.meta.url));
    const child = startClient(program, member.url, 'nobody left');
    expect(await heard(child)).toBe('ready');
    const { log, keys } = await Follower.of(cluster.hosts, 'nobody left');
    child.kill('SIGKILL');
    await until(async () => {
      await log.reach(10_000);
      return log.replica.sessions.size === 0;
    }, 'its lease is over');
    log.close();
    expect(keys.prefix).toBe('kds/nobody%20left/');
    const late = await openEtcdDomain(cluster.hosts, { name: 'nobody left', leaseSeconds: 60 });
    const grant = await late.acquire({ exclusive: 'held' });
    expect(grant.recovered).toEqual(['held']);
    await late.close();
  });

  it('with more flags than one transaction takes are flagged all the same', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `r${index}`);
    const abandoned = await domain.acquire({ exclusive: names });
    await abandoned.abandon();
    const dead = await domain.acquire({ exclusive: names });
    expect(dead.recovered.length).toBe(300);
    await dead.release(names.slice(0, 200));
    expect((await other.acquire({ shared: names.slice(0, 200) })).recovered).toEqual([]);
    await member.call('/v3/kv/deleterange', { key: toBase64(sessionKeyOf(dead.guard())) });
    const next = await other.acquire({ exclusive: names.slice(200) });
    expect(next.recovered.length).toBe(100);
    await next.release();
    await follower.log.reach(10_000);
    expect(follower.replica.flags.size).toBe(0);
  });

  it('are not given for sets too large for etcd, and nothing is left of those', async () => {
    const large = Array.from({ length: 40 }, (_, index) => `${index}`.padEnd(60_000, 'x'));
    const small = domain.acquire({ exclusive: 'small' });
    const asked = domain.acquire({ exclusive: large });
    const after = domain.acquire({ exclusive: 'after' });
    await expect(asked).rejects.toMatchObject({ code: 'KDS_LIMIT' });
    await (await small).release();
    await (await after).release();
    const { held, pending } = await domain.query();
    expect([held, pending]).toEqual([[], []]);
  });

  it('are lost if somebody writes among the keys what no client writes', async () => {
    const grant = await domain.acquire({ exclusive: 'a' });
    const waiting = other.acquire({ exclusive: 'a' });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
    await other.query();
    const keys = new Keys(name);
    const key = keys.set('0123456789abcdef', 1);
    const success = [putOf(key, '{"no": "set"}')];
    await member.call('/v3/kv/txn', { compare: [createdAt(key, 0)], success });
    await refused;
    await until(() => grant.signal.aborted, 'the grant is lost');
    await expect(domain.acquire({ exclusive: 'b' })).rejects.toMatchObject({
      code: 'KDS_PROTOCOL',
    });
    await expect(domain.query()).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
  });
});
