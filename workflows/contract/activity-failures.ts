/** How an activity ended that gave no result. Workflow code and readers of history share this. */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import type {
  AttemptResult,
  BillRun,
  CannotRead,
  DeliveryCheck,
  Earlier,
  FinalFailures,
  LostAttempt,
  NoCallReceipt,
  Receipt,
} from './activities.js';
import type { Reason, Verdict } from './contract.js';

/** The failure of an activity `A`. `type` is one of the activity's own final failures, so that a `switch` over it is exhaustive. */
export type ActivityEnd<A extends keyof FinalFailures> =
  | { readonly kind: 'failed'; readonly type: FinalFailures[A]; readonly message: string; readonly details: unknown }
  /** `message`: of the last try; absent if none has ended. */
  | { readonly kind: 'timedOut'; readonly neverStarted: boolean; readonly message?: string }
  | { readonly kind: 'canceled' }
  /** A failure that the activity does not declare: a defect, or a person's change in Temporal UI. */
  | { readonly kind: 'other'; readonly message: string };

const TYPES: { readonly [A in keyof FinalFailures]: Readonly<Record<FinalFailures[A], true>> } = {
  watchBillRun: { BillRunNotFound: true, InvalidInput: true },
  emailBillRunDocuments: { NeverLeft: true, AttemptFailed: true, PayloadUndecodable: true },
  earlierSends: {},
  handOver: { InvalidInput: true },
  watchDelivery: {},
};

export function activityEnd<A extends keyof FinalFailures>(activity: A, error: unknown): ActivityEnd<A> {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure) return { kind: 'canceled' };
  if (cause instanceof TimeoutFailure) {
    const { timeoutType } = cause;
    // The SDK drops the cause of a timeout (1.24).
    const message = timeoutType === TimeoutType.SCHEDULE_TO_CLOSE ? cause.failure?.cause?.message : cause.message;
    const neverStarted = timeoutType === TimeoutType.SCHEDULE_TO_START;
    return { kind: 'timedOut', neverStarted, ...(message == null ? {} : { message }) };
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

/** What is known of an attempt whose activity gave no receipt; `neverTaken` if it was taken back, or no worker began it. */
export function lostAttempt(error: unknown): LostAttempt | 'neverTaken' {
  const end = activityEnd('emailBillRunDocuments', error);
  switch (end.kind) {
    case 'timedOut':
      return end.neverStarted ? 'neverTaken' : { verdict: 'unknown', reasons: [WORKER_LOST] };
    case 'canceled':
      // The activity itself never ends so, whatever cancels it: docs/decisions/0021.
      return 'neverTaken';
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

/** What an attempt came to whose activity completed. A person can complete it in Temporal with any result: then nobody knows. */
export function attemptResult(result: unknown): AttemptResult {
  if (!isReceipt(result)) return { verdict: 'unknown', reasons: [FOREIGN_RESULT] };
  if (!result.called && result.why === 'neverLeft') return { verdict: 'notExecuted', reasons: [result.reason] };
  return result;
}

export function isReceipt(result: unknown): result is Receipt {
  const { called, why, verdict, reasons, startedAt, ...rest } = fieldsOf(result);
  switch (called) {
    case true:
      return (
        VERDICTS.includes(verdict as Verdict) &&
        Array.isArray(reasons) &&
        reasons.every(isReason) &&
        !Number.isNaN(Date.parse(String(startedAt))) &&
        Number.isFinite(rest['durationMs']) &&
        [rest['httpStatus'], rest['retryAfterMs']].every((each) => each === null || Number.isFinite(each)) &&
        [rest['zuoraRequestId'], rest['echoedTrackId']].every((each) => each === null || typeof each === 'string')
      );
    case false:
      return Object.hasOwn(NO_CALL, String(why)) && NO_CALL[why as NoCallReceipt['why']](rest);
    default:
      return false;
  }
}

const VERDICTS = Object.freeze<Verdict[]>(['accepted', 'refused', 'notExecuted', 'unknown']);

type Fields = Readonly<Record<string, unknown>>;

/** Whether the fields are there that go with a reason for no call. */
const NO_CALL: Readonly<Record<NoCallReceipt['why'], (fields: Fields) => boolean>> = Object.freeze({
  afterReset: ({ runId }: Fields) => typeof runId === 'string',
  keyTooOld: () => true,
  heldByAll: () => true,
  takenBack: () => true,
  looked: ({ billRun }: Fields) => isBillRun(billRun),
  neverLeft: ({ reason }: Fields) => isReason(reason),
});

/** A person can complete a look in Temporal with any result, too. */
export function isBillRun(result: unknown): result is BillRun {
  const { id, number, status } = fieldsOf(result);
  return [id, number, status].every((each) => typeof each === 'string' && each !== '');
}

export function isCannotRead(result: unknown): result is CannotRead {
  const { cannotRead, since } = fieldsOf(result);
  return typeof cannotRead === 'string' && Number.isFinite(since);
}

/** The same for a check of the documents. */
export function isDeliveryCheck(result: unknown): result is DeliveryCheck {
  const { documents, kinds, at, next, memory } = fieldsOf(result);
  const { list, ...counts } = fieldsOf(documents);
  return (
    Array.isArray(list) &&
    list.every((each: unknown) => typeof each === 'object' && each !== null) &&
    ['total', 'sent', 'waiting', 'notSent', 'leftOut', 'unknown'].every((name) => Number.isFinite(counts[name])) &&
    [kinds, memory].every((each) => typeof each === 'object' && each !== null) &&
    typeof at === 'number' &&
    !Number.isNaN(new Date(at).getTime()) &&
    (next === null || Number.isFinite(next))
  );
}

/** The same for a look-up. */
export function isEarlier(result: unknown): result is Earlier {
  const { sends, accepted, resends, unreadable } = fieldsOf(result);
  return [sends, resends, unreadable].every(Array.isArray) && typeof accepted === 'number';
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export const WORKER_LOST: Reason = Object.freeze({
  code: 'WORKER_LOST',
  message: 'the worker was lost while its request may have been under way',
});

const NO_RECEIPT: Reason = Object.freeze({
  code: 'ATTEMPT_FAILED',
  message: 'the attempt failed without a receipt',
});

const FOREIGN_RESULT: Reason = Object.freeze({
  code: 'FOREIGN_RESULT',
  message: 'the attempt was completed with a result that no worker of ours gives',
});

function isReason(details: unknown): details is Reason {
  const { code, message } = fieldsOf(details);
  return typeof code === 'string' && typeof message === 'string';
}
