/** Runs a sweep, and waits for its result. */
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { SWEEP_TYPE, type SweepInput, type SweepResult } from '../workflows/contract/sweep.js';
import { BillRunEmailsError } from './failures/errors.js';
import { sweepStart } from './temporal/sweep-schedule.js';

/** A worker that polls takes a sweep within seconds. */
const TAKEN_WITHIN_MS = 15_000;
const ASK_AGAIN_MS = 500;

/**
 * @throws BillRunEmailsError `Ignored` if one is under way; `TemporalUnavailable` if no worker takes it; `ZuoraUnavailable`
 */
export async function runSweep(
  client: Client,
  workflowId: string,
  taskQueue: string,
  input: SweepInput,
): Promise<SweepResult> {
  const handle = await start(client, workflowId, taskQueue, input);
  const ended = new AbortController();
  try {
    return await Promise.race([handle.result() as Promise<SweepResult>, notTaken(handle, ended.signal)]);
  } catch (error) {
    throw sweepFailure(error);
  } finally {
    ended.abort();
  }
}

async function start(
  client: Client,
  workflowId: string,
  taskQueue: string,
  input: SweepInput,
): Promise<WorkflowHandle> {
  try {
    const { firstExecutionRunId } = await client.workflow.start(SWEEP_TYPE, {
      ...{ workflowId, ...sweepStart(taskQueue, input) },
      workflowIdConflictPolicy: 'FAIL',
    });
    return client.workflow.getHandle(workflowId, firstExecutionRunId);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const message = `${workflowId} is under way already; wait for it, or end it: temporal workflow terminate --workflow-id ${workflowId}`;
    throw new BillRunEmailsError('Ignored', message, { cause: error });
  }
}

/** Rejects if no worker takes the sweep; otherwise it never settles. */
async function notTaken(handle: WorkflowHandle, ended: AbortSignal): Promise<never> {
  const until = performance.now() + TAKEN_WITHIN_MS;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    if (ended.aborted) return new Promise(() => undefined);
    const raw = await handle.describe().then(
      (described) => described.raw,
      () => undefined,
    );
    const isTaken =
      raw?.pendingWorkflowTask?.startedTime != null || Number(raw?.workflowExecutionInfo?.historyLength) > 2;
    if (isTaken) return new Promise(() => undefined);
    if (performance.now() < until) continue;
    const message = `no worker has taken ${handle.workflowId} yet; it goes on once one runs. To check: bill-run-emails doctor`;
    throw new BillRunEmailsError('TemporalUnavailable', message);
  }
}

function sweepFailure(error: unknown): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
  if (!(cause instanceof ApplicationFailure)) return error;
  const { message, type } = cause;
  if (type === 'ZuoraUnavailable' || type === 'InvalidInput') {
    return new BillRunEmailsError(type, message, { cause: error });
  }
  return error;
}
