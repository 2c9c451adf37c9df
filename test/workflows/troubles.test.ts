/** Each kind of trouble: where it shows, after how long, and who is alerted. It makes the table in docs/deploy.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { parse } from 'yaml';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';
import { openRig, READS_FAIL, until, type Rig } from '../support/rig.js';

let rig: Rig;
beforeAll(async () => {
  // The intervals of production: the server skips the waits.
  rig = await openRig({ polling: { first: 10_000, longest: 60_000, afterAnHour: 900_000 } });
});
afterEach(() => rig.afterTest());
afterAll(() => rig.close());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const MANY = { fault: 'respond', times: 10_000 } as const;
/** From a post that nobody reports to the next read of the bill run. */
const NEXT_READ = MINUTE;

interface Row {
  readonly trouble: string;
  /** Brings the job into trouble, which begins when it returns. */
  readonly make: () => Promise<WorkflowHandle>;
  /** As `status`, `list` and Temporal UI show it. */
  readonly state: string;
  readonly text: RegExp;
  /** In words, and the most milliseconds from the beginning. */
  readonly after: readonly [string, number];
  readonly who: string;
  readonly alert: string;
}

async function failingReads(fault: object): Promise<WorkflowHandle> {
  const { job } = await rig.startWaiting();
  await rig.control('DELETE', '/tokens');
  await rig.fault(fault);
  return job;
}

async function failingSends(fault: object): Promise<WorkflowHandle> {
  const { number } = await rig.billRun.create();
  await rig.fault({ ...MANY, ...fault });
  return rig.start({ billRunKey: number });
}

/** Zuora emailed a short while ago, and a person asks for another look. */
async function failingLook(): Promise<WorkflowHandle> {
  const { number } = await rig.billRun.create();
  await rig.billRun.change(number, { lastEmailSentTime: new Date().toISOString() });
  const job = await rig.start({ billRunKey: number });
  await rig.state(job, 'Waiting', 'coolDown');
  await rig.fault({ ...READS_FAIL, status: 503 });
  await job.signal('retry', {});
  return job;
}

async function inactiveNotification(): Promise<WorkflowHandle> {
  await rig.control('PATCH', '/settings', { creditMemoNotificationActive: false });
  const { number } = await rig.billRun.create();
  const job = await rig.start({ billRunKey: number });
  await rig.checkPlanned(job);
  await rig.skip(job, 6 * MINUTE);
  await rig.checkPlanned(job);
  return job;
}

async function unposted(change: object, input: object = {}): Promise<WorkflowHandle> {
  const { number, job } = await rig.startWaiting(input);
  if (Object.keys(change).length > 0) await rig.billRun.change(number, change);
  return job;
}

const CREDENTIALS = 'who keeps the OAuth client';
const IN_ZUORA = 'who keeps Zuora';
const READS_AFTER = ['90 s after its first failed read', NEXT_READ + 90 * SECOND] as const;
const NO = { success: false, reasons: [{ code: 58730020, message: 'no' }] };

