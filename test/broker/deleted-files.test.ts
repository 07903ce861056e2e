/** The broker's files are deleted or replaced while it serves: there is still one broker. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BrokerDomain, type BrokerOptions, openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findSigns, putUpSign } from '../../src/backends/broker/wire/abstract-sockets.ts';
import { removeFolder } from '../temporary-folder.ts';
import { bundleBroker, isRunning, removePrograms, until } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const domains: BrokerDomain[] = [];
const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';
const skipped = isLinux ? '' : 'skipped: not Linux: ';
const skippedForUser = isRoot && isLinux ? '' : 'skipped: not root on Linux: ';

async function open(socket: string, options: BrokerOptions = {}): Promise<BrokerDomain> {
  const domain = await openBrokerDomain({ socket, idleMs: 100, graceMs: 3000, ...options });
  domains.push(domain);
  return domain;
}

function filesOf(socket: string): string[] {
  return readdirSync(dirname(socket)).map((name) => join(dirname(socket), name));
}

beforeAll(bundleBroker);

afterEach(async () => {
  for (const domain of domains.splice(0)) await domain.close();
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

/** The broker may have put its own back in time. */
function unlessBack(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!String(error).includes('EEXIST')) throw error;
  }
}

const deletions: Readonly<Record<string, (socket: string) => void>> = {
  'all of its files': (socket) => {
    for (const path of filesOf(socket)) rmSync(path, { force: true });
  },
  'its socket': (socket) => {
    for (const path of filesOf(socket)) if (/\.[0-9a-f]{10}$/.test(path)) rmSync(path);
  },
  'the link to its socket': (socket) => rmSync(socket),
  'its claim': (socket) => {
    for (const path of filesOf(socket)) if (path.includes('.term-')) rmSync(path);
  },
  'all but its claim': (socket) => {
    for (const path of filesOf(socket)) if (!path.includes('.term-')) rmSync(path);
  },
  'its directory': (socket) => removeFolder(dirname(socket)),
  'its directory, and an empty one put there': (socket) => {
    removeFolder(dirname(socket));
    unlessBack(() => mkdirSync(dirname(socket), { mode: 0o700 }));
  },
  'its directory moved away': (socket) => {
    renameSync(dirname(socket), `${dirname(socket)}-moved`);
    rmSync(`${dirname(socket)}-moved`, { recursive: true });
  },
  // The broker puts its files back meanwhile, so a file may be gone before it is removed.
  'its files replaced by rubbish': (socket) => {
    for (const path of filesOf(socket)) {
      rmSync(path, { force: true });
      unlessBack(() => writeFileSync(path, 'rubbish', { flag: 'wx' }));
    }
  },
  'its files replaced by links in a cycle': (socket) => {
    for (const path of filesOf(socket)) {
      rmSync(path, { force: true });
      unlessBack(() => symlinkSync(path, path));
    }
  },
};

describe.skipIf(!isLinux)(`${skipped}a broker that serves`, () => {
  for (const [what, remove] of Object.entries(deletions)) {
    it(`is found again, and grants nothing twice, after deletion: ${what}`, async () => {
      const socket = join(dirname(freshSocketPath()), 'kds', 'broker.sock');
      const holder = await open(socket);
      let token = 0;
      for (let round = 0; round < 3; round++) {
        const grant = await holder.acquire({ exclusive: 'a' });
        const waiting = holder.acquire({ exclusive: 'a' });
        await holder.query();
        remove(socket);
        const newcomers = await Promise.all([1, 2, 3, 4].map(() => open(socket)));
        for (const newcomer of newcomers) {
          expect(newcomer.brokerPid).toBe(holder.brokerPid);
          expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
        }
        expect(grant.signal.aborted).toBe(false);
        grant.release();
        const next = await waiting;
        next.release();
        expect(grant.token).toBeGreaterThan(token);
        expect(next.token).toBeGreaterThan(grant.token);
        token = next.token;
      }
      const { brokerPid } = holder;
      for (const domain of domains.splice(0)) await domain.close();
      await until(() => !isRunning(brokerPid), 'the broker has ended');
      const later = await (await open(socket)).acquire({ exclusive: 'a' });
      expect(later.token).toBeGreaterThan(token);
      expect(later.recovered).toEqual([]);
    });
  }

  it('that is killed right after the deletion leaves what is held to its holders', async () => {
    const socket = join(dirname(freshSocketPath()), 'kds', 'broker.sock');
    const holder = await open(socket);
    const grant = await holder.acquire({ exclusive: 'a' });
    for (let round = 0; round < 3; round++) {
      const { brokerPid } = holder;
      process.kill(brokerPid, 'SIGSTOP');
      rmSync(dirname(socket), { recursive: true });
      process.kill(brokerPid, 'SIGKILL');
      await until(() => !isRunning(brokerPid), 'the broker is dead');
      // Before this event loop can notice that the connection is lost.
      const newcomer = await open(socket);
      expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
      expect(grant.signal.aborted).toBe(false);
      expect(newcomer.brokerPid).not.toBe(brokerPid);
      const other = await newcomer.acquire({ exclusive: 'b' });
      expect(other.token).toBeGreaterThan(grant.token);
      other.release();
    }
    grant.release();
  });

  it('and is stopped as its files are deleted is not replaced, which is reported', async () => {
    const socket = freshSocketPath();
    const holder = await open(socket);
    const grant = await holder.acquire({ exclusive: 'a' });
    process.kill(holder.brokerPid, 'SIGSTOP');
    deletions['all of its files']?.(socket);
    const opening = openBrokerDomain({ socket });
    await expect(opening).rejects.toMatchObject({ code: 'KDS_UNAVAILABLE' });
    await expect(opening).rejects.toThrow(new RegExp(`process ${holder.brokerPid}, serves`));
    process.kill(holder.brokerPid, 'SIGCONT');
    const newcomer = await open(socket);
    expect(newcomer.brokerPid).toBe(holder.brokerPid);
    expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
    grant.release();
  });
});

describe.skipIf(!isLinux)(`${skipped}a sign`, () => {
  it('is seen until it is taken down, and is of one socket and kind', () => {
    const socket = freshSocketPath();
    const sign = putUpSign('broker', socket);
    const found = [...findSigns('broker', socket)];
    expect(found).toEqual([{ pid: process.pid, name: sign?.name }]);
    expect([...findSigns('client', socket)]).toEqual([]);
    expect([...findSigns('broker', `${socket}2`)]).toEqual([]);
    sign?.close();
    expect([...findSigns('broker', socket)]).toEqual([]);
  });

  it.skipIf(!isRoot)(`${skippedForUser}of another user is not believed`, async () => {
    const socket = freshSocketPath();
    const sign = putUpSign('broker', socket);
    const name = sign?.name ?? '';
    sign?.close();
    // By the name that this process had, and by one with the number of the other user's process.
    const code = `
      const { createServer } = require('node:net');
      const [name, begin] = process.argv.slice(1);
      const own = (begin + process.pid + '/0').padEnd(name.length, '-');
      createServer().listen('\\0' + name, () => {
        createServer().listen('\\0' + own, () => console.log('up'));
      });`;
    const begin = name.slice(0, name.indexOf(`/${process.pid}/`) + 1);
    const child = spawn(process.execPath, ['-e', code, name, begin], {
      stdio: ['ignore', 'pipe', 'inherit'],
      uid: 65_534,
      gid: 65_534,
    });
    await once(child.stdout, 'data');
    expect([...findSigns('broker', socket)]).toEqual([]);
    const domain = await open(socket);
    (await domain.acquire({ exclusive: 'a' })).release();
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
});
