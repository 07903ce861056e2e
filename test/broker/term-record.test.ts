/** What one broker leaves to the next: damaged, out of date, or not to be written at all. */

import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type BrokerDomain, type BrokerOptions, openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  readRecord,
  type TermRecord,
  writeRecord,
} from '../../src/backends/broker/server/term-record.ts';
import { tokenStartMax } from '../../src/backends/broker/wire/limits.ts';
import { bundleBroker, isRunning, removePrograms, shiftBrokerClock, until } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const domains: BrokerDomain[] = [];
const isRoot = process.getuid?.() === 0;
const yearMs = 366 * 86_400_000;
let setClock: (aheadMs: number) => void = () => undefined;

async function open(socket: string, options: BrokerOptions = {}): Promise<BrokerDomain> {
  const domain = await openBrokerDomain({ socket, idleMs: 50, graceMs: 2000, ...options });
  domains.push(domain);
  return domain;
}

async function killBroker({ brokerPid }: BrokerDomain): Promise<void> {
  process.kill(brokerPid, 'SIGKILL');
  await until(() => !isRunning(brokerPid), 'the broker is dead');
}

/** Closes all that is open, and waits until the broker has ended by itself. */
async function endBroker(): Promise<void> {
  const pids = new Set(domains.map(({ brokerPid }) => brokerPid));
  for (const domain of domains.splice(0)) await domain.close();
  await until(() => ![...pids].some(isRunning), 'the brokers have ended');
}

async function nextToken(socket: string): Promise<number> {
  const grant = await (await open(socket)).acquire({ exclusive: 'a' });
  grant.release();
  return grant.token;
}

beforeAll(async () => {
  await bundleBroker();
  setClock = shiftBrokerClock(dirname(freshSocketPath()));
});

