/** What surrounds the client that starts a broker: variables, user, descriptors, limits. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type BrokerDomain, openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleBroker, bundleProgram, isRunning, removePrograms, until } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const isRoot = process.getuid?.() === 0;
const skippedForUser = isRoot ? '' : 'skipped: not root: ';
const skipped = process.platform === 'linux' ? '' : 'skipped: no /proc: ';
/** No user of this machine has that number; another run of these tests has another one. */
const uid = 50_000 + (process.pid % 10_000);
const own = `/tmp/kds-${uid}`;
const children: ChildProcess[] = [];
let program = '';
let broker = '';

type Env = Readonly<Record<string, string>>;

/** A client as a process; of another user if that is said. */
class Client {
  readonly child: ChildProcess;
  #printed = '';

  constructor(how: string, env: Env, user: { uid?: number } = {}, files: readonly number[] = []) {
    const stdio: ('pipe' | 'ignore' | number)[] = ['pipe', 'pipe', 'ignore'];
    for (const [index, file] of files.entries()) stdio[file] = openSync(`${program}.${index}`, 'w');
    // An entry that is missing would be a pipe.
    const all = Array.from(stdio, (entry) => entry ?? 'ignore');
    const own = user.uid === undefined ? {} : { uid: user.uid, gid: user.uid };
    const args = [program, how];
    this.child = spawn(process.execPath, args, {
      env: { KDS_BROKER_PROGRAM: broker, ...env },
      stdio: all,
      cwd: '/',
      ...own,
    });
    children.push(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.#printed += text;
    });
  }

  async printed(): Promise<string> {
    await until(() => this.#printed.endsWith('\n'), 'the client has printed what became of it');
    return this.#printed.trim();
  }

  async end(): Promise<void> {
    this.child.stdin?.end();
    await until(() => this.child.exitCode !== null, 'the client has ended');
  }
}

function pidIn(text: string): number {
  return Number(/ by (\d+)$/.exec(text)?.[1]);
}

beforeAll(async () => {
  await bundleBroker();
  const bundled = await bundleProgram(new URL('./environment-client.ts', import.meta.url));
  // Where any user can read them.
  const folder = dirname(freshSocketPath());
  chmodSync(folder, 0o755);
  program = join(folder, 'client.mjs');
  broker = join(folder, 'broker.mjs');
  copyFileSync(bundled, program);
  copyFileSync(String(process.env['KDS_BROKER_PROGRAM']), broker);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(own, { recursive: true, force: true });
});

afterAll(() => {
  removePrograms();
  removePlaces();
});

describe('processes of one user', () => {
  const environments: Readonly<Record<string, Env>> = {
    'of cron': { HOME: own, SHELL: '/bin/sh', PATH: '/usr/bin:/bin', LOGNAME: 'x' },
    'with another TMPDIR': { TMPDIR: '/var/tmp', TMP: '/var/tmp', TEMP: '/var/tmp' },
    'with a runtime directory': { XDG_RUNTIME_DIR: '/run/user/1' },
    'with a runtime directory that leads nowhere': { XDG_RUNTIME_DIR: '/nowhere' },
    'with another HOME': { HOME: '/nonexistent', XDG_STATE_HOME: '/nonexistent' },
    'with an empty KDS_SOCKET': { KDS_SOCKET: '' },
  };

  it.skipIf(!isRoot)(`${skippedForUser}have one broker, whatever the environment`, async () => {
    const holder = new Client('hold', {}, { uid });
    const held = await holder.printed();
    expect(held).toMatch(/^granted/);
    for (const [what, env] of Object.entries(environments)) {
      const printed = await new Client('try', env, { uid }).printed();
      expect(printed, what).toBe(`denied by ${pidIn(held)}`);
    }
    const elsewhere = await new Client('try', { KDS_SOCKET: `${own}/b` }, { uid }).printed();
    expect(elsewhere).toMatch(/^granted/);
    await holder.end();
    const pids = [held, elsewhere].map(pidIn);
    await until(() => !pids.some(isRunning), 'the brokers have ended');
  });

  it.skipIf(!isRoot)(`${skippedForUser}use no directory that another made`, async () => {
    for (const mode of [0o700, 0o755, 0o777, 0o1777]) {
      mkdirSync(own);
      chownSync(own, 65_534, 65_534);
      chmodSync(own, mode);
      const printed = await new Client('try', {}, { uid }).printed();
      expect(printed).toMatch(/^refused: .* belongs to user 65534.*set KDS_SOCKET/);
      expect(readdirSync(own)).toEqual([]);
      rmSync(own, { recursive: true });
    }
  });

  it.skipIf(!isRoot)(`${skippedForUser}learn why a directory cannot be used`, async () => {
    for (const mode of [0o600, 0o500, 0o300, 0]) {
      mkdirSync(own);
      chownSync(own, uid, uid);
      chmodSync(own, mode);
      const printed = await new Client('try', {}, { uid }).printed();
      expect(printed, mode.toString(8)).toMatch(/^refused: .*EACCES.*chmod u\+rwx/);
      expect(printed).not.toMatch(/10000 ms/);
      rmSync(own, { recursive: true });
    }
  });
});

