/** What came of a bill run, by what Temporal shows of its last job. docs/pipelines.md has the table. */
import type { EmailState, JobStatus, SendRecord } from '../workflows/contract/contract.js';
import { isEmailedIn, type LastJob } from './last-job.js';

/** How far a job is waited for: until Zuora has accepted the request, or until its documents are no longer followed. */
export type Until = 'accepted' | 'emailed';

/**
 * - `accepted`: Zuora accepted the request, or emails by itself. Until `emailed`: what became of the documents is not known, because
 *   the job closed before.
 * - `emailed`: every document was sent, or left out on purpose.
 * - `notSent`: documents were not sent.
 * - `unknown`: the checks are over, and Zuora does not show what became of some documents. Only until `emailed`.
 * - `needsPerson`: the job asks a person, is on hold, or is paused in Temporal.
 * - `notEmailed`: the job closed, and nothing was accepted; or, after a `retry`, not the send that it began.
 * - `waiting`: the time is over, and none of these is so yet. The job goes on by itself.
 */
export type Outcome = 'accepted' | 'emailed' | 'notSent' | 'unknown' | 'needsPerson' | 'notEmailed' | 'waiting';

export interface Goal {
  readonly until: Until;
  /** The request id of a resend. */
  readonly resend?: string | undefined;
  /** What a `retry` began. */
  readonly retry?: boolean | undefined;
}

/** What only the job itself can tell, and a worker for it. */
export interface Inside {
  /** A request, or a send of ours, is not settled. */
  readonly isBusy: boolean;
  /** How many documents may still be on their way. */
  readonly waiting: number;
}

type Shown = Pick<
  LastJob,
  'isOpen' | 'isChanging' | 'status' | 'state' | 'reason' | 'paused' | 'sends' | 'resends' | 'documentsNotSent'
>;

/** `ask`: Temporal does not list what decides. */
export function outcomeOf(job: Shown, goal: Goal, inside?: Inside): Outcome | 'ask' {
  if (!isAccepted(job, goal)) {
    if (!job.isOpen) return 'notEmailed';
    return asks(job) ? 'needsPerson' : 'waiting';
  }
  // The last documents that were not sent stay listed until the retry is accepted.
  if (goal.retry === true && job.isOpen && job.state !== 'Emailed' && inside?.isBusy !== false) {
    return answerOf(job, inside) ?? (asks(job) ? 'needsPerson' : 'waiting');
  }
  const isShort = (job.documentsNotSent ?? 0) > 0;
  if (goal.until === 'accepted') return isShort ? 'notSent' : 'accepted';
  if (job.isOpen) return followed(job, inside);
  if (isShort) return 'notSent';
  return endOf(job) ?? 'accepted';
}

/** While a job is open, a later send can bring it back to an earlier state. */
function followed(job: Shown, inside: Inside | undefined): Outcome | 'ask' {
  if (job.state === 'Delivering' && job.reason === 'notSent') {
    if (answerOf(job, inside) === 'ask') return 'ask';
    if (inside?.waiting === 0) return 'notSent';
    return asks(job) ? 'needsPerson' : 'waiting';
  }
  return endOf(job) ?? (asks(job) ? 'needsPerson' : 'waiting');
}

/** A job that is paused answers nothing. */
function answerOf({ status }: Shown, inside: Inside | undefined): 'ask' | undefined {
  return inside === undefined && status !== 'PAUSED' ? 'ask' : undefined;
}

/** How the follow-up of the documents ended. */
function endOf({ state, reason }: Shown): Outcome | undefined {
  if (state === 'Emailed') return 'emailed';
  return state === 'Delivering' && reason === 'unknown' ? 'unknown' : undefined;
}

function isAccepted(job: Shown, { resend, retry }: Goal): boolean {
  if (resend !== undefined) return job.resends.includes(resend);
  const { isOpen, isChanging, state } = job;
  const isWithZuora = state === 'Delivering' || state === 'Emailed';
  // An earlier send may have been accepted: then the state says what became of the retry.
  if (!isOpen) return isEmailedIn(job) && (retry !== true || isWithZuora);
  // A worker may not have heard of the retry.
  if (retry === true) return isWithZuora && !isChanging;
  return isWithZuora || (job.sends > 0 && !isKeptBack(state));
}

/** A worker may not have heard of an answer, or of a release. */
function asks({ isChanging, state, paused }: Shown): boolean {
  return !isChanging && (isKeptBack(state) || paused.length > 0);
}

function isKeptBack(state: EmailState | null): boolean {
  return state === 'Held' || state === 'NeedsAttention';
}

export function insideOf(
  { pendingRequests, documents, reason }: Pick<JobStatus, 'pendingRequests' | 'documents' | 'reason'>,
  sends: readonly Pick<SendRecord, 'outcome'>[],
): Inside {
  // What Zuora emails by itself has a send that stays open, without an attempt.
  const isOurs = reason !== 'autoEmail' && reason !== 'emailedElsewhere';
  const isBusy = pendingRequests.length > 0 || (isOurs && sends.at(-1)?.outcome === 'pending');
  return { isBusy, waiting: documents?.waiting ?? 0 };
}
