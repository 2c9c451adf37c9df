/** What became of each document, from the acceptance on: checks, states, and `retry` of what was not sent. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EmailBillRunResult, SendRecord } from '../../workflows/contract/contract.js';
import { request } from 'undici';
import { SIMULATOR_CREDENTIALS } from '../../simulator/index.js';
import { withoutJumps } from '../../scripts/time-skipping.js';
import { openRig, READS_FAIL, until, type Rig } from '../support/rig.js';

/** With checks that follow each other quickly, and with the plan's own, whose time is skipped. */
let rig: Rig;
let skipping: Rig;
beforeAll(async () => {
  rig = await openRig({ deliveryIntervalMs: 400 });
  skipping = await openRig();
});
afterEach(async () => {
  for (const each of [rig, skipping]) {
    await each.control('PATCH', '/settings', { missingPermissions: [], retriesFailed: true });
    await each.afterTest();
  }
});
afterAll(async () => {
  await rig.close();
  await skipping.close();
});

interface BillRun {
  readonly number: string;
  readonly id: string;
  readonly documents: readonly { readonly number: string }[];
}

const posted = (wanted: object = {}, at = rig) => at.billRun.create(wanted) as Promise<BillRun>;
const document = (number: string, change: object, at = rig) => at.control('PATCH', `/documents/${number}`, change);

/** The numbers of emails, by document. */
async function emails({ number, documents }: BillRun, at = rig): Promise<readonly number[]> {
  const mailbox = await at.mailbox(number);
  return documents.map((each) => mailbox.filter(({ documentNumber }) => documentNumber === each.number).length);
}

function keys(sends: readonly SendRecord[]): readonly string[] {
  return sends.flatMap(({ attempts }) => attempts.map(({ idempotencyKey: key }) => key.split('/').slice(2).join('/')));
}

async function activities(job: WorkflowHandle, name: string): Promise<number> {
  const { events } = await job.fetchHistory();
  return (events ?? []).filter((each) => each.activityTaskScheduledEventAttributes?.activityType?.name === name).length;
}

async function isListedNotSent(workflowId: string): Promise<boolean> {
  for await (const job of rig.emails.list({ notSent: true })) if (job.workflowId === workflowId) return true;
  return false;
}

/** Another client of the tenant, such as a person in Zuora, emails what was never emailed. */
async function emailInZuora(number: string): Promise<void> {
  const { clientId, clientSecret } = SIMULATOR_CREDENTIALS;
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };
  const login = await request(`${rig.simulatorUrl}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  const { access_token: token } = (await login.body.json()) as { access_token: string };
  const { statusCode } = await request(`${rig.simulatorUrl}/v1/bill-runs/${number}/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ resend: false }),
  });
  expect(statusCode).toBe(200);
}

