/** Tests that declare what they use, run by real runners, with workers and shards of their own. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundleBroker, removePrograms, until } from '../broker/programs.ts';
import { freshSocketPath, removePlaces } from '../broker/socket-paths.ts';
import { readJournal } from './journal.ts';
import { type Outcomes, readPlaywrightReport, readVitestReport } from './reports.ts';

/** Runners start processes of their own: a limit for one that hangs, not for a slow machine. */
const timeout = 900_000;
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

function splitByOutcome(outcomes: Outcomes): { passed: string[]; others: Outcomes } {
  const passed = Object.keys(outcomes).filter((title) => outcomes[title] === 'passed');
  const others = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'passed');
  return { passed: passed.sort(), others: Object.fromEntries(others) };
}

function deadlockOn(name: string): unknown {
  return expect.stringContaining(`DeadlockError: deadlock: the test would wait for "${name}"`);
}

it('tests of Vitest keep out of each other’s way across workers', { timeout }, async () => {
  const program = programOf('vitest', 'vitest.mjs');
  const config = join(here, 'vitest-project/vitest.config.ts');
  await run(program, ['run', '--config', config, 'one.spec', 'two.spec'], freshSocketPath());
  expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 8 });
});

it('tests of Playwright do across workers and shards', { timeout }, async () => {
  const program = programOf('@playwright/test', 'cli.js');
  const config = join(here, 'playwright-project/playwright.config.ts');
  const socket = freshSocketPath();
  // Patterns for whole paths: a folder above this one may have "one" in its name.
  const specs = ['one.spec', 'two.spec'];
  const shards = ['1/2', '2/2'].map((shard) =>
    run(
      program,
      ['test', '--config', config, '--shard', shard, '--output', join(folder, shard), ...specs],
      socket,
    ),
  );
  await Promise.all(shards);
  expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 6 });
});

it(
  'a test that waits is listed by its name, and nothing is held afterwards',
  async () => {
    const socket = freshSocketPath();
    const domain = await openBrokerDomain({ socket, idleMs: 100 });
    const grant = await domain.acquire({ exclusive: 'db' }, { label: 'somebody else' });
    const config = join(here, 'vitest-project/vitest.config.ts');
    const args = ['run', '--config', config, 'one.spec', 'two.spec'];
    const running = run(programOf('vitest', 'vitest.mjs'), args, socket);
    await until(async () => (await domain.query()).pending.length >= 2, 'both workers wait');
    const { pending } = await domain.query();
    const labels = pending.map(({ label }) => label);
    expect(labels).toContain('one.spec.ts > each of them writes > one a');
    expect(pending[0]?.client?.label).toBe('vitest in test-runners');
    await grant.release();
    await running;
    await until(async () => (await domain.query()).held.length === 0, 'nothing is held');
    await domain.close();
  },
  timeout,
);

it('tests of Vitest that run at once, within each other, or end badly leave nothing held', {
  timeout,
}, async () => {
  const report = join(folder, 'report.json');
  const config = join(here, 'vitest-project/vitest.config.ts');
  const reporter = ['--reporter', 'json', '--outputFile', report];
  const args = ['run', '--config', config, ...reporter, 'trouble.spec'];
  // Its exit code says that tests have failed.
  await run(programOf('vitest', 'vitest.mjs'), args, freshSocketPath()).catch(() => undefined);
  const { passed, others } = splitByOutcome(readVitestReport(report));
  const failed = expect.stringMatching(/^failed/);
  expect(others).toEqual({
    'nested waits for itself': deadlockOn('nested'),
    'a function within waits for itself': deadlockOn('nested'),
    'suite waits for itself': deadlockOn('suite'),
    one: 'failed: Error: after each',
    two: 'failed: Error: after each',
    three: 'failed: Error: before each',
    four: 'failed: Error: before each',
    'is over': failed,
    'is over again': failed,
    skipped: 'skipped',
    'skips itself': 'skipped',
    'waits in vain': expect.stringMatching(/^failed: TimeoutError: not granted within 10 ms/),
    'a function waits in vain': failed,
  });
  expect(passed).toContain('everything is free');
  expect(passed).toHaveLength(38);
  expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 25 });
});

it('tests of Playwright that end badly or are tried again leave nothing held', {
  timeout,
}, async () => {
  const report = join(folder, 'report.json');
  process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'] = report;
  const config = join(here, 'playwright-project/playwright.config.ts');
  const args = ['test', '--config', config, '--reporter', 'json', 'trouble'];
  const socket = freshSocketPath();
  const domain = await openBrokerDomain({ socket, idleMs: 100 });
  // Its exit code says that tests have failed.
  await run(programOf('@playwright/test', 'cli.js'), args, socket).catch(() => undefined);
  delete process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'];
  const { passed, others } = splitByOutcome(readPlaywrightReport(report));
  expect(others).toEqual({
    before: 'failed: Error: before each',
    after: 'failed: Error: after each',
    'is over': expect.stringContaining('Test timeout of 100ms exceeded.'),
    'skips itself': 'skipped',
    'an annotation without a name': expect.stringMatching(/^failed: InvalidSetError: .*"writes"/),
    mistyped: expect.stringMatching(/^failed: InvalidSetError: .*"write"/),
  });
  const rows = ['row 1', 'row 2', 'row 3'];
  expect(passed).toEqual(['count once', ...rows, 'takes its place', 'tried again']);
  expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 8 });
  await until(async () => (await domain.query()).held.length === 0, 'nothing is held');
  await domain.close();
});

describe('tests that take units of a capacity have units of their own', () => {
  const names = ['gpu0', 'gpu1'];
  const openGpus = (socket: string) =>
    openBrokerDomain({ socket, idleMs: 100, capacity: { gpu: names } });

  it('in Vitest, also at once in one worker', { timeout }, async () => {
    const report = join(folder, 'report.json');
    const config = join(here, 'vitest-project/vitest.config.ts');
    const reporter = ['--reporter', 'json', '--outputFile', report];
    const socket = freshSocketPath();
    const domain = await openGpus(socket);
    const args = ['run', '--config', config, ...reporter, 'units-'];
    await run(programOf('vitest', 'vitest.mjs'), args, socket).catch(() => undefined);
    const refused = ['a', 'b'].flatMap((file) =>
      ['units', 'writes', 'reads'].map((key) => `${file} would wait for itself: ${key}`),
    );
    expect(splitByOutcome(readVitestReport(report)).others).toEqual(
      Object.fromEntries(refused.map((name) => [name, deadlockOn('gpu')])),
    );
    expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 8 });
    await until(async () => (await domain.query()).held.length === 0, 'nothing is held');
    await domain.close();
  });

  it('in Playwright, by option and by annotation', { timeout }, async () => {
    const report = join(folder, 'report.json');
    process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'] = report;
    const config = join(here, 'playwright-project/playwright.config.ts');
    const args = ['test', '--config', config, '--reporter', 'json', '--workers', '3', 'units.spec'];
    const socket = freshSocketPath();
    const domain = await openGpus(socket);
    await run(programOf('@playwright/test', 'cli.js'), args, socket).catch(() => undefined);
    delete process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'];
    expect(splitByOutcome(readPlaywrightReport(report)).others).toEqual({
      'units wrong': expect.stringMatching(/^failed: InvalidSetError: .*"1 gpu" or "1 of 4 gpu"/),
    });
    expect(readJournal(join(folder, 'journal'))).toEqual({ met: [], testCount: 7 });
    await until(async () => (await domain.query()).held.length === 0, 'nothing is held');
    await domain.close();
  });
});

it('the journal shows the overlaps', () => {
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
