// Reads the JSON report of a test run.
//
//   node .ci/no-skips.mjs REPORT          fails if a test was skipped, unless the reason is that
//                                         its backend does not offer what the test is about
//   node .ci/no-skips.mjs --count REPORT  prints `N passed, N failed, N skipped`
import { readFileSync } from 'node:fs';

const capability = 'not offered by this backend';
const missing = 'skipped: no ';

const args = process.argv.slice(2);
const onlyCount = args[0] === '--count';
const results = read(onlyCount ? args[1] : args[0]);
const tests = results.flatMap((file) => file.assertionResults);
const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');

if (onlyCount) {
  const passed = tests.filter((test) => test.status === 'passed').length;
  // A file that fails before it has registered a test counts as one failure.
  const broken = results.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  const failed = tests.filter((test) => test.status === 'failed').length + broken.length;
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
} else {
  const unexcused = skipped.filter((test) => !test.fullName.includes(capability));
  for (const test of unexcused) {
    const why = test.fullName.includes(missing) ? 'a part is missing' : 'it gives no reason';
    console.error(`skipped, and ${why}: ${test.fullName}`);
  }
  if (tests.length === 0) console.error('the report lists no test at all');
  if (unexcused.length > 0 || tests.length === 0) process.exitCode = 1;
}

/** The files of a report; none if the run ended before it was written. */
function read(path) {
  const text = readFileSync(path, 'utf8');
  return text === '' ? [] : JSON.parse(text).testResults;
}