const rows: readonly Row[] = [
  {
    trouble: 'Zuora does not answer reads, or answers 5xx',
    make: () => failingReads({ ...READS_FAIL, status: 503 }),
    ...{ state: 'Waiting (cannotRead)', text: /503/, after: READS_AFTER },
    ...{ who: 'nobody; it goes on by itself', alert: 'ZuoraCannotBeRead' },
  },
  {
    trouble: 'the OAuth client may not read bill runs (403)',
    make: () => failingReads({ ...READS_FAIL, status: 403 }),
    ...{ state: 'Waiting (cannotRead)', text: /403.*permissions/, after: READS_AFTER },
    ...{ who: CREDENTIALS, alert: 'ZuoraCannotBeRead' },
  },
  {
    trouble: 'Zuora refuses the client secret, or its tokens (401)',
    make: () => failingReads({ ...READS_FAIL, status: 401 }),
    ...{ state: 'Waiting (cannotRead)', text: /Fix the worker's Zuora credentials/, after: READS_AFTER },
    ...{ who: CREDENTIALS, alert: 'ZuoraCannotBeRead' },
  },
  {
    trouble: 'the look before a first send does not work',
    make: failingLook,
    ...{ state: 'NeedsAttention (cannotRead)', text: /503.*Fix the cause, then retry/ },
    ...{ after: ['15 minutes', 18 * MINUTE], who: 'an operator: `retry`', alert: 'BillRunNeedsAttention' },
  },
  {
    trouble: 'calls to email get no answer, or 5xx',
    make: () => failingSends({ status: 503 }),
    ...{ state: 'Sending (unknown)', text: /not known yet whether Zuora emailed/ },
    ...{ after: ['15 minutes', 18 * MINUTE], who: 'nobody; attempts continue', alert: 'EmailOutcomeUnknown' },
  },
  {
    trouble: 'it is still not known when `sendBudget` (12 h) ends',
    make: () => failingSends({ status: 503 }),
    ...{ state: 'NeedsAttention (unknown)', text: /finish\. If not, retry/ },
    ...{
      after: ['12 hours', 13 * 60 * MINUTE],
      who: 'an operator: looks, then answers',
      alert: 'BillRunNeedsAttention',
    },
  },
  {
    trouble: 'Zuora refuses the login for calls to email (401)',
    make: () => failingSends({ status: 401 }),
    ...{ state: 'NeedsAttention (refused)', text: /does not reach Zuora/ },
    ...{ after: ['15 minutes', 18 * MINUTE], who: `${CREDENTIALS}; attempts continue`, alert: 'BillRunNeedsAttention' },
  },
  {
    trouble: 'Zuora refuses to email: a rule, a permission, an inactive notification',
    make: () => failingSends({ status: 400, body: NO }),
    ...{ state: 'NeedsAttention (refused)', text: /Zuora refused to email/ },
    ...{ after: ['at once', MINUTE], who: `${IN_ZUORA}, then an operator: \`retry\``, alert: 'BillRunNeedsAttention' },
  },
  {
    trouble: 'Zuora accepts, but sends no email for a document: an inactive notification, a failed email, no address',
    make: inactiveNotification,
    ...{
      state: 'Delivering (notSent)',
      text: /notification inactive.*then retry/,
      after: ['5 to 15 minutes; no address: an hour', 16 * MINUTE],
    },
    ...{ who: `${IN_ZUORA}, then an operator: \`retry\``, alert: 'DocumentsNotSent' },
  },
  {
    trouble: 'Zuora has no such bill run',
    make: async () => rig.start({ billRunKey: 'BR-09999998' }),
    ...{ state: 'NotPosted', text: /BR-09999998/, after: ['2 minutes', 3 * MINUTE] },
    ...{ who: 'who started it', alert: 'BillRunEndedWithoutEmails' },
  },
  {
    trouble: 'the bill run is canceled, or ends in an error',
    make: () => unposted({ status: 'Canceled' }),
    ...{ state: 'NotPosted', text: /ended as Canceled/, after: ['with the next read, 1 to 15 minutes', 2 * MINUTE] },
    ...{ who: 'who started it', alert: 'BillRunEndedWithoutEmails' },
  },
  {
    trouble: 'nobody posts the bill run within `postDeadline` (30 days)',
    make: () => unposted({}, { postDeadline: '3 hours' }),
    ...{ state: 'NotPosted', text: /did not post by/, after: ['`postDeadline`', 4 * 60 * MINUTE] },
    ...{ who: 'who posts; then start again', alert: 'BillRunEndedWithoutEmails' },
  },
  {
    trouble: 'nobody answers a question within `openFor` (7 days)',
    make: () => failingSends({ status: 400, body: NO }),
    ...{ state: 'Unsettled (refused)', text: /nobody answered in time/i, after: ['`openFor`', 170 * 60 * MINUTE] },
    ...{ who: 'an operator: `start` again', alert: 'BillRunEndedWithoutEmails' },
  },
];

/** The expressions whose metrics such a job moves. */
function expressionFor(state: string): string {
  if (state.startsWith('NeedsAttention')) return 'bill_run_emails_open_jobs{email_state="NeedsAttention"}';
  if (state === 'Waiting (cannotRead)') return 'bill_run_emails_zuora_unreadable';
  if (state === 'Delivering (notSent)') return 'bill_run_emails_documents_total{outcome="notSent"}';
  if (state === 'Sending (unknown)') return 'bill_run_emails_attempts_total{verdict="unknown"}';
  return 'temporal_workflow_failed_total{workflow_type="emailBillRun"}';
}

test.each(rows)('$trouble', async ({ make, state, text, after, alert }) => {
  const job = await make();
  const began = await rig.now(job);
  const [name = '', reason] = state.split(/[ ()]+/);
  const isOver = ['NotPosted', 'Unsettled'].includes(name);
  if (isOver) await rig.skipToEnd(job);
  else await rig.skip(job, after[1]);
  const listed = await until(
    () => rig.listed(job),
    (each) => each.state === name && (reason === undefined || reason === '' || each.reason === reason),
  );
  // Beside the skipped time, real time goes on.
  expect(Date.parse(listed.since ?? '') - began).toBeLessThanOrEqual(after[1] + MINUTE);
  const status = await rig.emails.status({ workflowId: job.workflowId });
  expect(status).toMatchObject({ state: name, text: expect.stringMatching(text) as string });
  expect(ruleOf(alert)?.expr).toContain(expressionFor(state));
  if (!isOver) await job.terminate();
});

function ruleOf(alert: string): { readonly expr: string } | undefined {
  const file = readFileSync(join(projectRoot, 'deploy', 'prometheus-alerts.yaml'), 'utf8');
  const { groups } = parse(file) as { groups: { rules: { alert: string; expr: string }[] }[] };
  return groups.flatMap(({ rules }) => rules).find((rule) => rule.alert === alert);
}

test('docs/deploy.md has this table', () => {
  const table = rows.map(({ trouble, state, after: [words], who, alert }) => [
    trouble,
    `\`${state}\``,
    words,
    who,
    `\`${alert}\``,
  ]);
  const text = readFileSync(join(projectRoot, 'docs', 'deploy.md'), 'utf8');
  const [, section = ''] = text.split('## When something fails');
  const [block = ''] = section.split('\n\n').filter((each) => each.startsWith('|'));
  const cells = block
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(cells).toEqual(table);
});
