/**
 * One bill run on real parts, step by step: a Temporal server, a worker process, and a simulated Zuora over HTTP.
 * The exit code is 0 only if every document got exactly one email for the first send and one for the resend.
 */
import { Client, Connection } from '@temporalio/client';
import { Command } from 'commander';
import { BillRunEmails } from '../client/index.js';
import { formatted } from '../client/cli/audit-formats.js';
import * as tables from '../client/cli/tables.js';
import { startSimulator } from '../simulator/index.js';
import type { JobStatus, SendRecord } from '../workflows/contract/contract.js';
import { untilSignaledToStop } from './processes.js';
import { controlOf, emailsByDocument, type Control } from './simulator-control.js';
import { billRunSearchAttributes, startTemporalServer } from './temporal-server.js';
import { startWorker } from './worker-process.js';

const BILL_RUN = 'BR-00000001';
/** Three invoices and a credit memo. */
const DOCUMENTS = 4;
/** Long enough to show the wait. */
const POSTS_AFTER_MS = 4_000;
/** Far above what the demo needs on a slow machine. */
const STUCK_AFTER_MS = 120_000;

interface Flags {
  readonly json?: true;
  readonly keep?: true;
}

interface DemoResult {
  readonly billRunNumber: string;
  readonly workflowId: string;
  readonly state: string;
  readonly sends: readonly SendRecord[];
  /** Emails per document. There are two sends, so both numbers must be 2. */
  readonly emailsPerDocument: { readonly min: number; readonly max: number };
  readonly historyEvents: number;
  readonly uiUrl: string;
}

const { json, keep } = new Command('demo')
  .description('Emails a bill run on a real Temporal server and a simulated Zuora, under an injected fault.')
  .option('--json', 'end with one JSON object on the last line')
  .option('--keep', 'keep everything running at the end, to look around in Temporal UI')
  .parse()
  .opts<Flags>();

let steps = 0;
const stops: (() => Promise<unknown>)[] = [];
try {
  const result = await demo();
  if (json) console.log(JSON.stringify(result));
  const { min, max } = result.emailsPerDocument;
  if (min !== 2 || max !== 2) throw new Error(`documents got between ${min} and ${max} emails instead of 2`);
  if (keep) await untilSignaledToStop();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function demo(): Promise<DemoResult> {
  step('Starting a Temporal server, a simulated Zuora, and a worker process');
  const temporal = await startTemporalServer({
    searchAttributes: billRunSearchAttributes,
    logFile: '.dev/demo-temporal.log',
  });
  stops.push(() => temporal.stop());
  const simulator = await startSimulator({ emailDelayMs: 500, postingMs: 2_000 });
  stops.push(() => simulator.close());
  const worker = await startWorker({
    temporal,
    simulatorUrl: simulator.url,
    pollInterval: '500ms',
    // In production the first check comes after five minutes.
    env: { BILL_RUN_DELIVERY_INTERVAL: '2s' },
    logFile: '.dev/demo-worker.log',
  });
  stops.push(() => worker.stop());
  const connection = await Connection.connect({ address: temporal.address });
  const emails = new BillRunEmails(new Client({ connection }));
  stops.push(() => emails.close());
  report(`Temporal ${temporal.address}, simulated Zuora ${simulator.url}, worker process ${worker.pid}`);
  const control = controlOf(simulator.url);

  step(`Zuora has a bill run ${BILL_RUN} with 3 invoices and a credit memo. It is not posted yet`);
  await control('POST', '/bill-runs', {
    number: BILL_RUN,
    invoices: 3,
    creditMemos: 1,
    status: 'Completed',
    postsAfterMs: POSTS_AFTER_MS,
  });
  step('A fault for the first email call: Zuora sends the emails, but the connection is cut before its reply');
  await control('POST', '/faults', {
    method: 'POST',
    path: '/v1/bill-runs/*/emails',
    when: 'after',
    fault: 'reset',
  });

  step('The billing pipeline starts the email job before the post, twice. Both are safe');
  const { workflowId, runId } = await emails.start({
    billRunKey: BILL_RUN,
    requestedBy: 'nightly-billing',
    reason: 'month end',
  });
  const again = await emails.start({ billRunKey: BILL_RUN, requestedBy: 'nightly-billing' });
  report(`workflow ${workflowId}, Temporal run ${runId}; second start: ${again.result}`);
  await watchUntil(emails, ({ state }) => state === 'Emailed');
  report('The second attempt used the same idempotency key, so Zuora repeated its reply and sent no second email:');
  console.log(indented(tables.sends(await emails.sends({ billRunKey: BILL_RUN }))));

  step('The template was wrong: an operator asks for a resend, so every document is emailed again');
  const { requestId } = await emails.resend(
    { billRunKey: BILL_RUN },
    { requestId: 'TICKET-1', requestedBy: 'alice', reason: 'wrong template' },
  );
  report(`resend ${requestId}`);
  await watchUntil(emails, ({ state }, sends) => state === 'Emailed' && sends.length === 2);
  const sends = await emails.sends({ billRunKey: BILL_RUN });
  console.log(indented(tables.sends(sends)));

  step('The audit trail, from event history: who sent what, when and why');
  console.log(indented(formatted(await emails.audit({ billRunKey: BILL_RUN }), 'table')));

  step('Emails that left Zuora');
  const counts = await emailCounts(control);
  for (const [document, count] of counts) report(`${document}: ${count} emails`);

  const uiUrl = `${temporal.uiUrl ?? ''}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
  step('Where to look');
  report(`Temporal UI: ${uiUrl}`);
  report(
    'Look at the summary at the top, "Timeline" and "History" for each attempt, and "User Metadata" for what to do now.',
  );
  report(
    keep ? 'Everything keeps running. Ctrl-C ends it.' : 'It ends with this demo. To keep it: npm run demo -- --keep',
  );

  const description = await emails.client.workflow.getHandle(workflowId).describe();
  const { state } = await emails.status({ billRunKey: BILL_RUN });
  return {
    billRunNumber: BILL_RUN,
    workflowId,
    state,
    sends,
    emailsPerDocument: { min: Math.min(...counts.values()), max: Math.max(...counts.values()) },
    historyEvents: description.historyLength,
    uiUrl,
  };
}

function step(text: string): void {
  steps += 1;
  console.log(`\n${steps}. ${text}.`);
}

function report(text: string): void {
  console.log(indented(text));
}

function indented(text: string): string {
  return text.replace(/^/gm, '   ');
}

/** Reports each change of the job until it is as wanted. */
async function watchUntil(
  emails: BillRunEmails,
  wanted: (status: JobStatus, sends: readonly SendRecord[]) => boolean,
): Promise<void> {
  const stuckAt = Date.now() + STUCK_AFTER_MS;
  let reported = '';
  for (;;) {
    const status = await emails.status({ billRunKey: BILL_RUN });
    const text = `${status.state}: ${status.text}`;
    if (text !== reported) report(text);
    reported = text;
    if (wanted(status, await emails.sends({ billRunKey: BILL_RUN }))) return;
    if (Date.now() > stuckAt) throw new Error(`the email job is stuck: ${text}`);
    await pause();
  }
}

async function emailCounts(control: Control): Promise<ReadonlyMap<string, number>> {
  const counts = await emailsByDocument(control, BILL_RUN);
  if (counts.size !== DOCUMENTS) throw new Error(`${counts.size} of ${DOCUMENTS} documents were emailed`);
  return counts;
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
