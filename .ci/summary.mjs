/**
 * `node summary.mjs (COMMAND EXIT_CODE REPORT)...`: the end of .ci/run's output, and its exit code.
 * REPORT is vitest's JSON report, and each of its tests counts. A command without tests has `-` there, and counts as one test.
 * A failed test is named with its error: of a long run, often only the end is kept.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const args = process.argv.slice(2);
const results = [];
while (args.length > 0) results.push(resultOf(...args.splice(0, 3)));

const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failures = results.flatMap((result) => result.failures);

console.log(
  ['', ...failures.map((failure) => `failed: ${failure}`), `${passed} passed, ${failures.length} failed`].join('\n'),
);
process.exitCode = failures.length === 0 ? 0 : 1;

function resultOf(command, exit, report) {
  const { passed, failures } = report === '-' ? { passed: exit === '0' ? 1 : 0, failures: [] } : testsIn(report);
  // vitest also fails without a failed test: nothing to run, an error outside of tests, a set-up that failed.
  if (exit !== '0' && failures.length === 0) failures.push(`${command} ended with exit code ${exit}`);
  if (exit === '0' && passed === 0) failures.push(`${command} ran no test`);
  return { passed, failures };
}

function testsIn(path) {
  const files = readReport(path);
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const failures = files.flatMap(({ name, status, assertionResults }) => {
    const file = relative('', name);
    const failed = assertionResults
      .filter((test) => test.status === 'failed')
      .map(({ fullName, failureMessages }) =>
        [`${file}: ${fullName}`, ...(failureMessages ?? []).map(shortened)].join('\n'),
      );
    return status === 'failed' && failed.length === 0 ? [`${file} could not be run`] : failed;
  });
  return { passed: tests.filter(({ status }) => status === 'passed').length, failures };
}

/** The message, and where it was thrown. */
function shortened(message) {
  const lines = message.split('\n').map((line) => `    ${line.trim().replaceAll(`file://`, '')}`);
  return lines.slice(0, 12).join('\n');
}

/** The report is missing or empty when the tests never started. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch {
    return [];
  }
}
