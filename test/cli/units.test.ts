/** Units in the shell: `kds run -u`, `units` in lines of `kds batch`, and `kds capacity`. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithRedis, type RedisServer, startRedisServer } from '../redis/server.ts';
import { CliHarness, freshName, type Running } from './cli-harness.ts';

const cli = new CliHarness();
beforeAll(() => cli.open());
afterAll(() => cli.close());

const run = (...args: readonly string[]) => cli.kds(['run', ...args]).ended;
const capacity = (...args: readonly string[]) => cli.kds(['capacity', ...args]).ended;
const batch = (lines: readonly object[], ...args: readonly string[]) => {
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  return cli.kds(['batch', ...args, '-'], { input }).ended;
};

/** Fails if another command with the same unit, in the variable UNIT, is at work. */
const alone = (folder: string): string =>
  `mkdir '${folder}'"$UNIT" && ls -lR /proc/self/fd >&- 2>&-; rmdir '${folder}'"$UNIT"`;
const variables = 'printf "%s\\n" "$KDS_UNITS" "$KDS_RESOURCES" "$UNIT"';

describe('a batch of its own', () => {
  const local = (lines: readonly object[], ...args: readonly string[]) =>
    batch(lines, '--local', ...args);

  it('runs as many commands as there are units, and none has the unit of another', async () => {
    const folder = cli.file('of-batch-');
    const all = cli.file('all-of-batch');
    // The first two wait for each other, so there are two at a time, and any third would fail.
    const meet = `echo "$UNIT" >>'${all}'; until [ "$(wc -l <'${all}')" -ge 2 ]; do :; done`;
    const line = { run: `${meet}; ${alone(folder)}`, units: { gpu: '1:UNIT' } };
    const lines = Array.from({ length: 8 }, () => line);
    const ended = await local(lines, '-j', '8', '--capacity', 'gpu=2');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const units = readFileSync(all, 'utf8').trim().split('\n');
    expect(units).toHaveLength(8);
    expect([...units.slice(0, 2)].sort()).toEqual(['0', '1']);
    expect(new Set(units)).toEqual(new Set(['0', '1']));
  });

  it('gives each command its units, also for reads and writes', async () => {
    const lines = [
      { run: `${variables}; echo "$RAM"`, units: { gpu: '2/4:UNIT', ram: '1:RAM' } },
      { run: 'echo "$KDS_UNITS"', writes: 'ram', reads: 'plain' },
      { run: 'echo "$KDS_UNITS"', reads: 'ram' },
      { run: `echo "\${KDS_UNITS-unset}"`, writes: 'plain' },
    ];
    const { stdout } = await local(lines, '-j', '1', '--capacity', 'ram=3');
    expect(stdout.split('\n')).toEqual([
      '{"gpu":[0,1],"ram":[0]}',
      '{"exclusive":[],"shared":[],"units":{"gpu":2,"ram":1}}',
      '0,1',
      '0',
      '{"ram":[0,1,2]}',
      '{"ram":[0]}',
      'unset',
      '',
    ]);
  });

  it('runs nothing if a line has units of which it knows no capacity', async () => {
    const lines = [{ run: 'echo ran' }, { run: 'echo ran', units: { gpu: 1 } }];
    const ended = await local(lines, '--capacity', 'other=1');
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('line 2: "gpu" has no capacity: declare it by --capacity NAME');
  });

  it('reports a line that can never have its units', async () => {
    const lines = [
      { run: 'echo ran', units: { gpu: 3 } },
      { run: 'echo ran', units: { gpu: '1/4' } },
    ];
    const ended = await local(lines, '-k', '--capacity', 'gpu=2');
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('resource "gpu" has 2 units: 3 can never be taken at once');
    expect(ended.stderr).toContain('resource "gpu" has 2 units, and the set asserts 4');
  });

  it('is printed without its capacities', async () => {
    const lines = [
      { run: 'echo a', units: { gpu: '1/4' } },
      { run: 'echo b', units: { gpu: '3/8' } },
    ];
    expect(await batch(lines, '-n')).toMatchObject({ code: 0, stdout: 'echo a\necho b\n' });
    expect(JSON.parse((await batch(lines, '--graph', 'json')).stdout)).toMatchObject({
      jobs: [{ units: { gpu: 1 } }, { units: { gpu: 3 } }],
    });
  });

  it.each([
    [['--capacity', 'gpu'], '--capacity must be NAME=COUNT, got "gpu"'],
    [['--capacity', '=1'], '--capacity has an empty name'],
    [['--capacity', 'gpu=0'], 'the capacity of "gpu" must be a whole number from 1 to 67108863'],
    [['--capacity', 'gpu=1', '--capacity', 'gpu=2'], '--capacity names "gpu" twice'],
  ])('refuses %j', async (args, message) => {
    const ended = await local([{ run: 'echo ran' }], ...args);
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain(message);
  });

  it('has capacities only by itself', async () => {
    const ended = await batch([{ run: 'echo ran' }], '--capacity', 'gpu=4');
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain(
      '--capacity requires --local: with the broker, use kds capacity',
    );
  });
});

