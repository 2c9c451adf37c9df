/** The chaos script as people run it: short runs on real parts, with the shipped worker and with one that breaks a rule. */
import { readdirSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { ChaosResult } from '../../../proof/chaos/run.js';
import { plantWorker } from '../../../proof/explore/planted.js';
import { projectRoot } from '../../../scripts/project-root.js';
import { processesIn, startScript, temporaryFolder } from '../script.js';

/** A bound for a machine that is busy with other tests; a run takes less than a minute alone. */
const LONGEST_MS = 600_000;
const SHORT = ['--bill-runs', '12', '--seed', '7'];

const start = (args: readonly string[]) => startScript('chaos', args);

test('the rules hold in a short chaos run, and nothing is left of it', { timeout: LONGEST_MS }, async () => {
  const run = start([...SHORT, '--json']);
  const { code, stdout, stderr } = await run.ended;
  expect(stderr).toBe('');
  const result = JSON.parse(stdout) as ChaosResult;
  expect(result.violations).toEqual([]);
  expect(result).toMatchObject({ seed: 7, billRuns: 12, duplicates: 0, lost: 0 });
  expect(code).toBe(0);
  // It was chaos, and something was sent.
  for (const name of ['kills', 'serverRestarts', 'faults', 'sendsIntended', 'sendsAccepted', 'emails'] as const) {
    expect(result[name], name).toBeGreaterThan(0);
  }
  expect(result.documentsCompared.total).toBeGreaterThan(10);
  expect(result.sendsIntended).toBe(result.sendsAccepted + result.unsettled + result.superseded);
  expect(readdirSync(run.folder)).toEqual([]);
  expect(processesIn(run.folder)).toEqual([]);
});

test(
  'a worker that takes a new key for each attempt is seen in the mailbox, and the rule is named',
  { timeout: LONGEST_MS },
  async () => {
    const worker = await patchedWorker('workflows/rules/send.js', [
      'idempotencyKey(send.intent, send.keyNumber)',
      'idempotencyKey(send.intent, send.attempts.length + 1)',
    ]);
    const { code, stdout } = await start([...SHORT, '--json', '--worker', worker]).ended;
    const { duplicates, violations } = JSON.parse(stdout) as ChaosResult;
    expect(duplicates).toBeGreaterThan(0);
    expect(violations).toContainEqual(
      expect.objectContaining({ rule: 3, what: expect.stringMatching(/mailed \d times for one intent/) as string }),
    );
    expect(violations).toContainEqual(
      expect.objectContaining({ rule: 3, what: expect.stringContaining('a new key after an unknown') as string }),
    );
    expect(code).toBe(1);
  },
);

test.each([
  [
    'ignores the hold on all',
    'activities/last-question.js',
    ['answered(() => isHoldAllOpen(client()))', 'Promise.resolve(false)'],
    'hold on all',
  ],
  [
    'skips the last question',
    'activities/email-bill-run-documents.js',
    ['lastQuestion: lastQuestion(notAfter, LEAVE_WITHIN_MS)', 'lastQuestion: () => Promise.resolve(() => true)'],
    'after an order that forbids it',
  ],
] as const)('a worker that %s is named by rule 8', { timeout: LONGEST_MS }, async (_what, file, patch, words) => {
  const worker = await patchedWorker(file, patch);
  const { code, stdout } = await start(['--bill-runs', '40', '--seed', '7', '--json', '--worker', worker]).ended;
  const { violations } = JSON.parse(stdout) as ChaosResult;
  expect(violations).toContainEqual(
    expect.objectContaining({ rule: 8, what: expect.stringContaining(words) as string }),
  );
  expect(code).toBe(1);
});

test.runIf(process.platform === 'linux').each(['SIGINT', 'SIGTERM'] as const)(
  'a chaos run that ends by %s leaves nothing behind',
  async (signal) => {
    const run = start(SHORT);
    // Amid the chaos: it tells of its progress while workers are killed.
    await vi.waitUntil(() => run.stdout().includes('requests accepted'), 60_000);
    expect(processesIn(run.folder).length).toBeGreaterThan(2);

    run.kill(signal);

    expect((await run.ended).code).toBe(130);
    await vi.waitUntil(() => processesIn(run.folder).length === 0, 30_000);
    expect(readdirSync(run.folder)).toEqual([]);
  },
);

test.each([
  [['--bill-runs', '0'], 'It must be a whole number from 1 to 1000.'],
  [['--bill-runs', 'many'], 'It must be a whole number'],
  [['--seed', '-1'], 'It must be a whole number'],
  [['--worker', 'no-such-file.js'], 'There is no such file.'],
  [['--evidence', projectRoot], 'The folder is not empty.'],
  [['--calm'], "unknown option '--calm'"],
  [['much'], 'too many arguments'],
])('%j is refused, and nothing is started', async (args, words) => {
  const { code, stdout, stderr } = await start(args).ended;
  expect(stderr).toContain(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('--help shows examples', async () => {
  const { code, stdout } = await start(['--help']).ended;
  expect(stdout).toContain('npm run chaos -- --bill-runs 200 --seed 7 --json');
  expect(code).toBe(0);
});

/** A copy of the build in which a rule is broken. Nothing in the product can do that. */
function patchedWorker(file: string, patch: readonly [string, string]): Promise<string> {
  return plantWorker({ name: file, file, patch }, temporaryFolder());
}
