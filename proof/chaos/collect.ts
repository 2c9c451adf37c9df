/** Waits until all jobs have settled after the chaos, and collects the evidence. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  isGrpcServiceError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { auditOf } from '../../client/history/audit.js';
import { runIdsOf } from '../../client/history/history.js';
import {
  canonicalWorkflowId,
  HOLD_ALL_WORKFLOW_ID,
  sendsQuery,
  statusQuery,
  type EmailBillRunInput,
  type EmailReason,
  type EmailState,
} from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { documentFaults } from './documents.js';
import type { BillRunEvidence, EmailCall, Evidence, RunEvidence, SentEmail } from './evidence.js';
import {
  brokenTasksIn,
  forbiddenIn,
  inputIn,
  isClosedByPerson,
  lifeOf,
  readHistory,
  type Forbidden,
} from '../history.js';
import type { Parts } from './parts.js';
import type { Ledger } from './people.js';
import type { Plan } from './plan.js';
import { isUnreadable } from './unreadable.js';

/** A lost read costs 90 s, a lost worker 30 s, and pauses between attempts double from 5 s. This is ample. */
const SETTLE_LIMIT_MS = 8 * 60_000;
/** Bill runs read at a time. */
const CONCURRENCY = 8;
const DEADLINE_MS = 30_000;

/** States in which a job stays for days, or until a person acts. */
const LASTING: readonly EmailState[] = ['Waiting', 'NeedsAttention', 'Delivering', 'Emailed'];

/**
 * Waits until every job has closed or rests. Releases held jobs, answers a question once with `retry`, which takes no risk, and
 * sends `billRunPosted` to jobs that have not seen the post.
 *
 * @param options.finish sends `finish` to jobs at rest; they have settled when they have closed
 * @returns the ids of the workflows that do not settle
 */
export async function settle(
  workflowIds: readonly string[],
  { client, control }: Parts,
  report: (left: number) => void,
  { finish }: { readonly finish: boolean },
): Promise<readonly string[]> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  const retried = new Set<string>();
  let left = workflowIds;
  for (;;) {
    const open: string[] = [];
    await each(left, async (workflowId) => {
      const billRun = `/bill-runs/${workflowId.split('/').at(-1) ?? ''}`;
      const isPosted = async (): Promise<boolean> =>
        (await control<SimulatedBillRun>('GET', billRun)).status === 'Posted';
      const settled = isSettled(client.workflow.getHandle(workflowId), { isPosted, retried, finish });
      // A job that closes before our signal is read once more.
      if (!(await settled.catch(orClosed))) open.push(workflowId);
    });
    left = open;
    report(left.length);
    if (left.length === 0 || Date.now() > limit) return left;
    await delay(500);
  }
}

function orNeverStarted(error: unknown): true {
  if (error instanceof WorkflowNotFoundError) return true;
  throw error;
}

function orClosed(error: unknown): false {
  if (error instanceof WorkflowNotFoundError) return false;
  throw error;
}

async function isSettled(
  handle: WorkflowHandle,
  {
    isPosted,
    retried,
    finish,
  }: { readonly isPosted: () => Promise<boolean>; readonly retried: Set<string>; readonly finish: boolean },
): Promise<boolean> {
  const run = await handle.describe();
  if (run.status.name !== 'RUNNING') return true;
  const state = run.typedSearchAttributes.get(searchAttributes.emailState) as EmailState | undefined;
  const reason = run.typedSearchAttributes.get(searchAttributes.emailReason) as EmailReason | undefined;
  const note = { requestedBy: 'operator', reason: 'the chaos is over' };
  if (state === 'Held') await handle.signal('release', note);
  if (state === 'NeedsAttention' && !retried.has(run.runId)) {
    retried.add(run.runId);
    await handle.signal('retry', note);
    return false;
  }
  const waits = state === 'Waiting' && reason !== 'coolDown';
  if (waits && !retried.has(run.runId)) {
    retried.add(run.runId);
    await handle.signal('billRunPosted');
    return false;
  }
  const rests = state !== undefined && LASTING.includes(state) && !(waits && (await isPosted()));
  if (!finish) return rests && isAtRest(run);
  // A cool-down that ends during the soak is followed by a send.
  if (rests && isAtRest(run) && reason !== 'coolDown') await handle.signal('finish', note);
  return false;
}

