/** The whole life of several bill runs on a cluster with two workers, one of which is killed during a send. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { BillRunEmails, BillRunEmailsError, type Audit, type JobStatus, type SendRecord } from '../../client/index.js';
import { startSimulator } from '../../simulator/index.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import type { Child } from '../../scripts/processes.js';
import { projectRoot } from '../../scripts/project-root.js';
import { controlOf, emailsByDocument, simulatorEnvironment, type Control } from '../../scripts/simulator-control.js';
import { environmentFor, type TemporalServer } from '../../scripts/temporal-server.js';
import { startWorker } from '../../scripts/worker-process.js';
import { createNamespace, type Cluster } from './cluster.js';

export interface LifeResult {
  readonly billRuns: number;
  readonly documents: number;
  readonly sends: number;
  readonly attempts: number;
  /** Attempts that were lost with the killed worker. */
  readonly attemptsLost: number;
  /** Emails per document. There are two sends, so both numbers must be 2. */
  readonly emailsPerDocument: { readonly min: number; readonly max: number };
  /** From the kill until the last bill run was emailed. */
  readonly recoveryMs: number;
  readonly historyEvents: number;
  /** From the first start until all jobs have closed. */
  readonly durationMs: number;
  /** Failed checks, as text. */
  readonly faults: readonly string[];
}

export interface LifeOptions {
  readonly billRuns: number;
  readonly folder: string;
  readonly report: (text: string) => void;
  readonly onStop: (stop: () => Promise<unknown>) => void;
}

export const NAMESPACE = 'bill-runs';
/** Every third bill run has the reply to its first call cut off; the other replies to first calls come late. */
const CUT_EVERY = 3;
/** Long enough to kill a worker meanwhile, even on a slow machine. */
const LATE_MS = 20_000;
const POSTS_AFTER_MS = 5_000;
/** A lost worker costs 30 s, and pauses between attempts begin with 5 s. This is ample. */
const STUCK_AFTER_MS = 240_000;

export async function live(
  cluster: Cluster,
  options: LifeOptions,
): Promise<{ readonly result: LifeResult; readonly evidence: readonly Audit[] }> {
  const { billRuns, folder, report, onStop } = options;
  const temporal = { address: cluster.address, namespace: NAMESPACE };
  await createNamespace(cluster.address, NAMESPACE);
  report(`bill-run-emails setup:\n${indented(await cli(temporal, {}, 'setup'))}`);

  const simulator = await startSimulator({ emailDelayMs: 500 });
  onStop(() => simulator.close());
  const control = controlOf(simulator.url);
  const workers: Child[] = [];
  for (const name of ['worker-1', 'worker-2']) {
    const logFile = join(folder, `${name}.log`);
    const worker = await startWorker({ temporal, simulatorUrl: simulator.url, pollInterval: '1s', logFile });
    workers.push(worker);
    onStop(() => worker.stop());
  }
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection, namespace: NAMESPACE, identity: 'pipeline' });
  const emails = new BillRunEmails(client);
  onStop(() => emails.close());
  report(`Temporal ${temporal.address}, namespace ${NAMESPACE}; simulated Zuora ${simulator.url}; two workers`);

  const startedAt = Date.now();
  const numbers = await startBillRuns(billRuns, emails, control);
  report(
    `${billRuns} bill runs are started, half of them before the post. Every third first reply is cut off, the others are late`,
  );
  const workerIdentity = await attemptUnderWay(client, numbers);
  const lost = workers.find(({ pid }) => workerIdentity.startsWith(`${pid}@`));
  if (lost === undefined) throw new Error(`${workerIdentity} is not one of our workers`);
  await lost.stop(0);
  await cluster.kill('history-2');
  const killedAt = Date.now();
  report(`Worker ${lost.pid} and one of two history processes are killed while that worker's calls are in progress`);
  await each(numbers, (number) => untilSent(emails, number, 1));
  const recoveryMs = Date.now() - killedAt;
  report(`The other worker has emailed all of them, the last one ${seconds(recoveryMs)} after the kill`);
  await cluster.start();

  const request = { requestId: 'TICKET-1', requestedBy: 'alice', reason: 'wrong template' };
  await each(numbers, (billRunKey) =>
    untilFound(`${billRunKey} takes no resend`, () => emails.resend({ billRunKey }, request)),
  );
  await each(numbers, (number) => untilSent(emails, number, 2));
  report('An operator asked for a resend of all of them, and every document was emailed again');

  const zuora = simulatorEnvironment(simulator.url);
  report(`bill-run-emails doctor:\n${indented(await cli(temporal, zuora, 'doctor'))}`);
  const faults: string[] = [];
  const listed = (await cli(temporal, {}, 'list', '--state', 'Delivering', '--limit', '0', '--json')).split('\n');
  if (listed.length !== billRuns) faults.push(`list shows ${listed.length} emailed bill runs`);

  await each(numbers, (billRunKey) => emails.finish({ billRunKey }, { requestedBy: 'alice' }));
  await each(numbers, (number) => client.workflow.getHandle(canonicalWorkflowId(number)).result());
  const durationMs = Date.now() - startedAt;
  const replayed = await run(temporal, 'worker/replay.js', {}, '--query', "WorkflowType = 'emailBillRun'");
  report(`Replay of all histories: ${replayed}`);

  const audits = await Promise.all(numbers.map((billRunKey) => emails.audit({ billRunKey })));
  for (const [index, audit] of audits.entries()) faults.push(...auditFaults(numbers[index] ?? '', audit));
  const counts = await emailsByDocument(control);
  const perDocument = [...counts.values()];
  const emailsPerDocument = { min: Math.min(...perDocument), max: Math.max(...perDocument) };
  if (emailsPerDocument.min !== 2 || emailsPerDocument.max !== 2) {
    faults.push(`documents got between ${emailsPerDocument.min} and ${emailsPerDocument.max} emails instead of 2`);
  }
  const attempts = audits.flatMap(({ sends }) => sends.flatMap((send) => send.attempts));
  const attemptsLost = attempts.filter(({ reasons }) => reasons.some(({ code }) => code === 'WORKER_LOST')).length;
  if (attemptsLost === 0) faults.push('no attempt was lost with the killed worker');
  const lengths = await Promise.all(
    numbers.map(
      async (number) => (await client.workflow.getHandle(canonicalWorkflowId(number)).describe()).historyLength,
    ),
  );
  const result: LifeResult = {
    billRuns,
    documents: counts.size,
    sends: audits.reduce((sum, { sends }) => sum + sends.length, 0),
    attempts: attempts.length,
    attemptsLost,
    emailsPerDocument,
    recoveryMs,
    historyEvents: lengths.reduce((sum, length) => sum + length, 0),
    durationMs,
    faults,
  };
  return { result, evidence: audits };
}