describe('Each document', () => {
  it('is sent: the job is Emailed, and its checks are over', async () => {
    const billRun = await posted();
    const job = await rig.start({ billRunKey: billRun.number });
    const { documents, reason } = await rig.state(job, 'Emailed');
    expect([documents, reason]).toMatchObject([{ complete: true, total: 3, sent: 3, notSent: 0, list: [] }, null]);
    expect(await rig.listed(job)).toMatchObject({ state: 'Emailed', notSent: 0 });
    expect((await job.describe()).raw.pendingActivities).toEqual([]);
  });

  it('is named with its cause, if its email failed at the mail server', async () => {
    const billRun = await posted({ invoices: 100, creditMemos: 0 });
    const failing = billRun.documents.slice(10, 13).map(({ number }) => number);
    for (const number of failing) await document(number, { email: 'failed', reason: 'unknown SMTP host' });
    const job = await rig.start({ billRunKey: billRun.number });
    const { documents, text } = await rig.state(job, 'Delivering', 'notSent');
    expect(documents).toMatchObject({ total: 100, sent: 97, notSent: 3 });
    expect(documents?.list.map(({ number }) => number)).toEqual(failing);
    for (const { outcome, reason } of documents?.list ?? []) {
      expect([outcome, reason]).toEqual(['notSent', 'failed: unknown SMTP host']);
    }
    expect(text).toMatch(/^3 of 100 documents were not sent: .*Fix the cause in Zuora, then retry/);
    await until(() => isListedNotSent(job.workflowId), Boolean);
    expect(await rig.emails.start({ billRunKey: billRun.number })).toMatchObject({
      ...{ result: 'alreadyEmailed', documentsNotSent: 3 },
    });
  });

  it('is left out on purpose, and nobody is troubled, whatever the history shows', async () => {
    await rig.control('PATCH', '/settings', { missingPermissions: ['notificationHistory'] });
    const billRun = await posted({
      invoices: 10,
      creditMemos: 0,
      zeroAmountInvoices: 1,
      noEmailForZeroAmountInvoice: true,
    });
    const [first, second] = billRun.documents;
    for (const each of [first, second]) await document(each?.number ?? '', { invoiceDeliveryPrefsEmail: false });
    const job = await rig.start({ billRunKey: billRun.number });
    const { documents, state, reason } = await until(
      () => rig.status(job),
      (status) => status.documents !== null,
    );
    expect(reason).not.toBe('notSent');
    expect(['Delivering', 'Emailed']).toContain(state);
    expect(documents).toMatchObject({ total: 10, notSent: 0 });
  });

  it('is not known without the permission that its reason names, and everything else works', async () => {
    await rig.control('PATCH', '/settings', { missingPermissions: ['notificationHistory'] });
    const billRun = await posted();
    const job = await rig.start({ billRunKey: billRun.number });
    const { documents, state } = await until(
      () => rig.status(job),
      (status) => status.documents !== null,
    );
    expect([state, documents]).toMatchObject(['Delivering', { sent: 2, unknown: 1, notSent: 0 }]);
    expect(documents?.list[0]?.reason).toContain('Events & Notifications View Access');
    await rig.emails.finish({ billRunKey: billRun.number });
    expect(await rig.result(job)).toMatchObject({ state: 'Delivering', reason: null });
  });

  it('is followed where Zuora emails by itself', async () => {
    const billRun = await posted({ status: 'Completed', autoEmail: true });
    const job = await rig.start({ billRunKey: billRun.number });
    await rig.billRun.change(billRun.number, { status: 'Posted' });
    const { documents } = await until(
      () => rig.status(job),
      (status) => status.documents !== null,
    );
    expect(documents?.total).toBe(3);
    expect(await rig.emailCalls(billRun.number)).toEqual([]);
  });

  it('is shown beside the question about an unknown outcome', async () => {
    const billRun = await posted();
    await rig.fault({ when: 'after', fault: 'reset', times: 9 });
    const job = await rig.start({ billRunKey: billRun.number, sendBudget: '1s' });
    await rig.state(job, 'NeedsAttention', 'unknown');
    const { question, documents } = await until(
      () => rig.status(job),
      (status) => status.documents?.sent === 3,
    );
    expect(question?.text).toMatch(/Zuora showed an email for 3 of 3 documents\.$/);
    expect(documents?.notSent).toBe(0);
    expect((await rig.listed(job)).notSent, 'it says nothing about an acceptance').toBeUndefined();
  });
});

