/** The whole life of several bill runs on a cluster with two workers, one of which is killed during a send, beside a floor. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { BillRunEmails, type Audit, type JobStatus, type SendRecord } from '../../client/index.js';
import { canonicalWorkflowId } from '../../workflows/contract/contract.js';
import { projectRoot } from '../../scripts/project-root.js';
import { emailsByDocument, simulatorEnvironment } from '../../scripts/simulator-control.js';
import { environmentFor, type TemporalServer } from '../../scripts/temporal-server.js';
import type { Surroundings } from '../command.js';
import { walk, type LoggedCall } from '../explore/trace.js';
import { readHistory } from '../history.js';
import { createNamespace, type Cluster } from './cluster.js';
import { openFloor } from './floor.js';
import { billRunWithFault, delayNextRead, each, openSide, untilFound, workerInCall, type Side } from './side.js';

export interface LifeResult {
  readonly billRuns: number;
  readonly documents: number;
  readonly sends: number;
  readonly attempts: number;
  /** Attempts that were lost with the killed worker. */
  readonly attemptsLost: number;
  /** Reads of bill runs that were lost with it. */
  readonly readsLost: number;
  /** Emails per document. There are two sends, so both numbers must be 2. */
  readonly emailsPerDocument: { readonly min: number; readonly max: number };
  /** From the kill until the last bill run was emailed. */
  readonly recoveryMs: number;
  /** The same of the floor, which lost a worker in the same moment. */
  readonly floorRecoveryMs: number;
  readonly historyEvents: number;
  /** From the first start until all jobs have closed. */
  readonly durationMs: number;
  /** Failed checks, as text. */
  readonly faults: readonly string[];
}

export interface LifeOptions extends Surroundings {
  readonly billRuns: number;
}

export const NAMESPACE = 'bill-runs';
/** Every third bill run has the reply to its first call cut off; the other replies to first calls come late. */
const CUT_EVERY = 3;
/** What our recovery may take beyond the floor's: the pause before the next attempt, and a busy machine. */
const OVER_FLOOR_MS = 40_000;

