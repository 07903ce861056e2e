/** What clients cost etcd: nothing that is done again and again grows with the number of sets. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Json, prefixRange } from '../../src/backends/etcd/calls.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

/** More than etcd gives in one answer to a client that comes. */
const setCount = 2500;
const clientCount = 8;

const title = hasEtcd ? 'clients of a domain with many sets' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, { timeout: 120_000 }, () => {
  let cluster: EtcdCluster;
  let network: BadNetwork;
  let holder: EtcdDomain;
  const opened: EtcdDomain[] = [];
  const keys = new Keys('many');

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    const [member = ''] = cluster.hosts;
    network = await BadNetwork.before(member);
    holder = await openEtcdDomain(member, { name: 'many', leaseSeconds: 60 });
    const sets = Array.from({ length: setCount }, (_, number) => ({ exclusive: `name ${number}` }));
    await Promise.all(sets.map((set) => holder.acquire(set)));
  });
  afterEach(async () => {
    for (const domain of opened.splice(0)) await domain.close();
  });
  afterAll(async () => {
    await holder.close();
    await network.close();
    await cluster.remove();
  });

  async function open(leaseSeconds: number): Promise<EtcdDomain> {
    const domain = await openEtcdDomain(network.url, { name: 'many', leaseSeconds });
    opened.push(domain);
    return domain;
  }

  async function sessionCount(): Promise<number> {
    const range = { ...prefixRange(keys.sessions), count_only: true };
    const answer = await cluster.members[0]?.call('/v3/kv/range', range);
    return Number(answer?.['count'] ?? 0);
  }

  it('come at once, and have the whole state, by answers of bounded size', async () => {
    const clients = await Promise.all(Array.from({ length: clientCount }, () => open(60)));
    for (const client of clients) expect((await client.query()).held).toHaveLength(setCount);
  });

  it('have no keys of sets read or counted by heartbeats, denied tries and queries', async () => {
    const client = await open(2);
    const ranges: Json[] = [];
    let beatCount = 0;
    network.onCall = (path, body) => {
      if (path === '/v3/lease/keepalive') beatCount++;
      if (path === '/v3/lease/keepalive' || path === '/v3/watch') return;
      ranges.push(...rangesIn(JSON.parse(body) as Json));
    };
    expect(await client.tryAcquire({ exclusive: 'name 7' })).toBeNull();
    await client.query();
    const before = beatCount;
    await until(() => beatCount > before + 3, 'a few beats');
    await client.query();
    expect(ranges.length).toBeGreaterThan(5);
    for (const range of ranges) {
      expect([keys.chain, keys.sessions]).toContain(textOf(range['key']));
      // One key; or the sessions, which are only counted.
      if (textOf(range['key']) === keys.sessions) expect(range['count_only']).toBe(true);
      else expect(range['range_end']).toBeUndefined();
    }
    network.onCall = () => undefined;
  });

  it('may lose a session while they read the state, and get another for a request', async () => {
    let isOver = false;
    network.losesAnswer = (path) => path === '/v3/lease/keepalive' && !isOver;
    // Until the client has given up its session, and only the holder's is left.
    network.holds = (path) => {
      if (path !== '/v3/kv/range' || isOver) return undefined;
      return until(async () => (await sessionCount()) === 1, 'the session ends');
    };
    const client = await open(2);
    isOver = true;
    const grant = await client.acquire({ exclusive: 'free' });
    expect(grant.signal.aborted).toBe(false);
    await grant.release();
  });
});

function rangesIn(body: Json): readonly Json[] {
  if (body['key'] !== undefined) return [body];
  const { success = [] } = body as { readonly success?: readonly Json[] };
  const ranges = success.map((operation) => operation['request_range'] as Json | undefined);
  return ranges.filter((range) => range !== undefined);
}

function textOf(base64: unknown): string {
  return atob(String(base64));
}
