/** Phase 1: the bill run is not posted yet. */
import { isAlias, isOnHold, type EmailJob } from './job.js';
import { hasNoDocuments } from './send-step.js';
import { unreadText } from './questions.js';
import type { Shown, WaitingStep } from './step.js';
import { held } from './held.js';

export function isPosted({ billRun }: EmailJob): boolean {
  return billRun?.status === 'Posted';
}

/** When the wait for the post ends (epoch, ms): no deadline closes a job on hold. */
export function postDeadline(job: EmailJob): number {
  return isOnHold(job) ? Infinity : job.startedAt + job.settings.postDeadlineMs;
}

export function waitingStep(job: EmailJob): WaitingStep | null {
  if (isAlias(job) || isPosted(job)) return null;
  const { billRun, postingFailed } = job;
  return {
    kind: 'watch',
    lastSeenStatus: billRun?.status,
    until: postDeadline(job),
    ...(job.held
      ? held(job)
      : unreadOr(job, {
          state: 'Waiting',
          reason: 'notPosted',
          text: waitingFor(billRun?.status, { postingFailed, empty: billRun !== null && hasNoDocuments(billRun) }),
        })),
  };
}

/** Reads that fail are what people must know first. */
export function unreadOr<S extends Shown>({ unreadable }: EmailJob, step: S): S {
  return unreadable === null
    ? step
    : { ...step, reason: 'cannotRead', text: `${unreadText(unreadable)}. The job goes on by itself once they work` };
}

/** What has to happen before the bill run is posted. */
export function waitingFor(
  status: string | undefined,
  { postingFailed, empty }: { postingFailed: boolean; empty: boolean },
): string {
  if (status === undefined) return 'Looking at the bill run for the first time';
  if (postingFailed && empty) {
    return `Zuora set the bill run back to ${status}, perhaps because it has no documents; if so, finish`;
  }
  if (postingFailed) {
    return (
      `Zuora could not post all documents and set the bill run back to ${status}; ` +
      `find the documents in error in Zuora, fix them, and post the bill run again`
    );
  }
  switch (status) {
    case 'Completed':
      return 'A person must post the bill run in Zuora: its documents are generated, but not posted';
    case 'PostInProgress':
      return 'Zuora is posting the bill run';
    case 'Paused':
      return 'The bill run is paused: a person must resume it in Zuora';
    case 'CancelInProgress':
    case 'RemoveInProgress':
      return `Zuora is removing the bill run (${status})`;
    default:
      return `The bill run is ${status} and not posted yet`;
  }
}
