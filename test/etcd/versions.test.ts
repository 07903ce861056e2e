/** Domains whose keys another version of kds has written: by hand, as that version writes them. */

import { type EtcdDomain, openEtcdDomain } from 'kds/etcd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prefixRange, putOf, rangeIn } from '../../src/backends/etcd/calls.ts';
import { Keys, layoutVersion } from '../../src/backends/etcd/keys.ts';
import { EtcdCluster, type EtcdMember, hasEtcd } from './server.ts';

describe.skipIf(!hasEtcd)(hasEtcd ? 'a domain in etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  let member: EtcdMember;
  let keys: Keys;
  let count = 0;
  const opened: EtcdDomain[] = [];

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    member = cluster.members[0] as EtcdMember;
  });
  afterAll(() => cluster.remove());
  beforeEach(() => {
    keys = new Keys(`versions ${++count}`);
  });
  afterEach(async () => {
    for (const domain of opened.splice(0)) await domain.close();
  });

  const open = async (): Promise<EtcdDomain> => {
    const domain = await openEtcdDomain(cluster.hosts, { name: keys.name, leaseSeconds: 60 });
    opened.push(domain);
    return domain;
  };
  const put = async (values: Readonly<Record<string, string>>): Promise<void> => {
    const success = Object.entries(values).map(([key, value]) => putOf(key, value));
    await member.call('/v3/kv/txn', { success });
  };
  const read = async () => {
    const { items } = rangeIn((await member.call('/v3/kv/range', prefixRange(keys.prefix))) ?? {});
    return items.map(({ key, value }) => [key, value]);
  };
  /** As version 1 has a client that holds `a`. */
  const client = () => ({
    [keys.session('0af')]: '{"pid":1,"host":"here"}',
    [keys.set('0af', 1)]: '{"exclusive":["a"],"shared":[],"at":0,"since":0}',
  });

  it('without a version is refused by both versions, and left as it is', async () => {
    await put(client());
    const before = await read();
    const opening = open();
    await expect(opening).rejects.toMatchObject({ code: 'KDS_PROTOCOL' });
    await expect(opening).rejects.toThrow(
      `is of version 1 or earlier, and this copy of kds uses version ${layoutVersion}: close all`,
    );
    expect(await read()).toEqual(before);
  });

  it('is refused where only a dead client of another version has left a set', async () => {
    const { [keys.set('0af', 1)]: set = '' } = client();
    await put({ [keys.set('0af', 1)]: set });
    await expect(open()).rejects.toThrow(/version 1 or earlier.*delete the keys that begin with/);
  });

  it('of a later version is refused while it has clients, and taken over after that', async () => {
    const later = String(layoutVersion + 1);
    await put({ ...client(), [keys.version]: later });
    await expect(open()).rejects.toThrow(`is of version ${later}, and this copy of kds`);
    for (const key of Object.keys(client())) {
      await member.call('/v3/kv/deleterange', { key: Buffer.from(key).toString('base64') });
    }
    await (await open()).run({ exclusive: 'a' }, () => undefined);
    expect(await read()).toContainEqual([keys.version, String(layoutVersion)]);
  });

  it('refuses the requests of a client whose session is lost to another version', async () => {
    const domain = await open();
    const grant = await domain.acquire({ exclusive: 'b' });
    const { items } = rangeIn(
      (await member.call('/v3/kv/range', prefixRange(keys.sessions))) ?? {},
    );
    await put({ ...client(), [keys.version]: '1' });
    for (const { key } of items) {
      await member.call('/v3/kv/deleterange', { key: Buffer.from(key).toString('base64') });
    }
    await expect.poll(() => grant.signal.aborted, { timeout: 60_000 }).toBe(true);
    await expect(domain.acquire({ exclusive: 'b' })).rejects.toMatchObject({
      code: 'KDS_PROTOCOL',
    });
  });

  it('is opened by many at once', async () => {
    const domains = await Promise.all(Array.from({ length: 8 }, open));
    await Promise.all(domains.map((domain) => domain.run({ exclusive: 'a' }, () => undefined)));
    expect(await read()).toContainEqual([keys.version, String(layoutVersion)]);
  });
});
