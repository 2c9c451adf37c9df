/** The jobs that Temporal's visibility lists. It needs no worker, and lags behind by a moment. */
import type { Client } from '@temporalio/client';
import { asZuoraWrites, isIdentifier, milliseconds } from '../workflows/contract/validation.js';
import { EMAIL_STATES, WORKFLOW_TYPE, type EmailReason, type EmailState } from '../workflows/contract/contract.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { BillRunEmailsError } from './failures/errors.js';
import { emailReasonIn, emailStateIn } from './last-job.js';
import { lastOf, listed, type KnownWorkflow } from './temporal/jobs.js';

/** Lists the jobs to which all of it applies. Default: every job that Temporal still keeps. */
export interface ListFilter {
  /** In one of these states. A closed job keeps its last one. */
  readonly states?: readonly EmailState[] | undefined;
  /** Started longer ago than this, such as `90s`, `12 hours` or `30d`. */
  readonly olderThan?: string | undefined;
  /** The number of the bill run, or the beginning of it. */
  readonly number?: string | undefined;
  /** Only open jobs. */
  readonly open?: boolean | undefined;
  /** Only jobs with documents that were not sent, open or closed. */
  readonly notSent?: boolean | undefined;
  /** The most jobs to list. Default, and 0: all. */
  readonly limit?: number | undefined;
}

export interface ListedJob {
  readonly workflowId: string;
  readonly runId: string;
  readonly billRunNumber: string | null;
  readonly billRunId: string | null;
  readonly billRunStatus: string | null;
  readonly state: EmailState | null;
  /** The cause of the state; null if there is none. */
  readonly reason: EmailReason | null;
  /** Since when the job has its state and reason. */
  readonly since: string | null;
  /** How many sends Zuora accepted, in all jobs of the bill run. */
  readonly sends: number;
  /** How many documents were not sent; null before the first check after an acceptance. */
  readonly documentsNotSent: number | null;
  /** Temporal's status: `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED`, `TERMINATED`, `TIMED_OUT`, `PAUSED`. */
  readonly status: string;
  readonly startedAt: string;
  readonly closedAt: string | null;
}

/**
 * Open jobs before closed ones, then the newest first. Pages are fetched as they are read.
 *
 * @param call makes one call to Temporal, with a deadline
 * @throws BillRunEmailsError `InvalidInput` for an invalid filter
 */
export async function* listJobs(
  client: Client,
  filter: ListFilter,
  call: <T>(ask: () => Promise<T>) => Promise<T>,
): AsyncGenerator<ListedJob, void, undefined> {
  const { limit = 0 } = filter;
  const query = queryOf(filter, Date.now());
  const { notSent = false } = filter;
  const jobs = listed(client, query, limit === 0 || notSent ? undefined : limit);
  for (let listed = 0; limit === 0 || listed < limit;) {
    const next = await call(() => jobs.next());
    if (next.done === true) return;
    const job = listedJob(next.value);
    // A later job of the bill run may have sent what this one left unsent.
    if (notSent && job.closedAt !== null && !(await call(() => isLast(client, job)))) continue;
    listed += 1;
    yield job;
  }
}

async function isLast(client: Client, { workflowId, runId }: ListedJob): Promise<boolean> {
  return (await lastOf(client, workflowId))?.runId === runId;
}

/** Temporal's query language. Every value in it is checked, and none has a quote. */
function queryOf(
  { states = [], olderThan, number: given, open = false, notSent = false, limit = 0 }: ListFilter,
  now: number,
): string {
  const number = given === undefined ? undefined : asZuoraWrites(given);
  const faults: string[] = [];
  const unknown = states.filter((state) => !EMAIL_STATES.includes(state));
  if (unknown.length > 0)
    faults.push(`unknown states: ${unknown.join(', ')}; the states are ${EMAIL_STATES.join(', ')}`);
  const age = olderThan === undefined ? 0 : milliseconds(olderThan);
  if (!(age >= 0 && age <= now)) faults.push('olderThan must be a duration such as "90s", "12 hours" or "30d"');
  if (number !== undefined && !isIdentifier(number)) {
    faults.push('number must be the number of a bill run, such as BR-00000001, or the beginning of one');
  }
  if (!Number.isSafeInteger(limit) || limit < 0) faults.push('limit must be a whole number; 0 lists all');
  if (faults.length > 0) throw new BillRunEmailsError('InvalidInput', `invalid input: ${faults.join('; ')}`);

  const { billRunNumber, emailState, documentsNotSent } = searchAttributes;
  return [
    `WorkflowType = '${WORKFLOW_TYPE}'`,
    // The job goes on in its successor.
    "ExecutionStatus != 'ContinuedAsNew'",
    ...(states.length === 0 ? [] : [`${emailState.name} IN (${states.map((state) => `'${state}'`).join(', ')})`]),
    ...(olderThan === undefined ? [] : [`StartTime < '${new Date(now - age).toISOString()}'`]),
    // Before its first look, a job has the number only in its workflow id.
    ...(number === undefined
      ? []
      : [`(${billRunNumber.name} STARTS_WITH '${number}' OR WorkflowId STARTS_WITH 'email-bill-run/${number}')`]),
    ...(open ? ['CloseTime IS NULL'] : []),
    ...(notSent ? [`${documentsNotSent.name} > 0`] : []),
  ].join(' AND ');
}

function listedJob(info: KnownWorkflow): ListedJob {
  const { workflowId, runId, status, startedAt, closedAt, attributes } = info;
  return {
    workflowId,
    runId,
    billRunNumber: attributes.get(searchAttributes.billRunNumber) ?? null,
    billRunId: attributes.get(searchAttributes.billRunId) ?? null,
    billRunStatus: attributes.get(searchAttributes.billRunStatus) ?? null,
    state: emailStateIn(info),
    reason: emailReasonIn(info),
    since: attributes.get(searchAttributes.emailStateSince)?.toISOString() ?? null,
    sends: attributes.get(searchAttributes.emailSends) ?? 0,
    documentsNotSent: attributes.get(searchAttributes.documentsNotSent) ?? null,
    status,
    startedAt: startedAt.toISOString(),
    closedAt: closedAt?.toISOString() ?? null,
  };
}
