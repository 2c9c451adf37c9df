/** Lets the bill runs settle when the chaos is over, and hears the witnesses. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { auditOf } from '../../client/history/audit.js';
import { runIdsOf } from '../../client/history/history.js';
import {
  canonicalWorkflowId,
  sendsQuery,
  statusQuery,
  type EmailBillRunInput,
  type EmailState,
} from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import type { BillRunEvidence, EmailCall, Evidence, RunEvidence, SentEmail } from './evidence.js';
import { brokenTasksIn, inputIn, readHistory } from './history.js';
import type { Parts } from './parts.js';
import type { Ledger } from './people.js';

/** A lost read costs 90 s, a lost worker 30 s, and the pauses between attempts double from 5 s on: with time to spare. */
const SETTLE_LIMIT_MS = 8 * 60_000;
/** How many bill runs are looked at at once. */
const ABREAST = 8;
const DEADLINE_MS = 30_000;

/** States in which a run stays until somebody says something, or days have passed. */
const LASTING: readonly EmailState[] = ['WaitingForPost', 'Delayed', 'NeedsAttention', 'Emailed', 'Skipped'];

/**
 * Waits until every run has closed or rests. Held runs are released; a question is answered once with `retry`, which takes
 * no risk; a run that has not seen the post is told to look.
 *
 * @param options.finish runs are told to finish where they rest, and are settled when they have closed
 * @returns the ids of the workflows that do not settle
 */
export async function settle(
  workflowIds: readonly string[],
  { client }: Parts,
  report: (left: number) => void,
  { finish }: { readonly finish: boolean },
): Promise<readonly string[]> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  const retried = new Set<string>();
  let left = workflowIds;
  for (;;) {
    const open: string[] = [];
    await each(left, async (workflowId) => {
      const settled = isSettled(client.workflow.getHandle(workflowId), retried, finish);
      // One that closes before it hears us is looked at once more.
      if (!(await settled.catch(orClosed))) open.push(workflowId);
    });
    left = open;
    report(left.length);
    if (left.length === 0 || Date.now() > limit) return left;
    await delay(500);
  }
}

function orClosed(error: unknown): false {
  if (error instanceof WorkflowNotFoundError) return false;
  throw error;
}

async function isSettled(handle: WorkflowHandle, retried: Set<string>, finish: boolean): Promise<boolean> {
  const run = await handle.describe();
  if (run.status.name !== 'RUNNING') return true;
  const state = run.typedSearchAttributes.get(searchAttributes.emailState) as EmailState | undefined;
  const note = { requestedBy: 'operator', reason: 'the chaos is over' };
  if (state === 'Held') await handle.signal('release', note);
  if (state === 'NeedsAttention' && !retried.has(run.runId)) {
    retried.add(run.runId);
    await handle.signal('retry', note);
    return false;
  }
  if (state === 'WaitingForPost' && !retried.has(run.runId)) {
    retried.add(run.runId);
    await handle.signal('billRunPosted');
    return false;
  }
  const posted = run.typedSearchAttributes.get(searchAttributes.billRunStatus) === 'Posted';
  const rests = state !== undefined && LASTING.includes(state) && !(state === 'WaitingForPost' && posted);
  if (!finish) return rests && isAtRest(run);
  // A cool-down that ends within the run has a send behind it.
  if (rests && isAtRest(run) && state !== 'Delayed') await handle.signal('finish', note);
  return false;
}

function isAtRest({ raw, status }: WorkflowExecutionDescription): boolean {
  if (status.name !== 'RUNNING') return true;
  const busy = (raw.pendingActivities ?? []).some(({ activityType, lastFailure }) => {
    return activityType?.name !== 'watchBillRun' || lastFailure == null;
  });
  return !busy && raw.pendingWorkflowTask == null;
}

