/**
 * The declaration files as users compile them: each subpath, in TypeScript 5.2 (the first with
 * `using`), the version this is written in, and 7, with lib es2022 alone, with the DOM, and with
 * Node's types. Dependencies' own declarations are not checked; `skipLibCheck` is off for ours.
 */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build, type UserConfig } from 'tsdown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryPoints, specifierOf } from '../../entry-points.ts';
import configs from '../../tsdown.config.ts';
import { removeFolder } from '../temporary-folder.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const require = createRequire(import.meta.url);
const run = promisify(execFile);
/** For one that hangs, not for a slow machine. */
const timeout = 1_800_000;

const compilers: Readonly<Record<string, string>> = {
  '5.2': join(here, 'typescript-5.2/node_modules/typescript/bin/tsc'),
  'of this repository': join(dirname(require.resolve('typescript/package.json')), 'bin/tsc'),
  '7': join(here, 'typescript-7/node_modules/typescript/bin/tsc'),
};
/** Their types come from packages that need Node's. */
const needNode = ['kds/vitest', 'kds/playwright', 'kds/inspect/otel', 'kds/conformance'];
const strict = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2022' };

let folder = '';
const subpaths = Object.keys(entryPoints).map(specifierOf);

beforeAll(async () => {
  mkdirSync(join(root, '.tmp-declarations'), { recursive: true });
  folder = mkdtempSync(join(root, '.tmp-declarations', 'run-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const installed = join(folder, 'node_modules/kds');
  const manifest = readFileSync(join(root, 'package.json'), 'utf8');
  const { copy: _, ...config } = configs[0] as UserConfig;
  await build({
    ...config,
    config: false,
    cwd: root,
    outDir: join(installed, 'dist'),
    dts: { emitDtsOnly: true },
    clean: false,
    logLevel: 'silent',
  });
  writeFileSync(join(installed, 'package.json'), manifest);
}, timeout);

afterAll(() => removeFolder(folder));

/** What a compiler finds in our declarations and in programs that import them. */
async function errorsOf(
  compiler: string,
  compilerOptions: Readonly<Record<string, unknown>>,
  programs: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const project = mkdtempSync(join(folder, 'project-'));
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(project, name), text);
  const config = {
    compilerOptions: { ...strict, ...compilerOptions },
    files: Object.keys(programs),
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  const args = [compilers[compiler] as string, '-p', project, '--pretty', 'false'];
  const output = await run(process.execPath, args, { cwd: project, maxBuffer: 2 ** 28 }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout || 'the compiler failed',
  );
  const lines = output.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
  return lines.filter((line) => !/node_modules\/(?!kds\/)[^:]*: error/.test(line));
}

function importing(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [
      `${name.replaceAll('/', '-')}.ts`,
      `import * as all from '${name}';\nexport { all };\n`,
    ]),
  );
}

const modules = [
  { module: 'esnext', moduleResolution: 'bundler' },
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
];

describe.each(Object.keys(compilers))('TypeScript %s', (compiler) => {
  it.each(modules)('compiles with es2022 alone, $moduleResolution', { timeout }, async (module) => {
    const names = subpaths.filter((name) => !needNode.includes(name));
    const options = { lib: ['es2022'], types: [], ...module };
    expect(await errorsOf(compiler, options, importing(names))).toEqual([]);
  });

  it('compiles with the DOM, and takes its signals', { timeout }, async () => {
    const names = subpaths.filter((name) => !needNode.includes(name));
    const options = { lib: ['es2022', 'dom'], types: [], ...modules[0] };
    const programs = { ...importing(names), 'uses.ts': uses };
    expect(await errorsOf(compiler, options, programs)).toEqual([]);
  });

  it.each([['es2022'], ['es2022', 'dom']])(
    'compiles with Node’s types and %s',
    {
      timeout,
    },
    async (...lib) => {
      const options = { lib, types: ['node'], ...modules[2] };
      const programs = { ...importing(subpaths), 'uses.ts': uses };
      expect(await errorsOf(compiler, options, programs)).toEqual([]);
    },
  );
});

/** `using` needs no more than es2022, and signals are those of the platform. */
const uses = `
import { createDomain, type Grant } from 'kds';
import { createJobQueue } from 'kds/jobs';

const domain = createDomain();
const controller = new AbortController();
const bytes = new ArrayBuffer(8);
await using grant = await domain.acquire({ exclusive: 'a' }, { signal: controller.signal });
using held = domain.acquireSync({ shared: 'b' });
const signal: AbortSignal = grant.signal;
signal.addEventListener('abort', () => signal.reason);
createJobQueue(domain).submit({ task: 'move', data: bytes, transfer: [bytes] });
// @ts-expect-error: a number is no signal
await domain.acquire({ exclusive: 'a' }, { signal: 7 });
export const grants: readonly Grant[] = [grant];
export { held };
`;
