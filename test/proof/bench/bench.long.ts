/** The bench on real parts, with a few of everything: whether it measures, not how fast anything is. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { projectRoot } from '../../../scripts/project-root.js';
import { percentile, spreadOf } from '../../../proof/bench/statistics.js';

const run = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [join(projectRoot, 'dist', 'proof', 'bench', 'main.js'), ...args]);

const number = expect.any(Number) as number;
const spread = {
  median: expect.toSatisfy((value) => value > 0) as number,
  min: number,
  max: number,
};

test('each figure has what docs/performance.md tells of it', async () => {
  const figures = 'throughput,latency,reaction,history,billableActions,costs,recovery,monthEnd,start';
  const { stdout } = await run('--quick', '--json', '--only', figures);
  const measured = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
  expect(Object.keys(measured).sort()).toEqual(['machine', 'quick', ...figures.split(',')].sort());
  expect(measured['throughput']).toMatchObject({
    ratio: spread.median,
    ratios: { floor: spread, listedFloor: spread },
    perSecond: { ours: spread, floor: spread, listedFloor: spread },
  });
  expect(measured['latency']).toMatchObject({ ratio: spread.median, ms: { ours: spread, floor: spread } });
  expect(measured['reaction']).toMatchObject({ p50: number, p99: number, signals: 5 });
  expect(measured['start']).toMatchObject({ ms: { ours: spread, bare: spread }, processes: 2 });

  expect(measured['recovery']).toMatchObject({
    seconds: { ours: { p50: number, worst: number }, emailFloor: { p50: number, worst: number } },
  });
  expect(measured['monthEnd']).toMatchObject({
    ratio: number,
    seconds: { ours: number, allowed: number },
    billRuns: 40,
  });

  // These count, and are the same on any machine.
  expect(measured['costs']).toMatchObject({
    callsOfWorker: { DescribeWorkflowExecution: 3 },
    orders: { events: number },
  });
  expect(measured['billableActions']).toEqual({
    posted: { ours: 5, floor: 3 },
    // Its start, what it shows twice more, the deadline, 21 reads in two activities, and the email.
    after20Polls: { ours: 27, pollLoop: 43 },
  });
  const { '10 minutes': short, '1 day': day, '30 days': month } = measured['history'] as Record<string, object>;
  expect(month).toEqual({
    ...short,
    bytes: number,
    reads: number,
    actions: number,
  });
  expect(day).toMatchObject({ events: (short as { events: number }).events });
  expect(measured['history']).toMatchObject({
    'posted, not followed': { actions: 5 },
    'all sent at the first check': { actions: 11 },
    'one not sent': { actions: 11 },
  });
});

test('an unknown figure is refused, with the names of those that there are', async () => {
  await expect(run('--only', 'speed')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('There is no figure speed; there are start, cli, latency') as string,
  });
});

test('the median of an even number lies between the two in the middle, and a percentile is a value that was measured', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spreadOf([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([percentile(hundred, 50), percentile(hundred, 99), percentile(hundred, 100)]).toEqual([50.5, 99, 100]);
});
