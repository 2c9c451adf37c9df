/** What becomes of a request to email all documents, for those who wait for it. */
import { ApplicationFailure, CancelledFailure, WorkflowFailedError, type Client } from '@temporalio/client';
import { milliseconds } from '../workflows/contract/validation.js';
import {
  sendsQuery,
  statusQuery,
  WORKFLOW_TYPE,
  type EmailBillRunResult,
  type RunStatus,
  type SendRecord,
} from '../workflows/contract/contract.js';
import { BillRunEmailsError } from './failures/errors.js';

export interface ResendOutcome {
  /**
   * - `emailed`: Zuora accepted the send that serves the request.
   * - `alreadyEmailed`: the request was served before; nothing is emailed again.
   * - `needsPerson`: a question about the send is open, or a hold keeps it from being tried.
   * - `notEmailed`: the run ended, or took the request for none, without emailing for it.
   * - `waiting`: the time is over, and the send is not settled; it goes on by itself.
   */
  readonly result: 'emailed' | 'alreadyEmailed' | 'needsPerson' | 'notEmailed' | 'waiting';
  /** The send that serves the request, where there is one yet. */
  readonly send: SendRecord | null;
  /** In words: what happened, and what to do now. */
  readonly text: string;
}

/** What can be known about a run at one time. `status` is null where it has closed. */
export interface Seen {
  readonly sends: readonly SendRecord[];
  readonly status: RunStatus | null;
  readonly handedOverTo: string | null;
  readonly unsettled: readonly string[];
}

export async function seen(client: Client, workflowId: string): Promise<Seen> {
  const { status: temporals, runId, type } = await client.workflow.getHandle(workflowId).describe();
  const handle = client.workflow.getHandle(workflowId, runId);
  if (temporals.name === 'RUNNING' || temporals.name === 'PAUSED') {
    // One after the other: the client repeats some calls by itself, and one that is left behind does so on a closed connection.
    const sends = await handle.query(sendsQuery);
    const status = await handle.query(statusQuery);
    return { sends, status, handedOverTo: null, unsettled: [] };
  }
  if (type !== WORKFLOW_TYPE) return { sends: [], status: null, handedOverTo: null, unsettled: [] };
  const result = await resultOf(client, workflowId, runId);
  const { sends, handedOverTo = null, unsettled } = result ?? { sends: await handle.query(sendsQuery), unsettled: [] };
  return { sends, status: null, handedOverTo, unsettled };
}

/** What a closed run left, which a run that failed or was canceled tells in its failure; undefined for one that was stopped. */
async function resultOf(client: Client, workflowId: string, runId: string): Promise<EmailBillRunResult | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId, runId, { followRuns: false });
    return (await handle.result()) as EmailBillRunResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const told =
      cause instanceof ApplicationFailure || cause instanceof CancelledFailure ? cause.details?.[0] : undefined;
    return isResult(told) ? told : undefined;
  }
}

function isResult(value: unknown): value is EmailBillRunResult {
  return typeof value === 'object' && value !== null && 'sends' in value && 'unsettled' in value;
}

/** What became of a request, or undefined while that is open. */
export function outcomeIn({ sends, status, unsettled }: Seen, requestId: string): ResendOutcome | undefined {
  const send = sendFor(sends, requestId);
  if (send?.outcome === 'accepted') {
    // A run that takes up what an earlier one sent names that run in its attempts.
    const before = send.attempts.findLast(({ verdict }) => verdict === 'accepted')?.runId !== undefined;
    return before ? alreadyEmailed(send) : { result: 'emailed', send, text: `Zuora accepted send ${send.ordinal}.` };
  }
  if (status === null) {
    const left = unsettled.length === 0 ? '' : `: ${unsettled.join('; ')}`;
    return {
      result: 'notEmailed',
      send,
      text: `The run closed without emailing for this request${left}. See its audit.`,
    };
  }
  if (status.question !== null && status.question.ordinal === send?.ordinal) {
    const { text, needsSendAnyway } = status.question;
    const answer = `bill-run-emails retry KEY${needsSendAnyway ? ' --send-anyway' : ''}`;
    return { result: 'needsPerson', send, text: `A person is asked: ${text} Answer with: ${answer}` };
  }
  if (status.state === 'Held') {
    return { result: 'needsPerson', send, text: 'The run is held; bill-run-emails release KEY lets attempts go on.' };
  }
  if (send !== null || status.pendingRequests.some((request) => request.requestId === requestId)) return undefined;
  // Said where an earlier run sent it, and another send is under way here.
  const ignored = status.ignored.last.findLast(({ reason }) => reason.startsWith(`request ${requestId}: `));
  if (ignored === undefined) return undefined;
  return { result: 'alreadyEmailed', send: null, text: `Nothing is emailed again: ${ignored.reason}.` };
}

export function alreadyEmailed(send: SendRecord): ResendOutcome {
  const text = 'Already emailed for this request; nothing is emailed again. To email again, ask with a new request id.';
  return { result: 'alreadyEmailed', send, text };
}

/** The send that serves a request: the one that took it, or that took the place of that one. */
function sendFor(sends: readonly SendRecord[], requestId: string): SendRecord | null {
  const asked = sends.findLast(({ requests }) => requests.some((request) => request.requestId === requestId));
  if (asked?.outcome !== 'superseded') return asked ?? null;
  return sends.find(({ ordinal, outcome }) => ordinal > asked.ordinal && outcome !== 'superseded') ?? asked;
}

/** The accepted send of a run that a request with this id would be taken for; null where it would be a new one. */
export function servedIn({ sends, status }: Seen, requestId: string): SendRecord | null {
  const send = sendFor(sends, requestId);
  // An id that a first send had is taken for the life of its run only.
  return send?.outcome === 'accepted' && (send.resend || status !== null) ? send : null;
}

export function stillWaiting({ sends, status }: Seen, requestId: string): ResendOutcome {
  const doing = status === null ? '' : ` The run is ${status.state}, and waits for ${status.waitingFor ?? 'nothing'}.`;
  const text = `Not settled yet; it goes on by itself.${doing} Look again with: bill-run-emails status KEY`;
  return { result: 'waiting', send: sendFor(sends, requestId), text };
}

/** In milliseconds. */
export function waitFrom(longest: string): number {
  const length = milliseconds(longest);
  if (length >= 0) return length;
  throw new BillRunEmailsError(
    'InvalidInput',
    'invalid input: how long to wait must be a duration such as "90s" or "1 hour"',
  );
}
