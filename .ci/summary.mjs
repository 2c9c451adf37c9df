/**
 * `node summary.mjs EXIT_CODE_OF_CHECK (SUITE VITEST_REPORT EXIT_CODE)...`: the end of .ci/run's output, and its exit code.
 * A suite is named by the command that runs it.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [checkExit, ...args] = process.argv.slice(2);
const suites = [];
while (args.length > 0) suites.push(resultOf(...args.splice(0, 3)));

const passed = suites.reduce((sum, suite) => sum + suite.passed, 0);
const failures = suites.flatMap((suite) => suite.failures);
if (checkExit !== '0') failures.push(`npm run check ended with exit code ${checkExit}`);

console.log(
  ['', ...failures.map((failure) => `failed: ${failure}`), `${passed} passed, ${failures.length} failed`].join('\n'),
);
process.exitCode = failures.length === 0 ? 0 : 1;

function resultOf(suite, reportPath, exit) {
  const { passed, failures } = testsIn(reportPath);
  // vitest also fails for what is no test: nothing to run, an error outside of tests, a set-up that failed.
  if (exit !== '0' && failures.length === 0) failures.push(`${suite} ended with exit code ${exit}`);
  if (exit === '0' && passed === 0) failures.push(`${suite} ran no test`);
  return { passed, failures };
}

function testsIn(path) {
  const files = readReport(path);
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const failures = files.flatMap(({ name, status, assertionResults }) => {
    const file = relative('', name);
    const failed = assertionResults
      .filter((test) => test.status === 'failed')
      .map(({ fullName }) => `${file}: ${fullName}`);
    return status === 'failed' && failed.length === 0 ? [`${file} could not be run`] : failed;
  });
  return { passed: tests.filter(({ status }) => status === 'passed').length, failures };
}

/** There is none, or an empty one, when the tests never started. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch {
    return [];
  }
}