describe('a line of a batch', () => {
  it.each([
    [{ units: 'gpu' }, 'units must be an object like {"gpu": 1}'],
    [{ units: ['gpu'] }, 'units must be an object'],
    [{ units: { '': 1 } }, 'units has an empty name'],
    [{ units: { gpu: true } }, 'units of "gpu" must be a number or a string'],
    [
      { units: { gpu: 1.5 } },
      'units of "gpu" must be a whole number from 1 to 67108863, got "1.5"',
    ],
    [{ units: { gpu: '3/2' } }, 'units of "gpu": 3 of 2 can never be taken'],
    [{ units: { gpu: '1:A', ram: '1:A' } }, 'the variable A is named for units of two resources'],
    [{ units: { gpu: '1:A' }, writes: 'gpu' }, '"gpu" is named exclusive too'],
  ])('is not %j', async (fields, message) => {
    const ended = await batch([{ run: 'echo ran', ...fields }]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain(`line 1: ${message}`.slice(0, 8));
    expect(ended.stderr).toContain(message);
  });
});

describe('units of kds run', () => {
  /** Starts commands that end with a line of input. */
  const hold = (...set: readonly string[]): Running =>
    cli.kds(['run', ...set, 'sh', '-c', 'echo "has <$UNIT>"; read line']);
  const unitOf = async (running: Running): Promise<string | undefined> =>
    (await running.prints(/has <(.*)>/))[1];

  it('let as many commands run as there are, each with a unit of its own', async () => {
    const name = freshName();
    const all = Array.from({ length: 4 }, () => hold('-u', `${name}=1/2:UNIT`));
    await cli.waiting(name, 2);
    const begun = await Promise.any(
      [0, 1, 2, 3].map(async (index) => {
        await unitOf(all[index] as Running);
        return index;
      }),
    );
    expect(all.filter(({ stdout }) => stdout !== '').length).toBeLessThanOrEqual(2);
    all[begun]?.child.stdin?.end('\n');
    await all[begun]?.ended;
    await cli.waiting(name, 1);
    for (const each of all) each.child.stdin?.end('\n');
    const units = await Promise.all(all.map(unitOf));
    // The last one may have either: that of the command that ended first.
    expect(new Set(units)).toEqual(new Set(['0', '1']));
    for (const each of all) expect(await each.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('are never those of another command', async () => {
    const name = freshName();
    const folder = cli.file('of-run-');
    const script = `for i in 1 2 3; do kds run -u '${name}=1/2:UNIT' sh -c "$0" || exit; done`;
    const args = ['-c', `kds() { ${cli.quotedCommand} "$@"; }; ${script}`, alone(folder)];
    const all = Array.from({ length: 4 }, () => cli.start('/bin/sh', args));
    for (const each of all) expect(await each.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('are in KDS_UNITS and the set in KDS_RESOURCES, and nothing of an outer kds is', async () => {
    const name = freshName();
    await cli.domain.setCapacity(name, ['a', 'b']);
    const env = { KDS_UNITS: 'outer', KDS_UNITS_FILE: 'outer', UNIT: 'outer' };
    const of = (...set: readonly string[]) =>
      cli.kds(['run', ...set, 'sh', '-c', `${variables}; echo $KDS_UNITS_FILE`], { env }).ended;
    expect((await of('-u', `${name}=1:UNIT`)).stdout).toBe(
      `{"${name}":["a"]}\n{"exclusive":[],"shared":[],"units":{"${name}":1}}\na\n\n`,
    );
    expect((await of('-x', name)).stdout).toMatch(`{"${name}":["a","b"]}\n`);
    expect((await of('-s', name, '-u', `${name}=2:UNIT`)).stdout).toMatch(/\na,b\n\n$/);
    expect((await of('-s', name, '-x', freshName())).stdout).toMatch(`{"${name}":["a"]}\n`);
    expect((await of('-x', freshName())).stdout).toMatch(/^\n\{.*\}\nouter\n\n$/);
  });

  it('are of a resource with any name', async () => {
    for (const name of ['=', 'a=1', 'a=b:c/d', '/:', '-', 'a=1/2:B', '__proto__', 'constructor']) {
      const ended = await run(`--units=${name}=1/1:UNIT`, 'sh', '-c', variables);
      expect(ended, name).toMatchObject({ code: 0, stderr: '' });
      const [units = '', resources = '', variable] = ended.stdout.split('\n');
      expect(Object.entries(JSON.parse(units)), name).toEqual([[name, [0]]]);
      expect(Object.entries(JSON.parse(resources).units), name).toEqual([[name, 1]]);
      expect(variable, name).toBe('0');
    }
  });

  it('are in a file if they are many', async () => {
    const name = freshName();
    const units = Array.from({ length: 1024 }, (_, at) => `${at}`.padEnd(1000, 'x'));
    await cli.domain.setCapacity(name, units);
    const script = 'cat "$KDS_UNITS_FILE"; echo "[$' + '{KDS_UNITS-unset}]" >&2';
    const env = { TMPDIR: cli.folder };
    const set = ['-u', `${name}=1024`];
    const ended = await cli.kds(['run', ...set, 'sh', '-c', script], { env }).ended;
    expect(ended).toMatchObject({ code: 0, stderr: '[unset]\n' });
    expect(JSON.parse(ended.stdout)).toEqual({ [name]: units });
    expect(readdirSync(cli.folder).filter((file) => file.startsWith('kds-run-'))).toEqual([]);
  });

  it('are left out if they are over 1024, and never listed', async () => {
    const name = freshName();
    const most = 2 ** 26 - 1;
    const script = 'echo "[$' + '{KDS_UNITS-unset}]"';
    const env = { NODE_OPTIONS: '--max-old-space-size=64' };
    const of = async (...set: readonly string[]) =>
      (await cli.kds(['run', ...set, 'sh', '-c', script], { env }).ended).stdout;
    expect(await of('-u', `${name}=1024/${most}`)).toMatch(/:\[0,.*,1023\]\}\]\n$/);
    expect(await of('-u', `${name}=1025/${most}`)).toBe('[unset]\n');
    expect(await of('-u', `${name}=${most}/${most}`, '-u', 'x=1/1')).toBe('[{"x":[0]}]\n');
    await cli.domain.setCapacity(name, most);
    expect(await of('-x', name)).toBe('[unset]\n');
    const lines = [{ run: script, units: { [name]: `${most}/${most}` } }];
    expect((await batch(lines)).stdout).toBe('[unset]\n');
    expect((await batch(lines, '--local')).stdout).toBe('[unset]\n');
  });

  it('whose names would be ambiguous are in no variable, and the set is released', async () => {
    const name = freshName();
    await cli.domain.setCapacity(name, ['a,b', '']);
    const ended = await run('-u', `${name}=1:UNIT`, 'echo', 'ran');
    expect(ended).toMatchObject({ code: 126, stdout: '' });
    expect(ended.stderr).toContain('cannot set UNIT: units of');
    expect(ended.stderr).toContain('read KDS_UNITS instead');
    const other = await run('-n', '-u', `${name}=2`, 'sh', '-c', 'echo "$KDS_UNITS"');
    expect(other).toMatchObject({ code: 0, stdout: `{"${name}":["a,b",""]}\n` });
  });

  it('that are not free in time are 75, with the sum of those held', async () => {
    const name = freshName();
    const holder = hold('-u', `${name}=2/3`, '--label', 'the holder');
    await unitOf(holder);
    expect(await run('-n', '-u', `${name}=2`, 'true')).toMatchObject({ code: 75, stderr: '' });
    const ended = await run('-w', '0.05', '-u', `${name}=2`, 'true');
    expect(ended.code).toBe(75);
    expect(ended.stderr).toContain('needs 2 of 3; 2 are held by "the holder" (2)');
    expect(ended.stderr).toContain(`kds why '${name}' shows the holders`);
    expect(await run('-n', '-u', `${name}=1/3`, 'true')).toMatchObject({ code: 0 });
    holder.child.stdin?.end('\n');
    await holder.ended;
  });

  it('that can never be had are 78, in the words of the shell', async () => {
    const name = freshName();
    const none = await run('-u', `${name}=1`, 'echo', 'ran');
    expect(none).toMatchObject({ code: 78, stdout: '' });
    expect(none.stderr).toBe(
      `kds: resource "${name}" has no capacity: declare it by kds capacity NAME COUNT, or state ` +
        'it with the units: COUNT/CAPACITY\n',
    );
    await cli.domain.setCapacity(name, 2);
    const many = await run('-u', `${name}=3`, 'echo', 'ran');
    expect(many).toMatchObject({ code: 78, stdout: '' });
    expect(many.stderr).toContain('has 2 units: 3 can never be taken at once');
    const other = await run('-u', `${name}=1/4`, 'echo', 'ran');
    expect(other).toMatchObject({ code: 78, stdout: '' });
    expect(other.stderr).toContain('has 2 units, and the set asserts 4');
  });

  it('of a smaller capacity that is declared meanwhile are 78 too', async () => {
    const name = freshName();
    await cli.domain.setCapacity(name, 2);
    const held = await cli.domain.acquire({ units: { [name]: 1 } });
    const waits = run('-u', `${name}=2`, 'echo', 'ran');
    await cli.waiting(name, 1);
    expect(await capacity(name, '1')).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await waits).toMatchObject({ code: 78, stdout: '' });
    await held.release();
  });

  it('of an outer kds run are lent to no inner one, and a deadlock is refused', async () => {
    const name = freshName();
    const inner = (count: number): string =>
      `${cli.quotedCommand} run -u '${name}=${count}:UNIT' sh -c 'echo "$UNIT"'`;
    const outer = (script: string) => run('-u', `${name}=1/2:UNIT`, 'sh', '-c', script);
    expect(await outer(inner(1))).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
    const refused = await outer(inner(2));
    expect(refused).toMatchObject({ code: 64, stdout: '' });
    expect(refused.stderr).toContain('deadlock: ');
    expect(refused.stderr).toContain('outer kds run');
  });

  it('are known to a batch', async () => {
    const name = freshName();
    const folder = cli.file('of-both-');
    await capacity(name, '2');
    const line = { run: alone(folder), units: { [name]: '1:UNIT' } };
    const both = [0, 1].map(() => batch([line, line, line], '-j', '3'));
    for (const ended of await Promise.all(both)) {
      expect(ended).toMatchObject({ code: 0, stderr: '' });
    }
    const ended = await batch([{ run: 'true', units: { [freshName()]: 1 } }]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('declare it by kds capacity NAME COUNT, or state it');
  });
});

describe('wrong usage is 64, and runs nothing', () => {
  const most = 'must be a whole number from 1 to 67108863';
  it.each([
    [['-u', 'gpu'], '-u must be NAME=COUNT[/CAPACITY][:VARIABLE], got "gpu"'],
    [['-u', ''], '-u must be NAME=COUNT'],
    [['-u'], '-u requires a value, but "--" follows'],
    [['-u=gpu=1'], '-u would have the value "=gpu=1": write -u VALUE or --units=VALUE'],
    [['-u', '=1'], '-u has an empty name: is a variable of the script unset?'],
    [['-u', 'gpu='], `units of "gpu" ${most}, got "": is a variable of the script unset?`],
    [['-u', 'gpu=0'], `units of "gpu" ${most}, got "0"`],
    [['-u', 'gpu=-1'], 'got "-1"'],
    [['-u', 'gpu=1.5'], 'got "1.5"'],
    [['-u', 'gpu=1e3'], 'got "1e3"'],
    [['-u', 'gpu=0x2'], 'got "0x2"'],
    [['-u', 'gpu= 1'], 'got " 1"'],
    [['-u', 'gpu=all'], 'got "all"'],
    [['-u', 'gpu=67108864'], 'got "67108864"'],
    [['-u', 'gpu=1/'], `all units of "gpu" ${most}, got "": is a variable of the script unset?`],
    [['-u', 'gpu=1/0'], `all units of "gpu" ${most}, got "0"`],
    [['-u', 'gpu=1/2/3'], 'got "2/3"'],
    [['-u', 'gpu=3/2'], 'units of "gpu": 3 of 2 can never be taken'],
    [['-u', 'gpu=1:'], 'the variable for units of "gpu" must have letters, digits and'],
    [['-u', 'gpu=1:2A'], 'got "2A"'],
    [['-u', 'gpu=1:A-B'], 'got "A-B"'],
    [['-u', 'gpu=1:A:B'], 'got "A:B"'],
    [['-u', 'gpu=1025:A'], 'the variable for units of "gpu" would list 1025, over 1024'],
    [['-u', 'gpu=1:Ä'], 'got "Ä"'],
    [['-u', 'gpu=1:KDS_TOKEN'], 'is one of kds: KDS_TOKEN'],
    [['-u', 'gpu=1', '-u', 'gpu=1'], 'units of "gpu" are named twice'],
    [['-u', 'gpu=1:A', '-u', 'ram=1:A'], 'the variable A is named for units of two resources'],
    [['-u', 'gpu=1:A', '-x', 'gpu'], 'the variable A is for units, and "gpu" is named exclusive'],
    [['-u', `${'x'.repeat(65_537)}=1`], 'name too long: 65537 characters'],
  ])('kds run %j', async (args, message) => {
    const ended = await run(...args, '--', 'echo', 'ran');
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain(message);
  });

  it.each([
    [[], 'NAME is missing'],
    [['', '4'], 'NAME has an empty name'],
    [['gpu', '0'], `COUNT ${most}, got "0"`],
    [['gpu', '4x'], 'got "4x"'],
    [['gpu', ''], 'got "": is a variable of the script unset?'],
    [['gpu', '4', '5'], 'unexpected argument "5"'],
    [['gpu', '4', '--names', 'a'], 'COUNT and --names cannot be used together'],
    [['gpu', '--names', ''], '--names has an empty name'],
    [['gpu', '--names', 'a,,b'], '--names has an empty name'],
    [['gpu', '--names', 'a,b,a'], '--names has a name twice'],
    [['gpu', '4', '--json'], '--json prints a capacity'],
  ])('kds capacity %j', async (args, message) => {
    const ended = await capacity(...args);
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain(message);
  });
});

describe('kds capacity', () => {
  it('declares a capacity, and prints how much of it is taken', async () => {
    const name = freshName();
    const none = { code: 1, stdout: '', stderr: '' };
    expect(await capacity(name)).toMatchObject(none);
    expect((await capacity(name, '--json')).stdout).toBe(
      `{"version":1,"resource":"${name}","capacity":null}\n`,
    );
    expect(await capacity(name, '4')).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const held = await cli.domain.acquire({ units: { [name]: 3 } });
    const waiting = cli.domain.acquire({ exclusive: name });
    expect(await capacity(name)).toMatchObject({ code: 0, stdout: '4\t3\t1\t-\n', stderr: '' });
    expect(JSON.parse((await capacity('--json', name)).stdout)).toEqual({
      version: 1,
      resource: name,
      capacity: 4,
      taken: 3,
      waiting: 1,
    });
    await held.release();
    await (await waiting).release();
  });

  it('names the units', async () => {
    const name = freshName();
    expect(await capacity(name, '--names', 'gpu0,gpu 1')).toMatchObject({ code: 0 });
    expect((await capacity(name)).stdout).toBe('2\t0\t0\tgpu0,"gpu 1"\n');
    const ended = await run('-u', `${name}=2/2:UNIT`, 'sh', '-c', 'echo "$UNIT"');
    expect(ended).toMatchObject({ code: 0, stdout: 'gpu0,gpu 1\n' });
  });

  it('changes a capacity: a command that waits for more units begins', async () => {
    const name = freshName();
    await capacity(name, '1');
    const held = await cli.domain.acquire({ exclusive: name });
    const waits = run('-u', `${name}=1:UNIT`, 'sh', '-c', 'echo "$UNIT"');
    await cli.waiting(name, 1);
    await held.downgrade({ units: { [name]: 1 } });
    expect(await capacity(name, '2')).toMatchObject({ code: 0 });
    expect(await waits).toMatchObject({ code: 0, stdout: '1\n' });
    await held.release();
  });

  it('that would rename units in use is 78', async () => {
    const name = freshName();
    await capacity(name, '--names', 'a,b');
    const held = await cli.domain.acquire({ units: { [name]: 1 } });
    const ended = await capacity(name, '--names', 'b,c');
    expect(ended).toMatchObject({ code: 78, stdout: '' });
    expect(ended.stderr).toContain('add or remove names at the end of the list only');
    await held.release();
  });

  it('is absent without a broker, which is not started', async () => {
    const socket = cli.file('absent.sock');
    expect(await capacity('gpu', '--socket', socket)).toMatchObject({ code: 1, stderr: '' });
    expect(existsSync(socket)).toBe(false);
    const ended = await capacity('gpu', '--socket', '/nonexistent/folder/broker.sock', '4');
    expect(ended).toMatchObject({ code: 69, stdout: '' });
  });
});

describeWithRedis('a domain in Redis, which has no units', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  it.each([
    [['run', '-u', 'gpu=1/4', 'echo', 'ran']],
    [['capacity', 'gpu']],
    [['capacity', 'gpu', '4']],
  ])('is 69 for kds %j', async (args) => {
    const env = { KDS_DOMAIN: `redis://127.0.0.1:${server.port}/0?name=units` };
    const ended = await cli.kds(args, { env }).ended;
    expect(ended).toMatchObject({ code: 69, stdout: '' });
    expect(ended.stderr).toMatch(/^kds: the backend redis has no units .*: use the broker$/m);
  });
});
