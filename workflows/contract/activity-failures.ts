/** How an activity ended that gave no result. Workflow code and readers of history share this. */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import type { FinalFailures, LostAttempt } from './activities.js';
import type { Reason } from './contract.js';

/** The failure of an activity `A`. `type` is one of the activity's own final failures, so that a `switch` over it is exhaustive. */
export type ActivityEnd<A extends keyof FinalFailures> =
  | { readonly kind: 'failed'; readonly type: FinalFailures[A]; readonly message: string; readonly details: unknown }
  | { readonly kind: 'timedOut'; readonly neverStarted: boolean }
  | { readonly kind: 'canceled' }
  /** A failure that the activity does not declare: a defect, or a person's change in Temporal UI. */
  | { readonly kind: 'other'; readonly message: string };

const TYPES: { readonly [A in keyof FinalFailures]: Readonly<Record<FinalFailures[A], true>> } = {
  watchBillRun: { BillRunNotFound: true, InvalidInput: true },
  emailBillRunDocuments: { NeverLeft: true, AttemptFailed: true, PayloadUndecodable: true },
  handOver: { InvalidInput: true },
};

export function activityEnd<A extends keyof FinalFailures>(activity: A, error: unknown): ActivityEnd<A> {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure) return { kind: 'canceled' };
  if (cause instanceof TimeoutFailure) {
    return { kind: 'timedOut', neverStarted: cause.timeoutType === TimeoutType.SCHEDULE_TO_START };
  }
  if (cause instanceof ApplicationFailure && isDeclared(activity, cause.type)) {
    return { kind: 'failed', type: cause.type, message: cause.message, details: cause.details?.[0] };
  }
  return { kind: 'other', message: cause instanceof Error ? cause.message : 'the activity failed without a message' };
}

function isDeclared<A extends keyof FinalFailures>(
  activity: A,
  type: string | null | undefined,
): type is FinalFailures[A] {
  return Object.hasOwn(TYPES[activity], type ?? '');
}

/** What is known of an attempt whose activity gave no receipt; `neverTaken` if no worker began it. */
export function lostAttempt(error: unknown): LostAttempt | 'neverTaken' {
  const end = activityEnd('emailBillRunDocuments', error);
  switch (end.kind) {
    case 'timedOut':
      return end.neverStarted ? 'neverTaken' : { verdict: 'unknown', reasons: [WORKER_LOST] };
    case 'canceled':
    case 'other':
      return { verdict: 'unknown', reasons: [NO_RECEIPT] };
    case 'failed':
      switch (end.type) {
        case 'NeverLeft':
          return { verdict: 'notExecuted', reasons: isReason(end.details) ? [end.details] : [] };
        case 'PayloadUndecodable':
          return { verdict: 'notExecuted', reasons: [{ code: 'PAYLOAD_UNDECODABLE', message: end.message }] };
        case 'AttemptFailed':
          return { verdict: 'unknown', reasons: [NO_RECEIPT] };
      }
  }
}

const WORKER_LOST: Reason = Object.freeze({
  code: 'WORKER_LOST',
  message: 'the worker was lost while its request may have been under way',
});

const NO_RECEIPT: Reason = Object.freeze({
  code: 'ATTEMPT_FAILED',
  message: 'the attempt failed without a receipt',
});

function isReason(details: unknown): details is Reason {
  return typeof details === 'object' && details !== null && 'code' in details && 'message' in details;
}
