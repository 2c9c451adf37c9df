/** How people's messages reach a job, with a worker or without. */
import {
  ApplicationFailure,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import type { MessageAnswer } from '../workflows/contract/contract.js';
import { BillRunEmailsError } from './failures/errors.js';
import { failedAs } from './failures/grpc.js';
import { causeOf } from './failures/temporal.js';
import { emailStateIn } from './last-job.js';
import { unchanging } from './temporal/jobs.js';

/** How a job took a message. */
export interface MessageResult extends Partial<MessageAnswer> {
  readonly workflowId: string;
  /** `update`: the job has answered. `signal`: no worker answered in time, and the job takes the message when one does. */
  readonly via: 'update' | 'signal';
}

/** How long a worker may take to answer. */
const ANSWERS_WITHIN_MS = 3_000;

/**
 * Sends a message by an update, and by the signal of the same name if no worker answers. Taking both changes nothing.
 *
 * @throws BillRunEmailsError `Ignored` with the reason, if the job rejects it; `WorkflowNotFoundError` if the job has closed
 */
export async function updateOrSignal(
  client: Client,
  workflowId: string,
  message: 'resend' | 'retry' | 'finish',
  argument: { readonly requestId?: string },
): Promise<MessageResult> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const answer = await client.withDeadline(Date.now() + ANSWERS_WITHIN_MS, () =>
      handle.executeUpdate<MessageAnswer, [object]>(message, { args: [argument] }),
    );
    return { workflowId, via: 'update', ...answer };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw error;
    // The job closed before it could take the update.
    if (failedAs(causeOf(error), 'aborted')) throw new WorkflowNotFoundError('it has closed', workflowId, undefined);
    if (error instanceof WorkflowUpdateFailedError) throw rejected(workflowId, message, error);
    // No worker, or a workflow that is paused in Temporal, which takes signals only.
  }
  await handle.signal(message, argument);
  const { requestId } = argument;
  return { workflowId, via: 'signal', ...(requestId === undefined ? {} : { requestId }) };
}

function rejected(workflowId: string, message: string, error: WorkflowUpdateFailedError): BillRunEmailsError {
  const reason = error.cause instanceof ApplicationFailure ? error.cause.message : error.message;
  return new BillRunEmailsError('Ignored', `${workflowId} ignored ${message}: ${reason}`, { cause: error });
}

/** Sends a signal, which counts from then on. With a worker, the answer has the state to which it leads. */
export async function signalAndConfirm(
  client: Client,
  workflowId: string,
  signal: 'hold' | 'release',
  note: object,
): Promise<MessageResult> {
  const handle: WorkflowHandle = client.workflow.getHandle(workflowId);
  await handle.signal(signal, note);
  const last = await unchanging(client, workflowId);
  const state = last === undefined || last.isChanging ? null : emailStateIn(last);
  return { workflowId, via: 'signal', ...(state === null ? {} : { state }) };
}
