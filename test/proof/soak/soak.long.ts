/** The soak script as people run it, for a moment: that it measures, counts and judges. What grows takes minutes to tell. */
import { readdirSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { MEASURES } from '../../../proof/soak/flatness.js';
import { hasHeld, inWords, soakPlan, type SoakResult } from '../../../proof/soak/run.js';
import { processesIn, startScript } from '../script.js';

/** A bound for a machine that is busy with other tests; a run takes less than a minute alone. */
const LONGEST_MS = 600_000;
const SHORT = ['--minutes', '0.3', '--seed', '7'];

test(
  'a short soak measures the worker, sends everything once, and leaves nothing',
  { timeout: LONGEST_MS },
  async () => {
    const run = startScript('soak', [...SHORT, '--json']);
    const { code, stdout, stderr } = await run.ended;
    expect(stderr).toBe('');
    const result = JSON.parse(stdout) as SoakResult;
    expect(result).toMatchObject({ seed: 7, minutes: 0.3, billRunsPerMinute: 40, billRuns: 12, workersGone: 0 });
    expect(result).toMatchObject({ violations: [], duplicates: 0, lost: 0, verdict: 'tooShort' });
    expect(code).toBe(0);
    for (const name of ['faults', 'emails', 'sendsAccepted'] as const) expect(result[name], name).toBeGreaterThan(0);

    const measures = new Map(result.measures.map((trend) => [trend.measure, trend]));
    const known = Object.keys(MEASURES) as (keyof typeof MEASURES)[];
    const fromOutsideOnly = ['open files', 'sockets', 'threads'];
    for (const measure of known) {
      if (process.platform !== 'linux' && fromOutsideOnly.includes(measure)) continue;
      const trend = measures.get(measure);
      expect(trend?.samples, measure).toBeGreaterThanOrEqual(2);
      expect(trend?.end, measure).toBeGreaterThan(0);
      expect(trend?.growth, measure).toEqual(expect.any(Number));
      expect(trend, measure).toMatchObject({ limit: MEASURES[measure].limit, verdict: 'tooShort' });
    }
    // Of one worker: a Node process with Temporal's core in it takes more than 100 MB, and a Node heap some tens.
    expect(measures.get('resident memory')?.end).toBeGreaterThan(100_000_000);
    expect(measures.get('heap, main thread')?.end).toBeGreaterThan(10_000_000);
    expect(measures.get('heap, workflow thread')?.end).toBeGreaterThan(10_000_000);

    expect(inWords(result)).toMatch(/^heap, main thread +\d+ +[\d.]+ MB .* tooShort$/m);
    expect(inWords(result)).toContain('too short to judge growth, which takes 5 minutes');
    // What the exit code is made of.
    expect(hasHeld(result)).toBe(true);
    expect(hasHeld({ ...result, verdict: 'flat' })).toBe(true);
    expect(hasHeld({ ...result, verdict: 'grows' })).toBe(false);
    expect(hasHeld({ ...result, verdict: 'missing' })).toBe(false);
    expect(hasHeld({ ...result, workersGone: 1 })).toBe(false);
    expect(hasHeld({ ...result, violations: [{ rule: 3, billRun: 'BR-1', what: 'twice', evidence: {} }] })).toBe(false);

    expect(readdirSync(run.folder)).toEqual([]);
    expect(processesIn(run.folder)).toEqual([]);
  },
);

test.runIf(process.platform === 'linux')('a soak that is stopped leaves nothing behind', async () => {
  const run = startScript('soak', ['--minutes', '5']);
  await vi.waitUntil(() => run.stdout().includes('requests accepted'), 60_000);
  expect(processesIn(run.folder).length).toBeGreaterThan(2);

  run.kill('SIGINT');

  expect((await run.ended).code).toBe(130);
  await vi.waitUntil(() => processesIn(run.folder).length === 0, 30_000);
  expect(readdirSync(run.folder)).toEqual([]);
});

test.each([
  [['--minutes', '0'], 'It must be a number of minutes from 0.1 to 1440, such as 10 or 0.5.'],
  [['--minutes', '10m'], 'It must be a number of minutes'],
  [['--minutes', '1e2'], 'It must be a number of minutes'],
  [['--bill-runs-per-minute', '0'], 'It must be a whole number from 1 to 200.'],
  [['--minutes', '600', '--bill-runs-per-minute', '40'], 'Give fewer --minutes or fewer --bill-runs-per-minute.'],
  [['--worker', 'no-such-file.js'], 'There is no such file.'],
  [['--hours', '2'], "unknown option '--hours'"],
  [['long'], 'too many arguments'],
])('%j is refused, and nothing is started', async (args, words) => {
  const { code, stdout, stderr } = await startScript('soak', args).ended;
  expect(stderr).toContain(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('--help shows examples', async () => {
  const { code, stdout } = await startScript('soak', ['--help']).ended;
  expect(stdout).toContain('npm run soak -- --minutes 10 --json');
  expect(code).toBe(0);
});

test('bill runs come at a steady rate and go soon, and nobody ends the worker', () => {
  const plan = soakPlan({ seed: 7, minutes: 10, billRunsPerMinute: 40 });
  expect(soakPlan({ seed: 7, minutes: 10, billRunsPerMinute: 40 })).toEqual(plan);
  expect(soakPlan({ seed: 8, minutes: 10, billRunsPerMinute: 40 }).hash).not.toBe(plan.hash);
  for (let minute = 0; minute < 10; minute++) {
    const come = plan.billRuns.filter(({ at }) => at >= minute * 60_000 && at < (minute + 1) * 60_000);
    expect(come.length).toBeGreaterThanOrEqual(39);
    expect(come.length).toBeLessThanOrEqual(41);
  }
  for (const { at, orders, input } of plan.billRuns) {
    expect(Math.max(at, ...orders.map((order) => order.at))).toBeLessThan(at + 30_000);
    expect(['0s', '20 seconds']).toContain(input.openFor);
  }
  expect([...new Set(plan.disruptions.map(({ kind }) => kind))].sort()).toEqual(['cut', 'slow', 'stall']);
});
