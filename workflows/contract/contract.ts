/**
 * The public contract: what pipelines, operators and the command line rely on. Workflow, worker and clients share this
 * file, so that a name or a shape is said once. All times are ISO 8601 in UTC; a field that is `null` is not known (yet).
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Reason, Verdict } from '../../zuora/outcome.js';

export type { Reason, Verdict };

export const WORKFLOW_TYPE = 'emailBillRun';
export const TASK_QUEUE = 'bill-run-emails';

/** The one workflow id under which a bill run is emailed. */
export function canonicalWorkflowId(billRunNumber: string, entityId?: string): string {
  return ['email-bill-run', ...(entityId === undefined ? [] : [entityId]), billRunNumber].join('/');
}

/** Zuora's IDs are 32 hexadecimal digits; its numbers have a hyphen. */
export function isBillRunId(key: string): boolean {
  return /^[0-9a-f]{32}$/i.test(key);
}

/** The argument of `emailBillRun`. Durations are strings such as `90s`, `12 hours` or `30d`. */
export interface EmailBillRunInput {
  /** ID or number of the bill run, such as `BR-00000001`. */
  readonly billRunKey: string;
  /** Email all documents, also those that were emailed before. Default: false. */
  readonly resend?: boolean;
  /** At most 100 characters. The same id asks once, however often it is repeated to a run. */
  readonly requestId?: string;
  /** Who asks, at most 200 characters: a claim, kept beside what Temporal records. */
  readonly requestedBy?: string;
  /** Why, at most 1,000 characters. */
  readonly reason?: string;
  /** Zuora Multi-entity only, and then required. */
  readonly entityId?: string;
  /** Zuora Multi-Org only. */
  readonly orgIds?: readonly string[];
  /** How long to wait for the bill run to post. Default: 30 days. */
  readonly postDeadline?: string;
  /** How long a send is attempted without a person. Default: 12 hours; at most 20 hours, for Zuora forgets keys after 24. */
  readonly sendBudget?: string;
  /** How long after Zuora's last emails for the bill run a first send waits. Default: 24 hours. */
  readonly coolDown?: string;
  /** How long a question to a person stays open. Default: 7 days. */
  readonly attentionWindow?: string;
  /** How long after a send the run stays open for an escalation. Default: 7 days. */
  readonly escalationWindow?: string;
}

/** The argument of the signal `resend` and of the update `requestResend`; nothing at all is fine, too. */
export interface ResendMessage {
  readonly requestId?: string;
  readonly requestedBy?: string;
  readonly reason?: string;
}

/** The argument of the signals `hold`, `release` and `finish`. */
export interface NoteMessage {
  readonly requestedBy?: string;
  readonly reason?: string;
}

/** The argument of the signal `retry`. */
export interface RetryMessage {
  /** The send meant; the signal is ignored when the open question is about another one. */
  readonly ordinal?: number;
  readonly requestedBy?: string;
  readonly reason?: string;
  /** Overrides what holds the send back. The risk of a second email is then the sender's, and the record says so. */
  readonly sendAnyway?: boolean;
}

export const resendSignal = defineSignal<[ResendMessage?]>('resend');
export const billRunPostedSignal = defineSignal<[unknown?]>('billRunPosted');
export const retrySignal = defineSignal<[RetryMessage?]>('retry');
export const holdSignal = defineSignal<[NoteMessage?]>('hold');
export const releaseSignal = defineSignal<[NoteMessage?]>('release');
export const finishSignal = defineSignal<[NoteMessage?]>('finish');
export const requestResendUpdate = defineUpdate<{ requestId: string; ordinal: number }, [ResendMessage?]>(
  'requestResend',
);
export const statusQuery = defineQuery<RunStatus>('status');
export const sendsQuery = defineQuery<readonly SendRecord[]>('sends');

export const EMAIL_STATES = [
  'WaitingForPost',
  'Delayed',
  'Sending',
  'Held',
  'NeedsAttention',
  'Emailed',
  'Skipped',
  'NotPosted',
  'HandedOver',
  'Finished',
  'Canceled',
] as const;
export type EmailState = (typeof EMAIL_STATES)[number];

/** What a pipeline or an operator asked for. */
export interface EmailRequest {
  readonly requestId: string;
  readonly resend: boolean;
  readonly requestedBy?: string;
  readonly reason?: string;
  readonly requestedAt: string;
}

/** One HTTP call for a send, or a call that a lost worker may have made. */
export interface Attempt {
  readonly idempotencyKey: string;
  readonly trackId: string;
  readonly startedAt: string;
  readonly durationMs: number | null;
  readonly httpStatus: number | null;
  readonly zuoraRequestId: string | null;
  readonly verdict: Verdict;
  /** The reply was not made for this attempt: Zuora repeated what it had stored under the key. */
  readonly stored: boolean;
  readonly reasons: readonly Reason[];
  /** The earlier run of the workflow that made the attempt; absent where it was this one. */
  readonly runId?: string;
}

/** What a person decided about a send. */
export interface Decision {
  readonly decision: 'retry' | 'sendAnyway' | 'finish';
  readonly at: string;
  readonly requestedBy?: string;
  readonly reason?: string;
}

export type SendOutcome = 'pending' | 'accepted' | 'refused' | 'unknown' | 'skipped' | 'superseded';

/** The intent to email the documents of the bill run once. */
export interface SendRecord {
  readonly ordinal: number;
  readonly resend: boolean;
  readonly requests: readonly EmailRequest[];
  readonly outcome: SendOutcome;
  readonly attempts: readonly Attempt[];
  readonly decisions: readonly Decision[];
  readonly settledAt: string | null;
  readonly note: string | null;
}

export const QUESTION_KINDS = ['refused', 'unknown', 'skipped', 'delayed'] as const;

/** What a person is asked. `retry` answers it. */
export interface Question {
  readonly ordinal: number;
  readonly kind: (typeof QUESTION_KINDS)[number];
  readonly text: string;
  readonly since: string;
  /** `retry` alone will not do: it must say `sendAnyway: true`. */
  readonly needsSendAnyway: boolean;
}

export interface IgnoredMessage {
  readonly message: string;
  readonly at: string;
  readonly reason: string;
}

/** The answer to the query `status`. */
export interface RunStatus {
  readonly state: EmailState;
  readonly billRunNumber: string | null;
  readonly billRunId: string | null;
  readonly billRunStatus: string | null;
  /** In words, what happens next. */
  readonly waitingFor: string | null;
  /** When the wait ends by itself. */
  readonly until: string | null;
  readonly question: Question | null;
  readonly held: boolean;
  readonly pendingRequests: readonly EmailRequest[];
  /** Messages that could not be followed: how many, and the last 50 with the reason. */
  readonly ignored: { readonly count: number; readonly last: readonly IgnoredMessage[] };
}

/** The result of a run that completed. */
export interface EmailBillRunResult {
  readonly state: 'Emailed' | 'Skipped' | 'Finished' | 'HandedOver';
  readonly billRunNumber: string | null;
  readonly billRunId: string | null;
  readonly sends: readonly SendRecord[];
  /** In words, what is not settled: nothing, where the array is empty. */
  readonly unsettled: readonly string[];
  /** The workflow that emails the bill run; only where the state is `HandedOver`. */
  readonly handedOverTo?: string;
}

export const FAILURE_TYPES = ['InvalidInput', 'NotPosted', 'Unsettled'] as const;
/** The `type` of the ApplicationFailure with which a run fails. */
export type FailureType = (typeof FAILURE_TYPES)[number];
