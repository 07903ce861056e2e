/**
 * Runs of hosts elsewhere, traced by their clients: nobody held what conflicts with what another
 * one held. A client of Redis loses its connection on the way. That such a trace can fail is seen
 * from one whose releases are told later than they were done.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Domain } from 'kds';
import { openEtcdDomain } from 'kds/etcd';
import { checkTrace, traceTo } from 'kds/inspect/trace';
import { openRedisDomain } from 'kds/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdCluster, hasEtcd } from '../etcd/server.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';
import { randomFrom } from '../stress/random.ts';

const seconds = Math.min(Number(process.env['KDS_STRESS_SECONDS'] ?? 2), 20);
const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const names = ['a', 'b', 'c', 'd', 'e'];
const limits = { timeout: (seconds + 1200) * 1000 };

const folder = mkdtempSync(join(tmpdir(), 'kds-traced-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Each domain has three who ask for random sets, one after the other, until the time is over. */
async function keepBusy(domains: readonly Domain[]): Promise<void> {
  const untilMs = performance.now() + seconds * 1000;
  let grantCount = 0;
  const random = randomFrom(seed);
  const ask = async (domain: Domain): Promise<void> => {
    // However slow the machine is: until there is something to check.
    while (performance.now() < untilMs || grantCount < 100) {
      const exclusive = names.filter(() => random() < 0.25);
      const shared = names.filter((name) => !exclusive.includes(name) && random() < 0.3);
      const set = { exclusive, shared };
      const grant = await domain
        .acquire(set, random() < 0.3 ? { timeoutMs: 5 } : {})
        .catch(() => {});
      if (grant) grantCount++;
      if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * 4));
      if (grant && random() < 0.2 && exclusive.length > 0) await grant.downgrade();
      await grant?.release();
    }
  };
  await Promise.all(domains.flatMap((domain) => [1, 2, 3].map(() => ask(domain))));
}

async function traced(name: string, domains: readonly Domain[]): Promise<string> {
  console.info(`traced clients of ${name}: KDS_SEED=${seed}`);
  const path = join(folder, `${name}.json`);
  const tracing = traceTo(path);
  await keepBusy(domains);
  for (const domain of domains) await domain.close();
  tracing.stop();
  return readFileSync(path, 'utf8');
}

function expectObeyed(text: string, backend: string): void {
  const { domains, faults } = checkTrace(text);
  expect(faults).toEqual([]);
  expect(domains).toMatchObject([{ backend, olderCount: 0 }]);
  expect(domains[0]?.grantCount).toBeGreaterThan(30);
  const late = text.split('\n').map((line) => {
    if (!line.includes('"kds.grant.release"')) return line;
    return line.replace(/"ts":(\d+)/, (_, us) => `"ts":${Number(us) + 3_600e6}`);
  });
  expect(checkTrace(late.join('\n')).faults.length).toBeGreaterThan(10);
}

describeWithRedis('clients of Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  it('never held sets in conflict, by their events', limits, async () => {
    const clients = [1, 2, 3].map(() => new Redis({ port: server.port, host: '127.0.0.1' }));
    const open = (client: Redis) => openRedisDomain(client, { name: 'traced' });
    const domains = await Promise.all(clients.map(open));
    const cut = setTimeout(() => clients[0]?.stream.destroy(), seconds * 500);
    expectObeyed(await traced('redis', domains), 'redis');
    clearTimeout(cut);
    for (const client of clients) client.disconnect();
  });
});

describe.skipIf(!hasEtcd)(hasEtcd ? 'clients of etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());

  it('never held sets in conflict, by their events', limits, async () => {
    const open = () => openEtcdDomain(cluster.hosts, { name: 'traced', leaseSeconds: 60 });
    expectObeyed(await traced('etcd', await Promise.all([open(), open(), open()])), 'etcd');
  });
});