export async function live(
  cluster: Cluster,
  options: LifeOptions,
): Promise<{ readonly result: LifeResult; readonly evidence: object }> {
  const { billRuns, report, onStop } = options;
  const temporal = { address: cluster.address, namespace: NAMESPACE };
  await createNamespace(cluster.address, NAMESPACE);
  report(`bill-run-emails setup:\n${indented(await cli(temporal, {}, 'setup'))}`);

  const side = await openSide('worker', options, { temporal, pollInterval: '1s' });
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection, namespace: NAMESPACE, identity: 'pipeline' });
  const emails = new BillRunEmails(client);
  onStop(() => emails.close());
  const floor = await openFloor(temporal, client, options);
  report(`Temporal ${temporal.address}, namespace ${NAMESPACE}; simulated Zuora ${side.simulatorUrl}; two workers`);

  const startedAt = Date.now();
  const numbers = await startBillRuns(billRuns, emails, side);
  await floor.start(billRuns);
  report(
    `${billRuns} bill runs are started, half of them before the post. Every third first reply is cut off, the others are late`,
  );
  const sending = numbers.filter((_, index) => isPosted(index) && !isCut(index));
  const waiting = numbers.filter((_, index) => !isPosted(index));
  const lostFloor = await floor.workerInCall();
  const lost = await workerInCall(side, client, 'emailBillRunDocuments', sending.map(workflowId));
  await each(waiting, (number) => delayNextRead(side, number));
  await workerInCall(side, client, 'watchBillRun', waiting.map(workflowId));
  const killedAt = Date.now();
  await Promise.all([lost.stop(0), lostFloor.stop(0), cluster.kill('history-2')]);
  report(
    `Worker ${lost.pid}, one of the floor's and one of two history processes are killed while calls and reads are under way`,
  );
  await each(waiting, (number) => side.control('PATCH', `/bill-runs/${number}`, { status: 'Posted' }));
  await each(numbers, (number) => untilSent(emails, number, 1));
  const recoveryMs = Date.now() - killedAt;
  report(`The other worker has emailed all of them, the last one ${seconds(recoveryMs)} after the kill`);
  const floorRecoveryMs = (await floor.lastClosedAt()) - killedAt;
  report(`The floor took ${seconds(floorRecoveryMs)}`);
  await cluster.start();

  const request = { requestId: 'TICKET-1', requestedBy: 'alice', reason: 'wrong template' };
  await each(numbers, (billRunKey) =>
    untilFound(`${billRunKey} takes no resend`, () => emails.resend({ billRunKey }, request)),
  );
  await each(numbers, (number) => untilSent(emails, number, 2));
  report('An operator asked for a resend of all of them, and every document was emailed again');

  const zuora = simulatorEnvironment(side.simulatorUrl);
  report(`bill-run-emails doctor:\n${indented(await cli(temporal, zuora, 'doctor'))}`);
  const faults: string[] = [];
  const listed = (await cli(temporal, {}, 'list', '--state', 'Delivering', '--limit', '0', '--json')).split('\n');
  if (listed.length !== billRuns) faults.push(`list shows ${listed.length} emailed bill runs`);

  await each(numbers, (billRunKey) => emails.finish({ billRunKey }, { requestedBy: 'alice' }));
  await each(numbers, (number) => client.workflow.getHandle(workflowId(number)).result());
  const durationMs = Date.now() - startedAt;
  const replayed = await run(temporal, 'worker/replay.js', {}, '--query', "WorkflowType = 'emailBillRun'");
  report(`Replay of all histories: ${replayed}`);

  const audits = await Promise.all(numbers.map((billRunKey) => emails.audit({ billRunKey })));
  for (const [index, audit] of audits.entries()) faults.push(...auditFaults(numbers[index] ?? '', audit));
  const counts = await emailsByDocument(side.control);
  const perDocument = [...counts.values()];
  const emailsPerDocument = { min: Math.min(...perDocument), max: Math.max(...perDocument) };
  if (emailsPerDocument.min !== 2 || emailsPerDocument.max !== 2) {
    faults.push(`documents got between ${emailsPerDocument.min} and ${emailsPerDocument.max} emails instead of 2`);
  }
  const attempts = audits.flatMap(({ sends }) => sends.flatMap((send) => send.attempts));
  const attemptsLost = attempts.filter(({ reasons }) => reasons.some(({ code }) => code === 'WORKER_LOST')).length;
  if (attemptsLost === 0) faults.push('no attempt was lost with the killed worker');
  const overFloorMs = recoveryMs - floorRecoveryMs;
  if (overFloorMs > OVER_FLOOR_MS) faults.push(`the recovery took ${seconds(overFloorMs)} more than the floor's`);
  const histories = await each(numbers, (number) => client.workflow.getHandle(workflowId(number)).fetchHistory());
  const calls = await side.control<LoggedCall[]>('GET', '/requests');
  for (const [index, history] of histories.entries()) {
    const attempted = readHistory(history).history.map((attempt) => ({ ...attempt, runId: '' }));
    for (const { eventId, what } of walk(attempted, calls).faults)
      faults.push(`event ${eventId} of ${numbers[index] ?? ''}: ${what}`);
  }
  const events = histories.flatMap((history) => history.events ?? []);
  const timedOut = events.filter(({ activityTaskTimedOutEventAttributes: each }) => each != null).length;
  const result: LifeResult = {
    billRuns,
    documents: counts.size,
    sends: audits.reduce((sum, { sends }) => sum + sends.length, 0),
    attempts: attempts.length,
    attemptsLost,
    readsLost: timedOut - attemptsLost,
    emailsPerDocument,
    recoveryMs,
    floorRecoveryMs,
    historyEvents: events.length,
    durationMs,
    faults,
  };
  const evidence = {
    result,
    killedAt: new Date(killedAt),
    audits,
    histories: histories.map((each) => JSON.parse(historyToJSON(each)) as object),
  };
  return { result, evidence };
}

/** Starts each bill run twice, as a pipeline that repeats itself; half of them before the post. */
async function startBillRuns(count: number, emails: BillRunEmails, side: Side): Promise<readonly string[]> {
  const numbers: string[] = [];
  for (let index = 0; index < count; index++) {
    numbers.push(await billRunWithFault(side, isPosted(index) ? 'Posted' : 'Completed', isCut(index)));
  }
  for (const billRunKey of [...numbers, ...numbers]) {
    await emails.start({ billRunKey, requestedBy: 'nightly-billing', reason: 'month end' });
  }
  return numbers;
}

/** Already at the start. */
function isPosted(index: number): boolean {
  return index % 2 === 0;
}

function isCut(index: number): boolean {
  return index % CUT_EVERY === 1;
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

function workflowId(number: string): string {
  return canonicalWorkflowId(number);
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

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function indented(text: string): string {
  return text.replace(/^/gm, '   ');
}
