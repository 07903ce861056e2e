/** `kds run`: its options, what the command gets, and what it ends with. */

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unsafe } from '../inspect/hostile-names.ts';
import { CliHarness, freshName } from './cli-harness.ts';

const cli = new CliHarness();

const run = (args: readonly string[], input?: string) =>
  cli.kds(['run', ...args], input === undefined ? {} : { input }).ended;

beforeAll(() => cli.open());
afterAll(() => cli.close());

describe('the command', () => {
  it('has its own exit code', async () => {
    expect((await run(['-x', freshName(), 'sh', '-c', 'exit 0'])).code).toBe(0);
    expect((await run(['-x', freshName(), 'sh', '-c', 'exit 3'])).code).toBe(3);
    expect((await run(['-x', freshName(), 'sh', '-c', 'exit 255'])).code).toBe(255);
  });

  it('reads and writes what kds would', async () => {
    const ended = await run(['-x', freshName(), '--', 'sh', '-c', 'cat; echo oops >&2'], 'in');
    expect(ended).toMatchObject({ code: 0, stdout: 'in', stderr: 'oops\n' });
  });

  it('begins where options end, and gets its own as they are', async () => {
    const ended = await run(['-x', freshName(), 'printf', '%s,', '-n', '-x', '--', 'a b', '']);
    expect(ended.stdout).toBe('-n,-x,--,a b,,');
    const after = await run(['-x', freshName(), '--', 'printf', '%s,', '--', '-c']);
    expect(after.stdout).toBe('--,-c,');
  });

  it('can be a string for the shell', async () => {
    const ended = await run(['-x', freshName(), '-c', 'echo one && exit 4']);
    expect(ended).toMatchObject({ code: 4, stdout: 'one\n' });
    const shell = cli.kds(['run', '-x', freshName(), '-c', 'x'], { env: { SHELL: '/bin/echo' } });
    expect((await shell.ended).stdout).toBe('-c x\n');
  });

  it('sees its token, which grows, and its resources', async () => {
    const name = freshName();
    const args = ['-x', name, '-s', 'cfg', '-x', 'two', 'sh', '-c'];
    const first = await run([...args, 'echo "$KDS_TOKEN"']);
    const second = await run([...args, 'echo "$KDS_TOKEN"']);
    expect(Number(first.stdout)).toBeGreaterThan(0);
    expect(Number(second.stdout)).toBeGreaterThan(Number(first.stdout));
    const { stdout } = await run([...args, 'printf %s "$KDS_RESOURCES"']);
    expect(JSON.parse(stdout)).toEqual({ exclusive: [name, 'two'], shared: ['cfg'] });
  });

  it('that cannot be run is 126, that is not there 127, and the set is released', async () => {
    const name = freshName();
    const folder = cli.file('folder');
    mkdirSync(folder);
    const file = cli.file('file');
    writeFileSync(file, '');
    chmodSync(file, 0o600);
    expect(await run(['-x', name, folder])).toMatchObject({ code: 126 });
    expect(await run(['-x', name, file])).toMatchObject({ code: 126 });
    const missing = await run(['-x', name, 'no-such-program-at-all']);
    expect(missing).toMatchObject({ code: 127, stdout: '' });
    expect(missing.stderr).toContain('no-such-program-at-all');
    expect((await run(['-n', '-x', name, 'true'])).code).toBe(0);
  });

  it('that cannot be started for another reason is 126, and the set is released', async () => {
    const name = freshName();
    const text = cli.file('text');
    writeFileSync(text, '#!/no/such/interpreter\n');
    chmodSync(text, 0o700);
    for (const [words, code, message] of [
      [['/dev/null/program'], 126, /cannot run \/dev\/null\/program: .*ENOTDIR/],
      [[`/${'x'.repeat(5000)}`], 126, /ENAMETOOLONG/],
      [[text], 127, /its interpreter does not exist/],
    ] as const) {
      const ended = await run(['-x', name, ...words]);
      expect(ended).toMatchObject({ code, stdout: '' });
      expect(ended.stderr).toMatch(message);
      expect(ended.stderr).not.toMatch(/^ +at /m);
      expect((await run(['-n', '-x', name, 'true'])).code).toBe(0);
    }
  });
});

describe('a set', () => {
  it('is exclusive by -x, -e and --exclusive, shared by -s and --shared', async () => {
    const name = freshName();
    for (const [held, wanted, code] of [
      ['-x', '-x', 75],
      ['-e', '-s', 75],
      ['--exclusive', '--shared', 75],
      ['-s', '-e', 75],
      ['--shared', '--exclusive', 75],
      ['-s', '--shared', 0],
    ] as const) {
      const inner = `${cli.quotedCommand} run -n ${wanted} '${name}' true`;
      const ended = await run([held, name, 'sh', '-c', inner]);
      expect(ended.code, `${held} then ${wanted}`).toBe(code);
    }
  });

  it('takes names with any character that an argument can have', async () => {
    const name = 'ä b\n"\'$(x)\\';
    const { stdout } = await run([
      `--exclusive=-${name}`,
      'sh',
      '-c',
      'printf %s "$KDS_RESOURCES"',
    ]);
    expect(JSON.parse(stdout)).toEqual({ exclusive: [`-${name}`], shared: [] });
  });

  it('can be given in short letters in one word', async () => {
    expect((await run(['-noxone', '-stwo', '-w5', '-E9', 'true'])).code).toBe(0);
  });
});

