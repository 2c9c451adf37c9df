/** The library waits until bill runs are emailed, by what Temporal shows. */
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { BillRunEmails, type Settled } from '../../client/index.js';
import { sendTooMany } from '../support/server.js';
import { openRig, type Rig } from '../support/rig.js';
import { createAuthority, openDoor } from '../support/temporal-door.js';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ deliveryIntervalMs: 400 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rig.afterTest();
});
afterAll(() => rig.close());

interface BillRun {
  readonly number: string;
  readonly id: string;
  readonly documents: readonly { readonly number: string }[];
}

const posted = (wanted: object = {}) => rig.billRun.create(wanted) as Promise<BillRun>;
const post = (number: string) => rig.billRun.change(number, { status: 'Posted' });
const failing = (number: string) =>
  rig.control('PATCH', `/documents/${number}`, { email: 'failed', reason: 'unknown SMTP host' });

test('waits by news of the job, not by asking again and again', async () => {
  const { number } = await rig.startWaiting();
  const describes = vi.spyOn(rig.client.workflowService, 'describeWorkflowExecution');
  const queries = vi.spyOn(rig.client.workflowService, 'queryWorkflow');
  const name = { billRunKey: number };
  expect(await rig.emails.settled(name, { longestMs: 1_500 })).toMatchObject({
    ...{ outcome: 'waiting', state: 'Waiting', reason: 'notPosted' },
    text: 'The time is over; the job is Waiting (notPosted), and goes on by itself.',
  });
  expect(describes.mock.calls.length).toBeLessThan(4);
  const waiting = rig.emails.settled(name);
  await post(number);
  expect(await waiting).toMatchObject({ outcome: 'accepted', state: 'Delivering', sends: 1 });
  expect(queries).not.toHaveBeenCalled();
  // It has settled before.
  expect(await rig.emails.settled(name)).toMatchObject({ outcome: 'accepted' });
  expect(await rig.emails.settled(name, { until: 'emailed' })).toMatchObject({ outcome: 'emailed', state: 'Emailed' });
});

test('names the documents that were not sent; a retry is waited for, also when it is repeated', async () => {
  const { number, documents } = await posted();
  const [failed] = documents;
  await failing(failed?.number ?? '');
  const { workflowId } = await rig.start({ billRunKey: number });
  expect(await rig.emails.settled({ workflowId }, { until: 'emailed' })).toMatchObject({
    ...{ outcome: 'notSent', documentsNotSent: 1, text: expect.stringContaining('unknown SMTP host') as string },
    documents: [{ number: failed?.number, outcome: 'notSent' }],
  });
  expect(await rig.emails.settled({ workflowId })).toMatchObject({ outcome: 'notSent' });
  await rig.control('PATCH', `/documents/${failed?.number ?? ''}`, { email: 'sent' });
  for (const until of ['accepted', 'emailed', 'accepted'] as const) {
    await rig.emails.retry({ billRunKey: number }, { requestId: 'R-1' });
    const outcome = await rig.emails.settled({ billRunKey: number, retry: true }, { until });
    expect(outcome).toMatchObject({ outcome: until, sends: 2 });
  }
});

test('a retry answers a question, and its send is waited for', async () => {
  const { number } = await posted();
  await rig.fault({
    ...{ path: `/v1/bill-runs/${number}/emails`, fault: 'respond', status: 400 },
    body: { success: false, reasons: [{ code: 58730020, message: 'no' }] },
  });
  await rig.start({ billRunKey: number });
  const refused = await rig.emails.settled({ billRunKey: number });
  expect(refused).toMatchObject({ outcome: 'needsPerson', text: expect.stringContaining('58730020') as string });
  await rig.emails.retry({ billRunKey: number });
  expect(await rig.emails.settled({ billRunKey: number, retry: true })).toMatchObject({
    outcome: 'accepted',
    sends: 1,
  });
});

test('a job on hold, or paused by the button of Temporal, needs a person', async () => {
  const { number } = await posted();
  await rig.start({ billRunKey: number, hold: true });
  expect(await rig.emails.settled({ billRunKey: number })).toMatchObject({
    ...{ outcome: 'needsPerson', state: 'Held', text: 'On hold, until somebody releases it.' },
  });
  const { number: other, job } = await rig.startWaiting();
  const of = { namespace: 'default', workflowId: job.workflowId, identity: 'ann', reason: 'a test' };
  await rig.client.workflowService.pauseWorkflowExecution(of);
  expect(await rig.emails.settled({ billRunKey: other })).toMatchObject({
    ...{ outcome: 'needsPerson', text: 'The job is paused in Temporal; status says by whom.' },
  });
  await rig.client.workflowService.unpauseWorkflowExecution(of);
  const waiting = rig.emails.settled({ billRunKey: other });
  await post(other);
  expect(await waiting).toMatchObject({ outcome: 'accepted' });
});

