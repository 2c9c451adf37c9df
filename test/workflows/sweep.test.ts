/** Sweeps, on a real Temporal server in a namespace of their own, and a simulated Zuora. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SweepResult } from '../../workflows/contract/sweep.js';
import { emailsPerDocument, newNamespace, openReplayer, openRig, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ namespace: await newNamespace() });
});
afterAll(() => rig.close());

const forgottenIn = ({ forgotten }: SweepResult): Record<string, string> =>
  Object.fromEntries(forgotten.map(({ billRunNumber, why }) => [billRunNumber, why]));

const HOUR = 60 * 60_000;
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

/** A bill run that was posted some time ago. */
async function posted(ms: number, wanted: object = {}): Promise<string> {
  const { number } = await rig.billRun.create(wanted);
  await rig.billRun.change(number, { postedDate: ago(ms) });
  return number;
}

async function closed(number: string): Promise<void> {
  const job = rig.own(number);
  await until(
    () => job.describe(),
    ({ status }) => status.name !== 'RUNNING',
  );
}

test('names what nobody emailed with its reason, counts the rest, and starts nothing', async () => {
  const [lost, auto, elsewhere, empty] = [
    await posted(HOUR),
    await posted(HOUR, { autoEmail: true }),
    await posted(HOUR),
    await posted(HOUR, { invoices: 0, creditMemos: 0 }),
  ];
  await rig.billRun.change(elsewhere, { invoicesEmailed: true });
  const emailed = await posted(HOUR);
  await rig.accepted(await rig.start({ billRunKey: emailed, coolDown: '0s' }), 1);
  const stopped = await rig.startWaiting();
  await stopped.job.signal('finish');
  await closed(stopped.number);
  const late = await rig.startWaiting({ postDeadline: '1s' });
  await closed(late.number);
  for (const { number } of [stopped, late]) await rig.billRun.change(number, { status: 'Posted' });
  await rig.billRun.create({ status: 'Completed' });

  const result = await rig.emails.sweep();
  expect(forgottenIn(result)).toEqual({
    [lost]: 'no job',
    [late.number]: 'its job closed as NotPosted before the post',
  });
  expect(result).toMatchObject({ workflowId: 'sweep-bill-runs', looked: 7, started: [], waitingForPeople: [] });
  expect(result.counts).toMatchObject({
    emailed: 1,
    autoEmail: 1,
    invoicesEmailed: 1,
    empty: 1,
    stopped: 1,
    forgotten: 2,
  });
  expect([auto, empty].filter((number) => number in forgottenIn(result))).toEqual([]);
  // The test namespace keeps closed jobs for a day, so the sweep does not look back for three.
  expect(Date.now() - Date.parse(result.since)).toBeLessThan(24 * HOUR + 5 * 60_000);
  const history = await rig.client.workflow.getHandle('sweep-bill-runs').fetchHistory();
  expect(history.events?.length).toBeLessThan(15);
  const replayer = openReplayer();
  await replayer.replayHistory(history, 'sweep-bill-runs');
  await replayer.close();
});

test('does not look back further than asked', async () => {
  const old = await posted(3 * HOUR);
  expect(forgottenIn(await rig.emails.sweep({ postedSince: '2 hours' }))).not.toHaveProperty(old);
  expect(forgottenIn(await rig.emails.sweep({ postedSince: '4 hours' }))).toHaveProperty(old);
});

test('starts what was forgotten and posted since the date, once, and nothing while all jobs are on hold', async () => {
  const [before, since] = [await posted(5 * HOUR), await posted(HOUR)];
  const late = await rig.startWaiting({ postDeadline: '1s' });
  await closed(late.number);
  await rig.billRun.change(late.number, { status: 'Posted' });
  const start = { startPostedSince: ago(2 * HOUR) };

  await rig.emails.holdAll({ requestedBy: 'alice' });
  const held = await rig.emails.sweep(start);
  expect(held.started).toEqual([]);
  expect(held.notStarted).toContain('all jobs are on hold; to go on: bill-run-emails release --all');
  await rig.emails.releaseAll();

  const { started, notStarted } = await rig.emails.sweep(start);
  expect(started).toEqual(expect.arrayContaining([since, late.number]));
  expect(started).not.toContain(before);
  expect(notStarted).toMatch(/may have been posted before/);
  for (const number of [since, late.number]) {
    const [send] = await rig.accepted(rig.own(number), 1);
    expect(send?.requests).toMatchObject([
      { requestedBy: 'sweep', reason: expect.stringContaining('sweep-bill-runs') as string },
    ]);
    expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
  }
  expect((await rig.emails.sweep(start)).started).toEqual([]);
  expect(await rig.emailCalls(since)).toHaveLength(1);
});

test('names a job that nobody noticed the post for, and has it look at once', async () => {
  const slow = await openRig({
    ...{
      namespace: rig.client.options.namespace,
      taskQueue: rig.taskQueue,
      zuoraUrl: rig.simulatorUrl,
    },
    polling: { first: 3_600_000, longest: 3_600_000, afterAnHour: 3_600_000 },
  });
  await rig.stopWorker();
  const { number } = await rig.billRun.create({ status: 'Completed' });
  const job = await rig.start({ billRunKey: number, coolDown: '0s' });
  await rig.state(job, 'Waiting');
  await until(
    () => job.describe(),
    ({ raw }) => (raw.pendingActivities ?? []).some(({ attempt }) => Number(attempt) > 1),
  );
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.billRun.change(number, { postedDate: ago(31 * 60_000) });
  expect(forgottenIn(await rig.emails.sweep())).toMatchObject({
    [number]: 'its job still waits as notPosted, over 30 minutes after the post',
  });
  const nudged = await rig.emails.sweep({ startPostedSince: ago(HOUR) });
  expect(nudged.started).not.toContain(number);
  expect(nudged.notStarted).toContain('jobs that waited already look now');
  await rig.accepted(job, 1);
  await slow.close();
  await rig.startWorker();
});

