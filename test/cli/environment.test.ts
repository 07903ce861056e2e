/** What a command finds in its environment where the names of its set are long. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, freshName, has } from './cli-harness.ts';

const cli = new CliHarness();

beforeAll(() => cli.open());
afterAll(() => cli.close());

/** Over what Linux takes for one variable, and far below the limit of a set. */
const names = Array.from({ length: 5000 }, (_, index) => `/srv/build/objects/${index}.o`);
const many = names.flatMap((name) => ['-x', name]);
const temporary = (): Readonly<Record<string, string>> => ({ TMPDIR: cli.folder });
const left = (): readonly string[] =>
  readdirSync(cli.folder).filter((file) => file.startsWith('kds-run-'));

describe('thousands of names', () => {
  it('are in a file of the user alone, which goes with the command', async () => {
    const script = `echo "file=$KDS_RESOURCES_FILE [\${KDS_RESOURCES-unset}]"; read line; exit 3`;
    const running = cli.kds(['run', ...many, '-s', 'cfg', 'sh', '-c', script], {
      env: temporary(),
    });
    const [, file = ''] = await running.prints(/file=(.+) \[unset\]/);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ exclusive: names, shared: ['cfg'] });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    running.child.stdin?.end('\n');
    expect((await running.ended).code).toBe(3);
    expect(left()).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('are gone after %s too', async (signal) => {
    const script = 'echo "file=$KDS_RESOURCES_FILE"; exec sleep 1000';
    const running = cli.kds(['run', ...many, 'sh', '-c', script], { env: temporary() });
    const [, file = ''] = await running.prints(/file=(.+)/);
    expect(existsSync(file)).toBe(true);
    running.kill(signal);
    await running.ended;
    expect(left()).toEqual([]);
  });

  it('are gone if the command cannot be run', async () => {
    const ended = await cli.kds(['run', ...many, '/no/such'], { env: temporary() }).ended;
    expect(ended.code).toBe(127);
    expect(left()).toEqual([]);
  });

  it('that cannot be written are 126, with a message, and nothing is held', async () => {
    const env = { TMPDIR: '/no/such/folder' };
    const ended = await cli.kds(['run', ...many, 'echo', 'ran'], { env }).ended;
    expect(ended).toMatchObject({ code: 126, stdout: '' });
    expect(ended.stderr).toMatch(/^kds: cannot run echo: .*ENOENT.*\/no\/such\/folder/);
    const next = await cli.kds(['run', '-n', '-x', names[0] as string, 'true']).ended;
    expect(next.code).toBe(0);
  });

  it('are not those of another kds around it', async () => {
    const inner = `printf "%s %s" "$KDS_RESOURCES" "\${KDS_RESOURCES_FILE-unset}"`;
    const env = { KDS_RESOURCES_FILE: '/of/another', KDS_RECOVERED_FILE: '/of/another' };
    const name = freshName();
    const ended = await cli.kds(['run', '-x', name, 'sh', '-c', inner], { env }).ended;
    expect(ended.stdout).toBe(`{"exclusive":["${name}"],"shared":[]} unset`);
    const both = await cli.kds(['run', '-x', name, 'env'], { env }).ended;
    expect(both.stdout).not.toContain('/of/another');
  });

  it('that a holder has left behind are in a file of their own', async () => {
    const holder = cli.kds(['run', ...many, 'sh', '-c', 'echo ready; read line']);
    await holder.prints(/ready/);
    holder.kill('SIGKILL');
    const script = `cat "$KDS_RECOVERED_FILE"; echo "\${KDS_RECOVERED-unset}" >&2`;
    const next = await cli.kds(['run', ...many, 'sh', '-c', script]).ended;
    holder.child.stdin?.end();
    expect(JSON.parse(next.stdout).sort()).toEqual([...names].sort());
    expect(next.stderr).toBe('unset\n');
  });

  it('work for a line of kds batch', async () => {
    const line = { run: 'printf "%s\n" "$KDS_RESOURCES_FILE"; cat "$KDS_RESOURCES_FILE"' };
    const input = `${JSON.stringify({ ...line, writes: names })}\n`;
    const { code, stdout } = await cli.kds(['batch', '-'], { input, env: temporary() }).ended;
    const [file = '', text = ''] = stdout.split('\n');
    expect(code).toBe(0);
    expect(JSON.parse(text)).toEqual({ exclusive: names, shared: [] });
    expect(existsSync(file)).toBe(false);
    expect(left()).toEqual([]);
  });
});

const withoutBash = has('bash') ? '' : ' (skipped: no bash)';
it.skipIf(withoutBash !== '')(
  `where all of the environment is too long, the names are in a file too${withoutBash}`,
  async () => {
    // The sum may be a quarter of the stack's limit, or 128 KiB; a quote takes two bytes in JSON.
    const script = `ulimit -s 512; name=$(printf '%*s' 60000 ''); name=\${name// /\\"}
      FILLER=$(printf '%*s' 20000 ''); export FILLER
      ${cli.quotedCommand} run -x "$name" -- sh -c 'wc -c < "$KDS_RESOURCES_FILE"'`;
    const ended = await cli.start('bash', ['-c', script]).ended;
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(Number(ended.stdout)).toBe(120_030);
  },
);

it('a command that is too long itself is reported', async () => {
  const input = `${JSON.stringify({ run: ['true', 'x'.repeat(200_000)] })}\n`;
  const ended = await cli.kds(['batch', '-'], { input }).ended;
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('cannot be run: its arguments and environment are too long');
  expect(ended.stderr).toContain('200001 bytes');
});
