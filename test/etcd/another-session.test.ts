/** What a client asks for, and reads, while one session ends and another begins. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIn, prefixRange } from '../../src/backends/etcd/calls.ts';
import { Keys } from '../../src/backends/etcd/keys.ts';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

const name = 'another session';
const keys = new Keys(name);

const title = hasEtcd ? 'while its session is lost' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, () => {
  let cluster: EtcdCluster;
  let network: BadNetwork;
  let domain: EtcdDomain;
  let other: EtcdDomain;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    network = await BadNetwork.before(cluster.hosts[0] as string);
    domain = await openEtcdDomain(network.url, { name, leaseSeconds: 60, label: 'afar' });
    other = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60, label: 'near' });
  });
  afterAll(async () => {
    await domain.close();
    await other.close();
    await network.close();
    await cluster.remove();
  });

  /** As etcd does when a lease is over. */
  async function endSessionOf(label: string): Promise<void> {
    const [member] = cluster.members;
    const answer = await member?.call('/v3/kv/range', prefixRange(keys.sessions));
    const [session] = listIn(answer ?? {}, 'kvs').filter((json) => {
      return JSON.parse(atob(String(json['value']))).label === label;
    });
    if (session === undefined) return;
    await member?.call('/v3/lease/revoke', { ID: session['lease'] });
  }

  it('a try that waits for a read is put once', async () => {
    const before = await domain.acquire({ exclusive: 'before' });
    const first = await other.acquire({ exclusive: 'a' });
    await domain.query();
    /** Keys of sets that it puts, as often as it does. */
    const puts: string[] = [];
    const putKeysIn = (body: string): string[] => {
      const { success } = JSON.parse(body) as { success: { request_put?: { key: string } }[] };
      const keysPut = success.flatMap(({ request_put: put }) => (put ? atob(put.key) : []));
      return keysPut.filter((key) => key.startsWith(keys.sets));
    };
    const gates = { before: new Gate(), after: new Gate(), put: new Gate() };
    let isLost = false;
    let readCount = 0;
    network.holds = (path, body) => {
      if (path !== '/v3/kv/txn') return undefined;
      if (body.includes('"count_only":true')) {
        readCount++;
        return (isLost ? gates.after : gates.before).opened;
      }
      const putKeys = putKeysIn(body);
      puts.push(...putKeys);
      return putKeys.length > 0 && readCount > 1 ? gates.put.opened : undefined;
    };
    const tried = domain.tryAcquire({ exclusive: 'a' });
    await until(() => readCount > 0, 'it reads');
    isLost = true;
    await endSessionOf('afar');
    await until(() => before.signal.aborted, 'its session is lost');
    await until(() => readCount > 1, 'it reads again, in another session');
    await first.release();
    gates.before.open();
    // Time for the first read to end, and for what would follow.
    for (let round = 0; round < 50; round++) await endSessionOf('nobody');
    gates.after.open();
    for (let round = 0; round < 50; round++) await endSessionOf('nobody');
    gates.put.open();
    const grant = await tried;
    expect(grant?.isHeld).toBe(true);
    const held = await domain.acquire({ exclusive: 'b' });
    expect(grant?.isHeld).toBe(true);
    expect(puts.length).toBe(2);
    expect(new Set(puts).size).toBe(2);
    await grant?.release();
    await held.release();
    expect((await other.query()).held).toEqual([]);
  });
});
