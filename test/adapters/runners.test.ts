/** Tests that declare what they use, run by real runners, with workers and shards of their own. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { freshSocketPath, removePlaces } from '../broker/places.ts';
import { bundleBroker, removePrograms, until } from '../broker/programs.ts';
import { readJournal } from './journal.ts';

const require = createRequire(import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));
let folder = '';

beforeAll(bundleBroker);
afterAll(() => {
  removePrograms();
  removePlaces();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kds-adapters-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a runner's program; rejects with what it says if a test failed. */
function run(program: string, args: readonly string[], socket: string): Promise<string> {
  const { TEST_REPORT: _, CI: __, VITEST: ___, VITEST_MODE: ____, ...rest } = process.env;
  const env = { ...rest, KDS_SOCKET: socket, JOURNAL: join(folder, 'journal'), OUTPUT: folder };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...args], { cwd: here, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
    });
  });
}

function programOf(packageName: string, file: string): string {
  return join(dirname(require.resolve(`${packageName}/package.json`)), file);
}

it('tests of Vitest keep out of each other’s way across workers', {
  timeout: 120_000,
}, async () => {
  const program = programOf('vitest', 'vitest.mjs');
  const config = join(here, 'vitest-project/vitest.config.ts');
  await run(program, ['run', '--config', config], freshSocketPath());
  expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 8 });
});

it('tests of Playwright do across workers and shards', { timeout: 120_000 }, async () => {
  const program = programOf('@playwright/test', 'cli.js');
  const config = join(here, 'playwright-project/playwright.config.ts');
  const socket = freshSocketPath();
  const shards = ['1/2', '2/2'].map((shard) =>
    run(
      program,
      ['test', '--config', config, '--shard', shard, '--output', join(folder, shard)],
      socket,
    ),
  );
  await Promise.all(shards);
  expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 6 });
});

it('a test that waits is told of by its name, and nothing is held afterwards', async () => {
  const socket = freshSocketPath();
  const domain = await openBrokerDomain({ socket, idleMs: 100 });
  const grant = await domain.acquire({ exclusive: 'db' }, { label: 'somebody else' });
  const config = join(here, 'vitest-project/vitest.config.ts');
  const running = run(programOf('vitest', 'vitest.mjs'), ['run', '--config', config], socket);
  await until(async () => (await domain.query()).pending.length >= 2, 'both workers wait');
  const { pending } = await domain.query();
  const labels = pending.map(({ label }) => label);
  expect(labels).toContain('one.spec.ts > each of them writes > one a');
  expect(pending[0]?.client?.label).toBe('vitest in adapters');
  await grant.release();
  await running;
  await until(async () => (await domain.query()).held.length === 0, 'nothing is held');
  await domain.close();
}, 120_000);

it('the journal tells who met whom', () => {
  const path = join(folder, 'journal');
  const lines = [
    { test: 'one', does: 'begins', reads: ['db'] },
    { test: 'two', does: 'begins', reads: ['db'] },
    { test: 'three', does: 'begins', writes: ['db'] },
  ];
  const ends = lines.map((line) => ({ ...line, does: 'ends' }));
  writeFileSync(path, [...lines, ...ends].map((line) => JSON.stringify(line)).join('\n'));
  expect(readJournal(path)).toEqual({ met: ['three and one', 'three and two'], testCount: 3 });
});
