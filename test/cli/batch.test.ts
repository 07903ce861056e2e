/** `kds batch`: what it reads, what it runs at one time, and what it ends with. */

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, freshName } from './cli-harness.ts';

const cli = new CliHarness();
beforeAll(() => cli.open());
afterAll(() => cli.close());

const text = (lines: readonly object[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const batch = (lines: readonly object[], args: readonly string[] = []) =>
  cli.kds(['batch', ...args, '-'], { input: text(lines) });
/** Its exit code is that of its last command. */
const both = (first: string, second: string): string => `${first} && ${second}`;

describe('the broker', () => {
  it('is at --socket, relative to the working directory', async () => {
    const input = text([{ run: 'true' }]);
    const script = `cd '${cli.folder}'; kds batch --socket broker.sock -`;
    expect(await cli.sh(script, { input }).ended).toMatchObject({ code: 0, stderr: '' });
    const env = { KDS_SOCKET: 'broker.sock' };
    expect(await cli.kds(['batch', '-'], { input, env }).ended).toMatchObject({ code: 64 });
  });
});

describe('what runs', () => {
  it('is in the order of the lines where they conflict', async () => {
    const [log, name] = [cli.file('order.log'), freshName()];
    // Each takes less time than the one before it.
    const lines = Array.from({ length: 9 }, (_, index) => {
      return { run: `sleep 0.0${9 - index}; echo ${index} >> ${log}`, writes: name };
    });
    expect((await batch(lines, ['-j', '8']).ended).code).toBe(0);
    expect(readFileSync(log, 'utf8')).toBe(lines.map((_, index) => `${index}\n`).join(''));
  });

  it('runs at the same time where they do not, and no more than -j', async () => {
    const folder = cli.file('meet');
    // Each waits until the other is there too: alone it would never end.
    const meet = (mine: string, other: string): string =>
      `mkdir -p ${folder}; touch ${folder}/${mine}; until [ -e ${folder}/${other} ]; do :; done`;
    const name = freshName();
    const pair = [
      { run: meet('a', 'b'), reads: name },
      { run: meet('b', 'a'), reads: name },
    ];
    expect((await batch(pair, ['-j', '2']).ended).code).toBe(0);
    const alone = cli.file('alone');
    const one = `mkdir ${alone} && rmdir ${alone}`;
    const many = Array.from({ length: 20 }, () => ({ run: one }));
    expect((await batch(many, ['-j', '1']).ended).code).toBe(0);
  });

  it('keeps out of the way of kds run, and with --local does not', async () => {
    const name = freshName();
    const holder = cli.kds(['run', '-x', name, 'sh', '-c', 'echo mine; cat'], {});
    await holder.prints(/mine/);
    const waits = batch([{ run: 'echo through', writes: name }]);
    await cli.waiting(name, 1);
    const local = await batch([{ run: 'echo through', writes: name }], ['--local']).ended;
    expect(local).toMatchObject({ code: 0, stdout: 'through\n' });
    expect(waits.stdout).toBe('');
    holder.child.stdin?.end();
    expect(await waits.ended).toMatchObject({ code: 0, stdout: 'through\n' });
  });

  it('gets its set, token, directory and environment', async () => {
    const name = freshName();
    const shell = 'printf "%s %s %s " "$KDS_RESOURCES" "$EXTRA" "$PWD"; [ "$KDS_TOKEN" -gt 0 ]';
    const line = { run: shell, writes: name, cwd: '/', env: { EXTRA: 'more' } };
    const { code, stdout } = await batch([line]).ended;
    expect(code).toBe(0);
    expect(stdout).toBe(`${JSON.stringify({ exclusive: [name], shared: [] })} more / `);
  });

  it('is a list of words as they are, or whatever the shell takes', async () => {
    const lines = [
      { id: 'a', run: ['printf', '%s\n', '$HOME; x'] },
      { id: 'b', after: 'a', run: 'printf one-word' },
      { after: ['a', 'b'], run: 'x=1; echo " $((x + 1))"; exit 0' },
    ];
    expect(await batch(lines).ended).toMatchObject({ code: 0, stdout: '$HOME; x\none-word 2\n' });
  });
});

describe('a command that fails', () => {
  it('is the last that is started, and those that run end; the exit code is 2', async () => {
    const [log, mark, name] = [cli.file('fail.log'), cli.file('failed'), freshName()];
    const slow = `until [ -e ${mark} ]; do :; done; echo slow >> ${log}`;
    const lines = [
      { run: slow },
      {
        run: both(`echo failed > ${log}`, `touch ${mark} && exit 3`),
        writes: name,
        label: 'the culprit',
      },
      { run: `echo later >> ${log}`, writes: name },
    ];
    const { code, stderr } = await batch(lines, ['-j', '2']).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('line 2, "the culprit": exit code 3');
    expect(stderr).toContain('1 of 3 done, 1 failed, 1 not run');
    expect(readFileSync(log, 'utf8')).toBe('failed\nslow\n');
  });

  it('is the last also where the next one has its set already, and waits for a slot', async () => {
    const lines = [{ run: 'exit 1' }, { run: 'echo never', reads: freshName() }];
    const ended = await batch(lines, ['-j', '1']).ended;
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('0 of 2 done, 1 failed, 1 not run');
  });

  it('with --keep-going stops only what comes after it; others see that it failed', async () => {
    const name = freshName();
    const lines = [
      { id: 'first', run: 'exit 1', writes: name },
      { run: 'echo after', after: 'first' },
      { run: 'echo "recovered $KDS_RECOVERED"', writes: name },
    ];
    const { code, stdout } = await batch(lines, ['-k']).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: `recovered ["${name}"]\n` });
  });

  it('may be one that cannot be run, or is ended by a signal', async () => {
    const lines = [{ run: ['/no/such/program'] }, { run: ['sh', '-c', 'kill -9 $$'] }];
    const { code, stderr } = await batch(lines, ['-k']).ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/line 1, \/no\/such\/program: cannot be run: no such program/);
    expect(stderr).toContain('ended by SIGKILL');
  });

  it('is one whose directory is missing, or is no program at all', async () => {
    const lines = [{ run: ['true'], cwd: '/no/such' }, { run: ['/dev/null/x'] }, { run: ['/'] }];
    const { code, stderr } = await batch(lines, ['-k']).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('cannot be run: no such directory: /no/such');
    expect(stderr).toMatch(/cannot be run: .*ENOTDIR/);
    expect(stderr).toContain('cannot be run: permission denied');
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('is printed as JSON with --json', async () => {
    const lines = [
      { id: 'a', run: 'exit 7' },
      { id: 'b', run: 'true' },
    ];
    const { stdout } = await batch(lines, ['-k', '--json', '-j', '1']).ended;
    const printed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(printed).toMatchObject([
      { line: 1, id: 'a', state: 'failed', exitCode: 7 },
      { line: 2, id: 'b', state: 'done', exitCode: 0 },
    ]);
  });
});

describe('a command whose set is lost', () => {
  const steal = async (name: string): Promise<void> => {
    const grant = await cli.domain.acquire({ exclusive: name }, { steal: true });
    await grant.release();
  };
  const deaf = "trap '' TERM; echo ready; while :; do read line; done";

  it('and that takes no notice of TERM is killed, and its line has failed', async () => {
    const name = freshName();
    const lines = [
      { run: `${deaf} </dev/zero`, writes: name, label: 'deaf' },
      { run: 'echo never', reads: name },
    ];
    const running = batch(lines, ['--kill-after', '50ms', '-j', '1']);
    await running.prints(/ready/);
    await steal(name);
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: 'ready\n' });
    expect(stderr).toContain('line 1, deaf: the set was lost: sending SIGTERM to the command');
    expect(stderr).toContain('line 1, deaf: the command has not ended: sending SIGKILL');
    expect(stderr).toContain('line 1, deaf: its set was lost: ended by SIGKILL');
    expect(stderr).toContain('0 of 2 done, 1 failed, 1 not run');
  });

  it('has failed though it ends with 0, and a batch that keeps going goes on', async () => {
    const name = freshName();
    const polite = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    const lines = [{ run: polite, writes: name }, { run: 'echo next' }];
    const running = batch(lines, ['-k', '-j', '1', '--json']);
    await running.prints(/ready/);
    await steal(name);
    const { code, stdout } = await running.ended;
    expect(code).toBe(2);
    expect(stdout).toContain('"state":"failed","exitCode":0,"error":"its set was lost');
    expect(stdout).toContain('next\n');
  });

  it('is killed at once by --on-lost=kill, though it is stopped', async () => {
    const name = freshName();
    const lines = [{ run: 'echo "pid $$"; exec sleep 1000', writes: name }];
    const running = batch(lines, ['--on-lost=kill']);
    const [, pid] = await running.prints(/pid (\d+)/);
    process.kill(Number(pid), 'SIGSTOP');
    await steal(name);
    await running.prints(/its set was lost: ended by SIGKILL/);
    expect((await running.ended).code).toBe(2);
  });

  it('goes on with --on-lost=ignore, and counts by what it ends with', async () => {
    const [name, file] = [freshName(), cli.file('go')];
    const lines = [{ run: `echo ready; until [ -e ${file} ]; do sleep 0.01; done`, writes: name }];
    const running = batch(lines, ['--on-lost', 'ignore']);
    await running.prints(/ready/);
    await steal(name);
    await running.prints(/the command continues \(--on-lost=ignore\)/);
    writeFileSync(file, '');
    expect(await running.ended).toMatchObject({ code: 0 });
  });
});

