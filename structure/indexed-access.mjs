/**
 * Type-checks with `noUncheckedIndexedAccess`, part of `npm run check:types`: an array or a record
 * has nothing at most indices. Left out is what computes its indices into words of memory (core, the
 * arena of threads, and their models), where each access would need a check that cannot fail.
 */

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const leftOut = /^(src\/core|src\/backends\/threads|model|test\/core)\//;

const cwd = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const flags = ['--noEmit', '--noUncheckedIndexedAccess', '--pretty', 'false'];
const { stdout, stderr, status } = spawnSync(process.execPath, [tsc, ...flags], {
  cwd,
  encoding: 'utf8',
});
const lines = stdout.split('\n');
const isError = (line) => /^\S.*: error TS\d+: /.test(line);
const found = lines.filter((line) => isError(line) && !leftOut.test(line));
// A run that ended without a single error line, and not with 0, has checked nothing.
const hasFailed = status !== 0 && !lines.some(isError);
for (const line of found) console.error(line);
if (hasFailed) console.error(stdout, stderr);
process.exitCode = found.length > 0 || hasFailed ? 1 : 0;
