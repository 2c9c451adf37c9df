/**
 * What comes next in the life of a job, from its record and the clock alone. So it is the same in replay, in tests, and in the answer
 * to a query. `settle` changes the record as far as that needs nobody; `nextStep` says what the outside world does then. Each phase
 * has a file of its own: waiting, alias, sending, delivering, ending.
 */
import type { Question } from '../contract/contract.js';
import { aliasStep } from './alias.js';
import { deliveringStep } from './delivering.js';
import { evidenceText, missingOf } from './documents.js';
import { endingOf } from './ending.js';
import { noteDelivery } from './following.js';
import {
  ignore,
  isAlias,
  isEmailedByOthers,
  joinableSendOf,
  openSendOf,
  ownRequestId,
  recordHold,
  type EmailJob,
  type RepeatedRequests,
} from './job.js';
import { keyParts } from './keys.js';
import {
  closeSend,
  decide,
  intentOf,
  isOverridden,
  isUntouched,
  needsSendAnyway,
  openSend,
  takeUp,
  type Send,
} from './send.js';
import { hasUnknown } from './verdict.js';
import { askedStep, isUnread, openSendStep, questionIn, sendingStep } from './sending.js';
import type { Step } from './step.js';
import { held } from './held.js';
import { isPosted, waitingStep } from './waiting.js';

export function nextStep(job: EmailJob, now: number): Step {
  return (
    endingOf(job, now) ??
    waitingStep(job) ??
    aliasStep(job, now) ??
    sendingStep(job, now) ??
    deliveringStep(job, now) ??
    aboutToSend(job)
  );
}

/** A query or a message can come between a look and the `settle` that follows it. */
function aboutToSend(job: EmailJob): Step {
  const text = 'The bill run is posted, and a send is about to begin';
  const step = { kind: 'wait', until: Infinity, wake: Infinity } as const;
  if (job.held) return { ...step, ...held(job) };
  // What was not sent is checked once more before it is sent.
  const isMissing = job.queue.length > 0 && job.queue.every(({ missing }) => missing === true);
  if (isMissing) return { ...step, state: 'Delivering', reason: 'notSent', text };
  return { ...step, state: 'Sending', reason: null, text };
}

/** Begins sends for waiting requests, supersedes, closes, and notes since when a person is asked. */
export function settle(job: EmailJob, now: number): void {
  const current = openSendOf(job);
  if (current?.inFlight === true) return;
  if (job.canceled || job.finish !== null) {
    if (current !== undefined) stopSend(job, current, now);
    // A send that was accepted meanwhile has documents of its own. Otherwise what the last check showed stays.
    if (job.sends.at(-1)?.outcome === 'accepted') noteDelivery(job, now);
    return;
  }
  if (isPosted(job) && !isAlias(job)) settleSends(job, now);
  // Only a send that is due is kept back.
  const step = isPosted(job) ? openSendStep(job, now) : null;
  if (job.heldByAll && (step === null || step.kind === 'notNeeded')) recordHold(job, { heldByAll: false }, now);
}

function settleSends(job: EmailJob, now: number): void {
  supersede(job, now);
  // A message may have overtaken a send that an earlier job began.
  do beginSends(job, now);
  while (supersede(job, now));
  const send = openSendOf(job);
  if (send !== undefined) noteStep(job, send, now);
  noteDelivery(job, now);
  closeNeedless(job, now);
  // Once it is needed again, it is tried again.
  if (job.reading?.failed != null && !isUnread(job, now)) job.reading = null;
}

/** A check has accounted for every document: the send for what was missed has nothing to send. */
function closeNeedless(job: EmailJob, now: number): void {
  const send = openSendOf(job);
  if (send?.missingSince === undefined || !isUntouched(send) || isOverridden(send, now)) return;
  if (missingOf(job).kind !== 'none') return;
  delete send.missingSince;
  endLook(job);
  if (isEmailedByOthers(job)) {
    noteStep(job, send, now);
    return;
  }
  send.notNeeded = 'nothingMissing';
  closeSend(send, 'stopped', now, NOT_NEEDED.nothingMissing);
}

function supersede(job: EmailJob, now: number): boolean {
  const current = openSendOf(job);
  if (current === undefined || !isSuperseded(job, current, now)) return false;
  const by = `send ${current.ordinal + 1}, which emails all documents`;
  const note = hasUnknown(current)
    ? `closed as unknown: Zuora may have executed an attempt before ${by}, was asked for`
    : `superseded by ${by}`;
  closeSend(current, 'superseded', now, note);
  endLook(job);
  return true;
}

/** No open send needs it any more. */
function endLook(job: EmailJob): void {
  job.lookWanted = false;
  job.reading = null;
}

