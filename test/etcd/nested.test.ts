/** Requests of processes that were started under a grant, as KDS_UNDER has it. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { textOfOuterGrants } from '../../src/api/outer-grants.ts';
import { until } from '../broker/programs.ts';
import { EtcdCluster, hasEtcd } from './server.ts';

const title = hasEtcd ? 'a process started under a grant' : 'skipped: no etcd';
describe.skipIf(!hasEtcd)(title, { timeout: 60_000 }, () => {
  let cluster: EtcdCluster;
  const opened: EtcdDomain[] = [];
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.remove());
  beforeEach(() => {
    count++;
  });
  afterEach(async () => {
    for (const domain of opened.splice(0)) await domain.close();
  });

  /** As the process would whose environment that is. */
  async function open(under?: string): Promise<EtcdDomain> {
    const before = process.env['KDS_UNDER'];
    if (under !== undefined) process.env['KDS_UNDER'] = under;
    try {
      const domain = await openEtcdDomain(cluster.hosts, { name: `nested ${count}` });
      opened.push(domain);
      return domain;
    } finally {
      if (before === undefined) delete process.env['KDS_UNDER'];
      else process.env['KDS_UNDER'] = before;
    }
  }

  it('is refused what the outer one holds, and granted what is free', async () => {
    const outer = await open();
    const grant = await outer.acquire({ exclusive: 'a' });
    const inner = await open(textOfOuterGrants(grant, {}));
    const refused = inner.acquire({ exclusive: 'a' });
    await expect(refused).rejects.toMatchObject({ code: 'KDS_DEADLOCK' });
    await (await inner.acquire({ exclusive: 'b' })).release();
    await grant.release();
    // Nobody waits for it any more.
    await (await inner.acquire({ exclusive: 'a' })).release();
  });

  it('in opposite orders: the one that closes the cycle is refused, and both end', async () => {
    const [one, other] = [await open(), await open()];
    const a = await one.acquire({ exclusive: 'a' });
    const b = await other.acquire({ exclusive: 'b' });
    const withinOne = await open(textOfOuterGrants(a, {}));
    const withinOther = await open(textOfOuterGrants(b, {}));
    const waiting = withinOne.acquire({ exclusive: 'b' });
    await until(async () => (await one.query()).pending.length === 1, 'it waits');
    const refused = withinOther.acquire({ exclusive: 'a' });
    await expect(refused).rejects.toMatchObject({ code: 'KDS_DEADLOCK' });
    await b.release();
    await (await waiting).release();
    await a.release();
  });
});