afterEach(async () => {
  setClock(0);
  await endBroker();
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

const record = { tokens: Date.now() * 1000, isClean: true, term: 'b.sock.0', boot: 'x' } as const;

describe('a record', () => {
  it('is read as it was written, in place of whatever was there', () => {
    const path = `${freshSocketPath()}.record`;
    const other = `${path}.other`;
    writeFileSync(other, 'untouched');
    symlinkSync(other, path);
    for (const tokens of [0, record.tokens, tokenStartMax + 1]) {
      writeRecord(path, { ...record, tokens });
      expect(readRecord(path)).toEqual({ ...record, tokens });
    }
    writeRecord(path, { tokens: 1, isClean: false, term: undefined, boot: undefined });
    expect(readRecord(path)).toMatchObject({ tokens: 1, isClean: false });
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(other, 'utf8')).toBe('untouched');
  });

  it('that was changed in any member, or cut off, is none', () => {
    const path = `${freshSocketPath()}.record`;
    writeRecord(path, record);
    const text = readFileSync(path, 'utf8');
    const changes: readonly Partial<TermRecord>[] = [
      { tokens: record.tokens + 1 },
      { isClean: false },
      { term: 'b.sock.1' },
      { boot: 'y' },
    ];
    for (const change of changes) {
      writeFileSync(path, JSON.stringify({ ...JSON.parse(text), ...change }));
      expect(readRecord(path)).toBe(undefined);
    }
    truncateSync(path, 40);
    expect(readRecord(path)).toBe(undefined);
  });

  it('that was not written by a broker has no number beyond any clock', () => {
    const path = `${freshSocketPath()}.record`;
    const numbers = ['9007199254740991', '4503599627370496', '-1', '1.5', '1e300', '"1"', 'null'];
    for (const tokens of numbers) {
      writeFileSync(path, `{"tokens":${tokens},"isClean":true}`);
      expect(readRecord(path), tokens).toBe(undefined);
    }
    writeFileSync(path, '{"tokens":7,"isClean":1}');
    expect(readRecord(path)).toMatchObject({ tokens: 7, isClean: false });
  });
});

const damages: Readonly<Record<string, (path: string) => void>> = {
  'the greatest number': (path) => writeFileSync(path, '{"tokens":9007199254740991}'),
  'a negative one': (path) => writeFileSync(path, '{"tokens":-9007199254740991}'),
  'none at all': (path) => writeFileSync(path, '{"tokens":NaN,"isClean":true}'),
  nothing: (path) => writeFileSync(path, ''),
  'another JSON value': (path) => writeFileSync(path, 'null'),
  'very much': (path) => writeFileSync(path, Buffer.alloc(2 ** 20, '[')),
  'bytes that are no text': (path) => writeFileSync(path, Buffer.alloc(256, 0xff)),
  'a directory in its place': (path) => mkdirSync(path),
  'a pipe in its place': (path) => void spawnSync('mkfifo', [path]),
  'a link to itself in its place': (path) => symlinkSync(path, path),
};

describe('with a damaged record', () => {
  for (const [what, damage] of Object.entries(damages)) {
    it(`of ${what}, tokens grow from term to term, and what is held stays held`, async () => {
      const socket = freshSocketPath();
      const beganAt = Date.now() * 1000;
      const holder = await open(socket);
      const grant = await holder.acquire({ exclusive: 'b' });
      await killBroker(holder);
      rmSync(`${socket}.record`, { recursive: true, force: true });
      damage(`${socket}.record`);
      const tokens = [await nextToken(socket)];
      expect(await (await open(socket)).tryAcquire({ shared: 'b' })).toBe(null);
      expect(grant.signal.aborted).toBe(false);
      grant.release();
      await endBroker();
      tokens.push(await nextToken(socket));
      await endBroker();
      tokens.push(await nextToken(socket));
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
      expect(tokens[0]).toBeGreaterThan(grant.token);
      expect(tokens[2]).toBeLessThan(beganAt + 2 ** 34);
      rmSync(`${socket}.record`, { recursive: true, force: true });
    });
  }
});

describe('when the clock is stepped', () => {
  for (const years of [30, 1, -1, -50]) {
    it(`by ${years} years, what is held stays held, and tokens grow`, async () => {
      const socket = freshSocketPath();
      const holder = await open(socket);
      const grant = await holder.acquire({ exclusive: 'a' });
      let last = grant.token;
      for (let round = 0; round < 2; round++) {
        setClock(round === 0 ? years * yearMs : 0);
        utimesSync(`${socket}.record`, 1, 1);
        await killBroker(holder);
        const newcomer = await open(socket);
        expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
        const next = await newcomer.acquire({ exclusive: 'b' });
        expect(next.token).toBeGreaterThan(last);
        last = next.token;
        next.release();
      }
      expect(grant.signal.aborted).toBe(false);
      grant.release();
      await endBroker();
      expect(await nextToken(socket)).toBeGreaterThan(last);
    });
  }

  it('beyond all tokens, tokens still grow, and can be claimed', async () => {
    const socket = freshSocketPath();
    setClock(200 * yearMs);
    const holder = await open(socket);
    const grant = await holder.acquire({ exclusive: 'a' });
    await killBroker(holder);
    expect(await (await open(socket)).tryAcquire({ shared: 'a' })).toBe(null);
    expect(grant.signal.aborted).toBe(false);
    grant.release();
    const token = await nextToken(socket);
    expect(token).toBeGreaterThan(grant.token);
    expect(Number.isSafeInteger(token)).toBe(true);
  });
});

const folder = join('/tmp', `kds-test-full-${process.pid}`);
const canMount = isRoot && mountSmall();
const whyNot = canMount ? '' : 'skipped: cannot mount: ';

function mountSmall(): boolean {
  mkdirSync(folder, { mode: 0o700 });
  return mount('size=64k,nr_inodes=12,mode=700', 'tmpfs');
}

function mount(options: string, type?: string): boolean {
  const what = type === undefined ? [] : ['-t', type];
  const args = [...what, '-o', options, 'tmpfs', folder];
  return spawnSync('mount', args).status === 0;
}

/** Leaves no room for a byte, nor for a file. */
function fill(): void {
  try {
    for (let n = 0; ; n++) writeFileSync(join(folder, `filler-${n}`), Buffer.alloc(2 ** 16));
  } catch {
    // The one that failed has the last inode, or the last page.
  }
  try {
    for (let n = 0; ; n++) writeFileSync(join(folder, `empty-${n}`), '');
  } catch {
    // There is none left.
  }
}

function makeRoom(): void {
  for (let n = 0; n < 20; n++) {
    for (const name of ['filler', 'empty']) rmSync(join(folder, `${name}-${n}`), { force: true });
  }
}

describe('on a full disk', () => {
  afterAll(async () => {
    await endBroker();
    if (canMount) spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  it.skipIf(!canMount)(`${whyNot}a broker that dies is followed by another`, async () => {
    const socket = join(folder, 'broker.sock');
    const holder = await open(socket);
    const grant = await holder.acquire({ exclusive: 'a' });
    fill();
    let last = grant.token;
    for (let round = 0; round < 3; round++) {
      // Back, so that nothing but what is left tells where tokens begin.
      setClock(-round * yearMs);
      await killBroker(holder);
      const newcomer = await open(socket);
      expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
      const next = await newcomer.acquire({ exclusive: 'b' });
      expect(next.token).toBeGreaterThan(last);
      last = next.token;
      next.release();
      await newcomer.close();
    }
    expect(grant.signal.aborted).toBe(false);
    grant.release();
  });

  it.skipIf(!canMount)(`${whyNot}without a record, holders keep what they hold`, async () => {
    const socket = join(folder, 'broker.sock');
    makeRoom();
    const holder = await open(socket);
    const grant = await holder.acquire({ exclusive: 'a' });
    rmSync(`${socket}.record`);
    fill();
    await killBroker(holder);
    const newcomer = await open(socket);
    expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
    makeRoom();
    await until(() => readRecord(`${socket}.record`) !== undefined, 'the record is written');
    grant.release();
  });

  it.skipIf(!canMount)(`${whyNot}a holder goes on when there is room again`, async () => {
    const socket = join(folder, 'broker.sock');
    makeRoom();
    const holder = await open(socket);
    const grant = await holder.acquire({ exclusive: 'a' });
    const { brokerPid } = holder;
    process.kill(brokerPid, 'SIGSTOP');
    // Neither room nor anything that could be removed to make some.
    mount('remount,nr_inodes=12,size=64k,ro');
    process.kill(brokerPid, 'SIGKILL');
    await until(() => !isRunning(brokerPid), 'the broker is dead');
    await expect(openBrokerDomain({ socket })).rejects.toThrow(/EROFS.*KDS_SOCKET/);
    expect(grant.signal.aborted).toBe(false);
    mount('remount,nr_inodes=12,size=64k,rw');
    const newcomer = await open(socket);
    expect(await newcomer.tryAcquire({ shared: 'a' })).toBe(null);
    expect(grant.signal.aborted).toBe(false);
    grant.release();
  });
});
