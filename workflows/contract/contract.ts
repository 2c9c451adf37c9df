/**
 * The public contract: what pipelines, operators and the command line rely on. The workflow, the worker and all clients share
 * this file. All times are ISO 8601 in UTC. A field that is `null` is not known, or not known yet.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DocumentOutcome } from '../../zuora/document-outcome.js';
import type { DocumentKind } from '../../zuora/documents.js';
import type { Reason, Verdict } from '../../zuora/outcome.js';

export type { DocumentKind, DocumentOutcome, Reason, Verdict };

export const WORKFLOW_TYPE = 'emailBillRun';
export const TASK_QUEUE = 'bill-run-emails';

/** While a workflow with this id is open, no email call leaves in its namespace. */
export const HOLD_ALL_WORKFLOW_ID = 'bill-run-emails/hold-all';
export const HOLD_ALL_TYPE = 'holdAll';

/** The one workflow id under which a bill run is emailed. */
export function canonicalWorkflowId(billRunNumber: string, entityId?: string): string {
  return ['email-bill-run', ...(entityId === undefined ? [] : [entityId]), billRunNumber].join('/');
}

/** The bill run in a canonical workflow id; undefined in any other. */
export function billRunIn(workflowId: string): Pick<EmailBillRunInput, 'billRunKey' | 'entityId'> | undefined {
  const [, entityId, billRunKey] = /^email-bill-run\/(?:([^/]+)\/)?([^/]+)$/.exec(workflowId) ?? [];
  return billRunKey === undefined ? undefined : { billRunKey, ...(entityId === undefined ? {} : { entityId }) };
}

/** What our starters write into a job's memo. */
export interface JobMemo {
  /** Temporal's run id of the last job of the workflow id; empty for the first job. Jobs of other starters lack it. */
  readonly earlierRun?: string;
  /** The last 50 resends, by request id, that Zuora accepted in any job of the workflow id. */
  readonly resends?: readonly string[];
}

/** Zuora's IDs have 32 hexadecimal digits; its numbers have a hyphen. */
export function isBillRunId(key: string): boolean {
  return /^[0-9a-f]{32}$/i.test(key);
}

/** The argument of `emailBillRun`. Durations are strings such as `90s`, `12 hours` or `30d`. */
export interface EmailBillRunInput {
  /** ID or number of the bill run, such as `BR-00000001`. */
  readonly billRunKey: string;
  /** Email all documents, also those that were emailed before. Default: false. True needs a `requestId`. */
  readonly resend?: boolean;
  /** At most 100 characters. A job serves a request once, however often it is repeated. */
  readonly requestId?: string;
  /** Who asks, at most 200 characters. A claim: the audit shows it beside what Temporal records. */
  readonly requestedBy?: string;
  /** Why, at most 1,000 characters. */
  readonly reason?: string;
  /** Zuora Multi-entity only, and then required. */
  readonly entityId?: string;
  /** Zuora Multi-Org only. */
  readonly orgIds?: readonly string[];
  /** Start on hold: nothing is sent until a person releases the job. A resend waits for the release, too. */
  readonly hold?: boolean;
  /** Open a job although a person closed the last one. It counts as `retry` of what the job takes up from earlier ones. */
  readonly again?: boolean;
  /** Email only what earlier jobs or Zuora itself left unsent. `retry` on a closed job sets it. */
  readonly missing?: boolean;
  /** How long to wait for the bill run to post. Default: 30 days. */
  readonly postDeadline?: string;
  /** How long a send is attempted without a person. Default: 12 hours. At most 20 hours: Zuora forgets keys after 24. */
  readonly sendBudget?: string;
  /** How long a first send waits after Zuora's last emails for the bill run. Default: 24 hours. */
  readonly coolDown?: string;
  /**
   * How long the job stays open after the last acceptance, question, answer or change of a document. Default: 7 days. `0s` closes
   * it at acceptance; a question then stays open for 7 days.
   */
  readonly openFor?: string;
}

/** The argument of `resend`. The signal takes no argument as well; the update needs a `requestId`. */
export interface ResendMessage {
  readonly requestId?: string;
  readonly requestedBy?: string;
  readonly reason?: string;
}

/** The argument of `hold`, `release` and `finish`. */
export interface NoteMessage {
  readonly requestedBy?: string;
  readonly reason?: string;
}

/** The argument of `retry`. */
export interface RetryMessage {
  /** The send that is meant. The message is ignored when the open question is about another send. */
  readonly ordinal?: number;
  /** The second `retry` with the same id changes nothing. */
  readonly requestId?: string;
  readonly requestedBy?: string;
  readonly reason?: string;
  /** Overrides what keeps the send back. Customers may get a second email; the record names who took that risk. */
  readonly sendAnyway?: boolean;
}

/** The answer of the updates. */
export interface MessageAnswer {
  readonly requestId?: string;
  /** The send that serves the request; absent until that send exists. */
  readonly ordinal?: number;
  readonly state: EmailState;
}

export const resendSignal = defineSignal<[ResendMessage?]>('resend');
export const retrySignal = defineSignal<[RetryMessage?]>('retry');
export const finishSignal = defineSignal<[NoteMessage?]>('finish');
export const holdSignal = defineSignal<[NoteMessage?]>('hold');
export const releaseSignal = defineSignal<[NoteMessage?]>('release');
export const billRunPostedSignal = defineSignal<[unknown?]>('billRunPosted');
export const resendUpdate = defineUpdate<MessageAnswer, [ResendMessage?]>('resend');
export const retryUpdate = defineUpdate<MessageAnswer, [RetryMessage?]>('retry');
export const finishUpdate = defineUpdate<MessageAnswer, [NoteMessage?]>('finish');
export const statusQuery = defineQuery<JobStatus>('status');
export const sendsQuery = defineQuery<readonly SendRecord[]>('sends');

