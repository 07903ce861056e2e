/** `kds ls`, `why`, `break` and `serve`, as programs see them: in pipes. */

import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, freshName, type Running } from './cli-harness.ts';

const cli = new CliHarness();
const running: Running[] = [];

async function hold(name: string, ...args: readonly string[]): Promise<Running> {
  const command = ['sh', '-c', 'echo ready; read line', name];
  const one = cli.kds(['run', ...args, '--', ...command]);
  running.push(one);
  await one.prints(/ready/);
  return one;
}

const lines = (text: string): string[][] =>
  text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t'));

beforeAll(() => cli.open());
afterEach(async () => {
  for (const one of running.splice(0)) {
    one.kill('SIGTERM');
    await one.ended;
  }
});
afterAll(() => cli.close());

describe('kds ls', () => {
  it('prints nothing without held or waiting sets', async () => {
    expect(await cli.kds(['ls']).ended).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('prints held sets, then waiting ones, a line each, fields separated by tabs', async () => {
    const [a, b] = [freshName(), freshName()];
    const one = await hold('1', '-x', a, '-s', b, '--label', 'the\tfirst');
    const other = cli.kds(['run', '-x', b, 'sh', '-c', 'exit 0\n']);
    const [waiter] = await cli.waiting(b, 1);
    const { code, stdout } = await cli.kds(['ls']).ended;
    expect(code).toBe(0);
    const [held = [], waits = [], ...more] = lines(stdout);
    expect(more).toEqual([]);
    const [state, id, since = '', token, pid, set, label, waitsFor, command] = held;
    expect(state).toBe('held');
    expect(Math.abs(Date.parse(since) - Date.now())).toBeLessThan(60_000);
    expect(Number(token)).toBeGreaterThan(0);
    expect(Number(pid)).toBe(one.pid);
    expect(set).toBe(`-x "${a}" -s "${b}"`);
    expect(label).toBe('"the\\tfirst"');
    expect(waitsFor).toBe('-');
    expect(command).toBe('sh -c echo ready; read line 1');
    expect(waits.slice(0, 2)).toEqual(['waits', String(waiter?.id)]);
    expect(waits.slice(3)).toEqual([
      ...['-', String(other.pid), `-x "${b}"`, '-', id, 'sh -c exit 0\\u000a'],
    ]);
    one.child.stdin?.end('\n');
    expect((await other.ended).code).toBe(0);
  });

  it('--json is the result of query(), in a line', async () => {
    const name = freshName();
    const one = await hold('1', '-x', name, '--label', 'me');
    const { stdout } = await cli.kds(['ls', '--json']).ended;
    const printed = JSON.parse(stdout);
    expect(printed.pending).toEqual([]);
    expect(printed.held).toHaveLength(1);
    expect(printed.held[0]).toMatchObject({
      set: { exclusive: [name], shared: [] },
      label: 'me',
      client: { pid: one.pid, command: 'sh -c echo ready; read line 1' },
    });
    expect(stdout.trimEnd()).not.toContain('\n');
  });

  it('--names is each name once, in order, quoted where it is no plain word', async () => {
    const odd = ['two\nlines', 'a b', '"q', 'esc\x9b1m', '\u202erev'];
    await hold('1', '-x', 'b', '-s', 'a');
    await hold('2', '-s', 'a', ...odd.flatMap((name) => ['-x', name]));
    const { stdout } = await cli.kds(['ls', '--names']).ended;
    const printed = stdout.trimEnd().split('\n');
    expect(printed.map((line) => (line.startsWith('"') ? JSON.parse(line) : line))).toEqual(
      ['a', 'b', ...odd].sort(),
    );
    expect(stdout).not.toMatch(/[^\P{C}\n]/u);
    const raw = await cli.kds(['ls', '--names', '-0']).ended;
    expect(raw.stdout).toBe(
      ['a', 'b', ...odd]
        .sort()
        .map((name) => `${name}\0`)
        .join(''),
    );
  });

  it.each([[['-0']], [['-0', '--json']], [['--names', '-0', '--watch']]])(
    'refuses -0 where no names are printed once: %j',
    async (args) => {
      expect((await cli.kds(['ls', ...args]).ended).code).toBe(64);
    },
  );

  it('--json has no orders for a terminal in it', async () => {
    const name = 'a\x9b1m\u202e\u{e0001}';
    await hold('1', '-x', name);
    for (const args of [
      ['ls', '--json'],
      ['why', '--json', name],
    ]) {
      const { stdout } = await cli.kds(args).ended;
      expect(stdout).not.toMatch(/[^\P{C}\n]/u);
      expect(JSON.parse(stdout).held[0].set.exclusive).toEqual([name]);
    }
  });

  it('--watch prints each change', async () => {
    const watching = cli.kds(['ls', '--watch', '--json']);
    await watching.prints(/"held":\[\]/);
    await hold('1', '-x', 'watched');
    await watching.prints(/"watched"/);
    watching.kill('SIGTERM');
    await watching.ended;
  });

  it('ends quietly when nobody reads any more', async () => {
    const one = await hold('1', '-x', freshName());
    const watching = cli.sh('kds ls --watch | head -n 1');
    await watching.prints(/^held/);
    one.kill('SIGTERM');
    expect(await watching.ended).toMatchObject({ code: 0, stderr: '' });
  });
});

const isTailGnu = spawnSync('tail', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU');
const noTail = isTailGnu ? '' : ' (skipped: no GNU tail)';

describe.skipIf(noTail !== '')(`kds ls --watch${noTail}`, () => {
  it('ends when nobody reads any more, though nothing changes', async () => {
    const watching = cli.sh('kds ls --watch --json | head -n 1');
    const ended = await watching.ended;
    const stdout = '{"version":2,"held":[],"pending":[]}\n';
    expect(ended).toEqual({ code: 0, signal: null, stdout, stderr: '' });
  });

  it('goes on while somebody reads', async () => {
    const reader = 'read line; echo "first $line"; grep -m 1 watched';
    const watching = cli.sh(`kds ls --watch --json | { ${reader}; }`);
    await watching.prints(/first/);
    await hold('1', '-x', 'watched');
    expect((await watching.ended).stdout).toContain('"watched"');
  });
});

describe('kds why', () => {
  it('lists the holders, then the queue, in order, and ends with 1 if there are none', async () => {
    const name = freshName();
    const idle = await cli.kds(['why', name]).ended;
    expect(idle).toMatchObject({ code: 1, stdout: '' });
    const one = await hold('1', '-x', name, '-s', 'other', '--label', 'first');
    await hold('2', '-s', 'other');
    const second = cli.kds(['run', '-s', name, 'true']);
    await cli.waiting(name, 1);
    const third = cli.kds(['run', '-x', name, '--label', 'third', 'true']);
    await cli.waiting(name, 2);
    const { code, stdout } = await cli.kds(['why', name]).ended;
    expect(code).toBe(0);
    expect(lines(stdout).map((fields) => [fields[0], Number(fields[4]), fields[6]])).toEqual([
      ['held', one.pid, 'first'],
      ['waits', second.pid, '-'],
      ['waits', third.pid, 'third'],
    ]);
    const json = JSON.parse((await cli.kds(['why', '--json', name]).ended).stdout);
    expect(json.held).toHaveLength(1);
    expect(json.pending).toHaveLength(2);
    one.child.stdin?.end('\n');
    await second.ended;
    await third.ended;
  });
});

describe('kds break', () => {
  it('revokes and lists the grants of a resource, which is recovered for the next', async () => {
    const name = freshName();
    const one = await hold('1', '-x', name, '-x', 'too', '--label', 'stuck');
    const next = cli.kds(['run', '-x', name, 'sh', '-c', 'echo "next $KDS_RECOVERED"']);
    await cli.waiting(name, 1);
    const broken = await cli.kds(['break', '--yes', name]).ended;
    expect(broken.code).toBe(0);
    expect(broken.stdout).toContain(`revoked: stuck (pid ${one.pid}: sh -c`);
    expect(broken.stdout).toContain(`-x "${name}" -x too`);
    expect((await one.ended).code).toBe(143);
    expect((await next.ended).stdout).toBe(`next ["${name}"]\n`);
  });

  it('takes it from all who share it', async () => {
    const name = freshName();
    const all = [await hold('1', '-s', name), await hold('2', '-s', name)];
    const broken = await cli.kds(['break', '-y', name]).ended;
    expect(broken.stdout.trimEnd().split('\n')).toHaveLength(2);
    for (const one of all) expect((await one.ended).code).toBe(143);
  });

  it('does nothing where there is nobody to ask, or nothing to take', async () => {
    const name = freshName();
    expect((await cli.kds(['break', '--yes', name]).ended).code).toBe(1);
    const one = await hold('1', '-x', name);
    const ended = await cli.kds(['break', name], { input: 'y\n' }).ended;
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect((await cli.domain.query()).held.map(({ client }) => client?.pid)).toEqual([one.pid]);
  });
});

describe('kds serve', () => {
  it('serves in the foreground until a signal ends it', async () => {
    const socket = cli.file('served.sock');
    const server = cli.kds(['serve', '--socket', socket]);
    await server.prints(/listening on .*served.sock/);
    const { openBrokerDomain } = await import('kds/broker');
    const domain = await openBrokerDomain({ socket, start: false });
    expect(domain.brokerPid).toBe(server.pid);
    await domain.close();
    const second = await cli.kds(['serve', '--socket', socket]).ended;
    expect(second).toMatchObject({ code: 1 });
    server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('--idle ends it when nobody comes any more', async () => {
    const socket = cli.file('idle.sock');
    const server = cli.kds(['serve', '--idle', '50ms', '--socket', socket]);
    await server.prints(/listening on/);
    const { code } = await cli.kds(['run', '--socket', socket, '-x', 'a', 'true']).ended;
    expect(code).toBe(0);
    expect((await server.ended).code).toBe(0);
  });
});
