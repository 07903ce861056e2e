/** Sets that fit into a transaction of etcd's, while a change of one does not. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nameLengthMax } from '../../src/api/limits.ts';
import { BadNetwork } from './bad-network.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

const title = hasEtcd ? 'a set as large as etcd takes' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, () => {
  let cluster: EtcdCluster;
  let domain: EtcdDomain;
  let other: EtcdDomain;
  let network: BadNetwork;
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    network = await BadNetwork.before(cluster.hosts[0] as string);
  });
  afterAll(async () => {
    await network.close();
    await cluster.remove();
  });
  beforeEach(async () => {
    const name = `large ${++count}`;
    domain = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 });
    other = await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 });
  });
  afterEach(async () => {
    await domain.close();
    await other.close();
  });

  const longNames = (length: number): string[] =>
    Array.from({ length }, (_, index) => `${index} `.padEnd(nameLengthMax, 'x'));

  /** What other clients see held. */
  const heldCount = async (): Promise<number> => (await other.query()).held.length;

  it('whose flags fill several transactions is downgraded and released', async () => {
    const exclusive = longNames(17);
    await (await domain.acquire({ exclusive })).abandon();
    const grant = await domain.acquire({ exclusive });
    expect(grant.recovered.length).toBe(exclusive.length);
    await grant.downgrade();
    const reader = await other.tryAcquire({ shared: exclusive });
    expect(reader?.recovered).toEqual([]);
    await reader?.release();
    await grant.release();
    expect(await heldCount()).toBe(0);
    await (await domain.acquire({ exclusive })).abandon();
    const next = await other.acquire({ exclusive });
    expect(next.recovered.length).toBe(exclusive.length);
    await next.release();
    expect(await heldCount()).toBe(0);
  });

  it('is reaped when its client dies, with its flags', async () => {
    // Each character takes three bytes, and nine in the key of a flag.
    const exclusive = Array.from({ length: 6 }, (_, index) =>
      `${index}`.padEnd(nameLengthMax, '名'),
    );
    const closing = await openEtcdDomain(network.url, { name: `large ${count}`, leaseSeconds: 2 });
    await closing.acquire({ exclusive });
    network.cut(true);
    const next = await other.acquire({ exclusive });
    expect(next.recovered.length).toBe(exclusive.length);
    await next.release();
    expect(await heldCount()).toBe(0);
    network.cut(false);
    await closing.close();
  });

  it('is released, although etcd has refused its downgrade as too large', async () => {
    const limitTo = async (byteCount: number): Promise<void> => {
      await cluster.members[0]?.relaunch('--max-request-bytes', String(byteCount));
      await cluster.leader();
    };
    const exclusive = longNames(20);
    for (const part of [undefined, exclusive[1]]) {
      const grant = await domain.acquire({ exclusive });
      // A downgrade is smaller than its set: only a lower limit refuses it. One name less fits.
      await limitTo(exclusive.length * nameLengthMax);
      await grant.downgrade();
      expect(grant.isHeld).toBe(true);
      // Etcd has it as it was.
      const [held] = (await other.query()).held;
      expect(held?.set.exclusive.length).toBe(exclusive.length);
      if (part !== undefined) await grant.release(part);
      await grant.release();
      expect(await heldCount()).toBe(0);
      await limitTo(1.5 * 2 ** 20);
    }
  });
});
