/**
 * Processes that ask for random sets, while the broker's files are deleted, its clock is stepped,
 * its disk is full, and it or its clients are killed: all of it at random, one upon the other.
 * `KDS_STRESS_SECONDS` says for how long, and `KDS_SEED` with which random numbers.
 *
 * Once the directory is one that can be deleted as a whole. And once, where that can be done, the
 * clients are of a user of their own, with different environments and no KDS_SOCKET, and the
 * directory that they find is a file system of its own, which can be full.
 */

import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSigns } from '../../src/backends/broker/wire/abstract-sockets.ts';
import { checkJournal, type Line } from '../stress/journal.ts';
import { randomFrom } from '../stress/random.ts';
import { removeFolder } from '../temporary-folder.ts';
import {
  bundleBroker,
  bundleProgram,
  heard,
  removePrograms,
  shiftBrokerClock,
} from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const seconds = Number(process.env['KDS_STRESS_SECONDS'] ?? 8);
const seed = Number(process.env['KDS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const clientCount = 6;
/** On a busy machine a client may be long in coming back. */
const graceMs = 4000;
const isLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;
/** No user of this machine has that number; another run of these tests has another one. */
const uid = 40_000 + (process.pid % 10_000);
const folder = `/tmp/kds-${uid}`;

const environments: readonly NodeJS.ProcessEnv[] = [
  {},
  { TMPDIR: '/var/tmp', HOME: '/nonexistent' },
  { XDG_RUNTIME_DIR: '/run/user/0', HOME: '/' },
  { PATH: '/bin', KDS_SOCKET: '' },
];

const children = new Set<ChildProcess>();
let program = '';
let setClock: (aheadMs: number) => void = () => undefined;

beforeAll(async () => {
  await bundleBroker();
  const bundled = await bundleProgram(new URL('./stress-client.ts', import.meta.url));
  // Where any user can read them.
  const shared = dirname(freshSocketPath());
  chmodSync(shared, 0o755);
  program = join(shared, 'client.mjs');
  copyFileSync(bundled, program);
  copyFileSync(String(process.env['KDS_BROKER_PROGRAM']), join(shared, 'real-broker.mjs'));
  process.env['KDS_BROKER_PROGRAM'] = join(shared, 'real-broker.mjs');
  setClock = shiftBrokerClock(shared);
});

function mountSmall(): boolean {
  mkdirSync(folder, { mode: 0o700 });
  chownSync(folder, uid, uid);
  const options = `size=64k,nr_inodes=16,mode=700,uid=${uid},gid=${uid}`;
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status === 0;
}

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  if (isRoot) spawnSync('umount', ['-l', folder]);
  if (isRoot) rmSync(folder, { recursive: true, force: true });
  removePrograms();
  removePlaces();
});

/** What the clients use, and what is done to it. */
class Place {
  readonly isOfUser: boolean;
  readonly socket: string;
  readonly #random: () => number;
  readonly counts = { deletions: 0, kills: 0, steps: 0, fillings: 0 };

  constructor(random: () => number, isOfUser: boolean) {
    this.#random = random;
    this.isOfUser = isOfUser;
    this.socket = join(isOfUser ? folder : join(dirname(freshSocketPath()), 'kds'), 'broker.sock');
  }

  /** The process that serves, by the sign of it that only this user's can have. */
  brokerPid(): number | undefined {
    if (!this.isOfUser) return [...findSigns('broker', this.socket)][0]?.pid;
    // It is not a sign of the user of these tests.
    const signs = new RegExp(`@kds/broker/${uid}/[0-9a-f]+/(\\d+)/`);
    const [, pid] = signs.exec(readFileSync('/proc/net/unix', 'utf8')) ?? [];
    return pid === undefined ? undefined : Number(pid);
  }

