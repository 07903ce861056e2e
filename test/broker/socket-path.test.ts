/** Where the socket may be, and where not. Directories of others need root to be made. */

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSocketPath } from '../../src/backends/broker/wire/socket-path.ts';
import { bundleBroker, isRunning, removePrograms, until } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const isRoot = process.getuid?.() === 0;
const skipped = isRoot ? '' : 'skipped: not root: ';

beforeAll(bundleBroker);

afterAll(() => {
  removePrograms();
  removePlaces();
});

async function refuses(socket: string, why: RegExp): Promise<void> {
  const opening = openBrokerDomain({ socket });
  await expect(opening).rejects.toMatchObject({ code: 'KDS_UNAVAILABLE' });
  await expect(opening).rejects.toThrow(why);
}

describe('the path of the socket', () => {
  it('is the value of KDS_SOCKET, or follows from the user alone', () => {
    expect(defaultSocketPath({ KDS_SOCKET: '/a/b', XDG_RUNTIME_DIR: '/r' })).toBe('/a/b');
    const own = `/tmp/kds-${process.getuid?.()}/broker.sock`;
    expect(defaultSocketPath({})).toBe(own);
    const env = { KDS_SOCKET: '', XDG_RUNTIME_DIR: '/r', TMPDIR: '/t', HOME: '/h', TMP: '/t' };
    expect(defaultSocketPath(env)).toBe(own);
  });

  it('is made for this user alone, directory and socket', async () => {
    const socket = join(dirname(freshSocketPath()), 'kds', 'broker.sock');
    const domain = await openBrokerDomain({ socket, idleMs: 0 });
    expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    await domain.close();
  });

  it('is refused where the path is too long, relative, or leads nowhere', async () => {
    await refuses(join(dirname(freshSocketPath()), 'x'.repeat(100), 'broker.sock'), /limit of 96/);
    await refuses('/nowhere/at/all/broker.sock', /cannot use.*make its parent directory/);
    await expect(openBrokerDomain({ socket: 'broker.sock' })).rejects.toThrow(TypeError);
    await expect(openBrokerDomain({ socket: '/a\0b' })).rejects.toThrow(TypeError);
  });

  it('is refused in a directory that others can write to, also in a sticky one', async () => {
    const socket = freshSocketPath();
    for (const mode of [0o777, 0o1777, 0o770, 0o1770, 0o702]) {
      chmodSync(dirname(socket), mode);
      await refuses(socket, /can be written to by others.*mkdir -m 700/);
    }
    chmodSync(dirname(socket), 0o755);
    const domain = await openBrokerDomain({ socket, idleMs: 0 });
    await domain.close();
  });

  it('is refused below a directory that others can write to, unless that is sticky', async () => {
    const above = dirname(freshSocketPath());
    const socket = join(above, 'own', 'broker.sock');
    chmodSync(above, 0o777);
    await refuses(socket, /can be written to by others, and is not sticky/);
    chmodSync(above, 0o1777);
    const domain = await openBrokerDomain({ socket, idleMs: 0 });
    await domain.close();
  });

  it('is refused where a link on the way leads through such a directory', async () => {
    const above = dirname(freshSocketPath());
    const open = join(above, 'open');
    mkdirSync(join(open, 'own'), { recursive: true, mode: 0o700 });
    chmodSync(open, 0o777);
    symlinkSync('open', join(above, 'link'));
    await refuses(join(above, 'link', 'own', 'broker.sock'), /open can be written to by others/);
  });

  it('is refused where the directory is a symbolic link', async () => {
    const folder = dirname(freshSocketPath());
    mkdirSync(join(folder, 'real'), { mode: 0o700 });
    symlinkSync('real', join(folder, 'link'));
    await refuses(join(folder, 'link', 'broker.sock'), /symbolic link/);
  });

  it.skipIf(!isRoot)(`${skipped}is refused in a directory of somebody else`, async () => {
    const socket = freshSocketPath();
    chownSync(dirname(socket), 65_534, 65_534);
    await refuses(socket, /belongs to user 65534/);
  });

  it.skipIf(!isRoot)(`${skipped}is refused below a directory of somebody else`, async () => {
    const above = dirname(freshSocketPath());
    mkdirSync(join(above, 'own'), { mode: 0o700 });
    chownSync(above, 65_534, 65_534);
    await refuses(join(above, 'own', 'broker.sock'), /belongs to user 65534/);
  });
});

const tiny = join('/tmp', `kds-test-tiny-${process.pid}`);
const canMount = isRoot && mountTiny();
const whyNot = canMount ? '' : 'skipped: cannot mount: ';

function mountTiny(): boolean {
  mkdirSync(tiny, { mode: 0o700 });
  const options = 'size=4k,nr_inodes=2,mode=700';
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', tiny]).status === 0;
}

describe('a full disk', () => {
  const brokers: number[] = [];

  afterAll(async () => {
    // A broker that still ends has files open there.
    await until(() => !brokers.some(isRunning), 'the brokers have ended');
    if (canMount) spawnSync('umount', [tiny]);
    rmSync(tiny, { recursive: true, force: true });
  });

  it.skipIf(!canMount)(`${whyNot}is reported, and leaves nothing that is in the way`, async () => {
    const socket = join(tiny, 'broker.sock');
    await refuses(socket, /ENOSPC|no space/i);
    spawnSync('mount', ['-o', 'remount,size=64k,nr_inodes=50', tiny]);
    const domain = await openBrokerDomain({ socket, idleMs: 0 });
    brokers.push(domain.brokerPid);
    (await domain.acquire({ exclusive: 'a' })).release();
    await domain.close();
  });

  it.skipIf(!canMount)(`${whyNot}does not stop a broker that serves`, async () => {
    const socket = join(tiny, 'second.sock');
    const domain = await openBrokerDomain({ socket, idleMs: 0 });
    brokers.push(domain.brokerPid);
    expect(() => writeFileSync(join(tiny, 'filler'), Buffer.alloc(2 ** 20))).toThrow(/ENOSPC/);
    const grant = await domain.acquire({ exclusive: 'a' });
    grant.release();
    await domain.close();
  });
});
