/** `sweep`, its schedule by `setup`, and what `doctor` says of it. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Diagnosis, SweepResult } from '../../../client/index.js';
import { simulatorEnvironment } from '../../../scripts/simulator-control.js';
import { cli, type Ended } from '../../support/command-line.js';
import { openReceiver } from '../../support/receiver.js';
import { newNamespace, openRig, until, type Rig } from '../../support/rig.js';

let rig: Rig;
let receiver: Awaited<ReturnType<typeof openReceiver>>;
beforeAll(async () => {
  receiver = await openReceiver();
  rig = await openRig({ namespace: await newNamespace(), receiver: { url: () => receiver.url } });
  vi.stubEnv('TEMPORAL_NAMESPACE', rig.client.options.namespace);
  vi.stubEnv('BILL_RUN_TASK_QUEUE', rig.taskQueue);
  for (const [name, value] of Object.entries(simulatorEnvironment(rig.simulatorUrl))) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rig.close();
  await receiver.close();
});

const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

test('a sweep exits 0 if nothing is forgotten, 4 if something is, and starts it if a date is given', async () => {
  expect(await cli('sweep')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('0 bill runs posted since') as string,
  });
  const { number } = await rig.billRun.create();
  const found = await cli('sweep', '--json');
  expect(found.code).toBe(4);
  expect(json(found)).toMatchObject({
    ...{ billRunKey: null, workflowId: 'sweep-bill-runs', ok: true, looked: 1, started: [], waitingForPeople: [] },
    forgotten: [{ billRunNumber: number, why: 'no job' }],
  });
  const inWords = await cli('sweep', '--posted-since', '2 hours');
  expect(inWords.code).toBe(4);
  expect(inWords.stdout).toContain(`Forgotten: ${number}, posted `);
  expect(inWords.stdout).toContain('bill-run-emails start <bill-run>');

  const started = await cli('sweep', '--start', '--start-posted-since', ago(60_000), '--json');
  expect(started.code).toBe(0);
  expect((json(started) as SweepResult).started).toEqual([number]);
  await rig.accepted(rig.own(number), 1);
  expect((json(await cli('sweep', '--json')) as SweepResult).counts).toMatchObject({ emailed: 1, forgotten: 0 });
});

test.each([
  [['--start'], '--start needs --start-posted-since <date>'],
  [['--start-posted-since', '2026-11-01'], '--start-posted-since needs --start'],
  [['--posted-since', '3'], '--posted-since must be a duration'],
  [['--start', '--start-posted-since', '1.11.2026'], '--start-posted-since must be a date such as 2026-11-01'],
  [['--entity', 'e-1'], '--entity must be left out'],
])('sweep %j is refused', async (args, message) => {
  const { code, stderr } = await cli('sweep', ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

test('setup creates, changes and removes the schedule; doctor says when it last ran, and how it ended', async () => {
  const sweepCheck = async () =>
    (json(await cli('doctor', '--json')) as Diagnosis).checks.find(({ name }) => name === 'sweep');
  expect(await sweepCheck()).toMatchObject({
    result: 'ok',
    text: expect.stringContaining('to have one: bill-run-emails setup --sweep 1h') as string,
  });
  expect(json(await cli('setup', '--sweep', '1h', '--json'))).toMatchObject({ sweep: 'created' });
  expect(await sweepCheck()).toMatchObject({
    result: 'ok',
    text: 'bill runs that nobody emailed are looked for every 1h; it has not run yet',
  });

  const { number } = await rig.billRun.create();
  const schedule = rig.client.schedule.getHandle('sweep-bill-runs');
  /** The workflow id of the sweep with this number, once it has closed. */
  const swept = async (count: number): Promise<string> => {
    const { recentActions } = await until(
      async () => (await schedule.describe()).info,
      ({ recentActions: taken }) => taken.length === count,
    );
    const { workflowId = '' } = recentActions.at(-1)?.action.workflow ?? {};
    await rig.client.workflow
      .getHandle(workflowId)
      .result()
      .catch(() => undefined);
    const query = `WorkflowId = '${workflowId}' AND ExecutionStatus != 'Running'`;
    await until(
      () => rig.client.workflow.count(query),
      ({ count: closed }) => closed > 0,
    );
    return workflowId;
  };
  await schedule.trigger();
  const workflowId = await swept(1);
  expect(workflowId).toMatch(/^sweep-bill-runs-\d{4}-/);
  const result = (await rig.client.workflow.getHandle(workflowId).result()) as SweepResult;
  expect(result).toMatchObject({ started: [], forgotten: [{ billRunNumber: number }] });
  expect(await sweepCheck()).toMatchObject({ result: 'ok', text: expect.stringContaining('; last at 20') as string });

  const message = await until(
    () => Promise.resolve(receiver.of({ workflowId })[0]),
    (found) => found !== undefined,
  );
  expect(message).toMatchObject({
    text: expect.stringContaining(`1 posted bill run without emails: ${number}: no job`) as string,
    ...{ forgotten: 1, waitingForPeople: 0, started: 0 },
  });
  await schedule.trigger();
  await swept(2);

  const since = ago(60_000);
  const changed = await cli('setup', '--sweep', '30m', '--start-posted-since', since, '--json');
  expect(json(changed)).toMatchObject({ sweep: 'changed' });
  await schedule.trigger();
  await swept(3);
  await rig.accepted(rig.own(number), 1);

  await rig.fault({
    ...{ method: 'GET', path: '/object-query/billing-runs', fault: 'respond', status: 403, times: 100 },
    body: { success: false, reasons: [{ code: 50000010, message: 'no permission' }] },
  });
  await schedule.trigger();
  await swept(4);
  await rig.control('DELETE', '/faults');
  expect(await sweepCheck()).toMatchObject({
    result: 'warning',
    text: expect.stringContaining('ended as FAILED') as string,
  });

  // Once for what is forgotten, however often a sweep finds it.
  expect(receiver.messages).toHaveLength(1);
  expect(json(await cli('setup', '--no-sweep', '--json'))).toMatchObject({ sweep: 'removed' });
  expect((await cli('setup', '--no-sweep')).stdout).toContain('there was no schedule');
});

test.each([
  [['--sweep', '10'], 'It must be a duration from 1m to 1d'],
  [['--start-posted-since', '2026-11-01'], '--start-posted-since needs --sweep'],
  [['--entity', 'e-1'], '--entity needs --sweep or --no-sweep'],
  [['--sweep', '1h', '--start-posted-since', 'yesterday'], '--start-posted-since must be a date'],
])('setup %j is refused', async (args, message) => {
  const { code, stderr } = await cli('setup', ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
