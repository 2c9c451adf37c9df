/** `node summary.mjs VITEST_REPORT EXIT_CODE_OF_TESTS EXIT_CODE_OF_CHECK`: the end of .ci/run's output, and its exit code. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [reportPath, testsExit, checkExit] = process.argv.slice(2);
const { passed, failures } = testsIn(reportPath);
// vitest also fails for what is no test: nothing to run, an error outside of tests, a set-up that failed.
if (testsExit !== '0' && failures.length === 0) failures.push(`npm test ended with exit code ${testsExit}`);
if (testsExit === '0' && passed === 0) failures.push('npm test ran no test');
if (checkExit !== '0') failures.push(`npm run check ended with exit code ${checkExit}`);

console.log(
  ['', ...failures.map((failure) => `failed: ${failure}`), `${passed} passed, ${failures.length} failed`].join('\n'),
);
process.exitCode = failures.length === 0 ? 0 : 1;

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
