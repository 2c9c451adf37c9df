/** Puts all jobs of the namespace on hold, and releases them. */
import { WorkflowNotFoundError, type Client, type WorkflowHandle } from '@temporalio/client';
import {
  billRunPostedSignal,
  HOLD_ALL_TYPE,
  HOLD_ALL_WORKFLOW_ID,
  holdSignal,
  releaseSignal,
  WORKFLOW_TYPE,
  type NoteMessage,
} from '../workflows/contract/contract.js';
import { BillRunEmailsError } from './failures/errors.js';
import { openHoldAll } from './temporal/hold-all.js';
import { listed } from './temporal/jobs.js';

/** Takes effect when it returns: from then on, only calls under way end. It needs no worker. */
export async function holdAll(client: Client, taskQueue: string, note: NoteMessage): Promise<void> {
  await client.workflow.signalWithStart(HOLD_ALL_TYPE, {
    workflowId: HOLD_ALL_WORKFLOW_ID,
    taskQueue,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: 'hold all jobs of this namespace',
    signal: holdSignal,
    signalArgs: [note],
  });
}

/** For a worker to end the hold; then it is terminated. In milliseconds. */
const CLOSES_WITHIN_MS = 3_000;

/**
 * Ends the hold on all. It needs no worker.
 *
 * @throws BillRunEmailsError `Ignored` if somebody asked for the hold again meanwhile, `NotFound` if no hold on all is open
 */
export async function releaseAll(client: Client, note: NoteMessage): Promise<void> {
  const hold = await openHoldAll(client);
  if (hold === undefined)
    throw new BillRunEmailsError('NotFound', 'the jobs are not all on hold, so there is nothing to release');
  const handle = client.workflow.getHandle(HOLD_ALL_WORKFLOW_ID, hold.runId);
  await handle.signal(releaseSignal, note);
  const until = Date.now() + CLOSES_WITHIN_MS;
  for (;;) {
    const now = await openHoldAll(client);
    if (now?.runId !== hold.runId) return;
    // An order that comes during a workflow task is not in history yet.
    if (Date.now() < until || now.isTaskUnderWay) await new Promise((resolve) => setTimeout(resolve, 100));
    else await end(handle, note);
  }
}

/** Ends a hold that no worker ends. */
async function end(handle: WorkflowHandle, { requestedBy = 'somebody', reason = 'no reason given' }: NoteMessage) {
  const { events } = await handle.fetchHistory();
  const orders = events?.flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? []);
  if (orders?.at(-1) === holdSignal.name) {
    throw new BillRunEmailsError('Ignored', 'somebody asked for the hold on all again meanwhile, so it goes on');
  }
  try {
    await handle.terminate(`released by ${requestedBy}: ${reason}`);
  } catch (error) {
    // A worker was faster.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** The open jobs that the hold on all keeps back. */
export async function* jobsHeldByAll(client: Client): AsyncGenerator<string, void, undefined> {
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND EmailReason = 'all' AND CloseTime IS NULL`;
  for await (const { workflowId } of listed(client, query)) yield workflowId;
}

/** Has a job ask at once whether it may go on. A job that has closed meanwhile needs nothing. */
export async function nudge(client: Client, workflowId: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(billRunPostedSignal);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
