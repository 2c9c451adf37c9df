/** The outcome of a request to email all documents again. */
import { canonicalWorkflowId, type JobStatus, type SendRecord } from '../workflows/contract/contract.js';
import { BillRunEmailsError } from './failures/errors.js';
import { decide, type LastJob } from './last-job.js';

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

/** How the outcome is found out. Each call throws the errors of the library. */
interface Jobs {
  readonly last: (workflowId: string) => Promise<LastJob>;
  readonly status: (workflowId: string) => Promise<Pick<JobStatus, 'text'>>;
  readonly sends: (workflowId: string) => Promise<readonly SendRecord[]>;
}

/** It waits by Temporal's `describe`. A query could be the first that a new worker hears of a job: docs/decisions/0010. */
export async function resendOutcome(
  jobs: Jobs,
  { workflowId, requestId }: { readonly workflowId: string; readonly requestId: string },
  longestMs: number,
): Promise<ResendOutcome> {
  const until = performance.now() + longestMs;
  let id = workflowId;
  let last: LastJob | undefined;
  for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 1.5, 5_000)) {
    try {
      last = await jobs.last(id);
      if (decide(last, { again: false }) === 'handedOver') {
        id = canonicalWorkflowId(last.billRunNumber ?? '', /^email-bill-run\/(.*)\//.exec(id)?.[1]);
      }
    } catch (error) {
      const isAway = error instanceof BillRunEmailsError && error.type === 'TemporalUnavailable';
      if (!isAway || performance.now() >= until) throw error;
    }
    const result = last === undefined ? 'waiting' : resultIn(last, requestId);
    const left = until - performance.now();
    if (last !== undefined && (result !== 'waiting' || left <= 0)) return inWords(jobs, id, requestId, result);
    await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, Math.max(left, 0))));
  }
}

/** What came of a request, by what Temporal shows of its job. */
function resultIn(
  { resends, isOpen, isChanging, state }: Pick<LastJob, 'resends' | 'isOpen' | 'isChanging' | 'state'>,
  requestId: string,
): Exclude<ResendOutcome['result'], 'alreadyEmailed'> {
  if (resends.includes(requestId)) return 'emailed';
  // After a handover, the canonical job has the outcome.
  if (!isOpen) return state === 'HandedOver' ? 'waiting' : 'notEmailed';
  const asks = state === 'Held' || state === 'NeedsAttention';
  // A worker may not have heard of the request yet.
  return asks && !isChanging ? 'needsPerson' : 'waiting';
}

/** The result with the words and the send of the job, if a worker answers. */
async function inWords(
  jobs: Jobs,
  workflowId: string,
  requestId: string,
  result: ReturnType<typeof resultIn>,
): Promise<ResendOutcome> {
  const send = sendFor(requestId, await jobs.sends(workflowId).catch(() => []));
  switch (result) {
    case 'emailed': {
      // Attempts of an earlier job name its run.
      const accepted = send?.attempts.findLast(({ verdict }) => verdict === 'accepted');
      if (send !== null && accepted?.runId !== undefined) return { result: 'alreadyEmailed', send, text: ALREADY };
      return { result, send, text: `Zuora accepted ${send === null ? 'the send' : `send ${send.ordinal}`}.` };
    }
    case 'notEmailed':
      return { result, send, text: 'The job closed without emailing for this request.' };
    case 'needsPerson':
    case 'waiting': {
      const { text } = await jobs.status(workflowId).catch(() => ({ text: 'No worker answers at the moment.' }));
      return { result, send, text };
    }
  }
}

export const ALREADY =
  'Already emailed for this request; nothing is emailed again. To email again, use a new request id.';

/** The send that took a request; or a later one, which took its place. */
function sendFor(requestId: string, sends: readonly SendRecord[]): SendRecord | null {
  const at = sends.findIndex(({ requests }) => requests.some((each) => each.resend && each.requestId === requestId));
  const candidates = at === -1 ? [] : sends.slice(at);
  return candidates.find(({ outcome }) => outcome === 'accepted') ?? candidates.at(-1) ?? null;
}
