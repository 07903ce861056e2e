/** Members that speak TLS, and members that want to know who calls, and what he may do. */

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEtcdDomain } from 'kds/etcd';
import { afterEach, describe, expect, it } from 'vitest';
import { prefixRange } from '../../src/backends/etcd/calls.ts';
import { until } from '../broker/programs.ts';
import { BadNetwork } from './bad-network.ts';
import { EtcdCluster, type EtcdMember, type EtcdSettings, hasEtcd } from './server.ts';

const leaseSeconds = 60;
const password = 'pass: word';

describe.skipIf(!hasEtcd)(hasEtcd ? 'a secured etcd' : 'skipped: no etcd', () => {
  let cluster: EtcdCluster;
  let member: EtcdMember;

  afterEach(() => cluster.remove());

  async function start(settings: EtcdSettings): Promise<readonly string[]> {
    cluster = await EtcdCluster.start(settings);
    [member] = cluster.members as [EtcdMember];
    return cluster.hosts;
  }

  it('by TLS, is spoken to by who trusts its certificate, and by nobody else', async () => {
    const hosts = await start({ isSecure: true });
    const tls = { ca: member.certificate };
    const terms = { name: 'shop', leaseSeconds };
    const one = await openEtcdDomain({ hosts, tls }, terms);
    const two = await openEtcdDomain({ hosts, tls }, terms);
    const grant = await one.acquire({ exclusive: 'a' });
    const waiting = two.acquire({ exclusive: 'a' });
    await two.query();
    await grant.release();
    await (await waiting).release();
    await expect(openEtcdDomain(hosts, terms)).rejects.toMatchObject({
      code: 'KDS_UNAVAILABLE',
      message: expect.stringContaining('self'),
    });
    await one.close();
    await two.close();
  });

  it('by passwords, lets in who has one, for the keys of his domain only', async () => {
    const hosts = await start({});
    await secure(member);
    const auth = { username: 'shop', password };
    const open = (terms: object) => openEtcdDomain({ hosts, auth, ...terms }, { name: 'shop' });
    const one = await open({});
    const two = await open({});
    const grant = await one.acquire({ exclusive: 'a' });
    const waiting = two.acquire({ exclusive: 'a' });
    await two.query();
    await grant.abandon();
    const next = await waiting;
    expect(next.recovered).toEqual(['a']);
    await next.release();
    const refused = { code: 'KDS_UNAVAILABLE' };
    await expect(open({ auth: { ...auth, password: 'another' } })).rejects.toMatchObject(refused);
    await expect(open({ auth: undefined })).rejects.toMatchObject(refused);
    await expect(openEtcdDomain({ hosts, auth }, { name: 'other' })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('permission denied'),
    });
    await one.close();
    await two.close();
  });

  it('that forgets who has come in, as it starts again, is told again', async () => {
    const hosts = await start({});
    await secure(member);
    const auth = { username: 'shop', password };
    const domain = await openEtcdDomain({ hosts, auth }, { name: 'shop', leaseSeconds });
    const grant = await domain.acquire({ exclusive: 'a' });
    await member.kill();
    member.launch();
    await grant.release();
    await (await domain.acquire({ exclusive: 'a' })).release();
    expect(grant.signal.aborted).toBe(false);
    await domain.close();
  });

  it('that takes longer for a password than for a call opens, and is asked once', async () => {
    const [url = ''] = await start({});
    await secure(member);
    const network = await BadNetwork.before(url);
    let checkCount = 0;
    network.onCall = (path) => {
      if (path === '/v3/auth/authenticate') checkCount++;
    };
    // Eight times what a call has at first, with the shortest lease.
    const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2000));
    network.holds = (path) => (path === '/v3/auth/authenticate' ? slow() : undefined);
    const auth = { username: 'shop', password };
    const terms = { name: 'shop', leaseSeconds: 2 };
    const domain = await openEtcdDomain({ hosts: network.url, auth }, terms);
    await (await domain.acquire({ exclusive: 'a' })).release();
    expect(checkCount).toBe(1);
    await domain.close();
    await network.close();
  });

  it('whose tokens expire, or are void as users change, is given others meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kds-keys-'));
    const [privateKey, publicKey] = [join(folder, 'private.pem'), join(folder, 'public.pem')];
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(privateKey, pair.privateKey.export({ type: 'pkcs1', format: 'pem' }));
    writeFileSync(publicKey, pair.publicKey.export({ type: 'spki', format: 'pem' }));
    const token = `jwt,pub-key=${publicKey},priv-key=${privateKey},sign-method=RS256,ttl=2s`;
    const [url = ''] = await start({ options: ['--auth-token', token] });
    await secure(member);
    const network = await BadNetwork.before(url);
    let checkCount = 0;
    network.onCall = (path) => {
      if (path === '/v3/auth/authenticate') checkCount++;
    };
    const auth = { username: 'shop', password };
    const terms = { name: 'shop', leaseSeconds };
    const domain = await openEtcdDomain({ hosts: network.url, auth }, terms);
    const grant = await domain.acquire({ exclusive: 'a' });
    await until(async () => (await domain.query()) && checkCount > 2, 'tokens are renewed');
    const root = await member.call('/v3/auth/authenticate', { name: 'root', password });
    const user = { name: 'somebody', password };
    const asRoot = String(root?.['token']);
    expect(await member.call('/v3/auth/user/add', user, asRoot)).toBeDefined();
    const others = Array.from({ length: 20 }, (_, number) =>
      domain.acquire({ shared: `${number}` }),
    );
    for (const other of others) await (await other).release();
    expect(grant.signal.aborted).toBe(false);
    await grant.release();
    await domain.close();
    await network.close();
    rmSync(folder, { recursive: true });
  });
});

/** From now on who calls has to say who he is: `shop` may use the domain of that name. */
async function secure(member: EtcdMember): Promise<void> {
  const tell = async (path: string, body: object): Promise<void> => {
    await until(async () => (await member.call(path, body)) !== undefined, path);
  };
  await tell('/v3/auth/role/add', { name: 'root' });
  await tell('/v3/auth/user/add', { name: 'root', password });
  await tell('/v3/auth/user/grant', { user: 'root', role: 'root' });
  await tell('/v3/auth/role/add', { name: 'shop' });
  const perm = { permType: 'READWRITE', ...prefixRange('kds/shop/') };
  await tell('/v3/auth/role/grant', { name: 'shop', perm });
  await tell('/v3/auth/user/add', { name: 'shop', password });
  await tell('/v3/auth/user/grant', { user: 'shop', role: 'shop' });
  await tell('/v3/auth/enable', {});
}
