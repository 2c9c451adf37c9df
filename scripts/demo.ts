/**
 * One bill run on real parts, scene by scene: a Temporal server, a worker process, and a simulated Zuora over HTTP. It passes only if
 * every document got exactly one email of the first send or its retry, and one of the resend.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Command } from 'commander';
import { BillRunEmails } from '../client/index.js';
import { withoutMarkdown } from '../client/failures/plain-text.js';
import { formatted } from '../client/cli/audit-formats.js';
import { columns } from '../client/cli/columns.js';
import * as tables from '../client/cli/tables.js';
import { startSimulator } from '../simulator/index.js';
import { canonicalWorkflowId, type JobStatus, type SendRecord } from '../workflows/contract/contract.js';
import { linkToJob, untilJob } from './jobs.js';
import { untilSignaledToStop } from './processes.js';
import { controlOf, type Control } from './simulator-control.js';
import { billRunSearchAttributes, startTemporalServer } from './temporal-server.js';
import { startWorker } from './worker-process.js';

const BILL_RUN = 'BR-00000001';
/** In milliseconds: long enough to show the wait. */
const WAIT_FOR_POST = 2_000;
/** The first send or its retry, and the resend. */
const EMAILS_WANTED = 2;
const TEMPORAL_LOG = '.dev/demo-temporal.log';
const WORKER_LOG = '.dev/demo-worker.log';

interface Flags {
  readonly json?: true;
  readonly keep?: true;
  readonly verbose?: true;
}

interface DemoResult {
  readonly billRunNumber: string;
  readonly workflowId: string;
  readonly state: string;
  readonly sends: readonly SendRecord[];
  /** The fewest and the most emails of a document. */
  readonly emailsPerDocument: { readonly min: number; readonly max: number };
  readonly historyEvents: number;
  readonly uiUrl: string;
  readonly temporalAddress: string;
}

const { json, keep, verbose } = new Command('demo')
  .description(
    'Emails a bill run on a real Temporal server and a simulated Zuora: a lost answer, a document that is not sent, a resend.',
  )
  .option('--json', 'end with one JSON object on the last line')
  .option('--keep', 'keep everything running at the end, to look around in Temporal UI')
  .option('--verbose', 'also print the texts of the job, its sends, its audit, and the emails of each document')
  .parse()
  .opts<Flags>();

let scenes = 0;
const stops: (() => Promise<unknown>)[] = [];
try {
  const result = await demo();
  judge(result.emailsPerDocument);
  if (keep) console.log(whatToTry(result.temporalAddress));
  if (json) console.log(JSON.stringify(result));
  if (keep) await untilSignaledToStop();
} catch (error) {
  console.error(error);
  console.error(`Logs: ${TEMPORAL_LOG}, ${WORKER_LOG}`);
  fail(error instanceof Error ? error.message : String(error));
} finally {
  for (const stop of stops.reverse()) {
    await stop().catch((error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    });
  }
}

async function demo(): Promise<DemoResult> {
  console.log('Starting a real Temporal server, a worker process, and a simulated Zuora.');
  const temporal = await startTemporalServer({ searchAttributes: billRunSearchAttributes, logFile: TEMPORAL_LOG });
  stops.push(() => temporal.stop());
  // Zuora then reports success, and emails the invoices only.
  const simulator = await startSimulator({ emailDelayMs: 500, creditMemoNotificationActive: false });
  stops.push(() => simulator.close());
  const worker = await startWorker({
    temporal,
    simulatorUrl: simulator.url,
    pollInterval: '500ms',
    // In production the first check comes after five minutes.
    env: { BILL_RUN_DELIVERY_INTERVAL: '1s' },
    logFile: WORKER_LOG,
  });
  stops.push(() => worker.stop());
  const connection = await Connection.connect({ address: temporal.address });
  const emails = new BillRunEmails(new Client({ connection }));
  stops.push(() => emails.close());
  const until = (wanted: (status: JobStatus) => boolean): Promise<JobStatus> => untilJob(emails, BILL_RUN, wanted);
  const control = controlOf(simulator.url);

  const uiUrl = linkToJob(temporal.uiUrl ?? '', BILL_RUN);
  console.log(`Temporal UI: ${uiUrl}`);
  if (!keep) console.log('It ends with this demo. To look around in it: npm run demo -- --keep');
  detail(`Temporal ${temporal.address}, simulated Zuora ${simulator.url}, worker process ${worker.pid}`);

  await control('POST', '/bill-runs', { number: BILL_RUN, invoices: 3, creditMemos: 1, status: 'Completed' });
  await control('POST', '/faults', {
    method: 'POST',
    path: '/v1/bill-runs/*/emails',
    when: 'after',
    fault: 'reset',
  });
  console.log();

  scene(`A pipeline starts the job of ${BILL_RUN}, twice. The bill run is not posted yet.`);
  const billRun = { billRunKey: BILL_RUN };
  const first = await emails.start({ ...billRun, requestedBy: 'nightly-billing', reason: 'month end' });
  const second = await emails.start({ ...billRun, requestedBy: 'nightly-billing' });
  const waiting = await until(({ state, billRunStatus }) => state === 'Waiting' && billRunStatus !== null);
  outcome(waiting, `${first.result}, then ${second.result}: there is one job`);
  await delay(WAIT_FOR_POST);

  scene('The bill run posts. Attempt 1: Zuora emails, and the connection is cut before its answer.');
  await control('PATCH', `/bill-runs/${BILL_RUN}`, { status: 'Posted' });
  // Between two attempts, the time of the next one is known.
  const lost = await until(({ state, until: nextAt }) => state === 'Sending' && nextAt !== null);
  outcome(lost, 'no answer: nobody knows whether customers have their emails');

  scene('Attempt 2 has the same idempotency key: Zuora repeats its stored answer, and sends nothing.');
  const accepted = await until(({ sends }) => sends === 1);
  const soFar = [...(await emailsLeft(control)).values()];
  outcome(
    accepted,
    `accepted; ${soFar.filter((count) => count === 1).length} of ${soFar.length} documents have 1 email`,
  );

  scene('Accepted is not emailed. The job follows each document, and finds one that was not sent.');
  const unsent = await until(({ reason }) => reason === 'notSent');
  const { number = '', reason: cause } = unsent.documents?.list.find((each) => each.outcome === 'notSent') ?? {};
  // The rest of the cause says where in Zuora.
  outcome(unsent, `${number}: ${cause?.split(',')[0] ?? 'not sent'}`);

  scene('alice activates the notification in Zuora. Her retry emails only that document.');
  await control('PATCH', '/settings', { creditMemoNotificationActive: true });
  await emails.retry(billRun, { requestedBy: 'alice', reason: 'notification is on' });
  const complete = await until(({ state }) => state === 'Emailed');
  outcome(complete, `accepted; every document has ${inWords(await emailsLeft(control))}`);

  scene('The template was wrong. alice asks for a resend, which emails all documents again.');
  await emails.resend(billRun, { requestId: 'TICKET-1', requestedBy: 'alice', reason: 'wrong template' });
  const resent = await until(({ state, sends }) => state === 'Emailed' && sends === 3);
  // What is still on its way leaves now.
  await control('POST', '/clock', { advanceMs: 3_600_000 });
  const counts = await emailsLeft(control);
  outcome(resent, `accepted; every document has ${inWords(counts)}`);

  scene('The record in Temporal: who asked, why, what for, when, and what Zuora answered.');
  const sends = await emails.sends(billRun);
  console.log(indented(columns(sends.flatMap(rowsOfSend))));
  detail(tables.sends(sends));
  detail(formatted(await emails.audit(billRun), 'table'));
  detail(`Emails that left: ${[...counts].map(([document, count]) => `${document} ${count}`).join(', ')}`);

  const workflowId = canonicalWorkflowId(BILL_RUN);
  const { historyLength } = await emails.client.workflow.getHandle(workflowId).describe();
  return {
    billRunNumber: BILL_RUN,
    workflowId,
    state: resent.state,
    sends,
    emailsPerDocument: spread(counts),
    historyEvents: historyLength,
    uiUrl,
    temporalAddress: temporal.address,
  };
}