function beginSends(job: EmailJob, now: number): void {
  for (const repeated of job.repeated.splice(0)) {
    const send = takeUp(job.sends.length + 1, repeated.requests, repeated.attempts, now);
    if (openSendOf(job) === undefined) {
      job.sends.push(send);
      retryAgain(job, send, now);
    } else if (send.outcome === 'accepted') ignoreRequests(job, repeated.requests, send.note ?? '', now);
    else job.repeated.push(repeated);
  }
  // One send serves all requests that arrived together, so all of them must be looked up first.
  if (job.queue.length === 0 || job.incoming.length > 0) return;
  const joined = joinableSendOf(job);
  if (joined !== undefined) joined.requests.push(...job.queue.splice(0));
  else if (openSendOf(job) === undefined && job.billRun !== null) {
    const requests = job.queue.splice(0);
    const send = openSend(job.sends.length + 1, requests, intentOf(requests, job.billRun.id));
    job.sends.push(send);
    if (!send.resend && requests.some(({ missing }) => missing === true)) beginMissing(job, send, now);
  } else return;
  const send = openSendOf(job);
  if (send !== undefined && job.decided != null) {
    decide(send, 'sendAnyway', job.decided, job.decided.at);
    if (send.missingSince !== undefined) send.overriddenAt = job.decided.at;
  }
  job.decided = null;
}

/** Rule 3 (d): the keys go on from the last first send. */
function beginMissing({ sends }: EmailJob, send: Send, now: number): void {
  const used = sends
    .filter(({ intent }) => intent === send.intent)
    .flatMap(({ attempts }) => attempts.map(({ idempotencyKey: key }) => keyParts(key).number));
  send.keyNumber = Math.max(0, ...used) + 1;
  send.missingSince = now;
}

/** A person who opens a job again wants what it takes up to go out. */
function retryAgain(job: EmailJob, send: Send, now: number): void {
  const { settings } = job;
  const isOwn = send.requests.some(
    ({ requestId, resend }) => resend === settings.resend && requestId === ownRequestId(job),
  );
  if (settings.again !== true || !isOwn || send.settledAt !== null || needsSendAnyway(send, now)) return;
  decide(send, 'retry', settings, now);
  send.retry = { sendAnyway: false, begun: false, at: now };
}

function ignoreRequests(job: EmailJob, requests: RepeatedRequests['requests'], note: string, now: number): void {
  for (const { requestId } of requests) ignore(job, 'resend', `request ${requestId}: ${note}`, now);
}

/**
 * A resend that arrives between the attempts of a first send takes its place. One that arrives during a resend waits for it, unless
 * that resend waits for a person.
 */
function isSuperseded(job: EmailJob, current: Send, now: number): boolean {
  if (job.incoming.length > 0 || job.billRun === null) return false;
  const isUnserved = (each: RepeatedRequests): boolean =>
    takeUp(0, each.requests, each.attempts).outcome !== 'accepted';
  if (!job.queue.some(({ resend }) => resend) && !job.repeated.some(isUnserved)) return false;
  return !current.resend || openSendStep(job, now)?.kind === 'ask';
}

/** Notes in the record since when a person is asked, and the outcome if nobody answers. */
function noteStep(job: EmailJob, send: Send, now: number): void {
  const step = openSendStep(job, now);
  if (step === null) return;
  const isStopped = step.kind === 'ask' || step.kind === 'notNeeded';
  send.stoppedAt = isStopped ? (send.stoppedAt ?? now) : null;
  const question = step.kind === 'ask' && step.question.kind !== 'cannotRead' ? step.question.kind : 'pending';
  send.outcome = step.kind === 'notNeeded' ? 'stopped' : question;
  send.notNeeded = step.kind === 'notNeeded' ? step.reason : null;
  send.note = send.notNeeded && NOT_NEEDED[send.notNeeded];
}

const NOT_NEEDED: Readonly<Record<NonNullable<Send['notNeeded']>, string>> = Object.freeze({
  autoEmail: 'not attempted: Zuora should email the documents by itself (autoEmail is on)',
  emailedElsewhere: 'not attempted: Zuora says that the bill run was emailed, and this job did not do it',
  noDocuments: 'not attempted: the bill run has no invoices and no credit memos',
  nothingMissing: 'not attempted: every document was sent, or is left out on purpose',
});

function stopSend(job: EmailJob, send: Send, now: number): void {
  endLook(job);
  if (job.finish !== null) decide(send, 'finish', job.finish, now);
  const by = job.finish === null ? 'cancellation' : 'finish';
  const note = `closed by ${by} before it was settled; nothing more is sent`;
  closeSend(send, 'stopped', now, send.notNeeded === null ? note : NOT_NEEDED[send.notNeeded]);
}

/** The open question, as it reads now. */
export function questionOf(job: EmailJob, now: number): Question | null {
  if (!isPosted(job) && !isAlias(job)) return null;
  const question = questionIn(askedStep(job, now));
  if (question === undefined) return null;
  const ordinal = openSendOf(job)?.ordinal ?? job.sends.length + 1;
  const evidence = question.kind === 'unknown' && job.delivery?.ordinal === ordinal ? evidenceText(job) : '';
  return { ordinal, ...question, text: `${question.text}${evidence}` };
}
