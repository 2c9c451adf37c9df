/** What people and pipelines read about a job. */
import type { EmailBillRunResult, JobStatus, SendRecord } from '../contract/contract.js';
import { jobDocuments } from './documents.js';
import { acceptedSends, canonicalIdOf, isAlias, pendingRequests, unsettledOf, type EmailJob } from './job.js';
import { nextStep, questionOf } from './next-step.js';
import { recordOf } from './send.js';
import type { Ending, Step } from './step.js';
import { iso } from './text.js';

/** Notes since when the job has its state and reason. */
export function noteState(job: EmailJob, { state, reason }: Step, now: number): void {
  if (!isNoted(job, { state, reason })) job.stateSince = { state, reason, at: now };
}

function isNoted({ stateSince }: EmailJob, { state, reason }: Pick<Step, 'state' | 'reason'>): boolean {
  return stateSince?.state === state && stateSince.reason === reason;
}

export function statusOf(job: EmailJob, now: number): JobStatus {
  const step = nextStep(job, now);
  const { state, reason, text } = step;
  const until = 'until' in step ? step.until : Infinity;
  return {
    state,
    reason,
    // Time alone can change the state before the workflow notes it.
    since: job.stateSince !== null && isNoted(job, step) ? iso(job.stateSince.at) : null,
    text: sentence(text),
    until: until === Infinity ? null : iso(until),
    question: questionOf(job, now),
    billRunNumber: job.billRun?.number ?? null,
    billRunId: job.billRun?.id ?? null,
    billRunStatus: job.billRun?.status ?? null,
    documents: jobDocuments(job),
    sends: acceptedSends(job),
    pendingRequests: pendingRequests(job),
    ignored: { count: job.ignored.count, last: [...job.ignored.last] },
  };
}

export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

export function sendsOf(job: EmailJob): readonly SendRecord[] {
  return job.sends.map(recordOf);
}

/** The result of a job that completes, and the details of the failure of one that does not. */
export function resultOf<State>(
  job: EmailJob,
  { state, reason, text }: Pick<Ending, 'reason' | 'text'> & { readonly state: State },
) {
  return {
    state,
    reason,
    text: sentence(text),
    billRunNumber: job.billRun?.number ?? null,
    billRunId: job.billRun?.id ?? null,
    sends: sendsOf(job),
    unsettled: unsettledOf(job),
    ...(isAlias(job) && state === 'HandedOver' ? { handedOverTo: canonicalIdOf(job) ?? '' } : {}),
  } satisfies Omit<EmailBillRunResult, 'state'> & { readonly state: State };
}