describe('Checks', () => {
  it('are started by no message, and begin again with a new send', async () => {
    const billRun = await posted();
    for (const { number } of billRun.documents) await document(number, { email: 'never' });
    const job = await rig.start({ billRunKey: billRun.number });
    await until(
      () => rig.status(job),
      ({ documents }) => documents?.waiting === 3,
    );
    expect(await activities(job, 'watchDelivery')).toBe(2);
    await job.signal('hold', {});
    await job.signal('billRunPosted');
    await job.signal('release', {});
    await job.signal('noSuchSignal');
    await rig.state(job, 'Delivering');
    expect(await activities(job, 'watchDelivery')).toBe(2);

    await rig.emails.resend({ billRunKey: billRun.number }, { requestId: 'T-1' });
    const { documents } = await until(
      () => rig.status(job),
      (status) => status.documents?.waiting === 0,
    );
    // Zuora's times have no zone. So a document counts as sent only if a check of the resend has seen it without an email.
    const { sent = 0, unknown = 0 } = documents ?? {};
    expect([sent + unknown, documents?.notSent]).toEqual([3, 0]);
    expect(await activities(job, 'watchDelivery')).toBeGreaterThan(2);
  });

  it('of a resend compare with the emails of the send before', async () => {
    const billRun = await posted();
    const job = await rig.start({ billRunKey: billRun.number });
    const { checkedAt = '' } = (await rig.state(job, 'Emailed')).documents ?? {};
    // The times of the emails must differ, and have seconds.
    await until(
      () => Promise.resolve(Date.now()),
      (now) => now > Date.parse(checkedAt) + 1_100,
    );
    await rig.emails.resend({ billRunKey: billRun.number }, { requestId: 'T-1' });
    await rig.accepted(job, 2);
    await rig.state(job, 'Emailed');
    expect(await emails(billRun)).toEqual([2, 2, 2]);
  });

  it('survive a crash of the worker, and a reset', async () => {
    const billRun = await posted();
    for (const { number } of billRun.documents) await document(number, { email: 'delayed', delayMs: 4_000 });
    const job = await rig.start({ billRunKey: billRun.number });
    await rig.accepted(job, 1);
    await rig.stopWorker();
    await rig.startWorker();
    await rig.state(job, 'Emailed');
    const { runId } = await job.describe();
    const { events } = await job.fetchHistory();
    const last = events?.findLast((event) => event.workflowTaskCompletedEventAttributes != null);
    await rig.reset(job.workflowId, runId, Number(last?.eventId));
    const again = rig.own(billRun.number);
    await rig.state(again, 'Emailed');
    expect(await emails(billRun)).toEqual([1, 1, 1]);
  });

  it('of a day in which nothing changes add at most six events', async () => {
    const billRun = await posted({}, skipping);
    for (const { number } of billRun.documents) await document(number, { pdf: 'pending', email: 'never' }, skipping);
    const job = await skipping.start({ billRunKey: billRun.number, openFor: '3 days' });
    await skipping.checkPlanned(job);
    const length = async (): Promise<number> => withoutJumps(await job.fetchHistory()).length;
    await skipping.skip(job, '6 minutes');
    const { documents } = await until(
      () => skipping.status(job),
      (status) => status.documents !== null,
    );
    expect(documents).toMatchObject({ waiting: 3, notSent: 0 });
    await skipping.checkPlanned(job);
    const before = await length();
    await skipping.skip(job, '23 hours');
    expect((await skipping.status(job)).documents).toMatchObject({ waiting: 3, notSent: 0 });
    expect((await length()) - before).toBeLessThanOrEqual(6);
    await skipping.skip(job, '2 hours');
    const status = await skipping.state(job, 'Delivering', 'notSent');
    expect(status.documents).toMatchObject({
      waiting: 0,
      notSent: 3,
      list: [{ reason: 'no email within 24 h' }, {}, {}],
    });
  });

  it('wait for PDFs that take five hours, and trouble nobody', async () => {
    const billRun = await posted({}, skipping);
    for (const { number } of billRun.documents) await document(number, { pdf: 'pending' }, skipping);
    const job = await skipping.start({ billRunKey: billRun.number });
    await skipping.checkPlanned(job);
    await skipping.skip(job, '5 hours');
    expect(await skipping.status(job)).toMatchObject({ state: 'Delivering', reason: null, documents: { waiting: 3 } });
    for (const { number } of billRun.documents) await document(number, { pdf: 'generated' }, skipping);
    await until(
      () => emails(billRun, skipping),
      (counts) => counts.every((count) => count === 1),
    );
    await skipping.skip(job, '4 hours');
    await skipping.state(job, 'Emailed');
    expect(await emails(billRun, skipping)).toEqual([1, 1, 1]);
  });

  it('say once that Zuora cannot be read, and go on by themselves', async () => {
    const billRun = await posted({}, skipping);
    const job = await skipping.start({ billRunKey: billRun.number });
    await skipping.checkPlanned(job);
    await skipping.fault({ ...READS_FAIL, path: '/object-query/invoices', status: 503 });
    await skipping.skip(job, '10 minutes');
    const { text } = await skipping.state(job, 'Delivering', 'cannotRead');
    expect(text).toMatch(/cannot be read since .*503/);
    const before = await activities(job, 'watchDelivery');
    await skipping.skip(job, '30 minutes');
    expect(await activities(job, 'watchDelivery')).toBe(before);
    await skipping.control('DELETE', '/faults');
    await skipping.skip(job, '2 minutes');
    await skipping.state(job, 'Emailed');
  });
});

