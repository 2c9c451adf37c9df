/** What an operator sees and does in Temporal UI: the real one, in a real browser, of a run in each of its states. */
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { emailsPerDocument, openRig, until, type Rig } from '../support/rig.js';
import { EMAIL_STATES, TASK_QUEUE, type EmailState } from '../../workflows/contract/contract.js';
import { reachState, starting, type Start } from '../support/reach.js';
import { openTemporalUi, type TemporalUi } from './temporal-ui.js';

let rig: Rig;
let ui: TemporalUi;
beforeAll(async () => {
  rig = await openRig({ server: 'real', taskQueue: TASK_QUEUE, keepsJobs: true });
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

/** What the details of a run in each state offer an operator. */
const offers: Readonly<Record<EmailState, readonly RegExp[]>> = {
  WaitingForPost: [/signal billRunPosted/, /signal hold with \{/],
  Delayed: [/signal retry with \{"ordinal":1,"sendAnyway":true,/],
  Sending: [/signal hold with \{/, /signal resend with \{/],
  Held: [/signal release with \{/],
  NeedsAttention: [/signal retry with \{"ordinal":1,/, /signal finish with \{/],
  Emailed: [/signal resend with \{.*emails all documents again/],
  Skipped: [/signal retry with \{"ordinal":1,"sendAnyway":true,/],
  NotPosted: [/Start Workflow Like This One, with \{"billRunKey":/],
  HandedOver: [/look at email-bill-run\/BR-/],
  Finished: [/Start Workflow Like This One, with \{"billRunKey":/],
  Canceled: [/Start Workflow Like This One, with \{"billRunKey":/],
};

test.each(EMAIL_STATES)(
  'a run that is %s is found by its EmailState, and its current details say what can be done',
  async (state) => {
    const { workflowId } = await reachState[state](rig, start);

    const query = `EmailState = '${state}'`;
    await untilListed(`${query} AND WorkflowId = '${workflowId}'`);
    await ui.list(query);
    await ui.page.getByRole('link', { name: workflowId }).waitFor();

    await ui.run(workflowId);
    await ui.tab('User Metadata');
    const { currentDetails } = ui.metadata;
    await currentDetails.getByRole('heading', { name: state }).waitFor();
    for (const offer of offers[state]) expect(await currentDetails.innerText()).toMatch(offer);
  },
);

test('a waiting run shows what it waits for, and an operator’s resend from the dialog emails every document once more', async () => {
  const { number, run } = await start({ status: 'Completed' });
  await rig.state(run, 'WaitingForPost');
  await ui.run(run.workflowId);
  await ui.page.getByText('watchBillRun • wait while it is Completed').waitFor();
  await ui.tab('Pending Activities');
  await ui.page.getByText('watchBillRun', { exact: true }).waitFor();
  await ui.tab('User Metadata');
  await ui.metadata.summary.getByText(`email bill run ${number}`).waitFor();
  await ui.metadata.details.getByText('nightly-billing').waitFor();
  await ui.metadata.currentDetails.getByRole('heading', { name: 'WaitingForPost' }).waitFor();
  await ui.screenshot('temporal-ui-waiting');

  await rig.fault({ when: 'after', fault: 'reset' });
  await rig.billRun.change(number, { status: 'Posted' });
  await rig.state(run, 'Emailed');
  await ui.run(run.workflowId);
  const option = await ui.chooseSignal('resend');
  await option.getByText('Email all documents').waitFor();
  await ui.screenshot('temporal-ui-signal');
  await ui.send(option, '{"requestId":"TICKET-1","requestedBy":"alice","reason":"wrong template"}');
  await until(
    () => rig.sends(run),
    (sends) => sends[1]?.outcome === 'accepted',
  );
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 2, max: 2 });

  await ui.run(run.workflowId);
  for (const attempt of [
    'send 1 · resend=false · attempt 1 · asked by nightly-billing',
    'send 1 · resend=false · attempt 2 · asked by nightly-billing',
    'send 2 · resend=true · attempt 1 · asked by alice',
  ]) {
    await ui.page.getByText(`emailBillRunDocuments • ${attempt}`).waitFor();
  }
  await ui.screenshot('temporal-ui');
});

test('an operator answers a question with the signal and the JSON that the current details give', async () => {
  await rig.control('PATCH', '/settings', { notificationActive: false });
  const { number, run } = await start();
  await rig.state(run, 'NeedsAttention');
  await ui.run(run.workflowId);
  await ui.tab('User Metadata');
  const answer = ui.metadata.currentDetails.getByRole('listitem').filter({ hasText: 'tries again' });
  const json = await answer.locator('code').innerText();
  await ui.screenshot('temporal-ui-needs-attention');

  await rig.control('PATCH', '/settings', { notificationActive: true });
  await ui.send(await ui.chooseSignal(await answer.locator('strong').innerText()), json);
  await rig.state(run, 'Emailed');
  expect(emailsPerDocument(await rig.mailbox(number))).toEqual({ min: 1, max: 1 });
});

test('the work lists of operators can be saved as views', async () => {
  await rig.control('PATCH', '/settings', { notificationActive: false });
  const { run: asking } = await start();
  await rig.state(asking, 'NeedsAttention');
  const { run: waiting } = await start({ status: 'Completed' });
  await rig.control('PATCH', '/settings', { notificationActive: true });
  const startedBefore = new Date(Date.now() + 60_000).toISOString();
  const views = {
    'needs attention': { query: `EmailState = "NeedsAttention" AND ExecutionStatus = "Running"`, run: asking },
    'waiting over a day': { query: `EmailState = "WaitingForPost" AND StartTime < "${startedBefore}"`, run: waiting },
  };
  for (const [name, { query, run }] of Object.entries(views)) {
    await untilListed(`${query} AND WorkflowId = '${run.workflowId}'`);
    await ui.list(query);
    await ui.page.getByRole('link', { name: run.workflowId }).waitFor();
    await ui.saveView(name);
  }
  await ui.list('');
  await ui.openView('needs attention');
  await ui.page.getByRole('link', { name: asking.workflowId }).waitFor();
  expect(await ui.page.getByRole('link', { name: waiting.workflowId }).count()).toBe(0);
  await ui.screenshot('temporal-ui-list');
});