export async function collect(numbers: readonly string[], parts: Parts, ledger: Ledger): Promise<Evidence> {
  const { control } = parts;
  // What Zuora has still to send leaves now.
  await control('POST', '/clock', { advanceMs: 3_600_000 });
  const requests = await control<(EmailCall & { readonly billRun: string | null })[]>('GET', '/requests');
  const calls = requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/emails'));
  const emails = await control<(SentEmail & { readonly billRunNumber: string })[]>('GET', '/mailbox');
  const billRuns: BillRunEvidence[] = [];
  await each(numbers, async (number) => {
    const { id, status, documents } = await control<Shown>('GET', `/bill-runs/${number}`);
    const accepted = ledger.accepted.filter(({ billRun }) => billRun === number);
    const workflowId = canonicalWorkflowId(number);
    const ids = new Set([workflowId, ...accepted.map((request) => request.workflowId)]);
    billRuns.push({
      number,
      id,
      status: status ?? null,
      documents: documents.map((document) => ({ number: document.number, postedAt: document.postedAt })),
      accepted: accepted.map(({ billRun: _, ...request }) => request),
      calls: calls.filter(({ billRun }) => billRun === number).map(evidenceOf),
      emails: emails
        .filter(({ billRunNumber }) => billRunNumber === number)
        .map(({ documentNumber, idempotencyKey, resend, sentAt }) => {
          return { documentNumber, idempotencyKey, resend, sentAt };
        }),
      runs: (await Promise.all([...ids].map((each) => runsOf(parts.client, each)))).flat(),
      audit: await patiently(parts.client, () => auditOf(parts.client, workflowId)),
    });
  });
  billRuns.sort((one, other) => (one.number < other.number ? -1 : 1));
  return { billRuns, emails: emails.length, calls: calls.length };
}

interface Shown {
  readonly id: string;
  readonly status?: string;
  readonly documents: readonly { readonly number: string; readonly postedAt: string | null }[];
}

/** Without the headers, which say nothing more. */
function evidenceOf({ at, path, method, idempotencyKey, trackId, requestId, status, body }: EmailCall): EmailCall {
  return { at, path, method, idempotencyKey, trackId, requestId, status, body };
}

async function runsOf(client: Client, workflowId: string): Promise<readonly RunEvidence[]> {
  const runIds = await patiently(client, () => runIdsOf(client, workflowId));
  const runs: RunEvidence[] = [];
  for (const runId of runIds ?? []) {
    const handle = client.workflow.getHandle(workflowId, runId);
    runs.push(
      await patiently(client, async () => {
        const description = await handle.describe();
        // A query changes no history; at rest, no worker hears it before it has taken all that happened.
        const { status, sends, broken } = await answersOf(handle);
        const history = await handle.fetchHistory();
        const { history: attempts, asked } = readHistory(history);
        return {
          workflowId,
          runId,
          open: description.status.name === 'RUNNING',
          atRest: isAtRest(description),
          events: history.events?.length ?? 0,
          input: inputIn(history) as EmailBillRunInput,
          status,
          sends,
          attempts,
          asked: { ids: [...asked.ids], unnamed: asked.unnamed },
          brokenTasks: [...brokenTasksIn(history), ...broken],
        };
      }),
    );
  }
  return runs;
}

/** What a run says of itself; nothing where its history cannot be replayed, and then why. */
async function answersOf(
  handle: WorkflowHandle,
): Promise<Pick<RunEvidence, 'status' | 'sends'> & { broken: string[] }> {
  try {
    return { status: await handle.query(statusQuery), sends: await handle.query(sendsQuery), broken: [] };
  } catch (error) {
    const { message } = error as Error;
    if (!message.includes('[TMPRL1100]')) throw error;
    return { status: null, sends: [], broken: [`query: ${message}`] };
  }
}

/** Workers that have just come up take a moment to answer. */
async function patiently<T>(client: Client, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await client.withDeadline(Date.now() + DEADLINE_MS, ask);
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}

/** For each of them, several at once. */
async function each<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await act(one);
  };
  await Promise.all(Array.from({ length: ABREAST }, next));
}