export const EMAIL_STATES = [
  'Waiting',
  'Sending',
  'Held',
  'NeedsAttention',
  'Delivering',
  'Emailed',
  'Skipped',
  'Stopped',
  'NotPosted',
  'Unsettled',
  'HandedOver',
] as const;
export type EmailState = (typeof EMAIL_STATES)[number];

/** The states that only closed jobs have. A closed job can also keep another one, such as `Delivering`. */
export const CLOSED_STATES = Object.freeze<EmailState[]>([
  'Skipped',
  'Stopped',
  'NotPosted',
  'Unsettled',
  'HandedOver',
]);

/** The cause of a state. Most states can also have none. */
export const EMAIL_REASONS = [
  'notPosted',
  'coolDown',
  'job',
  'all',
  'refused',
  'unknown',
  'cannotRead',
  'autoEmail',
  'emailedElsewhere',
  'notSent',
  'noDocuments',
  'finish',
  'cancel',
] as const;
export type EmailReason = (typeof EMAIL_REASONS)[number];

/** What a pipeline or an operator asked for. Its name is its kind (`resend` or not) and its id. */
export interface EmailRequest {
  readonly requestId: string;
  readonly resend: boolean;
  /** It is for documents that an earlier send left unsent. */
  readonly missing?: true;
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
  /** Zuora repeated a reply that it had stored under the key: the reply was not made for this attempt. */
  readonly stored: boolean;
  readonly reasons: readonly Reason[];
  /** Temporal's run id of the earlier job that made the attempt; absent for attempts of this job. */
  readonly runId?: string;
}

/** What a person decided about a send. */
export interface Decision {
  readonly decision: 'retry' | 'sendAnyway' | 'finish';
  readonly at: string;
  /** The id of the `retry`, if it had one. */
  readonly requestId?: string;
  readonly requestedBy?: string;
  readonly reason?: string;
}

export type SendOutcome = 'pending' | 'accepted' | 'refused' | 'unknown' | 'superseded' | 'stopped';

/** One intent to email the documents of the bill run. */
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

export const QUESTION_KINDS = ['refused', 'unknown', 'cannotRead'] as const;

/** What a person is asked. `retry` answers it. */
export interface Question {
  readonly ordinal: number;
  readonly kind: (typeof QUESTION_KINDS)[number];
  readonly text: string;
  /** `retry` alone is ignored here: it must say `sendAnyway: true`. */
  readonly needsSendAnyway: boolean;
  /** Until when the idempotency key protects a retry from a second email; null where it does not. */
  readonly safeUntil: string | null;
}

export interface IgnoredMessage {
  readonly message: string;
  readonly at: string;
  readonly reason: string;
}

/** What became of the documents, by the last check that changed something. */
export interface JobDocuments extends Readonly<Record<DocumentOutcome, number>> {
  readonly checkedAt: string;
  /** Zuora listed all documents of the bill run. */
  readonly complete: boolean;
  readonly total: number;
  /** Documents that are not `sent`; at most 50. */
  readonly list: readonly FollowedDocument[];
}

export interface FollowedDocument {
  readonly number: string;
  readonly kind: DocumentKind;
  readonly outcome: DocumentOutcome;
  /** Null if there is nothing to explain. It names no customer and no address. */
  readonly reason: string | null;
}

/** The answer to the query `status`. */
export interface JobStatus {
  readonly state: EmailState;
  readonly reason: EmailReason | null;
  /** Since when the job has this state and reason. */
  readonly since: string | null;
  /** One plain sentence with the cause. */
  readonly text: string;
  /** When the next thing happens by itself. */
  readonly until: string | null;
  readonly question: Question | null;
  readonly billRunNumber: string | null;
  readonly billRunId: string | null;
  readonly billRunStatus: string | null;
  /** What became of each document; null before the first check. */
  readonly documents: JobDocuments | null;
  /** How many sends Zuora accepted, in all jobs of the bill run. */
  readonly sends: number;
  readonly pendingRequests: readonly EmailRequest[];
  /** Messages that could not be followed: how many, and the last 50 with the reason. */
  readonly ignored: { readonly count: number; readonly last: readonly IgnoredMessage[] };
}

/** The result of a job that completed. */
export interface EmailBillRunResult {
  readonly state: 'Delivering' | 'Emailed' | 'Skipped' | 'Stopped' | 'HandedOver';
  readonly reason: EmailReason | null;
  /** Why it closed, in one sentence. */
  readonly text: string;
  readonly billRunNumber: string | null;
  readonly billRunId: string | null;
  readonly sends: readonly SendRecord[];
  /** What is not settled, one sentence each. */
  readonly unsettled: readonly string[];
  /** The workflow id of the job that emails the bill run; only for `HandedOver`. */
  readonly handedOverTo?: string;
}

export const FAILURE_TYPES = ['InvalidInput', 'NotPosted', 'Unsettled'] as const;
/** The `type` of the ApplicationFailure with which a job fails. */
export type FailureType = (typeof FAILURE_TYPES)[number];
