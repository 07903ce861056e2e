/** Domains whose keys another version of kds has written: by hand, as that version writes them. */

import { expect, it } from 'vitest';
import { layoutVersion } from '../../src/backends/redis/leased-session.ts';
import { soon, withRedisServer } from './opened.ts';
import { describeWithRedis } from './server.ts';

const leaseMs = 60_000;

describeWithRedis('a domain in redis of another version', () => {
  const opened = withRedisServer();

  /** A client that holds `a`. */
  const writeClient = async (version?: number): Promise<void> => {
    const { admin, root } = opened;
    const [session, id, untilMs] = ['other.1', '1700000000000000', Date.now() + leaseMs];
    const lease = { until: untilMs, lease: leaseMs, top: 1, notified: 0, lifetime: 6 * leaseMs };
    await admin.zadd(`${root}sessions`, untilMs, session);
    await admin.hset(`${root}s:${session}`, { ...lease, ...(version && { version }) });
    await admin.zadd(`${root}l:${session}`, 0, '-', 1, id);
    const set = { session, number: 1, pending: 0, links: 'xa\n', since: 1, token: id };
    await admin.hset(`${root}q:${id}`, set);
    await admin.zadd(`${root}t:a`, id, `x${id}`);
  };
  const keys = async () => (await opened.admin.keys('*')).sort();

  it('without a version is refused by both versions, and left as it is', async () => {
    await writeClient();
    const before = await keys();
    const opening = opened.open();
    await expect(opening).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
    await expect(opening).rejects.toThrow(
      `is of version 1 or earlier, and this copy of kds uses version ${layoutVersion}: close all`,
    );
    expect(await keys()).toEqual(before);
  });

  it('that is later is refused too', async () => {
    await writeClient(layoutVersion + 1);
    await expect(opened.open()).rejects.toThrow(`version ${layoutVersion + 1}, and this copy`);
  });

  it('can be opened once its clients are gone, and keeps its tokens and flags', async () => {
    const { admin, root } = opened;
    await admin.set(`${root}seq`, '8000000000000000');
    await admin.sadd(`${root}recovered`, 'a');
    const domain = await opened.open();
    const grant = await domain.acquire({ exclusive: 'a' });
    expect(grant.token).toBeGreaterThan(8e15);
    expect(grant.recovered).toEqual(['a']);
  });

  it('refuses the requests of a client whose session is lost to it', async () => {
    const { admin, root } = opened;
    const domain = await opened.open(opened.client(), { leaseMs: 300 });
    const grant = await domain.acquire({ exclusive: 'b' });
    await admin.del(await admin.keys(`${root}*`));
    await writeClient();
    await expect.poll(() => grant.signal.aborted, soon).toBe(true);
    await expect(domain.acquire({ exclusive: 'b' })).rejects.toThrow(/version 1 or earlier/);
  });
});
