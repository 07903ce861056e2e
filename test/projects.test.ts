/** Each test file is run, once, by the project of vitest.config.ts that suits it. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { longFiles } from './longest-first.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { resolve } = createRequire(import.meta.url);
const vitest = join(dirname(resolve('vitest/package.json')), 'vitest.mjs');

interface Listed {
  readonly file: string;
  readonly projectName: string;
}

const listed = (
  JSON.parse(
    execFileSync(process.execPath, [vitest, 'list', '--filesOnly', '--json'], {
      cwd: root,
      encoding: 'utf8',
    }),
  ) as readonly Listed[]
).map(({ file, projectName }) => ({ file: relative(root, file), projectName }));

function testFilesIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(folder, path));
}

describe('the projects of the tests', () => {
  it.each(['test', 'model', 'conformance', 'sim'])('run each test file of %s once', (folder) => {
    const run = listed.map(({ file }) => file).filter((file) => file.startsWith(folder + sep));
    expect([...run].sort()).toEqual([...testFilesIn(folder)].sort());
  });

  it('know the files that begin first', () => {
    const known = new Set(listed.map(({ file }) => file));
    expect(longFiles.filter((file) => !known.has(file))).toEqual([]);
  });

  // A file that no list has falls into `unit`, whose threads share a process with other tests.
  it('leave files that start a server, a program or a browser out of `unit`', () => {
    const starts = /'node:child_process'|describeWithRedis|hasEtcd|bundleProgram|chromium/;
    const unit = listed.filter(({ projectName }) => projectName === 'unit');
    const found = unit.filter(({ file }) => starts.test(readFileSync(join(root, file), 'utf8')));
    expect(found).toEqual([]);
  });
});

describe('the check of a build machine for skipped tests', () => {
  const exitCodeFor = (fullName: string): number | null => {
    const folder = mkdtempSync(join(tmpdir(), 'kds-report-'));
    const report = join(folder, 'report.json');
    const assertionResults = [
      { status: 'passed', fullName: 'a' },
      { status: 'skipped', fullName },
    ];
    writeFileSync(
      report,
      JSON.stringify({ testResults: [{ status: 'passed', assertionResults }] }),
    );
    const { status } = spawnSync(process.execPath, [join(root, '.ci/no-skips.mjs'), report]);
    rmSync(folder, { recursive: true });
    return status;
  };

  it('allows what a backend does not offer, in the words of the conformance suite', () => {
    const suite = readFileSync(join(root, 'conformance/suite.ts'), 'utf8');
    const words = /\((not offered by [a-z ]+):/.exec(suite)?.[1] ?? '';
    expect(exitCodeFor(`closing (${words}: sync)`)).toBe(0);
  });

  it('fails where a server is missing, or no reason is given', () => {
    expect(exitCodeFor('skipped: no redis-server')).toBe(1);
    expect(exitCodeFor('closing')).toBe(1);
  });
});