  deleteSome(): void {
    if (!existsSync(dirname(this.socket))) return;
    this.counts.deletions++;
    const isAll = this.#random() < 0.5;
    for (const name of readdirSync(dirname(this.socket))) {
      const path = join(dirname(this.socket), name);
      if (isAll || this.#random() < 0.5) rmSync(path, { recursive: true, force: true });
    }
    if (!this.isOfUser && this.#random() < 0.3) {
      removeFolder(dirname(this.socket));
    }
  }

  killBroker(): void {
    const pid = this.brokerPid();
    if (pid === undefined) return;
    this.counts.kills++;
    process.kill(pid, 'SIGKILL');
  }

  stepClock(): void {
    this.counts.steps++;
    setClock((this.#random() - 0.5) * 20 * 366 * 86_400_000);
  }

  fill(): void {
    if (!this.isOfUser) return;
    this.counts.fillings++;
    try {
      for (let n = 0; n < 40; n++) {
        writeFileSync(join(folder, `filler-${n}`), Buffer.alloc(n === 0 ? 2 ** 16 : 0));
      }
    } catch {
      // That is what it is for.
    }
  }

  makeRoom(): void {
    for (const name of this.isOfUser ? readdirSync(folder) : []) {
      if (name.startsWith('filler-')) rmSync(join(folder, name), { force: true });
    }
  }
}

async function runUnderFaults(isOfUser: boolean): Promise<void> {
  console.log(`stress of the broker's place: KDS_SEED=${seed}`);
  const random = randomFrom(seed);
  const place = new Place(random, isOfUser);
  const journal = join(dirname(program), isOfUser ? 'of-user' : 'of-path');
  writeFileSync(journal, '');
  chmodSync(journal, 0o666);
  let startedCount = 0;
  const start = async (): Promise<ChildProcess & { readonly name: string }> => {
    const name = String(++startedCount);
    const env = environments[startedCount % environments.length];
    const socket = isOfUser ? '' : place.socket;
    const child = fork(
      program,
      [socket, journal, String(seed + startedCount), name, String(graceMs)],
      {
        execArgv: [],
        serialization: 'advanced',
        cwd: '/',
        env: { ...env, KDS_BROKER_PROGRAM: process.env['KDS_BROKER_PROGRAM'] },
        ...(isOfUser && { uid, gid: uid }),
      },
    );
    children.add(child);
    child.once('exit', () => children.delete(child));
    await heard(child);
    return Object.assign(child, { name });
  };
  const clients = await Promise.all(Array.from({ length: clientCount }, start));
  const endMs = performance.now() + seconds * 1000;
  const faults = [
    () => place.killBroker(),
    () => place.deleteSome(),
    () => place.stepClock(),
    () => place.fill(),
    () => place.makeRoom(),
  ];
  /** All of it at least once, however short the run is. */
  const due = [...faults];
  // After each kill there is a time of grace, in which nothing is granted.
  for (let n = 0; n < 6; n++) faults.push(...faults.slice(1, 5));
  while (performance.now() < endMs || due.length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 50 + random() * 500));
    if (random() < 0.8 || due.length > 0) {
      const upon = 1 + Math.floor(random() * 3);
      for (let n = 0; n < upon; n++) {
        (due.pop() ?? faults[Math.floor(random() * faults.length)])?.();
      }
      continue;
    }
    const at = Math.floor(random() * clients.length);
    const { name } = clients[at] as { readonly name: string };
    appendFileSync(journal, `${JSON.stringify({ client: name, do: 'kill' })}\n`);
    clients[at]?.kill('SIGKILL');
    // One that finds no room may say so; the others have to go on.
    place.makeRoom();
    clients[at] = await start();
  }
  place.makeRoom();
  const failures = readFileSync(journal, 'utf8').match(/.*"failed".*/g);
  expect(failures, 'clients that ended by themselves').toBe(null);
  const ends = clients.map((client) => once(client, 'exit'));
  for (const client of clients) client.send('stop');
  expect(await Promise.all(ends)).toEqual(clients.map(() => [0, null]));
  const text = readFileSync(journal, 'utf8').trimEnd();
  const found = checkJournal(text.split('\n').map((line) => JSON.parse(line) as Line));
  console.log(`${found.grantCount} grants, ${startedCount} clients`, place.counts);
  expect(found.faults).toEqual([]);
  expect(found.lostCount, 'grants lost').toBe(0);
  expect(found.grantCount).toBeGreaterThan(0);
  expect(place.counts.kills).toBeGreaterThan(0);
}

describe.skipIf(!isLinux)(
  `${isLinux ? '' : 'skipped: not Linux: '}under faults of all kinds`,
  () => {
    const options = { timeout: (seconds + 120) * 1000 };

    it('no two that conflict hold at once, nothing is lost, and tokens grow', options, () =>
      runUnderFaults(false),
    );

    const isOfUser = isRoot && mountSmall();
    const whyNot = isOfUser ? '' : 'skipped: not root, or cannot mount: ';
    it.skipIf(!isOfUser)(`${whyNot}nor with other environments, on a full disk`, options, () =>
      runUnderFaults(true),
    );
  },
);