describe('an invalid line', () => {
  const tooMany = Array.from({ length: 65_537 }, (_, index) => `${index}`);
  const bad: readonly [string, string][] = [
    ['{"run": "true"', 'invalid JSON'],
    ['["true"]', 'expected an object'],
    ['{"reads": "a"}', 'run must be a command'],
    ['{"run": []}', 'run must be a command'],
    ['{"run": "true", "raeds": "a"}', 'unknown key "raeds": did you mean reads?'],
    ['{"run": "true", "colour": "a"}', 'unknown key "colour": the keys are run, id'],
    ['{"run": "true", "reads": ""}', 'reads has an empty name'],
    ['{"run": "true", "writes": ["a", ""]}', 'writes has an empty name'],
    [
      `{"run": "true", "writes": ${JSON.stringify(tooMany)}}`,
      'set too large: 65537 resources, the limit is 65536',
    ],
    ['{"run": "true", "cwd": ""}', 'cwd must be the path of a directory'],
    ['{"run": "true", "cwd": "a\\u0000"}', 'cwd must be the path of a directory'],
    ['{"run": "true", "env": {"A": "\\u0000"}}', 'env must be an object of strings'],
    ['{"run": "true", "env": {"A=B": "c"}}', 'env must be an object of strings'],
    ['{"run": "true", "reads": 1}', 'reads must be a string, or a list'],
    ['{"run": "true", "after": "nobody"}', 'after names "nobody", but no earlier line'],
    ['{"run": "true", "env": {"A": 1}}', 'env must be an object of strings'],
    [
      `{"run": "true", "writes": "${'x'.repeat(65_537)}"}`,
      'name too long: 65537 characters, the limit is 65536',
    ],
  ];

  it.each(bad)('is reported with its number, and nothing is run: %.40s', async (line, message) => {
    const mark = cli.file('mark');
    const input = `# a comment\n{"run": "touch ${mark}"}\n${line}\n`;
    const { code, stderr } = await cli.kds(['batch', '-'], { input }).ended;
    expect(code).toBe(2);
    expect(stderr).toContain(`line 3: `);
    expect(stderr).toContain(message);
    expect(() => readFileSync(mark)).toThrow('ENOENT');
  });

  it('is passed over with --keep-going, and the exit code is 2 all the same', async () => {
    const input = '{"run": 1}\n{"run": "echo good"}\n';
    const ended = await cli.kds(['batch', '-k', '-'], { input }).ended;
    expect(ended).toMatchObject({ code: 2, stdout: 'good\n' });
  });

  it('has an id that another one has', async () => {
    const { code, stderr } = await batch([
      { id: 'a', run: 'true' },
      { id: 'a', run: 'true' },
    ]).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('duplicate id "a": line 1 has the same');
  });
});