test('a job that closes without emailing ends the wait, and one that is opened again is waited for', async () => {
  const { number, job } = await rig.startWaiting();
  const name = { billRunKey: number };
  const waiting = rig.emails.settled(name);
  await job.signal('finish');
  const ended = await waiting;
  expect(ended).toMatchObject({ outcome: 'notEmailed', state: 'Stopped', reason: 'finish' });
  await rig.emails.start({ ...name, again: true });
  const again = rig.emails.settled(name);
  await post(number);
  expect(await again).toMatchObject({ outcome: 'accepted' });
  expect((await again).runId).not.toBe(ended.runId);
});

test('a job that closes at its acceptance has no follow-up, so nothing more is known', async () => {
  const { number } = await posted();
  await rig.start({ billRunKey: number, openFor: '0s' });
  expect(await rig.emails.settled({ billRunKey: number }, { until: 'emailed' })).toMatchObject({
    ...{ outcome: 'accepted', text: expect.stringContaining('no more is known') as string },
  });
});

test('a start by ID is followed to the job of the number, and a job that continues as new goes on', async () => {
  const { id, number } = (await rig.billRun.create({ status: 'Completed' })) as BillRun;
  const { workflowId } = await rig.start({ billRunKey: id });
  const waiting = rig.emails.settled({ workflowId });
  const own = rig.own(number);
  await vi.waitFor(() => own.describe(), { timeout: 20_000 });
  await sendTooMany(own, 'billRunPosted');
  await post(number);
  expect(await waiting).toMatchObject({ outcome: 'accepted', workflowId: own.workflowId });
});

test('no worker is needed, until there is something to do', async () => {
  const { number } = await posted();
  await rig.stopWorker();
  await rig.start({ billRunKey: number });
  const name = { billRunKey: number };
  expect(await rig.emails.settled(name, { longestMs: 300 })).toMatchObject({ outcome: 'waiting' });
  const waiting = rig.emails.settled(name);
  await rig.startWorker();
  expect(await waiting).toMatchObject({ outcome: 'accepted' });
});

test('goes on where Temporal was away, and is back', async () => {
  const authority = await createAuthority();
  const door = await openDoor(inject('temporalAddress'), { identity: await authority.server('localhost') });
  onTestFinished(() => door.close());
  const tls = { serverRootCACertificate: Buffer.from(authority.cert) };
  const connection = await Connection.connect({ address: door.address, tls });
  onTestFinished(() => connection.close());
  const emails = new BillRunEmails(new Client({ connection }), { taskQueue: rig.taskQueue, deadlineMs: 500 });
  const { number } = await rig.startWaiting();
  const methods = ['DescribeWorkflowExecution', 'GetWorkflowExecutionHistory'];
  door.setIll('away', ...methods);
  await expect(emails.settled({ billRunKey: number }, { longestMs: 1_000 })).rejects.toMatchObject({
    type: 'TemporalUnavailable',
  });
  const [one, many] = [emails.settled({ billRunKey: number }), collected(emails, [number])];
  await post(number);
  await rig.state(rig.own(number), 'Emailed');
  door.setIll('away');
  expect(await one).toMatchObject({ outcome: 'accepted' });
  expect(await many).toMatchObject([{ outcome: 'accepted' }]);
});

test('Temporal has no such job', async () => {
  await expect(rig.emails.settled({ billRunKey: 'BR-NONE' })).rejects.toMatchObject({ type: 'NotFound' });
});

async function collected(emails: BillRunEmails, numbers: readonly string[]): Promise<readonly Settled[]> {
  const found: Settled[] = [];
  for await (const each of emails.settledMany(numbers.map((billRunKey) => ({ billRunKey })))) {
    if (each.ok) found.push(each.value);
  }
  return found;
}

test('of many, each is answered once it settles, also one that is there twice, or not at all', async () => {
  await rig.stopWorker();
  // More than are looked at in turn.
  const created = await Promise.all(Array.from({ length: 40 }, () => posted({ invoices: 1, creditMemos: 0 })));
  const numbers = created.map(({ number }) => number);
  for await (const { ok } of rig.emails.startMany(numbers.map((billRunKey) => ({ billRunKey })))) expect(ok).toBe(true);
  const [first = '', held = '', stopped = ''] = numbers;
  await rig.own(held).signal('hold');
  const list = vi.spyOn(rig.client.workflowService, 'listWorkflowExecutions');
  const requests = [...numbers, 'BR-NONE', first].map((billRunKey) => ({ billRunKey }));
  const found: string[] = [];
  for await (const { request, ...each } of rig.emails.settledMany(requests)) {
    const outcome = each.ok ? each.value.outcome : each.error.type;
    // Before a worker runs, only this is known.
    if (found.length === 0) {
      await rig.client.workflow.getHandle(`email-bill-run/${stopped}`).terminate();
      await rig.startWorker();
    }
    found.push(`${request.billRunKey} ${outcome}`);
  }
  const others = numbers.slice(3).map((number) => `${number} accepted`);
  const ofFirst = `${first} accepted`;
  expect(found[0]).toBe('BR-NONE NotFound');
  expect(found.toSorted()).toEqual(
    ['BR-NONE NotFound', `${held} needsPerson`, `${stopped} notEmailed`, ofFirst, ofFirst, ...others].toSorted(),
  );
  expect(list).toHaveBeenCalled();
});