/** Starts each bill run twice, as a pipeline that repeats itself; half of them before the post. */
async function startBillRuns(count: number, emails: BillRunEmails, control: Control): Promise<readonly string[]> {
  const numbers: string[] = [];
  for (let index = 0; index < count; index++) {
    const posted = index % 2 === 0 ? { status: 'Posted' } : { status: 'Completed', postsAfterMs: POSTS_AFTER_MS };
    const { number } = await control<{ number: string }>('POST', '/bill-runs', {
      invoices: 3,
      creditMemos: 1,
      ...posted,
    });
    const fault = { method: 'POST', path: `/v1/bill-runs/${number}/emails`, when: 'after' };
    await control('POST', '/faults', {
      ...fault,
      ...(isCut(index) ? { fault: 'reset' } : { fault: 'stall', afterMs: LATE_MS }),
    });
    numbers.push(number);
  }
  for (const billRunKey of [...numbers, ...numbers]) {
    await emails.start({ billRunKey, requestedBy: 'nightly-billing', reason: 'month end' });
  }
  return numbers;
}

function isCut(index: number): boolean {
  return index % CUT_EVERY === 1;
}

/** @returns the identity of a worker that waits for the reply to an email call */
async function attemptUnderWay(client: Client, numbers: readonly string[]): Promise<string> {
  // Every second bill run is already posted at the start.
  const late = numbers.filter((_, index) => index % 2 === 0 && !isCut(index));
  const holders = await each(late, async (number) => {
    const handle = client.workflow.getHandle(canonicalWorkflowId(number));
    return untilFound(`${number} is not being emailed`, async () => {
      const { raw } = await handle.describe();
      const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'emailBillRunDocuments');
      return pending?.lastWorkerIdentity === '' ? undefined : (pending?.lastWorkerIdentity ?? undefined);
    });
  });
  return holders[0] ?? '';
}

function untilSent(emails: BillRunEmails, billRunKey: string, count: number): Promise<true> {
  let last: { readonly status: JobStatus; readonly sends: readonly SendRecord[] } | undefined;
  return untilFound(`${billRunKey} is not sent ${count} times`, async () => {
    last = { status: await emails.status({ billRunKey }), sends: await emails.sends({ billRunKey }) };
    const accepted = last.sends.filter(({ outcome }) => outcome === 'accepted').length;
    return last.status.state === 'Delivering' && accepted === count ? true : undefined;
  });
}

function auditFaults(number: string, { sends, incomplete }: Audit): string[] {
  return [
    ...incomplete.map((text) => `the audit of ${number} is not complete: ${text}`),
    ...sends.flatMap(({ attempts }, index) => {
      const keys = new Set(attempts.map(({ idempotencyKey }) => idempotencyKey)).size;
      return keys === 1 ? [] : [`send ${index + 1} of ${number} has ${keys} idempotency keys`];
    }),
  ];
}

type Environment = Readonly<Record<string, string>>;

const cli = (temporal: Pick<TemporalServer, 'address' | 'namespace'>, env: Environment, ...args: string[]) =>
  run(temporal, 'client/cli/main.js', env, ...args);

/** @returns its output; throws unless it ends with 0 */
async function run(
  temporal: Pick<TemporalServer, 'address' | 'namespace'>,
  file: string,
  env: Environment,
  ...args: string[]
): Promise<string> {
  const options = { env: { ...process.env, ...environmentFor(temporal), ...env } };
  const { stdout } = await promisify(execFile)(process.execPath, [join(projectRoot, 'dist', file), ...args], options);
  return stdout.trimEnd();
}

function each<Of, Result>(items: readonly Of[], act: (item: Of) => Promise<Result>): Promise<Result[]> {
  return Promise.all(items.map(act));
}

async function untilFound<Result>(what: string, look: () => Promise<Result | undefined>): Promise<Result> {
  const stuckAt = Date.now() + STUCK_AFTER_MS;
  for (;;) {
    const found = await look().catch(unlessAway);
    if (found !== undefined) return found;
    if (Date.now() > stuckAt) throw new Error(`${what} after ${seconds(STUCK_AFTER_MS)}`);
    await delay(250);
  }
}

/** Calls time out while the shards of a killed history process move to the other one; then they are repeated. */
function unlessAway(error: unknown): undefined {
  if (!(error instanceof BillRunEmailsError && error.type === 'TemporalUnavailable')) throw error;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function indented(text: string): string {
  return text.replace(/^/gm, '   ');
}
