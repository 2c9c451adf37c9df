/** Phase 4: the job closes. */
import type { HandedOver } from '../contract/activities.js';
import type { EmailBillRunResult, EmailReason, FailureType } from '../contract/contract.js';
import { delivering, openUntil } from './delivering.js';
import {
  acceptedSends,
  canonicalIdOf,
  isAlias,
  isEmailedByOthers,
  isMisnamed,
  openResend,
  openSendOf,
  pendingRequests,
  unsettledOf,
  type EmailJob,
} from './job.js';
import { willNotPost } from './outlook.js';
import { unreadText } from './questions.js';
import { askedStep, isUnread, questionEnd } from './sending.js';
import type { Ending, Shown, Step } from './step.js';
import { quoted, time } from './text.js';
import { isPosted, postDeadline } from './waiting.js';

/** How the job closes now; null while it stays open. An attempt under way always ends first. */
export function endingOf(job: EmailJob, now: number): Ending | null {
  if (openSendOf(job)?.inFlight === true) return null;
  if (job.canceled) return { kind: 'cancel', ...stateAtClosing(job, 'cancel', now) };
  if (job.finish !== null) return { kind: 'complete', ...stateAtClosing(job, 'finish', now) };
  if (job.failedLook !== null) return afterFailedLook(job, job.failedLook);
  if (isAlias(job)) return endingOfAlias(job, now);
  if (!isPosted(job)) return notPosted(job, now);
  return afterSending(job, now);
}

export function isEnding(step: Step): step is Ending {
  return step.kind === 'complete' || step.kind === 'cancel' || step.kind === 'fail';
}

function endingOfAlias(job: EmailJob, now: number): Ending | null {
  if (isMisnamed(job)) return misnamed(job);
  return pendingRequests(job).length === 0 ? { kind: 'complete', ...handedOver(job) } : unanswered(job, now);
}

function misnamed({ workflowId, billRun }: EmailJob): Ending {
  return fail(
    'InvalidInput',
    `invalid input: the workflow id ${workflowId} names another bill run than ${billRun?.number ?? ''}, and nothing was emailed; ` +
      `start the job without an id of your own, or with the id of this bill run`,
  );
}

function afterFailedLook(job: EmailJob, { type, message }: NonNullable<EmailJob['failedLook']>): Ending {
  if (isAlias(job)) return fail(type, message);
  if (!isPosted(job)) return fail(type, `${message}; nothing was emailed`);
  return fail('Unsettled', [message, ...unsettledOf(job)].join('; '), null);
}

function notPosted(job: EmailJob, now: number): Ending | null {
  const { billRun, settings } = job;
  if (billRun !== null && willNotPost(billRun.status)) {
    const words = billRun.errorMessage === undefined ? '' : ` (${billRun.errorMessage})`;
    return fail(
      'NotPosted',
      `bill run ${billRun.number} ended as ${billRun.status}${words}; it will not post, and nothing was emailed`,
    );
  }
  const until = postDeadline(job);
  if (now < until) return null;
  const { unreadable } = job;
  const cause = unreadable === null ? '' : `. ${unreadText(unreadable)}`;
  const status = billRun === null ? 'was never seen' : `${unreadable === null ? 'is' : 'was last'} ${billRun.status}`;
  return fail(
    'NotPosted',
    `bill run ${billRun?.number ?? settings.billRunKey} did not post by ${time(until)} and ${status}; ` +
      `nothing was emailed${cause}. Post it, then start again`,
  );
}

function afterSending(job: EmailJob, now: number): Ending | null {
  if ((job.lookWanted || job.incoming.length > 0) && !isUnread(job, now)) return null;
  if (isNeverEmailed(job)) return fail('InvalidInput', NEVER_EMAILED);
  const step = askedStep(job, now);
  if (step?.kind === 'notNeeded' && step.reason === 'noDocuments' && !job.held) {
    return { kind: 'complete', ...skipped() };
  }
  const until = openUntil(job, now);
  return until !== null && now >= until ? { kind: 'complete', ...delivering(job, now) } : unanswered(job, now);
}

/** Only what was emailed can have missed something. */
function isNeverEmailed(job: EmailJob): boolean {
  const { settings, sends } = job;
  if (settings.missing !== true || acceptedSends(job) > 0 || isEmailedByOthers(job)) return false;
  return pendingRequests(job).length === 0 && sends.every(({ attempts }) => attempts.length === 0);
}

const NEVER_EMAILED =
  'invalid input: nothing was emailed for this bill run, so nothing can be missing; start the job without "missing"';

function unanswered(job: EmailJob, now: number): Ending | null {
  const step = askedStep(job, now);
  if (step?.kind !== 'ask' || now < questionEnd(job, step.question, now)) return null;
  const open = openResend(job)?.requestId;
  const next =
    open === undefined
      ? 'To continue: start again'
      : `To continue: ask for the resend again, with the request id ${quoted(open)}`;
  return fail('Unsettled', `nobody answered in time: ${unsettledOf(job).join('; ')}. ${next}`, step.question.kind);
}

function fail(type: FailureType, text: string, reason: EmailReason | null = null): Ending {
  return { kind: 'fail', type, state: type === 'Unsettled' ? 'Unsettled' : 'NotPosted', reason, text };
}

/** A job with nothing open keeps the state that it has reached; otherwise a person stopped it. */
function stateAtClosing(
  job: EmailJob,
  by: 'finish' | 'cancel',
  now: number,
): Shown & { readonly state: EmailBillRunResult['state'] } {
  if (unsettledOf(job).length > 0) {
    const how = by === 'finish' ? finishedBy(job) : 'The job was canceled in Temporal';
    const hasSent = acceptedSends(job) > 0 || job.sends.some(({ attempts }) => attempts.length > 0);
    return { state: 'Stopped', reason: by, text: `${how}; nothing ${hasSent ? 'more ' : ''}is sent` };
  }
  if (job.handedOver.length > 0) return handedOver(job);
  return job.sends.at(-1)?.notNeeded === 'noDocuments' ? skipped() : delivering(job, now);
}

function finishedBy({ finish }: EmailJob): string {
  const who = finish?.requestedBy === undefined ? 'A person' : quoted(finish.requestedBy);
  return `${who} finished the job${finish?.reason === undefined ? '' : ` (${quoted(finish.reason)})`}`;
}

function handedOver(job: EmailJob): Shown & { readonly state: 'HandedOver' } {
  const answers = [...new Set(job.handedOver.map(({ result }) => ANSWERS[result]))];
  return {
    state: 'HandedOver',
    reason: null,
    text: `The job ${quoted(canonicalIdOf(job) ?? '')} ${answers.join('; it also ')}`,
  };
}

const TAKEN = 'has the requests of this job; its page says what was sent';
const ANSWERS: Readonly<Record<HandedOver['result'], string>> = Object.freeze({
  started: TAKEN,
  joined: TAKEN,
  alreadyEmailed: 'had emailed the documents before, so it sends nothing more',
  stopped: 'was closed by a person, so nothing is sent; to send, start that bill run again',
});

function skipped(): Shown & { readonly state: 'Skipped' } {
  return {
    state: 'Skipped',
    reason: 'noDocuments',
    text: 'The bill run has no invoices and no credit memos, so nothing was sent',
  };
}