describe('without running anything', () => {
  const lines = [
    { id: 'make', run: 'echo made', writes: 'src' },
    { run: 'echo a', reads: 'src', writes: 'a' },
    { run: 'echo b', after: 'make', reads: 'src' },
  ];

  it('--dry-run prints the commands, and runs none', async () => {
    const ended = await batch(lines, ['--dry-run']).ended;
    expect(ended).toMatchObject({ code: 0, stdout: 'echo made\necho a\necho b\n' });
  });

  it('--dry-run prints a list of words as they are, in quotes where they need them', async () => {
    const listed = [{ run: ['cc', '-c', 'a b.c', '', 'x'.repeat(10), 'last'] }];
    const ended = await batch(listed, ['-n']).ended;
    expect(ended).toMatchObject({ code: 0, stdout: 'cc -c "a b.c" "" xxxxxxxxxx last\n' });
  });

  it('--graph prints the graph of the lines', async () => {
    const { stdout } = await batch(lines, ['--graph', 'json']).ended;
    expect(JSON.parse(stdout)).toMatchObject({
      jobs: [{ id: 1 }, { id: 2 }, { id: 3 }],
      edges: [
        { from: 1, to: 2, kind: 'write-read', resource: 'src' },
        { from: 1, to: 3, kind: 'after' },
        { from: 1, to: 3, kind: 'write-read', resource: 'src' },
      ],
    });
    expect((await batch(lines, ['--graph', 'dot']).ended).stdout).toContain('1 -> 2');
    expect((await batch(lines, ['--graph', 'mermaid']).ended).stdout).toContain('flowchart');
    expect((await batch(lines, ['--graph', 'png']).ended).code).toBe(64);
  });

  it('--check names the pairs that only their lines put in order', async () => {
    const { stdout } = await batch(lines, ['--check']).ended;
    expect(stdout).toBe('line 1 (make) before line 2 ("echo a"): write-read of src\n');
  });
});

it('wrong usage ends with 64', async () => {
  for (const args of [[], ['a', 'b'], ['-j', '0', '-'], ['-j', 'x', '-'], ['--no', '-']]) {
    expect((await cli.kds(['batch', ...args], { input: '' }).ended).code).toBe(64);
  }
  const missing = await cli.kds(['batch', cli.file('missing')]).ended;
  expect(missing).toMatchObject({ code: 64 });
  writeFileSync(cli.file('empty'), '');
  expect((await cli.kds(['batch', cli.file('empty')]).ended).code).toBe(0);
});

it('a signal ends what runs, starts nothing more, and lets go of everything', async () => {
  const name = freshName();
  const lines = [
    { run: 'echo here; exec sleep 1000', writes: name },
    { run: 'echo never', writes: name },
  ];
  const running = batch(lines);
  await running.prints(/here/);
  running.kill('SIGTERM');
  expect(await running.ended).toMatchObject({ code: 143, stdout: 'here\n' });
  await cli.free(name);
});