/** They fail whenever they have seen nothing new. */
const WATCHES: readonly unknown[] = ['watchBillRun', 'watchDelivery'];

function isAtRest({ raw, status }: WorkflowExecutionDescription): boolean {
  if (status.name !== 'RUNNING') return true;
  const busy = (raw.pendingActivities ?? []).some(({ activityType, lastFailure }) => {
    return !WATCHES.includes(activityType?.name) || lastFailure == null;
  });
  return !busy && raw.pendingWorkflowTask == null;
}

/** After this the fifth check of most jobs, and the sixth of a few, is over. */
const CHECKED_LIMIT_MS = 4 * 60_000;

/** Lets all emails leave that Zuora still has to send, and waits until every open job has seen them. */
export async function untilChecked({ billRuns }: Plan, { client, control }: Parts): Promise<void> {
  await control('PATCH', '/settings', { emailDelayMs: 0 });
  await control('POST', '/clock', { advanceMs: 3_600_000 });
  const limit = Date.now() + CHECKED_LIMIT_MS;
  let left = billRuns;
  while (left.length > 0 && Date.now() < limit) {
    const behind: (typeof left)[number][] = [];
    await each(left, async (planned) => {
      const handle = client.workflow.getHandle(canonicalWorkflowId(planned.number));
      const hasSeen = patiently(client, async () => {
        const description = await handle.describe();
        if (description.status.name !== 'RUNNING' || isUnreadable(description)) return true;
        const run = { open: true, closedByPerson: false, ...(await answersOf(handle)) };
        const zuora = {
          documents: await documentsOf(planned, control),
          emails: await mailbox(control, planned.number),
        };
        return isAtRest(description) && documentFaults(run, zuora).faults.length === 0;
      });
      if (!(await hasSeen.catch(orNeverStarted))) behind.push(planned);
    });
    left = behind;
    if (left.length > 0) await delay(1_000);
  }
}

async function documentsOf(
  { number, emails }: Plan['billRuns'][number],
  control: Parts['control'],
): Promise<BillRunEvidence['documents']> {
  const { documents } = await control<SimulatedBillRun>('GET', `/bill-runs/${number}`);
  return documents.map((document, at) => {
    const { becomes } = emails.find(({ place }) => place === at) ?? {};
    const isUnsent = becomes === 'failed' || becomes === 'never';
    return { number: document.number, postedAt: document.postedAt, ...(isUnsent ? { unsent: becomes } : {}) };
  });
}

async function mailbox(control: Parts['control'], number: string): Promise<readonly SentEmail[]> {
  const emails = await control<SentEmail[]>('GET', `/mailbox?billRun=${number}`);
  return emails.map(({ documentNumber, idempotencyKey, resend, sentAt }) => {
    return { documentNumber, idempotencyKey, resend, sentAt };
  });
}

export async function collect({ billRuns: planned }: Plan, parts: Parts, ledger: Ledger): Promise<Evidence> {
  const { control } = parts;
  const requests = await control<(EmailCall & { readonly billRun: string | null })[]>('GET', '/requests');
  const calls = requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/emails'));
  const emails = await control<SentEmail[]>('GET', '/mailbox');
  const billRuns: BillRunEvidence[] = [];
  await each(planned, async (one) => {
    const { number } = one;
    const { id, status } = await control<SimulatedBillRun>('GET', `/bill-runs/${number}`);
    const accepted = ledger.accepted.filter(({ billRun }) => billRun === number);
    const workflowId = canonicalWorkflowId(number);
    const ids = new Set([workflowId, ...accepted.map((request) => request.workflowId)]);
    const unreadable: string[] = [];
    const runs = (await Promise.all([...ids].map((each) => runsOf(parts.client, each, unreadable)))).flat();
    billRuns.push({
      number,
      id,
      status: status ?? null,
      documents: await documentsOf(one, control),
      accepted: accepted.map(({ billRun: _, ...request }) => request),
      calls: calls.filter(({ billRun }) => billRun === number).map(evidenceOf),
      emails: await mailbox(control, number),
      ...{ runs, unreadable },
      audit: await patiently(parts.client, () => auditOf(parts.client, workflowId)),
    });
  });
  billRuns.sort((one, other) => (one.number < other.number ? -1 : 1));
  const holdsOnAll = await holdsOnAllIn(parts.client);
  const logins = requests.filter(({ path }) => path === '/oauth/token').map(({ at }) => Date.parse(at));
  const reads = requests.filter(({ method }) => method === 'GET').length;
  const { delays, troubles } = parts;
  return { billRuns, emails: emails.length, calls: calls.length, holdsOnAll, delays, troubles, logins, reads };
}

