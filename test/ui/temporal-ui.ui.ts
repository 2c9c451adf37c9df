/** What an operator sees and does in Temporal UI, in a real browser, with a job in each of its states. */
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';
import { TASK_QUEUE } from '../../workflows/contract/contract.js';
import { starting, states, type Start } from '../support/reach.js';
import { openTemporalUi, type TemporalUi } from './temporal-ui.js';

let rig: Rig;
let ui: TemporalUi;
beforeAll(async () => {
  rig = await openRig({ taskQueue: TASK_QUEUE, keepsJobs: true });
  ui = await openTemporalUi(inject('temporalUiUrl'));
});
afterEach(() => rig.afterTest());
afterAll(async () => {
  await ui.close();
  await rig.close();
});

let billRuns = 0;
/** As in a tenant, so that pictures of it look like one. */
const nextNumber = (): string => `BR-${String(++billRuns).padStart(8, '0')}`;

const start: Start = (...args) => starting(rig, nextNumber)(...args);

/** The list view is filled a moment after the fact, and shows what it had when it was opened. */
async function untilListed(query: string): Promise<void> {
  await until(
    () => rig.client.workflow.count(query),
    ({ count }) => count > 0,
  );
}

/** What the details of a job in each state offer an operator. */
const OFFERS: Readonly<Record<string, readonly RegExp[]>> = {
  Waiting: [/signal billRunPosted/, /signal hold with \{/],
  CoolDown: [/signal retry with \{"ordinal":1,"sendAnyway":true,/],
  Sending: [/signal hold with \{/, /signal resend with \{/],
  SendingUnknown: [/signal hold with \{/, /signal retry with \{|signal resend with \{/],
  NeedsAttentionCannotRead: [/signal retry with \{"ordinal":1,/],
  Emailed: [/signal resend with \{/],
  NotSent: [/signal retry with \{/],
  UnsettledCannotRead: [/Start Workflow Like This One, with \{"billRunKey":/],
  Held: [/signal release with \{/],
  HeldByAll: [/signal release with .* to the workflow bill-run-emails\/hold-all, or bill-run-emails release --all/],
  NeedsAttentionRefused: [/signal retry with \{"ordinal":1,/, /signal finish with \{/],
  NeedsAttention: [/signal retry with \{"ordinal":1,/, /signal finish with \{/],
  Delivering: [/signal resend with \{.*emails all documents again/],
  AutoEmail: [/signal retry with \{.*what was never emailed/, /signal retry with \{"ordinal":1,"sendAnyway":true,/],
  EmailedElsewhere: [/signal retry with \{.*what was never emailed/, /signal resend with \{/],
  Skipped: [/If Zuora adds documents later: bill-run-emails start BR-/],
  Stopped: [/Start Workflow Like This One, with \{"billRunKey":/],
  Canceled: [/Start Workflow Like This One, with \{"billRunKey":/],
  NotPosted: [/A canceled bill run is never posted\. If another one replaces it/],
  UnsettledRefused: [/Start Workflow Like This One, with \{"billRunKey":/],
  Unsettled: [/Start Workflow Like This One, with \{"billRunKey":/],
  HandedOver: [/look at email-bill-run\/BR-/],
};

test.each(Object.entries(states))(
  '%s: the job is found by its state and reason, and its current details say what a person can do',
  async (name, { state, reason, reach }) => {
    const { workflowId } = await reach(rig, start);

    const query = `EmailState = '${state}' AND EmailReason ${reason === null ? 'IS NULL' : `= '${reason}'`}`;
    await untilListed(`${query} AND WorkflowId = '${workflowId}'`);
    await ui.list(query);
    await ui.page.getByRole('link', { name: workflowId }).waitFor();

    await ui.run(workflowId);
    await ui.tab('User Metadata');
    const { currentDetails } = ui.metadata;
    const heading = reason === null ? state : `${state} (${reason})`;
    await currentDetails.getByRole('heading', { name: heading }).waitFor();
    const offers = OFFERS[name] ?? [];
    expect(offers).not.toEqual([]);
    for (const offer of offers) expect(await currentDetails.innerText()).toMatch(offer);
  },
);

test('a waiting job shows its cause, and an operator’s resend from the dialog emails every document once more', async () => {
  const { number, job } = await start({ status: 'Completed' });
  await rig.state(job, 'Waiting');
  await ui.run(job.workflowId);
  await ui.page.getByText('watchBillRun • wait while it is Completed').waitFor();
  await ui.tab('Pending Activities');
  await ui.page.getByText('watchBillRun', { exact: true }).waitFor();
  await ui.tab('User Metadata');
  await ui.metadata.summary.getByText(`email bill run ${number}`).waitFor();
  await ui.metadata.details.getByText('nightly-billing').waitFor();
  await ui.metadata.currentDetails.getByRole('heading', { name: 'Waiting (notPosted)' }).waitFor();
  await ui.screenshot('temporal-ui-waiting');

  await rig.fault({ when: 'after', fault: 'reset' });
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.state(job, 'Delivering');
  await ui.run(job.workflowId);
  const option = await ui.chooseSignal('resend');
  await option.getByText('Email all documents').waitFor();
  await ui.screenshot('temporal-ui-signal');
  await ui.send(option, '{"requestId":"TICKET-1","requestedBy":"alice","reason":"wrong template"}');
  await until(
    () => rig.sends(job),
    (sends) => sends[1]?.outcome === 'accepted',
  );
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });

  await ui.run(job.workflowId);
  for (const attempt of [
    'send 1 · first send · attempt 1 · asked by nightly-billing',
    'send 1 · first send · attempt 2 · asked by nightly-billing',
    'send 2 · resend · attempt 1 · asked by alice',
  ]) {
    await ui.page.getByText(`emailBillRunDocuments • ${attempt}`).waitFor();
  }
  await ui.screenshot('temporal-ui');
});

test('an operator answers a question with the signal and the JSON that the current details give', async () => {
  await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
  const { number, job } = await start();
  await rig.state(job, 'NeedsAttention');
  await ui.run(job.workflowId);
  await ui.tab('User Metadata');
  const answer = ui.metadata.currentDetails.getByRole('listitem').filter({ hasText: 'tries again' });
  const json = await answer.locator('code').innerText();
  await ui.screenshot('temporal-ui-needs-attention');

  await rig.control('PATCH', '/settings', { notificationActive: true });
  const filled = json.replaceAll(/"<\w+>"/g, '"alice"');
  await ui.send(await ui.chooseSignal(await answer.locator('strong').innerText()), filled);
  await rig.state(job, 'Delivering');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
});

test('documents that were not sent are in a table with their causes, and the offered retry emails them alone', async () => {
  const quick = await openRig({ deliveryIntervalMs: 400, keepsJobs: true });
  try {
    await quick.control('PATCH', '/settings', { creditMemoNotificationActive: false });
    const { number, job } = await starting(quick, nextNumber)({ invoices: 98, creditMemos: 2 });
    await quick.state(job, 'Delivering', 'notSent');
    await untilListed(`DocumentsNotSent > 0 AND WorkflowId = '${job.workflowId}'`);
    await ui.run(job.workflowId);
    await ui.tab('User Metadata');
    const { currentDetails } = ui.metadata;
    await currentDetails.getByRole('heading', { name: 'Delivering (notSent)' }).waitFor();
    const row = currentDetails.getByRole('row').filter({ hasText: 'CM' }).first();
    expect(await row.innerText()).toMatch(/credit memo\s+not sent\s+notification inactive: Email Credit Memo/);
    await ui.screenshot('temporal-ui-not-sent');
    await quick.control('PATCH', '/settings', { creditMemoNotificationActive: true });
    const offer = currentDetails.getByRole('listitem').filter({ hasText: 'shows no email' });
    const filled = (await offer.locator('code').innerText()).replaceAll(/"<\w+>"/g, '"alice"');
    await ui.send(await ui.chooseSignal(await offer.locator('strong').innerText()), filled);
    await quick.state(job, 'Emailed');
    expect(emailsPerDocument(await quick.mailbox(number))).toEqual({ min: 1, max: 1 });
  } finally {
    await quick.afterTest();
    await quick.close();
  }
});

test('the work lists of operators can be saved as views', async () => {
  await rig.control('PATCH', '/settings', { inactiveNotification: 'refuse', notificationActive: false });
  const { job: asking } = await start();
  await rig.state(asking, 'NeedsAttention');
  const { job: waiting } = await start({ status: 'Completed' });
  await rig.control('PATCH', '/settings', { notificationActive: true });
  const startedBefore = new Date(Date.now() + 60_000).toISOString();
  const views = {
    'needs attention': { query: `EmailState = "NeedsAttention" AND ExecutionStatus = "Running"`, job: asking },
    'waiting over a day': { query: `EmailReason = "notPosted" AND StartTime < "${startedBefore}"`, job: waiting },
  };
  for (const [name, { query, job }] of Object.entries(views)) {
    await untilListed(`${query} AND WorkflowId = '${job.workflowId}'`);
    await ui.list(query);
    await ui.page.getByRole('link', { name: job.workflowId }).waitFor();
    await ui.saveView(name);
  }
  await ui.list('');
  await ui.openView('needs attention');
  await ui.page.getByRole('link', { name: asking.workflowId }).waitFor();
  expect(await ui.page.getByRole('link', { name: waiting.workflowId }).count()).toBe(0);
  await ui.screenshot('temporal-ui-list');
});
