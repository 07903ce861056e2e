/**
 * Puts one fault after another into core and sees whether the tests notice.
 *
 *     npm run mutate                      all of them
 *     npm run mutate -- --only reader     those with "reader" in their names; may be repeated
 *     npm run mutate -- --suite model     against the tests of one folder only
 *
 * The tests of test/core and model/ run in a copy of the tree. First they run on core as it is, and
 * must pass. A fault that no test catches is a test that is missing: then this exits with 1.
 * Nothing in the tree itself is changed.
 */

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { faults } from './faults.mjs';
import { readSources, siteOf } from './sites.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Not copied: what is installed, built or kept by git. */
const left = new Set(['node_modules', 'dist', '.git', '.tmp-bench']);
/** A fault may make core run for ever: that is, so many times as long as without it. */
const patience = 4;

const sources = readSources(join(root, 'src/core'));

const options = { only: { type: 'string', multiple: true }, suite: { type: 'string' } };
const { only = [''], suite: suiteOnly } = parseArgs({ options }).values;
/** Quick ones first: most faults are caught there. */
const suites = suiteOnly === undefined ? ['test/core', 'model/worlds.test.ts'] : [suiteOnly];
/** How long each suite takes without a fault, and to begin with, more than it can. */
const soundMs = new Map(suites.map((suite) => [suite, 300_000]));
const chosen = faults.filter(({ name }) => only.some((part) => name.includes(part)));
if (chosen.length === 0) throw new Error(`no fault has "${only.join('" or "')}" in its name`);
for (const fault of faults) checkFault(fault);

const copy = mkdtempSync(join(tmpdir(), 'kds-mutation-'));
try {
  cpSync(root, copy, { recursive: true, filter: (file) => !left.has(basename(file)) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  process.exitCode = (await run()) ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** Every fault must be put in at one place, and be one. */
function checkFault(fault) {
  const { name, find, replace } = fault;
  siteOf(fault, sources);
  if (find === replace) throw new Error(`"${name}" changes nothing`);
  const isTwice = faults.filter((other) => other.name === name).length > 1;
  if (isTwice) throw new Error(`"${name}" is there twice`);
}

async function run() {
  for (const suite of suites) {
    const { failure, ms } = await firstFailure([suite]);
    if (failure !== undefined) {
      console.log(`core as it is fails: ${failure}`);
      return false;
    }
    soundMs.set(suite, ms);
    console.log(`${suite} passes in ${ms} ms with core as it is`);
  }
  console.log(`${chosen.length} faults to go`);
  const results = [];
  for (const fault of chosen) {
    const { failure, ms } = await runWith(fault);
    results.push({ name: fault.name, failure: failure ?? 'SURVIVES', ms });
    console.log(`${results.length}/${chosen.length} ${fault.name}: ${failure ?? 'SURVIVES'}`);
  }
  console.log(`\n${table(results)}`);
  const survivors = results.filter(({ failure }) => failure === 'SURVIVES');
  console.log(`${results.length - survivors.length} of ${results.length} faults are caught`);
  return survivors.length === 0;
}

async function runWith(fault) {
  const { file, start, end } = siteOf(fault, sources);
  const path = join(copy, relative(root, file));
  const sound = readFileSync(path, 'utf8');
  writeFileSync(path, sound.slice(0, start) + fault.replace + sound.slice(end));
  try {
    return await firstFailure(suites);
  } finally {
    writeFileSync(path, sound);
  }
}

/** The name of the first test that fails, if any does. */
async function firstFailure(suites) {
  const begin = performance.now();
  const msSince = () => Math.round(performance.now() - begin);
  for (const suite of suites) {
    const report = join(copy, 'report.json');
    rmSync(report, { force: true });
    const end = await vitest(suite, report);
    if (end === 'passed') continue;
    return { failure: end === 'late' ? 'it runs for ever' : nameIn(report), ms: msSince() };
  }
  return { failure: undefined, ms: msSince() };
}

function vitest(suite, report) {
  const vitestPath = join(root, 'node_modules/vitest/vitest.mjs');
  const options = ['--bail=1', '--maxWorkers=1', '--reporter=json', `--outputFile=${report}`];
  // In a group of its own, so that a worker that runs for ever can be ended with it.
  const child = spawn(process.execPath, [vitestPath, 'run', suite, ...options], {
    cwd: copy,
    env: { ...process.env, KDS_SHRINK: 'no' },
    stdio: 'ignore',
    detached: true,
  });
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      process.kill(-child.pid, 'SIGKILL');
    }, patience * soundMs.get(suite));
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(isLate ? 'late' : code === 0 ? 'passed' : 'failed');
    });
  });
}

function nameIn(report) {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  for (const { name, message, assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed');
    if (failed !== undefined) return failed.fullName;
    if (message !== '') throw new Error(`${name} does not run: ${message}`);
  }
  // Of files that end at once with the first failure, the report may have none.
  return 'a failure that the report does not name';
}

function table(results) {
  const rows = [{ name: 'fault', failure: 'caught by', ms: 'ms' }, ...results];
  const width = (key) => Math.max(...rows.map((row) => String(row[key]).length));
  const [nameWidth, failureWidth] = [width('name'), width('failure')];
  const line = ({ name, failure, ms }) =>
    `${name.padEnd(nameWidth)}  ${failure.padEnd(failureWidth)}  ${String(ms).padStart(6)}`;
  return rows.map(line).join('\n');
}