async function holdsOnAllIn(client: Client): Promise<readonly Forbidden[]> {
  const runIds = await patiently(client, () => runIdsOf(client, HOLD_ALL_WORKFLOW_ID));
  const holds: Forbidden[] = [];
  for (const runId of runIds) {
    const handle = client.workflow.getHandle(HOLD_ALL_WORKFLOW_ID, runId);
    const history = await patiently(client, () => handle.fetchHistory());
    holds.push({ by: 'hold on all', ...lifeOf(history) });
  }
  return holds;
}

interface SimulatedBillRun {
  readonly id: string;
  readonly status?: string;
  readonly documents: readonly { readonly number: string; readonly postedAt: string | null }[];
}

/** Without the headers. */
function evidenceOf({ at, path, method, idempotencyKey, trackId, requestId, status, body }: EmailCall): EmailCall {
  return { at, path, method, idempotencyKey, trackId, requestId, status, body };
}

async function runsOf(client: Client, workflowId: string, unreadable: string[]): Promise<readonly RunEvidence[]> {
  const runIds = await patiently(client, () => runIdsOf(client, workflowId));
  const runs: RunEvidence[] = [];
  for (const runId of runIds) {
    const handle = client.workflow.getHandle(workflowId, runId);
    runs.push(
      ...(await patiently(client, async () => {
        const description = await handle.describe();
        if (isUnreadable(description)) {
          unreadable.push(runId);
          return [];
        }
        // At rest, a query sees everything that happened, and it adds nothing to history.
        const { status, sends, broken } = await answersOf(handle);
        const history = await handle.fetchHistory();
        const { history: attempts, resends } = readHistory(history);
        return [
          {
            workflowId,
            runId,
            open: description.status.name === 'RUNNING',
            startedAt: lifeOf(history).from,
            closedByPerson: isClosedByPerson(history),
            forbidden: forbiddenIn(history),
            atRest: isAtRest(description),
            events: history.events?.length ?? 0,
            input: inputIn(history) as EmailBillRunInput,
            status,
            sends,
            attempts,
            resends: { ids: [...resends.ids], unnamed: resends.unnamed },
            brokenTasks: [...brokenTasksIn(history), ...broken],
          },
        ];
      })),
    );
  }
  return runs;
}

/** FAILED_PRECONDITION: the job was terminated before a worker took its first task. */
const NEVER_BEGUN: readonly number[] = [9];

/** The job's own answers; if its history cannot be replayed, the reason instead. */
async function answersOf(
  handle: WorkflowHandle,
): Promise<Pick<RunEvidence, 'status' | 'sends'> & { broken: string[] }> {
  try {
    return { status: await handle.query(statusQuery), sends: await handle.query(sendsQuery), broken: [] };
  } catch (error) {
    const { message, cause } = error as Error;
    if (isGrpcServiceError(cause) && NEVER_BEGUN.includes(cause.code)) return { status: null, sends: [], broken: [] };
    if (!message.includes('[TMPRL1100]')) throw error;
    return { status: null, sends: [], broken: [`query: ${message}`] };
  }
}

/** Workers that have just started take a moment to answer. */
async function patiently<T>(client: Client, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await client.withDeadline(Date.now() + DEADLINE_MS, ask);
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}

/** Runs `act` for each item, several at a time. */
async function each<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await act(one);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, next));
}