function scene(text: string): void {
  scenes += 1;
  console.log(`${scenes}. ${text}`);
}

/** What a scene came to. */
function outcome({ since, state, text }: JobStatus, words: string): void {
  console.log(indented(`${timeOf(since ?? new Date().toISOString())}  ${state.padEnd(10)}  ${words}`));
  detail(text);
}

function detail(text: string): void {
  if (verbose) console.log(indented(withoutMarkdown(text)));
}

function indented(text: string): string {
  return text.replace(/^/gm, '     ');
}

/** Hours, minutes and seconds of the local zone. */
function timeOf(moment: string): string {
  return new Date(moment).toTimeString().slice(0, 8);
}

function rowsOfSend({ resend, requests: [request], attempts }: SendRecord): string[][] {
  const what = resend ? `resend ${request?.requestId ?? ''}` : request?.missing === true ? 'retry' : 'first send';
  return attempts.map(({ startedAt, httpStatus, verdict, stored }, index) => [
    ...(index === 0 ? [request?.requestedBy ?? '', request?.reason ?? '', what] : ['', '', '']),
    timeOf(startedAt),
    httpStatus === null ? 'no answer' : `${verdict}${stored ? ' (stored answer)' : ''}`,
  ]);
}

/** How many emails of each document have left. */
async function emailsLeft(control: Control): Promise<ReadonlyMap<string, number>> {
  const { documents } = await control<{ documents: { number: string }[] }>('GET', `/bill-runs/${BILL_RUN}`);
  const mailbox = await control<{ documentNumber: string }[]>('GET', `/mailbox?billRun=${BILL_RUN}`);
  const emailsOf = (number: string): number => mailbox.filter(({ documentNumber }) => documentNumber === number).length;
  return new Map(documents.map(({ number }) => [number, emailsOf(number)]));
}

function spread(counts: ReadonlyMap<string, number>): DemoResult['emailsPerDocument'] {
  return { min: Math.min(...counts.values()), max: Math.max(...counts.values()) };
}

function inWords(counts: ReadonlyMap<string, number>): string {
  const { min, max } = spread(counts);
  return min === max ? `${max} email${max === 1 ? '' : 's'}` : `${min} to ${max} emails`;
}

function judge({ min, max }: DemoResult['emailsPerDocument']): void {
  console.log();
  if (min === EMAILS_WANTED && max === EMAILS_WANTED) {
    console.log('PASS  Each document has 2 emails: one of the first send or its retry, and one of the resend.');
  } else {
    fail(`Documents have ${min} to ${max} emails, and each should have ${EMAILS_WANTED}.`);
  }
}

function fail(why: string): void {
  console.log(`FAIL  ${why}`);
  process.exitCode = 1;
}

function whatToTry(temporalAddress: string): string {
  return [
    'Everything keeps running until Ctrl-C. To look around, in another terminal:',
    `  export TEMPORAL_ADDRESS=${temporalAddress}`,
    `  npm run --silent cli -- status ${BILL_RUN}`,
    `  npm run --silent cli -- audit ${BILL_RUN}`,
    '  npm run --silent cli -- list',
  ].join('\n');
}