describe('when it is not granted in time', () => {
  let name: string;
  let holder: { release(): unknown };

  beforeAll(async () => {
    name = freshName();
    holder = await cli.domain.acquire({ exclusive: name }, { label: 'the holder' });
  });
  afterAll(() => void holder.release());

  it.each([['-n'], ['--nonblock'], ['--nb'], ['-w0'], ['--timeout=0s']])(
    '%s ends with 75 at once, and prints nothing',
    async (flag) => {
      const ended = await run([flag, '-x', name, 'echo', 'never']);
      expect(ended).toMatchObject({ code: 75, stdout: '', stderr: '' });
    },
  );

  it.each([[['-w', '0.05']], [['-w', '50ms']], [['--timeout', '.05s']], [['--wait', '0.0005m']]])(
    '%s ends with 75, and prints the blockers',
    async (flags) => {
      const ended = await run([...flags, '-s', name, 'echo', 'never']);
      expect(ended).toMatchObject({ code: 75, stdout: '' });
      expect(ended.stderr).toMatch(/^kds: not granted within .*the holder/);
      expect(ended.stderr).toContain(`kds why '${name}' shows the holders and the queue`);
      expect(ended.stderr).not.toMatch(/\w\(\)/);
    },
  );

  it.each([['-E'], ['--conflict-exit-code']])('%s sets the exit code', async (flag) => {
    for (const code of [0, 1, 255]) {
      const ended = await run([flag, String(code), '-n', '-x', name, 'true']);
      expect(ended.code).toBe(code);
    }
  });

  it('a name and label of others are printed escaped', async () => {
    const hostile = 'na\x9b31m\u202eme';
    const held = await cli.domain.acquire({ exclusive: hostile }, { label: hostile });
    const ended = await run(['-w', '0.05', '-x', hostile, 'true']);
    expect(ended.code).toBe(75);
    expect(ended.stderr).toMatch(/^kds: not granted .*na\\u009b31m\\u202eme.*na\\u009b/);
    expect(ended.stderr).not.toMatch(unsafe);
    held.release();
  });

  it('no waiter is left', async () => {
    await run(['-w', '0.05', '-x', name, 'true']);
    expect((await cli.domain.query()).pending).toEqual([]);
  });
});