describe('retry of what was not sent', () => {
  /** Credit memos of an inactive notification, and then the notification is activated. */
  async function withInactiveMemos(input: object = {}): Promise<{ billRun: BillRun; job: WorkflowHandle }> {
    await rig.control('PATCH', '/settings', { creditMemoNotificationActive: false });
    const billRun = await posted();
    const job = await rig.start({ billRunKey: billRun.number, ...input });
    const { documents, text } = await rig.state(job, 'Delivering', 'notSent');
    expect(documents).toMatchObject({ sent: 2, notSent: 1, list: [{ kind: 'creditMemo', outcome: 'notSent' }] });
    expect(text).toContain('notification inactive');
    expect(await emails(billRun)).toEqual([1, 1, 0]);
    await rig.control('PATCH', '/settings', { creditMemoNotificationActive: true });
    return { billRun, job };
  }

  it('emails it alone, under the next key, with a record of its own', async () => {
    const { billRun, job } = await withInactiveMemos();
    const note = { requestId: 'R-1', requestedBy: 'ann', reason: 'activated' };
    await rig.emails.retry({ billRunKey: billRun.number }, note);
    await rig.state(job, 'Emailed');
    expect(await emails(billRun)).toEqual([1, 1, 1]);
    const sends = await rig.sends(job);
    expect(keys(sends)).toEqual(['first/1', 'first/2']);
    expect(sends[1]).toMatchObject({ resend: false, outcome: 'accepted', requests: [{ ...note, missing: true }] });
    expect(await rig.listed(job)).toMatchObject({ sends: 2, notSent: 0 });

    await rig.emails.retry({ billRunKey: billRun.number }, note);
    await expect(rig.emails.retry({ billRunKey: billRun.number })).rejects.toThrow('nothing is missing');
    expect(await rig.sends(job)).toHaveLength(2);
  });

  it('works by signal, on a held job only after its release, and twice is once', async () => {
    const { billRun, job } = await withInactiveMemos();
    await job.signal('hold', {});
    await job.signal('retry', {});
    await job.signal('retry', {});
    await rig.state(job, 'Held', 'job');
    await job.signal('release', {});
    await rig.state(job, 'Emailed');
    expect(await emails(billRun)).toEqual([1, 1, 1]);
    expect(keys(await rig.sends(job))).toEqual(['first/1', 'first/2']);
  });

  it('waits while an email may be on its way; sendAnyway does not', async () => {
    await rig.control('PATCH', '/settings', { creditMemoNotificationActive: false });
    const billRun = await posted();
    await document(billRun.documents[0]?.number ?? '', { email: 'never' });
    const job = await rig.start({ billRunKey: billRun.number });
    await rig.state(job, 'Delivering', 'notSent');
    await rig.control('PATCH', '/settings', { creditMemoNotificationActive: true });
    await rig.emails.retry({ billRunKey: billRun.number });
    const { text, until: end } = await until(
      () => rig.status(job),
      (status) => status.until !== null && status.text.includes('on their way'),
    );
    expect(text).toContain('may still be on their way');
    expect(Date.parse(end ?? '')).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    expect(await rig.status(job)).toMatchObject({ state: 'Delivering', reason: 'notSent' });

    await rig.emails.retry({ billRunKey: billRun.number }, { sendAnyway: true, requestedBy: 'ann', reason: 'checked' });
    await rig.state(job, 'Emailed');
    expect((await rig.sends(job))[1]).toMatchObject({ decisions: [{ decision: 'sendAnyway', requestedBy: 'ann' }] });
    expect(await emails(billRun)).toEqual([1, 1, 1]);
  });

  it('sends nothing if a check finds that nothing is missing any more', async () => {
    const billRun = await posted({ invoices: 2, creditMemos: 0 });
    const [first] = billRun.documents;
    await document(first?.number ?? '', { email: 'failed', reason: 'mailbox full' });
    const job = await rig.start({ billRunKey: billRun.number });
    await rig.state(job, 'Delivering', 'notSent');
    await emailInZuora(billRun.number);
    await rig.emails.retry({ billRunKey: billRun.number });
    await rig.state(job, 'Emailed');
    expect(await emails(billRun)).toEqual([1, 1]);
    expect(await rig.sends(job)).toMatchObject([
      { outcome: 'accepted' },
      { outcome: 'stopped', attempts: [], note: 'not attempted: every document was sent, or is left out on purpose' },
    ]);
    await rig.emails.finish({ billRunKey: billRun.number });
    expect(await rig.result(job)).toMatchObject({ state: 'Emailed', unsettled: [] });
  });

  it('takes no earlier failure for one of its own, so that a second retry cannot email twice', async () => {
    const billRun = await posted({ invoices: 1, creditMemos: 0 });
    const { number = '' } = billRun.documents[0] ?? {};
    await document(number, { email: 'failed', reason: 'mailbox full' });
    const job = await rig.start({ billRunKey: billRun.number });
    await rig.state(job, 'Delivering', 'notSent');
    await document(number, { email: 'delayed', delayMs: 6_000 });
    await rig.emails.retry({ billRunKey: billRun.number });
    await rig.accepted(job, 2);
    const { documents } = await until(
      () => rig.status(job),
      (status) => status.documents !== null,
    );
    expect(documents).toMatchObject({ waiting: 1, notSent: 0 });
    await expect(rig.emails.retry({ billRunKey: billRun.number })).rejects.toThrow(
      'no document is known to be not sent',
    );
    await rig.state(job, 'Emailed');
    expect(await emails(billRun)).toEqual([1]);
  });

  it('opens a job, if the last one is closed, and that one sends once whatever is repeated', async () => {
    const { billRun, job } = await withInactiveMemos();
    await rig.emails.finish({ billRunKey: billRun.number });
    expect(await rig.result(job)).toMatchObject<Partial<EmailBillRunResult>>({
      state: 'Delivering',
      reason: 'notSent',
    });
    // Its cause is gone, and only the checks of the closed job knew it.
    const retry = { requestId: 'R-1', requestedBy: 'ann', reason: 'activated' };
    await rig.emails.retry({ billRunKey: billRun.number }, retry);
    const missing = rig.own(billRun.number);
    await rig.state(missing, 'Emailed');
    expect(await emails(billRun)).toEqual([1, 1, 1]);
    expect(keys(await rig.sends(missing))).toEqual(['first/1', 'first/2']);
    expect(await rig.listed(missing)).toMatchObject({ sends: 2, notSent: 0 });
    await rig.emails.retry({ billRunKey: billRun.number }, retry);
    await rig.emails.finish({ billRunKey: billRun.number });
    await missing.result();
    await expect(rig.emails.retry({ billRunKey: billRun.number })).rejects.toThrow(/nothing|missing/);
    expect(await rig.emailCalls(billRun.number)).toHaveLength(2);
  });

  it('on a closed job can be overridden before it has looked at anything', async () => {
    const { billRun } = await withInactiveMemos();
    await rig.emails.finish({ billRunKey: billRun.number });
    const risk = { requestedBy: 'ann', reason: 'checked', sendAnyway: true };
    await rig.emails.retry({ billRunKey: billRun.number }, risk);
    await rig.state(rig.own(billRun.number), 'Emailed');
    expect(await emails(billRun)).toEqual([1, 1, 1]);
  });

  it('is an invalid input for a bill run that was never emailed', async () => {
    const billRun = await posted();
    const job = await rig.startAs(`email-bill-run/${billRun.number}`, { billRunKey: billRun.number, missing: true });
    await expect(job.result()).rejects.toMatchObject({ cause: { type: 'InvalidInput' } });
    expect(await emails(billRun)).toEqual([0, 0, 0]);
  });
});
