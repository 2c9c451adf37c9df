/** `list`, as operators and scripts run it. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { billRunKeyOf } from '../../../client/cli/list.js';
import type { ListedJob } from '../../../client/index.js';
import { cli, cliGiven, jsonLines } from '../../support/command-line.js';
import { openRig, READS_FAIL, until, type Rig } from '../../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

/** Bill runs of one test, found by how their numbers begin. */
function numbers(count: number): { prefix: string; all: readonly string[] } {
  const prefix = `BR-${randomUUID().slice(0, 8).toUpperCase()}-`;
  return { prefix, all: Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`) };
}

const list = async (...args: string[]): Promise<readonly ListedJob[]> =>
  jsonLines(await cli('list', '--json', ...args)) as readonly ListedJob[];

const numbersIn = (runs: readonly ListedJob[]) => runs.map(({ billRunNumber }) => billRunNumber);

test('lists jobs by number, state, age and whether they are open, with what Temporal lists of each', async () => {
  const { prefix, all } = numbers(3);
  for (const number of all) {
    const { id } = await rig.billRun.create({ number, status: number === all[0] ? 'Posted' : 'Completed' });
    const handle = await rig.start({ billRunKey: number, openFor: '0s' });
    if (number === all[0]) await rig.result(handle);
    else await rig.state(handle, 'Waiting');
    if (number !== all[0]) continue;
    const [emailed] = await until(
      () => list('--number', number),
      ([run]) => run?.status === 'COMPLETED',
    );
    expect(emailed).toEqual({
      billRunKey: number,
      ok: true,
      workflowId: `email-bill-run/${number}`,
      runId: expect.any(String) as string,
      billRunNumber: number,
      billRunId: id,
      billRunStatus: 'Posted',
      state: 'Delivering',
      reason: null,
      since: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      sends: 1,
      documentsNotSent: null,
      status: 'COMPLETED',
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      closedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
  }
  const [first, second, third] = all;
  await until(
    () => list('--number', prefix, '--state', 'Waiting'),
    (runs) => runs.length === 2,
  );
  // Open ones first, and the newest first.
  expect(numbersIn(await list('--number', prefix))).toEqual([third, second, first]);
  expect(numbersIn(await list('--number', prefix, '--open'))).toEqual([third, second]);
  expect(numbersIn(await list('--number', prefix, '--limit', '1'))).toEqual([third]);
  expect(numbersIn(await list('--number', prefix, '--state', 'Delivering', '--state', 'Held'))).toEqual([first]);
  expect(await list('--number', prefix, '--older-than', '1 hour')).toEqual([]);
  expect(numbersIn(await list('--number', prefix, '--older-than', '0s'))).toHaveLength(3);

  const table = await cliGiven({ env: { FORCE_COLOR: '1' } }, 'list', '--number', prefix);
  expect(table).toMatchObject({ code: 0, stderr: '' });
  const time = expect.stringMatching(/^\d{4}-.*Z$/) as string;
  expect(table.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['BILL RUN', 'STATE', 'REASON', 'SINCE', 'IN ZUORA', 'SENDS', 'NOT SENT', 'STARTED', 'CLOSED'],
    [third, 'Waiting', 'notPosted', time, 'Completed', '0', '-', time, '-'],
    [second, 'Waiting', 'notPosted', time, 'Completed', '0', '-', time, '-'],
    [first, 'Delivering', '-', time, 'Posted', '1', '-', time, expect.stringMatching(/Z completed$/) as string],
    [''],
  ]);
  expect((await cli('list', '--number', prefix, '--limit', '2')).stderr).toContain('--limit 0');
  for (const number of [second, third]) await rig.own(number ?? '').signal('finish');
});

test('the library lists at most its limit, also jobs that have not seen their bill run yet', async () => {
  const { prefix, all } = numbers(5);
  for (const billRunKey of all) await rig.start({ billRunKey, postDeadline: '1 day' });
  const pages = async (limit: number): Promise<number> => {
    let count = 0;
    for await (const { workflowId } of rig.emails.list({ number: prefix, limit })) {
      expect(workflowId).toContain(prefix);
      count += 1;
    }
    return count;
  };
  await until(
    () => pages(0),
    (count) => count === 5,
  );
  expect(await pages(3)).toBe(3);
  for (const number of all) await rig.own(number).signal('finish');
});

test('counts the jobs to which the filters apply, by state and reason', async () => {
  const { prefix, all } = numbers(4);
  for (const number of all) {
    await rig.billRun.create({ number, status: 'Completed' });
    await rig.start({ billRunKey: number, hold: number.endsWith('1') });
  }
  await rig.own(all[3] ?? '').signal('finish');
  const summary = async (...args: string[]) => jsonLines(await cli('list', '--number', prefix, '--summary', ...args));
  await until(
    () => summary('--json'),
    (rows) => rows.length === 3 && JSON.stringify(rows).includes('"Waiting","reason":"notPosted","count":2'),
  );
  expect(await summary('--json')).toEqual([
    { state: 'Waiting', reason: 'notPosted', count: 2 },
    { state: 'Held', reason: 'job', count: 1 },
    { state: 'Stopped', reason: 'finish', count: 1 },
  ]);
  const { stdout } = await cli('list', '--number', prefix, '--summary', '--open');
  expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['STATE', 'REASON', 'JOBS'],
    ['Waiting', 'notPosted', '2'],
    ['Held', 'job', '1'],
    [''],
  ]);
  expect(await cli('list', '--summary', '--limit', '1')).toMatchObject({ code: 2, stdout: '' });
  for (const number of all.slice(0, 3)) await rig.own(number).signal('finish');
});

test('names an invalid filter, and lists nothing then', async () => {
  const wrong = [
    ['--state', 'Emailing'],
    ['--older-than', 'yesterday'],
    ['--number', "BR' OR '"],
    ['--limit', '-1'],
  ];
  for (const args of wrong) expect(await cli('list', ...args), args.join(' ')).toMatchObject({ code: 2, stdout: '' });
  expect((await cli('list', '--state', 'Emailing')).stderr).toContain('NeedsAttention');
  expect((await cli('list', '--number', 'BR-NONE-OF-THESE')).stdout).toBe('No job in namespace default matches.\n');

  const away = await cliGiven({ env: { TEMPORAL_NAMESPACE: 'not-there' } }, 'list');
  expect(away).toMatchObject({ code: 6, stdout: '' });
  expect(away.stderr).toContain('not-there');
  const json = await cliGiven({ env: { TEMPORAL_NAMESPACE: 'not-there' } }, 'list', '--json');
  expect(json).toMatchObject({ code: 6, stderr: away.stderr });
});

test('a job that has not seen its bill run is named by the key that it was started with', () => {
  const keyOf = (workflowId: string, billRunNumber: string | null = null) =>
    billRunKeyOf({ workflowId, billRunNumber });
  expect(keyOf('email-bill-run/BR-1')).toBe('BR-1');
  expect(keyOf('email-bill-run/8ad0/BR-1')).toBe('BR-1');
  expect(keyOf('of-my-own/1')).toBe('of-my-own/1');
  expect(keyOf('of-my-own/1', 'BR-1')).toBe('BR-1');
});

test('a job that cannot be read is listed with the words of one of them', async () => {
  const { number, job } = await rig.startWaiting();
  await rig.fault({ ...READS_FAIL, status: 503 });
  // What the activity returns after a minute of failures.
  const { raw } = await job.describe();
  const activityId = raw.pendingActivities?.[0]?.activityId ?? '';
  const result = { cannotRead: 'Zuora answered HTTP 503', since: Date.now() };
  await rig.client.activity.complete({ workflowId: job.workflowId, activityId }, result);
  await until(
    () => list('--number', number),
    ([listed]) => listed?.reason === 'cannotRead',
  );
  const { stdout, code } = await cli('list', '--number', number);
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^${number}: Reads of the bill run in Zuora have failed since .*HTTP 503`, 'm'));
  const { entries } = await rig.emails.audit({ billRunKey: number });
  expect(entries.map(({ text }) => text)).toContain('bill run cannot be read: Zuora answered HTTP 503');
});
