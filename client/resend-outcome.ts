/** The outcome of a request to email all documents again, for callers that wait for it. */
import { ApplicationFailure, WorkflowFailedError, type Client } from '@temporalio/client';
import { milliseconds } from '../workflows/contract/validation.js';
import {
  sendsQuery,
  statusQuery,
  WORKFLOW_TYPE,
  type EmailBillRunResult,
  type JobStatus,
  type SendRecord,
} from '../workflows/contract/contract.js';
import { BillRunEmailsError } from './failures/errors.js';

export interface ResendOutcome {
  /**
   * - `emailed`: Zuora accepted the send that serves the request.
   * - `alreadyEmailed`: the request was served before; nothing is emailed again.
   * - `needsPerson`: a question about the send is open, or the job is on hold.
   * - `notEmailed`: the job closed without emailing for the request.
   * - `waiting`: the time is over and the send is not settled; it continues by itself.
   */
  readonly result: 'emailed' | 'alreadyEmailed' | 'needsPerson' | 'notEmailed' | 'waiting';
  /** The send that serves the request; null until it exists. */
  readonly send: SendRecord | null;
  /** What happened, and what to do now. `KEY` stands for the bill run. */
  readonly text: string;
}

/** What a job shows at one moment. `status` is null for a closed job. */
export interface Snapshot {
  readonly sends: readonly SendRecord[];
  readonly status: JobStatus | null;
  readonly handedOverTo: string | null;
  readonly unsettled: readonly string[];
}

export async function snapshotOf(client: Client, workflowId: string): Promise<Snapshot> {
  const { status: execution, runId, type } = await client.workflow.getHandle(workflowId).describe();
  const handle = client.workflow.getHandle(workflowId, runId);
  if (execution.name === 'RUNNING' || execution.name === 'PAUSED') {
    // One after the other: the client repeats some calls by itself, and an abandoned call would do so on a closed connection.
    const sends = await handle.query(sendsQuery);
    const status = await handle.query(statusQuery);
    return { sends, status, handedOverTo: null, unsettled: [] };
  }
  if (type !== WORKFLOW_TYPE) return { sends: [], status: null, handedOverTo: null, unsettled: [] };
  const result = await resultOf(client, workflowId, runId);
  const { sends, handedOverTo = null, unsettled } = result ?? { sends: await handle.query(sendsQuery), unsettled: [] };
  return { sends, status: null, handedOverTo, unsettled };
}

/** The result of a closed job, which a failed job has in its failure; undefined for one that was canceled or terminated. */
async function resultOf(client: Client, workflowId: string, runId: string): Promise<EmailBillRunResult | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId, runId, { followRuns: false });
    return (await handle.result()) as EmailBillRunResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const details = error.cause instanceof ApplicationFailure ? error.cause.details?.[0] : undefined;
    return isResult(details) ? details : undefined;
  }
}

function isResult(value: unknown): value is EmailBillRunResult {
  return typeof value === 'object' && value !== null && 'sends' in value && 'unsettled' in value;
}

/** The outcome of a request; undefined while it is open. */
export function outcomeIn({ sends, status, unsettled }: Snapshot, requestId: string): ResendOutcome | undefined {
  const send = sendFor(sends, requestId);
  if (send?.outcome === 'accepted') {
    // Attempts of an earlier job name its run: then the request was served before.
    const isEarlier = send.attempts.findLast(({ verdict }) => verdict === 'accepted')?.runId !== undefined;
    return isEarlier ? alreadyEmailed(send) : { result: 'emailed', send, text: `Zuora accepted send ${send.ordinal}.` };
  }
  if (status === null) {
    const open = unsettled.length === 0 ? '' : `: ${unsettled.join('; ')}`;
    return {
      result: 'notEmailed',
      send,
      text: `The job closed without emailing for this request${open}. See its audit.`,
    };
  }
  if (status.question !== null && status.question.ordinal === send?.ordinal) {
    const { text, needsSendAnyway } = status.question;
    const answer = `bill-run-emails retry KEY${needsSendAnyway ? ' --send-anyway' : ''}`;
    return { result: 'needsPerson', send, text: `A person is asked: ${text} Answer with: ${answer}` };
  }
  if (status.state === 'Held') {
    return { result: 'needsPerson', send, text: 'The job is on hold. To continue: bill-run-emails release KEY' };
  }
  if (send !== null || status.pendingRequests.some((request) => request.requestId === requestId)) return undefined;
  // The job records this if an earlier job served the request while another send is open here.
  const ignored = status.ignored.last.findLast(({ reason }) => reason.startsWith(`request ${requestId}: `));
  if (ignored === undefined) return undefined;
  return { result: 'alreadyEmailed', send: null, text: `Nothing is emailed again: ${ignored.reason}.` };
}

export function alreadyEmailed(send: SendRecord): ResendOutcome {
  const text = 'Already emailed for this request; nothing is emailed again. To email again, use a new request id.';
  return { result: 'alreadyEmailed', send, text };
}

/** The send that took a request, or the one that superseded it. */
function sendFor(sends: readonly SendRecord[], requestId: string): SendRecord | null {
  const send = sends.findLast(({ requests }) => requests.some((request) => request.requestId === requestId));
  if (send?.outcome !== 'superseded') return send ?? null;
  return sends.find(({ ordinal, outcome }) => ordinal > send.ordinal && outcome !== 'superseded') ?? send;
}

/** The accepted send of a job to which a request with this id belongs; null if the request is new. */
export function servedIn({ sends, status }: Snapshot, requestId: string): SendRecord | null {
  const send = sendFor(sends, requestId);
  // An id of a first send counts only until its job closes.
  return send?.outcome === 'accepted' && (send.resend || status !== null) ? send : null;
}

export function stillWaiting({ sends, status }: Snapshot, requestId: string): ResendOutcome {
  const current = status === null ? '' : ` The job is ${status.state}: ${status.text}`;
  const text = `Not settled yet; it continues by itself.${current} Look again with: bill-run-emails status KEY`;
  return { result: 'waiting', send: sendFor(sends, requestId), text };
}

/** Milliseconds. */
export function waitFrom(longest: string): number {
  const length = milliseconds(longest);
  if (length >= 0) return length;
  throw new BillRunEmailsError('InvalidInput', 'invalid input: the wait must be a duration such as "90s" or "1 hour"');
}
