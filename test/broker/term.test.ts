/** How a broker comes, and goes, and what the next one knows: real processes throughout. */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type BrokerDomain, type BrokerOptions, openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runBroker } from '../../src/backends/broker/server/run-broker.ts';
import { readRecord } from '../../src/backends/broker/server/term-record.ts';
import { bundleBroker, isRunning, removePrograms, until } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const domains: BrokerDomain[] = [];
const graceMs = 300;

async function open(socket: string, options: BrokerOptions = {}): Promise<BrokerDomain> {
  const domain = await openBrokerDomain({ socket, idleMs: 100, graceMs, ...options });
  domains.push(domain);
  return domain;
}

beforeAll(bundleBroker);

afterEach(async () => {
  for (const domain of domains.splice(0)) await domain.close();
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

describe('a broker', () => {
  it('is started by the first client, in a session of its own', async () => {
    const domain = await open(freshSocketPath());
    expect(domain.brokerPid).not.toBe(process.pid);
    const stat = readFileSync(`/proc/${domain.brokerPid}/stat`, 'utf8');
    const [, , session] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(1);
    expect(Number(session)).toBe(domain.brokerPid);
  });

  it('is one, although many first users come at once', async () => {
    const socket = freshSocketPath();
    const all = await Promise.all(Array.from({ length: 8 }, () => open(socket)));
    expect(new Set(all.map(({ brokerPid }) => brokerPid)).size).toBe(1);
    const grants = await Promise.all(all.map((domain) => domain.tryAcquire({ exclusive: 'a' })));
    expect(grants.filter((grant) => grant !== null)).toHaveLength(1);
  });

  it('is started although somebody else began to, and died', async () => {
    const socket = freshSocketPath();
    writeFileSync(`${socket}.starting`, '');
    const domain = await open(socket);
    await domain.acquire({ exclusive: 'a' });
    expect(readdirSync(dirname(socket))).not.toContain('broker.sock.starting');
  });

  it('ends when nobody is there any more, and the next user starts another', async () => {
    const socket = freshSocketPath();
    const first = await open(socket);
    const grant = await first.acquire({ exclusive: 'a' });
    await first.close();
    await until(() => !isRunning(first.brokerPid), 'the broker has ended');
    const second = await open(socket);
    expect(second.brokerPid).not.toBe(first.brokerPid);
    const next = await second.acquire({ exclusive: 'a' });
    expect(next.token).toBeGreaterThan(grant.token);
    expect(next.recovered).toEqual([]);
  });

  it('stays while somebody is there, whether or not anything is held', async () => {
    const domain = await open(freshSocketPath(), { idleMs: 0 });
    const { brokerPid } = domain;
    await domain.query();
    const other = await open(freshSocketPath(), { idleMs: 0 });
    await other.close();
    await until(() => !isRunning(other.brokerPid), 'one without a client has ended');
    expect(isRunning(brokerPid)).toBe(true);
    await domain.query();
    expect(domain.brokerPid).toBe(brokerPid);
  });

  it('that ends just as clients come leaves none of them behind', async () => {
    const socket = freshSocketPath();
    for (let round = 0; round < 25; round++) {
      const all = await Promise.all([open(socket, { idleMs: 0 }), open(socket, { idleMs: 0 })]);
      const tokens = await Promise.all(
        all.map((domain) => domain.run({ exclusive: 'a' }, ({ token }) => token)),
      );
      expect(new Set(tokens).size).toBe(2);
      for (const domain of all) await domain.close();
    }
  });

  it('gives tokens beyond those of all terms before, at any time of the clock', async () => {
    const socket = freshSocketPath();
    const tokens = Date.now() * 1000 + 1e12;
    writeFileSync(`${socket}.record`, JSON.stringify({ tokens, isClean: true }));
    const domain = await open(socket);
    const grant = await domain.acquire({ exclusive: 'a' });
    expect(grant.token).toBeGreaterThan(tokens);
    expect(Number.isSafeInteger(grant.token)).toBe(true);
    await domain.close();
    await until(() => !isRunning(domain.brokerPid), 'the broker has ended');
    const next = await (await open(socket)).acquire({ exclusive: 'a' });
    expect(next.token).toBeGreaterThan(grant.token);
  });

  it('replaces one that was killed, and a damaged record', async () => {
    const socket = freshSocketPath();
    const first = await open(socket);
    process.kill(first.brokerPid, 'SIGKILL');
    await first.close();
    writeFileSync(`${socket}.record`, 'rubbish');
    const second = await open(socket);
    const grant = await second.acquire({ exclusive: 'a' });
    expect(grant.token).toBeGreaterThan(Date.now() * 1000 - 60e6);
    const left = readdirSync(dirname(socket)).filter((name) => /\.[0-9a-f]{10}$/.test(name));
    expect(left, 'sockets').toHaveLength(1);
  });

  it('replaces a socket that nobody serves, and a file', async () => {
    const socket = freshSocketPath();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(`${socket}.x`, resolve));
    symlinkSync(`${socket}.x`, socket);
    await new Promise((resolve) => other.close(resolve));
    await (await open(socket)).acquire({ exclusive: 'a' });
    const second = freshSocketPath();
    writeFileSync(second, '');
    await (await open(second)).acquire({ exclusive: 'a' });
  });

  it('leaves the field to one that serves already', async () => {
    const socket = freshSocketPath();
    const first = await runBroker({ socketPath: socket });
    expect(await runBroker({ socketPath: socket })).toBeUndefined();
    const domain = await open(socket, { start: false });
    expect(domain.brokerPid).toBe(process.pid);
    await domain.close();
    await first?.close();
    const next = await runBroker({ socketPath: socket });
    expect(next).toBeDefined();
    await next?.close();
  });

  it('is one of many that begin at once, time after time', async () => {
    const socketPath = freshSocketPath();
    for (let round = 0; round < 30; round++) {
      const begun = await Promise.all(Array.from({ length: 6 }, () => runBroker({ socketPath })));
      const serving = begun.filter((broker) => broker !== undefined);
      expect(serving).toHaveLength(1);
      const domain = await open(socketPath, { start: false });
      await domain.close();
      await serving[0]?.close();
    }
    expect(readdirSync(dirname(socketPath)).sort()).toEqual(
      ['broker.sock', 'broker.sock.term-30', 'broker.sock.record'].sort(),
    );
  });

  it('puts back what a cleaner of temporary files has taken away', async () => {
    const socket = freshSocketPath();
    const domain = await open(socket);
    const grant = await domain.acquire({ exclusive: 'a' });
    for (const name of readdirSync(dirname(socket))) {
      if (!/\.[0-9a-f]{10}$/.test(name)) rmSync(join(dirname(socket), name));
    }
    await until(() => readdirSync(dirname(socket)).includes('broker.sock'), 'it is back');
    await until(() => readRecord(`${socket}.record`) !== undefined, 'the record is written again');
    const other = await open(socket, { start: false });
    expect(await other.tryAcquire({ shared: 'a' })).toBe(null);
    grant.release();
  });

  it('steps down when newcomers are led to another one', async () => {
    const socket = freshSocketPath();
    const broker = await runBroker({ socketPath: socket });
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(`${socket}.0123456789`, resolve));
    for (const name of readdirSync(dirname(socket))) {
      if (name !== 'broker.sock.0123456789') rmSync(join(dirname(socket), name));
    }
    symlinkSync('broker.sock.0123456789', `${socket}.term-1`);
    symlinkSync('broker.sock.0123456789', socket);
    await broker?.ended;
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('a client that starts a broker which hangs', () => {
  it('uses another broker as soon as one serves', async () => {
    const socket = freshSocketPath();
    const started = `${socket}.hangs`;
    const hanging = `${socket}.mjs`;
    writeFileSync(
      hanging,
      `import { renameSync, writeFileSync } from 'node:fs';
      writeFileSync('${started}.new', String(process.pid));
      renameSync('${started}.new', '${started}');
      setInterval(() => undefined, 1000);`,
    );
    const program = process.env['KDS_BROKER_PROGRAM'];
    process.env['KDS_BROKER_PROGRAM'] = hanging;
    const opening = open(socket);
    process.env['KDS_BROKER_PROGRAM'] = program;
    // A rejection is reported by the `await` below.
    opening.catch(() => undefined);
    await until(() => existsSync(started), 'the broker hangs');
    const other = await runBroker({ socketPath: socket });
    try {
      const domain = await opening;
      expect(domain.brokerPid).toBe(process.pid);
      await domain.close();
    } finally {
      process.kill(Number(readFileSync(started, 'utf8')), 'SIGKILL');
      await other?.close();
    }
  });
});

describe('without a broker', () => {
  it('a client that is to start none gets that reason', async () => {
    const opening = openBrokerDomain({ socket: freshSocketPath(), start: false });
    await expect(opening).rejects.toMatchObject({ code: 'KDS_UNAVAILABLE' });
  });

  it('a client whose broker cannot be started gets the reason', async () => {
    const socket = freshSocketPath();
    mkdirSync(socket);
    const opening = openBrokerDomain({ socket });
    await expect(opening).rejects.toMatchObject({ code: 'KDS_UNAVAILABLE' });
    await expect(opening).rejects.toThrow(/broker.sock/);
    const program = process.env['KDS_BROKER_PROGRAM'];
    process.env['KDS_BROKER_PROGRAM'] = '/nowhere/broker-server.js';
    try {
      const unreached = openBrokerDomain({ socket: freshSocketPath() });
      await expect(unreached).rejects.toThrow(/KDS_BROKER_PROGRAM/);
    } finally {
      process.env['KDS_BROKER_PROGRAM'] = program;
    }
  });
});
