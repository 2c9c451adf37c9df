import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

const PASSED = { fullName: 'a bill run is emailed once', status: 'passed' };
const FAILED = {
  fullName: 'a resend is emailed again',
  status: 'failed',
  failureMessages: ['Error: 1 email instead of 2\n    at sends.test.ts:3:5'],
};
const SKIPPED = { fullName: 'on another machine', status: 'pending' };

test('the last line counts the tests that passed and failed', () => {
  const { lines, code } = summary({ tests: [PASSED, PASSED, FAILED, SKIPPED], testsExit: 1 });

  expect(lines.at(-1)).toBe('2 passed, 1 failed');
  expect(lines.slice(lines.indexOf('failed: sends.test.ts: a resend is emailed again')).slice(0, 3)).toEqual([
    'failed: sends.test.ts: a resend is emailed again',
    '    Error: 1 email instead of 2',
    '    at sends.test.ts:3:5',
  ]);
  expect(code).toBe(1);
});

test('a run whose tests passed has passed', () => {
  expect(summary({ tests: [PASSED] })).toMatchObject({ code: 0, lines: ['', '1 passed, 0 failed'] });
});

test('a test that passed on its second try is listed with the error of the first', () => {
  const repeated = { ...PASSED, failureMessages: FAILED.failureMessages };

  expect(summary({ tests: [repeated, PASSED] })).toEqual({
    code: 0,
    lines: [
      ...['', 'passed on its second try: sends.test.ts: a bill run is emailed once', '    Error: 1 email instead of 2'],
      ...['    at sends.test.ts:3:5', '2 passed, 0 failed'],
    ],
  });
});

test('a command without tests counts as one test', () => {
  expect(run('npm run check', '0', '-', 'npm run chaos', '1', '-')).toMatchObject({
    code: 1,
    lines: ['', 'failed: npm run chaos ended with exit code 1', '1 passed, 1 failed'],
  });
});

test('a file that cannot be loaded counts as one', () => {
  const { lines } = summary({ tests: [], fileStatus: 'failed', testsExit: 1 });

  expect(lines).toEqual(['', 'failed: sends.test.ts could not be run', '0 passed, 1 failed']);
});

test.each([
  ['that never started', { report: '', testsExit: 1 }, 'failed: npm test ended with exit code 1'],
  ['with an error outside of tests', { tests: [PASSED], testsExit: 1 }, 'failed: npm test ended with exit code 1'],
  ['that ran nothing', { tests: [] }, 'failed: npm test ran no test'],
])('a run %s has failed', (_name, what, line) => {
  const { lines, code } = summary(what);

  expect(lines).toContain(line);
  expect(code).toBe(1);
});

test('the tests of all suites count, and a suite that could not start is named', () => {
  const path = reportOf([PASSED]);

  const { lines, code } = run('npm test', '0', path, 'npm run test:ui', '1', `${path}.missing`);

  expect(lines).toEqual(['', 'failed: npm run test:ui ended with exit code 1', '1 passed, 1 failed']);
  expect(code).toBe(1);
  expect(run('npm test', '0', path, 'npm run test:ui', '0', path).lines.at(-1)).toBe('2 passed, 0 failed');
});

interface Run {
  readonly tests?: readonly object[];
  readonly fileStatus?: string;
  readonly report?: string;
  readonly testsExit?: number;
}

function summary({ tests = [], fileStatus = 'passed', report, testsExit = 0 }: Run) {
  return run('npm test', String(testsExit), reportOf(tests, fileStatus, report));
}

function reportOf(tests: readonly object[], fileStatus = 'passed', report?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bill-run-emails-ci-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'report.json');
  const files = [{ name: join(projectRoot, 'sends.test.ts'), status: fileStatus, assertionResults: tests }];
  writeFileSync(path, report ?? JSON.stringify({ testResults: files }));
  return path;
}

function run(...args: readonly string[]) {
  const summaryPath = join(projectRoot, '.ci', 'summary.mjs');
  const { status, stdout } = spawnSync(process.execPath, [summaryPath, ...args], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  return { code: status, lines: stdout.replace(/\n$/, '').split('\n') };
}