test('leaves alone what was started by the ID, and is held or was stopped', async () => {
  const [held, stopped] = [await rig.billRun.create(), await rig.billRun.create()];
  const job = await rig.start({ billRunKey: held.id, hold: true });
  const other = await rig.start({ billRunKey: stopped.id, hold: true });
  await rig.state(other, 'Held');
  await other.signal('finish');
  await other.result();
  const { forgotten, started } = await rig.emails.sweep({ startPostedSince: ago(HOUR) });
  const named = forgotten.map(({ billRunNumber }) => billRunNumber);
  for (const { number } of [held, stopped]) expect([...named, ...started]).not.toContain(number);
  await job.signal('finish');
});

test('names jobs that wait for people, also of bill runs that were posted long ago', async () => {
  const number = await posted(HOUR);
  await rig.fault({
    ...{ path: `/v1/bill-runs/${number}/emails`, fault: 'respond', status: 400, times: 10 },
    body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
  });
  const job = await rig.start({ billRunKey: number, coolDown: '0s', openFor: '1s' });
  await expect(job.result()).rejects.toThrow();
  await until(
    () => rig.emails.list({ number, states: ['Unsettled'] }).next(),
    ({ done }) => done !== true,
  );
  await rig.billRun.change(number, { status: 'Canceled' });
  const { waitingForPeople, forgotten } = await rig.emails.sweep();
  expect(waitingForPeople).toContainEqual({
    ...{ billRunNumber: number, workflowId: job.workflowId, state: 'Unsettled', reason: 'refused' },
    why: 'its job closed as Unsettled',
  });
  expect(forgotten.map(({ billRunNumber }) => billRunNumber)).not.toContain(number);
});

test('reads all pages, and each bill run once', async () => {
  const before = (await rig.emails.sweep()).looked;
  await Promise.all(Array.from({ length: 120 }, () => posted(HOUR, { invoices: 1, creditMemos: 0 })));
  const { looked, counts, forgotten } = await rig.emails.sweep();
  expect(looked).toBe(before + 120);
  expect(new Set(forgotten.map(({ billRunId }) => billRunId)).size).toBe(counts.forgotten);
});

describe('A sweep', () => {
  test.each([
    [{ postedSince: '3' }, 'postedSince must be a duration'],
    [{ startPostedSince: 'yesterday' }, 'startPostedSince must be a date such as 2026-11-01'],
    [{ entityId: 'e/1' }, 'entityId must be'],
    [{ entityId: 'e-1' }, 'entityId must be left out'],
    [{ since: '3d' }, '"since" is unknown'],
  ])('refuses %j', async (input: object, message) => {
    await expect(rig.emails.sweep(input)).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(rig.emails.sweep(input)).rejects.toThrow(message);
  });

  test('fails if Zuora refuses the list, and says so', async () => {
    await rig.fault({
      ...{ method: 'GET', path: '/object-query/billing-runs', fault: 'respond', status: 403, times: 100 },
      body: { success: false, reasons: [{ code: 50000010, message: 'no permission' }] },
    });
    await expect(rig.emails.sweep()).rejects.toMatchObject({
      type: 'ZuoraUnavailable',
      message: expect.stringContaining('no permission') as string,
    });
    await rig.control('DELETE', '/faults');
  });

  test('is not run twice at once; without a worker it says so, and goes on once one runs', async () => {
    await rig.stopWorker();
    const patient = rig.emails.sweep();
    await until(
      () => rig.client.workflow.getHandle('sweep-bill-runs').describe(),
      ({ status }) => status.name === 'RUNNING',
    );
    await expect(rig.emails.sweep()).rejects.toMatchObject({ type: 'Ignored' });
    await expect(patient).rejects.toMatchObject({ type: 'TemporalUnavailable' });
    await rig.startWorker();
    await rig.client.workflow.getHandle('sweep-bill-runs').result();
    await rig.emails.sweep();
  });
});

test('with Multi-entity sweeps one entity', async () => {
  const entities = await openRig({
    ...{ namespace: rig.client.options.namespace, multiEntity: true },
    simulator: { seed: 3, entities: ['e-1', 'e-2'] },
  });
  const [one, other] = await Promise.all(
    ['e-1', 'e-2'].map(async (entityId) => (await entities.billRun.create({ entityId })).number),
  );
  await expect(entities.emails.sweep()).rejects.toThrow('entityId is missing');
  // Callers in other languages send null for an absent field.
  const absent = { entityId: null } as unknown as { entityId?: string };
  await expect(entities.emails.sweep(absent)).rejects.toThrow('entityId is missing');
  const result = await entities.emails.sweep({ entityId: 'e-2', startPostedSince: ago(HOUR) });
  expect(result).toMatchObject({ workflowId: 'sweep-bill-runs/e-2', looked: 1, started: [other] });
  await entities.accepted(entities.own(other ?? '', 'e-2'), 1);
  expect(await entities.emailCalls(one ?? '')).toEqual([]);
  await entities.close();
});
