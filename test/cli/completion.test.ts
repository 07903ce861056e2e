/** What shells complete, and that no option is forgotten there, in the help or in the manual. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, has } from './cli-harness.ts';

const cli = new CliHarness();

const scriptOf = async (shell: string): Promise<string> =>
  (await cli.kds(['completion', shell]).ended).stdout;

const source = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

beforeAll(async () => {
  await cli.open();
  await cli.domain.acquire({ exclusive: 'one', shared: ['two', 'x y\n$z'] });
});
afterAll(() => cli.close());

describe('the completion', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const missing = has(shell) ? '' : ` (skipped: no ${shell})`;
    it.skipIf(missing !== '')(`of ${shell} can be read by it${missing}`, async () => {
      // Not from its input: that is a socket here, which fish does not read.
      writeFileSync(cli.file(shell), await scriptOf(shell));
      const ended = await cli.start(shell, ['-n', cli.file(shell)]).ended;
      expect(ended).toMatchObject({ code: 0, stderr: '' });
    });
  }

  const withoutBash = has('bash') ? '' : ' (skipped: no bash)';
  it.skipIf(withoutBash !== '').each([
    ['kds ', /^run batch ls why break .* check-trace .*--version$/],
    ['kds w', /^why$/],
    ['kds run --exc', /^--exclusive$/],
    ['kds run --on-lost k', /^kill$/],
    ['kds run -x on', /^one$/],
    ['kds why ', /^one two \$'x y\\n\$z'$/],
    ['kds run -x x', /^\$'x y\\n\$z'$/],
    ['kds break t', /^two$/],
    ['kds run -x one -- mkfif', /^mkfifo$/],
    ['kds run -n -w 5 mkfif', /^mkfifo$/],
    ['kds run -u on', /^one$/],
    ['kds run -u one = 1/2 : A mkfif', /^mkfifo$/],
    ['kds run --units = one = 1 -x one mkfif', /^mkfifo$/],
    ['kds capacity on', /^one$/],
    ['kds completion f', /^fish$/],
    ['kds run -w ', /^$/],
  ])(`of bash completes %j${withoutBash}`, async (line, expected) => {
    const words = line.split(' ');
    const script = `kds() { ${cli.quotedCommand} "$@"; }
      ${await scriptOf('bash')}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
      _kds; echo "\${COMPREPLY[*]}"`;
    const ended = await cli.start('bash', ['--norc', '-c', script]).ended;
    expect(ended.stderr).toBe('');
    expect(ended.stdout.trimEnd()).toMatch(expected);
  });
});

describe('names of any text are completed, each as one word', () => {
  const wordsOf = (stdout: string): readonly string[] => stdout.split('\0').slice(0, -1).sort();
  const names = ['one', 'two', 'x y\n$z'];

  const withoutZsh = has('zsh') ? '' : ' (skipped: no zsh)';
  it.skipIf(withoutZsh !== '')(`by zsh${withoutZsh}`, async () => {
    const script = `kds() { ${cli.quotedCommand} "$@"; }; compdef() { :; }
      compadd() { printf '%s\\0' "\${names[@]}"; }
      ${await scriptOf('zsh')}
      _kds_names`;
    const ended = await cli.start('zsh', ['-f', '-c', script]).ended;
    expect(ended.stderr).toBe('');
    expect(wordsOf(ended.stdout)).toEqual(names);
  });

  const withoutFish = has('fish') ? '' : ' (skipped: no fish)';
  it.skipIf(withoutFish !== '')(`by fish${withoutFish}`, async () => {
    const script = `function kds; ${cli.quotedCommand} $argv; end
      ${await scriptOf('fish')}
      complete -C 'kds why ' | string escape`;
    writeFileSync(cli.file('names.fish'), script);
    const ended = await cli.start('fish', ['--no-config', cli.file('names.fish')]).ended;
    expect(ended.stderr).toBe('');
    expect(ended.stdout).toContain('one\ntwo\n');
    expect(ended.stdout).toContain('$z');
  });
});

describe('each option', () => {
  const optionsOf = (file: string): string[] => {
    const [, table = ''] = /const options = \{\n([\s\S]*?)\n\} as const/.exec(source(file)) ?? [];
    const own = [...table.matchAll(/^ {2}'?([\w-]+)'?: \{/gm)].map(([, name = '']) => name);
    const names = table.includes('...lostOptions') ? [...own, 'on-lost', 'kill-after'] : own;
    return names.map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
  };
  // Other spellings of options that are there, as flock(1) has them.
  const aliases = new Set(['--nb', '--wait']);

  it.each([
    ['run', 'src/cli/run-arguments.ts'],
    ['batch', 'src/cli/batch.ts'],
    ['ls', 'src/cli/ls.ts'],
    ['why', 'src/cli/why.ts'],
    ['break', 'src/cli/break.ts'],
    ['capacity', 'src/cli/capacity.ts'],
    ['top', 'src/cli/top.ts'],
    ['serve', 'src/cli/serve.ts'],
  ])(
    'of kds %s is in its help, in the manual, in docs/cli.md and completed',
    async (name, file) => {
      const options = optionsOf(file).filter((option) => !aliases.has(option));
      expect(options).toContain('--socket');
      const { stdout: help } = await cli.kds(['help', name]).ended;
      const texts = {
        help: `${help} --help`,
        bash: await scriptOf('bash'),
        zsh: await scriptOf('zsh'),
        manual: source('man/kds.1').replaceAll('\\-', '-'),
        document: source('docs/cli.md'),
      };
      for (const [where, text] of Object.entries(texts)) {
        const missing = options.filter((option) => !text.includes(option));
        expect(missing, where).toEqual([]);
      }
    },
  );
});

const withoutMan = has('man') ? '' : ' (skipped: no man)';
it.skipIf(withoutMan !== '')(`the manual is well formed${withoutMan}`, async () => {
  const page = fileURLToPath(new URL('../../man/kds.1', import.meta.url));
  const args = ['--warnings', '-E', 'UTF-8', '-l', page];
  const env = { LC_ALL: 'C.UTF-8', MANWIDTH: '80', MANROFFSEQ: '' };
  const ended = await cli.start('man', args, { env }).ended;
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(ended.stdout).toContain('kds run');
});