describe('wrong usage is 64, prints the mistake, and runs nothing', () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['run'], /command .* is missing/],
    [['run', '-x', 'a'], /command .* is missing/],
    [['run', '-x', 'a', '--'], /command .* is missing/],
    [['run', ''], /name of the command is empty/],
    [['run', '-x'], /-x requires a value$/m],
    [['run', '-x', '-n', 'echo', 'ran'], /-x requires a value, but "-n" follows:/],
    [['run', '-x', '--', 'echo', 'ran'], /-x requires a value, but "--" follows:/],
    [['run', '-x', 'a', '-w', '--', 'echo', 'ran'], /-w requires a value, but "--" follows:/],
    [['run', '--shared', '--', 'echo', 'ran'], /--shared requires a value, but "--" follows:/],
    [['run', '-x=a', 'echo', 'ran'], /value "=a": write -x VALUE or --exclusive=VALUE/],
    [['run', 'echo', 'ran'], /no resource is named/],
    [['run', '-n', '--', 'echo', 'ran'], /no resource is named/],
    [['run', '-c', 'echo ran'], /no resource is named/],
    [['run', '-x', '', 'echo', 'ran'], /-x has an empty name/],
    [['run', '-e', '', 'echo', 'ran'], /-x has an empty name/],
    [['run', '-x', 'a', '-s', '', 'echo', 'ran'], /-s has an empty name/],
    [['run', '--exclusive=', 'echo', 'ran'], /-x has an empty name/],
    [['run', '-x', 'a', '--socket', '', 'echo', 'ran'], /--socket .* empty/],
    [['run', '-x', 'a', '--domain', 'redis://h?name=', 'echo', 'ran'], /--domain .* empty name/],
    [['why', ''], /NAME has an empty name/],
    [['break', '-y', ''], /NAME has an empty name/],
    [['run', '--nonsense', 'echo', 'ran'], /unknown option --nonsense$/m],
    [['run', '--shard', 'echo', 'ran'], /unknown option --shard: did you mean --shared\?/],
    [['run', '--excl', 'a', 'echo', 'ran'], /did you mean --exclusive\?/],
    [['ls', '--jsno'], /did you mean --json\?/],
    [['ls', '--json=yes'], /--json takes no value, got "yes"/],
    [['run', '-q', 'echo', 'ran'], /unknown option -q$/m],
    [['run', '-w', 'soon', 'echo', 'ran'], /-w must be a time/],
    [['run', '-w', '1y', 'echo', 'ran'], /-w must be a time/],
    [['run', '-w', '', 'echo', 'ran'], /-w must be a time/],
    [['run', '-w=-1', 'echo', 'ran'], /-w would have the value "=-1"/],
    [['run', '--wait=-1', 'echo', 'ran'], /-w must be a time/],
    [['run', '-E', '256', 'echo', 'ran'], /0 to 255/],
    [['run', '--conflict-exit-code=-1', 'echo', 'ran'], /0 to 255/],
    [['run', '-E', '1.5', 'echo', 'ran'], /0 to 255/],
    [['run', '-E', 'x', 'echo', 'ran'], /0 to 255/],
    [['run', '--on-lost', 'cry', 'echo', 'ran'], /term, kill, ignore/],
    [['run', '--kill-after', 'x', 'echo', 'ran'], /--kill-after/],
    [['run', '-c', 'echo ran', 'more'], /-c/],
    [['run', '--label', 'x'.repeat(1025), 'echo', 'ran'], /label/],
    [['run', '-x', 'x'.repeat(65_537), 'echo', 'ran'], /name/],
    [[], /command is missing/],
    [['nonsense'], /unknown command "nonsense"$/m],
    [['rnu', '-x', 'a'], /unknown command "rnu": did you mean run\?/],
    [['-x', 'a', 'echo', 'ran'], /as in kds run -x NAME COMMAND/],
    [['help', 'nonsense'], /unknown command "nonsense"/],
    [['why'], /NAME is missing/],
    [['why', 'a', 'b'], /one NAME/],
    [['ls', 'a'], /"a"/],
    [['top'], /terminal/],
    [['completion'], /SHELL is missing/],
    [['completion', 'tcsh'], /bash, zsh, fish/],
  ];

  it.each(wrong.map(([args, what]) => [args.join(' ').slice(0, 60), args, what] as const))(
    'kds %s',
    async (_, args, what) => {
      const ended = await cli.kds(args).ended;
      expect(ended).toMatchObject({ code: 64, stdout: '' });
      expect(ended.stderr).toMatch(what);
      expect(ended.stderr).toMatch(/--help/);
      // Not in the words of the parser that is used.
      expect(ended.stderr).not.toMatch(/Option '|ambiguous|positional|forget/);
    },
  );

  it('a socket in the environment whose path is not absolute', async () => {
    const ended = await cli.kds(['run', 'echo', 'ran'], { env: { KDS_SOCKET: 'a/b' } }).ended;
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain('KDS_SOCKET');
  });
});

describe('without a broker', () => {
  it('kds run starts one, of the same package', async () => {
    const socket = cli.file('other.sock');
    const seen = cli.kds(['ls', '--json', '--socket', socket]);
    expect(await seen.ended).toMatchObject({
      code: 0,
      stdout: '{"version":2,"held":[],"pending":[]}\n',
    });
    const args = ['run', '--socket', socket, '-x', 'a', 'sh', '-c', 'echo ready; cat'];
    const holder = cli.kds(args);
    await holder.prints(/ready/);
    const second = await cli.kds(['run', '--socket', socket, '-nx', 'a', 'true']).ended;
    expect(second.code).toBe(75);
    const { openBrokerDomain } = await import('kds/broker');
    const domain = await openBrokerDomain({ socket, start: false });
    holder.child.stdin?.end();
    expect((await holder.ended).code).toBe(0);
    process.kill(domain.brokerPid, 'SIGTERM');
    await domain.close();
  });

  it('that is unavailable kds ends with 69, and prints the reason', async () => {
    const env = { KDS_SOCKET: '/nonexistent/folder/broker.sock' };
    for (const args of [['run', '-x', 'a', 'true'], ['serve']]) {
      const ended = await cli.kds(args, { env }).ended;
      expect(ended, args.join(' ')).toMatchObject({ code: 69, stdout: '' });
      expect(ended.stderr).toContain('/nonexistent/folder');
    }
  });
});

describe('kds itself', () => {
  it('prints its version, and the options of each command', async () => {
    expect((await cli.kds(['--version']).ended).stdout).toMatch(/^kds \d+\.\d+\.\d+/);
    expect((await cli.kds(['--help']).ended).stdout).toContain('usage: kds run');
    for (const name of ['run', 'ls', 'why', 'break', 'top', 'serve', 'completion']) {
      const ended = await cli.kds([name, '--help']).ended;
      expect(ended.code).toBe(0);
      expect(ended.stdout).toContain(`usage: kds ${name}`);
      expect((await cli.kds(['help', name]).ended).stdout).toBe(ended.stdout);
    }
  });
});
