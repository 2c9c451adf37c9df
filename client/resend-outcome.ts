/** The outcome of a request to email all documents again. */
import { CLOSED_STATES, type JobStatus, type SendRecord } from '../workflows/contract/contract.js';

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
  readonly text: string;
}

/** What came of a request, by what its job shows. */
export function outcomeOf(
  requestId: string,
  { state, text, ignored, ended }: JobStatus & { readonly ended?: unknown },
  sends: readonly SendRecord[],
): ResendOutcome {
  const send = sendFor(requestId, sends);
  if (send?.outcome === 'accepted') {
    // Attempts of an earlier job name its run.
    const isEarlier = send.attempts.findLast(({ verdict }) => verdict === 'accepted')?.runId !== undefined;
    return isEarlier ? alreadyEmailed(send) : { result: 'emailed', send, text: `Zuora accepted send ${send.ordinal}.` };
  }
  // The job records this if an earlier job served the request while another send is open here.
  if (ignored.last.some(({ reason }) => reason.startsWith(`request ${requestId}: `))) return alreadyEmailed(send);
  // After a handover, the canonical job has the outcome.
  if (ended !== undefined || (state !== 'HandedOver' && CLOSED_STATES.includes(state))) {
    return { result: 'notEmailed', send, text: 'The job closed without emailing for this request.' };
  }
  const needsPerson = state === 'Held' || (state === 'NeedsAttention' && send !== null);
  return { result: needsPerson ? 'needsPerson' : 'waiting', send, text };
}

export function alreadyEmailed(send: SendRecord | null): ResendOutcome {
  const text = 'Already emailed for this request; nothing is emailed again. To email again, use a new request id.';
  return { result: 'alreadyEmailed', send, text };
}

/** The send that took a request; or a later one, which took its place. */
export function sendFor(requestId: string, sends: readonly SendRecord[]): SendRecord | null {
  const at = sends.findIndex(({ requests }) => requests.some((each) => each.resend && each.requestId === requestId));
  const candidates = at === -1 ? [] : sends.slice(at);
  return candidates.find(({ outcome }) => outcome === 'accepted') ?? candidates.at(-1) ?? null;
}
