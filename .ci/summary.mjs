/**
 * `node summary.mjs (COMMAND EXIT_CODE REPORT)...`: the end of .ci/run's output, and its exit code.
 * REPORT is vitest's JSON report, and each of its tests counts. A command without tests has `-` there, and counts as one test.
 * A test that failed is named with its error, and so is one that passed on its second try: of a long run, often only the end is kept.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const args = process.argv.slice(2);
const results = [];
while (args.length > 0) results.push(resultOf(...args.splice(0, 3)));

const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failures = results.flatMap((result) => result.failures);
const repeated = results.flatMap((result) => result.repeated);

console.log(
  [
    '',
    ...repeated.map((test) => `passed on its second try: ${test}`),
    ...failures.map((failure) => `failed: ${failure}`),
    `${passed} passed, ${failures.length} failed`,
  ].join('\n'),
);
process.exitCode = failures.length === 0 ? 0 : 1;

function resultOf(command, exit, report) {
  const none = { failures: [], repeated: [] };
  const { passed, failures, repeated } = report === '-' ? { passed: exit === '0' ? 1 : 0, ...none } : testsIn(report);
  // vitest also fails without a failed test: nothing to run, an error outside of tests, a set-up that failed.
  if (exit !== '0' && failures.length === 0) failures.push(`${command} ended with exit code ${exit}`);
  if (exit === '0' && passed === 0) failures.push(`${command} ran no test`);
  return { passed, failures, repeated };
}

function testsIn(path) {
  const files = readReport(path);
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const failures = files.flatMap((file) => {
    const failed = file.assertionResults.filter(({ status }) => status === 'failed').map(named(file));
    return file.status === 'failed' && failed.length === 0 ? [`${relative('', file.name)} could not be run`] : failed;
  });
  const passed = tests.filter(({ status }) => status === 'passed');
  // vitest keeps the errors of the first try.
  const repeated = files.flatMap((file) =>
    file.assertionResults
      .filter(({ status, failureMessages }) => status === 'passed' && failureMessages?.length > 0)
      .map(named(file)),
  );
  return { passed: passed.length, failures, repeated };
}

function named({ name }) {
  return ({ fullName, failureMessages }) =>
    [`${relative('', name)}: ${fullName}`, ...(failureMessages ?? []).map(shortened)].join('\n');
}

/** The message, and where it was thrown. */
function shortened(message) {
  const lines = message.split('\n').filter((line) => !line.includes('/node_modules/'));
  return lines
    .slice(0, 40)
    .map((line) => `    ${line.trim().replaceAll(`file://`, '')}`)
    .join('\n');
}

/** The report is missing or empty when the tests never started. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch {
    return [];
  }
}
