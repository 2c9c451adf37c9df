/** The bill runs that Temporal knows, by its visibility: no worker is needed, and it lags behind by a moment. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { isIdentifier, milliseconds } from '../workflows/contract/validation.js';
import { EMAIL_STATES, WORKFLOW_TYPE, type EmailState } from '../workflows/contract/contract.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { BillRunEmailsError } from './failures/errors.js';

/** Which runs to list: those to which all of it applies; by default, every run that Temporal still keeps. */
export interface ListFilter {
  /** In one of these states. A closed run keeps its last one. */
  readonly states?: readonly EmailState[] | undefined;
  /** Started longer ago than this, such as `90s`, `12 hours` or `30d`. */
  readonly olderThan?: string | undefined;
  /** The number of the bill run, or how it begins. */
  readonly number?: string | undefined;
  /** Only runs that have not closed. */
  readonly open?: boolean | undefined;
  /** At most so many runs. Default, and 0: all. */
  readonly limit?: number | undefined;
}

export interface ListedRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly billRunNumber: string | null;
  readonly billRunId: string | null;
  readonly billRunStatus: string | null;
  readonly state: EmailState | null;
  /** How many sends Zuora accepted. */
  readonly sends: number;
  /** Temporal's own: `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED`, `TERMINATED`, `TIMED_OUT`, `PAUSED`. */
  readonly status: string;
  readonly startedAt: string;
  readonly closedAt: string | null;
}

/** What Temporal answers with at once, at most. */
const MOST_PER_PAGE = 1000;

/**
 * Open runs before closed ones, the newest first. Pages are fetched as they are read.
 *
 * @param call asks Temporal once, with a deadline
 * @throws BillRunEmailsError `InvalidInput` for a filter that cannot be followed
 */
export async function* listRuns(
  client: Client,
  filter: ListFilter,
  call: <T>(ask: () => Promise<T>) => Promise<T>,
): AsyncGenerator<ListedRun, void, undefined> {
  const { limit = 0 } = filter;
  const query = queryOf(filter, Date.now());
  const pageSize = limit === 0 ? MOST_PER_PAGE : Math.min(limit, MOST_PER_PAGE);
  const runs = client.workflow.list({ query, pageSize })[Symbol.asyncIterator]();
  for (let listed = 0; limit === 0 || listed < limit; listed += 1) {
    const next = await call(() => runs.next());
    if (next.done === true) return;
    yield listedRun(next.value);
  }
}

/** In Temporal's query language. Only checked values get into it, none of which has a quote. */
function queryOf({ states = [], olderThan, number, open = false, limit = 0 }: ListFilter, now: number): string {
  const faults: string[] = [];
  const unknown = states.filter((state) => !EMAIL_STATES.includes(state));
  if (unknown.length > 0) faults.push(`no state: ${unknown.join(', ')}; there are ${EMAIL_STATES.join(', ')}`);
  const age = olderThan === undefined ? 0 : milliseconds(olderThan);
  if (!(age >= 0 && age <= now)) faults.push('olderThan must be a duration such as "90s", "12 hours" or "30d"');
  if (number !== undefined && !isIdentifier(number)) {
    faults.push('number must be the number of a bill run, such as BR-00000001, or how it begins');
  }
  if (!Number.isSafeInteger(limit) || limit < 0) faults.push('limit must be a whole number; 0 lists all');
  if (faults.length > 0) throw new BillRunEmailsError('InvalidInput', `invalid input: ${faults.join('; ')}`);

  const { billRunNumber, emailState } = searchAttributes;
  return [
    `WorkflowType = '${WORKFLOW_TYPE}'`,
    // Its successor is the same life of the same bill run.
    "ExecutionStatus != 'ContinuedAsNew'",
    ...(states.length === 0 ? [] : [`${emailState.name} IN (${states.map((state) => `'${state}'`).join(', ')})`]),
    ...(olderThan === undefined ? [] : [`StartTime < '${new Date(now - age).toISOString()}'`]),
    // A run that has not seen its bill run yet knows the number only by its workflow id.
    ...(number === undefined
      ? []
      : [`(${billRunNumber.name} STARTS_WITH '${number}' OR WorkflowId STARTS_WITH 'email-bill-run/${number}')`]),
    ...(open ? ['CloseTime IS NULL'] : []),
  ].join(' AND ');
}

function listedRun(info: WorkflowExecutionInfo): ListedRun {
  const { workflowId, runId, status, startTime, closeTime, typedSearchAttributes: indexed } = info;
  return {
    workflowId,
    runId,
    billRunNumber: indexed.get(searchAttributes.billRunNumber) ?? null,
    billRunId: indexed.get(searchAttributes.billRunId) ?? null,
    billRunStatus: indexed.get(searchAttributes.billRunStatus) ?? null,
    state: emailStateIn(info),
    sends: indexed.get(searchAttributes.emailSends) ?? 0,
    status: status.name,
    startedAt: startTime.toISOString(),
    closedAt: closeTime?.toISOString() ?? null,
  };
}

/** The state that a run shows where Temporal can be asked without its worker. */
export function emailStateIn({ typedSearchAttributes }: Pick<WorkflowExecutionInfo, 'typedSearchAttributes'>) {
  const shown = typedSearchAttributes.get(searchAttributes.emailState);
  return EMAIL_STATES.find((state) => state === shown) ?? null;
}
