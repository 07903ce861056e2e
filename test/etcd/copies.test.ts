/**
 * The state is a function of the live keys: whoever follows the log, the clients themselves, and
 * whoever comes at any revision and has only the keys, knows the same. "At every revision" is held
 * against etcd's own history of the keys.
 */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ordinalsMax } from '../../src/backends/etcd/entries.ts';
import type { Grant } from '../../src/index.ts';
import { randomFrom } from '../stress/random.ts';
import { Follower } from './follower.ts';
import { noteStates } from './noted-states.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

const names = ['a', 'b', 'c', 'd', '', '\0', '\ud800'];

describe.skipIf(!hasEtcd)(hasEtcd ? 'all who follow the log' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  it('agree at every revision, and so does who has only the keys', async () => {
    const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
    console.info(`folds: KDS_SEED=${seed}`);
    const name = `folds ${seed}`;
    const folds = new Map<number, Set<string>>();
    let foldCount = 0;
    const stopNoting = noteStates((replica) => {
      const { revision } = replica;
      folds.set(revision, (folds.get(revision) ?? new Set()).add(replica.digest()));
      foldCount++;
    });
    const followers = [
      await Follower.of(cluster.hosts, name),
      await Follower.of(cluster.hosts, name),
    ];
    const clients: EtcdDomain[] = [];
    await (await openEtcdDomain(cluster.hosts, { name, capacity: { gpu: 4 } })).close();
    for (let index = 0; index < 4; index++) {
      clients.push(await openEtcdDomain(cluster.hosts, { name, leaseSeconds: 60 }));
    }
    const [late] = await Promise.all([
      Follower.of(cluster.hosts, name),
      ...clients.map((client, index) => useAtRandom(client, randomFrom(seed + index))),
    ]);
    for (const client of clients) await client.close();
    const all = [...followers, late];
    for (const follower of all) await follower.log.reach(10_000);
    stopNoting();

    const [one, two] = followers as [Follower, Follower];
    expect(one.digests.size).toBeGreaterThan(200);
    const grantedCount = one.news.reduce((sum, { granted }) => sum + granted.length, 0);
    const revoked = one.news.filter((news) => news.added.some(({ entry }) => entry.steal));
    expect(grantedCount).toBeGreaterThan(100);
    expect(revoked.length).toBeGreaterThan(0);
    const { tokens } = one;
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    // Only steals of one revision may have the same: they do not conflict.
    const others = tokens.filter((token) => token % ordinalsMax !== 0);
    expect(others).toEqual([...new Set(others)]);
    expect([...two.digests]).toEqual([...one.digests]);
    // Three that follow, and four clients.
    expect(foldCount).toBeGreaterThan(6 * one.digests.size);
    for (const [revision, digests] of folds) expect(digests.size, `at ${revision}`).toBe(1);
    expect(await one.revisionsTold()).toEqual([...one.digests.keys()].slice(1));
    for (const [revision, digest] of one.digests) {
      expect(await one.digestOfNewcomerAt(revision), `at ${revision}`).toBe(digest);
    }
    expect([one.replica.sets.size, one.replica.sessions.size]).toEqual([0, 0]);
    for (const follower of all) follower.close();
  });
});

/** In every way there is; leaves nothing but flags. */
async function useAtRandom(domain: EtcdDomain, random: () => number): Promise<void> {
  const some = (share: number): string[] => names.filter(() => random() < share);
  const use = async (grant: Grant, exclusive: readonly string[]): Promise<void> => {
    if (random() < 0.5) await domain.query();
    const part = exclusive.slice(0, 1);
    const way = random();
    try {
      if (way < 0.15) await grant.downgrade();
      else if (way < 0.3) await grant.downgrade(part);
      else if (way < 0.45) await grant.release(part);
      else if (way < 0.55) await grant.abandon();
      else if (way < 0.7) await grant.tryUpgrade();
    } catch {
      // It has been revoked.
    }
    await grant.release();
  };
  const ask = async (): Promise<void> => {
    const exclusive = some(0.25);
    const way = random();
    if (random() < 0.08) await domain.setCapacity('gpu', 2 + Math.floor(random() * 4));
    const units = {
      ...(random() < 0.3 && { gpu: 1 + Math.floor(random() * 3) }),
      ...(random() < 0.2 && { job: { take: 1, of: random() < 0.8 ? 2 : 3 } }),
    };
    const modes = random() < 0.1 ? ['gpu', 'job'] : [];
    const set = { exclusive, shared: [...some(0.3), ...modes], units };
    if (way < 0.06) {
      const grant = await domain.acquire({ exclusive }, { steal: true });
      await use(grant, exclusive);
    } else if (way < 0.2) {
      const grant = await domain.tryAcquire(set).catch(() => null);
      if (grant !== null) await use(grant, exclusive);
    } else {
      const options = way < 0.4 ? { timeoutMs: random() * 10 } : {};
      await domain.acquire(set, options).then(
        (grant) => use(grant, exclusive),
        () => undefined,
      );
    }
  };
  const askers = Array.from({ length: 4 }, async () => {
    for (let round = 0; round < 15; round++) await ask();
  });
  await Promise.all(askers);
}