describe.skipIf(skipped !== '')(`${skipped}a broker`, () => {
  it('has no descriptor of the program that starts it', async () => {
    const env = { KDS_SOCKET: freshSocketPath() };
    const client = new Client('hold', env, {}, [3, 9, 15, 16, 17, 40, 200, 1000]);
    const pid = pidIn(await client.printed());
    const folder = `/proc/${pid}/fd`;
    const links = readdirSync(folder).flatMap((fd) => {
      const link = `${folder}/${fd}`;
      return existsSync(link) || Number(fd) > 2 ? [readlinkSync(link)] : [];
    });
    expect(links.filter((link) => link.startsWith(program))).toEqual([]);
    expect(
      readdirSync(folder)
        .map(Number)
        .filter((fd) => fd >= 100),
    ).toEqual([]);
    await client.end();
  });

  it('reports that it may open no more files, and its clients go on', async () => {
    const socket = freshSocketPath();
    const env = { ...process.env, KDS_SOCKET: socket, KDS_BROKER_PROGRAM: broker };
    const limited = 'ulimit -n 64; exec "$0" "$@"';
    const child = spawn('sh', ['-c', limited, process.execPath, program, 'hold'], { env });
    children.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const domains: BrokerDomain[] = [];
    let refusal: unknown;
    while (refusal === undefined && domains.length < 64) {
      await openBrokerDomain({ socket, start: false }).then(
        (domain) => domains.push(domain),
        (error) => {
          refusal = error;
        },
      );
    }
    expect(refusal).toMatchObject({ code: 'KDS_UNAVAILABLE' });
    expect(String(refusal)).toMatch(/\d+ clients, as many as it may have files open.*ulimit -n/);
    expect(domains.length).toBeGreaterThan(5);
    for (const [index, domain] of domains.entries()) {
      (await domain.acquire({ exclusive: String(index) })).release();
    }
    await domains.pop()?.close();
    let next: BrokerDomain | undefined;
    await until(async () => {
      next = await openBrokerDomain({ socket, start: false }).catch(() => undefined);
      return next !== undefined;
    }, 'the broker has noticed that there is room');
    expect(await next?.tryAcquire({ exclusive: 'a' })).toBe(null);
    for (const domain of [next, ...domains]) await domain?.close();
    child.stdin.end();
  });

  it('serves although it may write no file, nor open enough of them to begin with', async () => {
    const start = (limit: string): Promise<string> =>
      new Promise((resolve) => {
        const env = { KDS_SOCKET: freshSocketPath(), KDS_BROKER_PROGRAM: broker };
        const limited = `${limit}; exec "$0" "$@"`;
        const child = spawn('sh', ['-c', limited, process.execPath, program, 'try'], { env });
        children.push(child);
        child.stdout.setEncoding('utf8').once('data', resolve);
      });
    expect(await start('ulimit -f 0')).toMatch(/^granted/);
    expect(await start('ulimit -n 40')).toMatch(/^refused: .*may have 40 files open.*ulimit -n/);
  });
});
