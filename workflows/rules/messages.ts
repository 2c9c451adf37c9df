/**
 * What messages change in the record. No function here throws, whatever its argument: a signal that throws fails or blocks the job.
 * An update first asks for the fault (`…Fault`), and is rejected with it; a signal with a fault is recorded as ignored.
 */
import type { MessageAnswer, RetryMessage } from '../contract/contract.js';
import { checkNote, checkResend, checkRetry, placeholderIn, type Checked } from '../contract/validation.js';
import {
  enqueue,
  ignore,
  isAlias,
  isKnown,
  openSendOf,
  pendingRequests,
  recordEarlier,
  recordHold,
  remember,
  type EmailJob,
} from './job.js';
import { nextStep, questionOf } from './next-step.js';
import { decide, needsSendAnyway, type Send } from './send.js';
import { openSendStep } from './sending.js';
import { wellFormed } from './text.js';

/** Why a message cannot be followed, or undefined. */
type Fault = string | undefined;

// resend

export function receiveResend(job: EmailJob, argument: unknown, now: number): void {
  receive(job, 'resend', argument, checkResend, now, (message) => {
    const requestId = message.requestId ?? nextUnnamedId(job);
    // A client that starts a job and signals it in one call says the same twice.
    if (job.settings.resend && requestId === job.settings.requestId) return undefined;
    if (isKnown(job, 'resend', requestId))
      return `request ${requestId} was made before; to email again, name a new request`;
    if (isFull(job)) return FULL;
    enqueue(job, message, { requestId, resend: true, now });
    return undefined;
  });
}

export function resendFault(job: EmailJob, argument: unknown): Fault {
  const { value, faults } = checkResend(argument);
  if (faults !== undefined) return faults.join('; ');
  const { requestId } = value;
  if (requestId === undefined) return 'requestId is missing; name the resend, for example by a ticket number';
  if (isKnown(job, 'resend', requestId)) return undefined;
  return isFull(job) ? FULL : closing(job);
}

/** Asking again by the same name changes nothing, and names the same send. */
export function resend(job: EmailJob, argument: unknown, now: number): MessageAnswer {
  const message = checkResend(argument).value ?? {};
  const requestId = message.requestId ?? '';
  if (!isKnown(job, 'resend', requestId)) {
    enqueue(job, message, { requestId, resend: true, now });
    job.revision += 1;
  }
  const serves = job.sends.find(({ requests }) =>
    requests.some((request) => request.resend && request.requestId === requestId),
  );
  return answer(job, now, { requestId, ordinal: serves?.ordinal });
}

// retry

const NO_QUESTION = 'no question is open';

export function receiveRetry(job: EmailJob, argument: unknown, now: number): void {
  receive(job, 'retry', argument, checkRetry, now, (message) => {
    if (isRepeated(job, message)) return undefined;
    const fault = faultOfRetry(job, message, now);
    if (fault === undefined) followRetry(job, message, now);
    return fault;
  });
}

export function retryFault(job: EmailJob, argument: unknown, now: number): Fault {
  const { value, faults } = checkRetry(argument);
  if (faults !== undefined) return faults.join('; ');
  return isRepeated(job, value) ? undefined : faultOfRetry(job, value, now);
}

export function retry(job: EmailJob, argument: unknown, now: number): MessageAnswer {
  const message = checkRetry(argument).value ?? {};
  const { requestId } = message;
  const open = openSendOf(job);
  if (!isRepeated(job, message)) {
    followRetry(job, message, now);
    job.revision += 1;
    return answer(job, now, { requestId, ordinal: open?.ordinal });
  }
  const retried = job.sends.find(({ decisions }) => decisions.some((decision) => decision.requestId === requestId));
  return answer(job, now, { requestId, ordinal: retried?.ordinal });
}

function isRepeated(job: EmailJob, { requestId }: RetryMessage): boolean {
  return requestId !== undefined && isKnown(job, 'retry', requestId);
}

function faultOfRetry(job: EmailJob, { ordinal, sendAnyway = false }: RetryMessage, now: number): Fault {
  const send = openSendOf(job);
  const step = send?.inFlight === true ? null : openSendStep(job, now);
  const question = questionOf(job, now);
  const isKeptBack = step?.kind === 'coolDown' || step?.kind === 'notNeeded' || isCheckedFirst(send);
  const open = isKeptBack ? send?.ordinal : (question?.ordinal ?? nextMissing(job, send));
  if (open === undefined) return NO_QUESTION;
  if (ordinal !== undefined && ordinal !== open) return `send ${open} is open, not send ${ordinal}`;
  if (send === undefined && question === null) {
    const isAsked = pendingRequests(job).some(({ missing }) => missing === true);
    return (isAsked ? undefined : nothingMissing(job, sendAnyway)) ?? (isFull(job) ? FULL : undefined);
  }
  if (isAlias(job) && sendAnyway) return 'this job sends nothing itself; retry without sendAnyway';
  if (question === null || question.kind === 'cannotRead' || send === undefined) return isFull(job) ? FULL : undefined;
  if (needsSendAnyway(send, now) && !sendAnyway) {
    return 'retry must say sendAnyway: true here, because the idempotency key does not protect another attempt';
  }
  return isFull(job) ? FULL : undefined;
}

/** A send for what was missed waits for a check of the documents. */
function isCheckedFirst(send: Send | undefined): boolean {
  return send?.missingSince !== undefined && send.attempts.length === 0 && !send.inFlight;
}

/** What a `retry` names if no send is open: the accepted send that it completes, or the one for what was missed that is to begin. */
function nextMissing(job: EmailJob, open: Send | undefined): number | undefined {
  if (open !== undefined) return undefined;
  const pending = pendingRequests(job);
  if (pending.length === 0) return job.sends.findLast(({ outcome }) => outcome === 'accepted')?.ordinal;
  return pending.some(({ missing }) => missing === true) ? job.sends.length + 1 : undefined;
}

/** `retry` sends only what is known to be missing; with `sendAnyway` also what cannot be seen. */
function nothingMissing({ delivery }: EmailJob, sendAnyway: boolean): Fault {
  const check = delivery?.check ?? null;
  if (check === null) return sendAnyway ? undefined : `${NO_QUESTION}, and the documents are not checked yet; wait`;
  const { notSent, waiting, unknown } = check.documents;
  if (notSent > 0 || (sendAnyway && waiting + unknown > 0)) return undefined;
  const what =
    waiting + unknown === 0
      ? 'nothing is missing: every document was sent, or is left out on purpose'
      : 'no document is known to be not sent; wait, or retry with sendAnyway to send what Zuora takes for never emailed';
  return `${NO_QUESTION}, and ${what}`;
}

function followRetry(job: EmailJob, message: RetryMessage, now: number): void {
  const { requestId, sendAnyway = false } = message;
  if (requestId !== undefined) remember(job, 'retry', requestId);
  const question = questionOf(job, now);
  const unread = question?.kind === 'cannotRead' ? job.reading?.what : undefined;
  // Whatever the question is about: what failed is read again.
  job.reading = null;
  job.unreadable = null;
  if (unread === 'lookUp' && sendAnyway) takeForNew(job, message, now);
  const send = openSendOf(job);
  if (unread === 'lookUp') return;
  if (send === undefined) {
    if (question === null) sendMissing(job, message, now);
    return;
  }
  decide(send, sendAnyway ? 'sendAnyway' : 'retry', message, now);
  if (question !== null && unread === undefined) send.retry = { sendAnyway, begun: false, at: now };
  else if (sendAnyway) {
    send.overriddenAt = now;
    job.lookWanted = false;
  } else if (unread === undefined) {
    const step = openSendStep(job, now);
    const isEmailed = step?.kind === 'notNeeded' && step.reason !== 'noDocuments';
    if (isEmailed || send.missingSince !== undefined) send.missingSince = now;
    job.lookWanted = true;
  }
}

/** A new send, under the next key, for what the last one left unsent. One that is to begin anyway serves the request. */
function sendMissing(job: EmailJob, message: RetryMessage, now: number): void {
  if (message.sendAnyway === true) job.decided = { ...message, at: now };
  if (pendingRequests(job).some(({ missing }) => missing === true)) return;
  const requestId = message.requestId ?? nextUnnamedId(job);
  enqueue(job, message, { requestId, resend: false, missing: true, now });
}

/** Goes on as if no earlier job had done anything for the requests. */
function takeForNew(job: EmailJob, message: RetryMessage, now: number): void {
  recordEarlier(job, job.incoming, { sends: [], accepted: 0, resends: [], unreadable: [] });
  job.decided = { ...message, at: now };
}

// finish, hold, release, billRunPosted

export function receiveFinish(job: EmailJob, argument: unknown, now: number): void {
  receive(job, 'finish', argument, checkNote, now, (message) => {
    job.finish ??= message;
    return undefined;
  });
}

export function finishFault(argument: unknown): Fault {
  return checkNote(argument).faults?.join('; ');
}

export function finish(job: EmailJob, argument: unknown, now: number): MessageAnswer {
  receiveFinish(job, argument, now);
  return answer(job, now, {});
}

/** Holds whatever comes with it: an emergency stop must stop first. A malformed note is kept as text. */
export function receiveHold(job: EmailJob, argument: unknown, now: number): void {
  if (job.held) {
    ignore(job, 'hold', 'the job is on hold already', now);
    return;
  }
  const note = checkNote(argument).value ?? { reason: textOf(argument) };
  recordHold(job, { held: true, heldBy: { ...note, at: now } }, now);
  job.revision += 1;
}

/** Releases whatever comes with it, except a placeholder: the record would name nobody. */
export function receiveRelease(job: EmailJob, note: unknown, now: number): void {
  const placeholder = placeholderIn(note);
  const fault = placeholder === undefined ? undefined : `write your own text instead of the placeholder ${placeholder}`;
  if (fault !== undefined || !job.held) {
    ignore(job, 'release', fault ?? 'the job is not on hold', now);
    return;
  }
  recordHold(job, { held: false, heldBy: null }, now);
  job.revision += 1;
}

/** At most as long as a reason. */
function textOf(note: unknown): string {
  return wellFormed(JSON.stringify(note)).slice(0, 1000);
}

export function receiveHint(job: EmailJob): void {
  job.hinted = true;
}

/** A signal that the contract does not know. */
export function receiveUnknown(job: EmailJob, name: string, now: number): void {
  ignore(job, name, 'there is no such signal; there are resend, retry, finish, hold, release and billRunPosted', now);
}

function receive<T>(
  job: EmailJob,
  name: string,
  argument: unknown,
  check: (argument: unknown) => Checked<T>,
  now: number,
  follow: (message: T) => Fault,
): void {
  const { value, faults } = check(argument);
  const fault = faults === undefined ? follow(value) : faults.join('; ');
  if (fault === undefined) job.revision += 1;
  else ignore(job, name, fault, now);
}

function answer(
  job: EmailJob,
  now: number,
  { requestId, ordinal }: { requestId?: string | undefined; ordinal?: number | undefined },
): MessageAnswer {
  return {
    ...(requestId === undefined ? {} : { requestId }),
    ...(ordinal === undefined ? {} : { ordinal }),
    state: nextStep(job, now).state,
  };
}

/** Temporal limits the record that continues as new, and the result, to 2 MB. */
const MOST_REQUEST_BYTES = 1_000_000;
const FULL = 'the job has as many requests as it can keep; finish it, and ask again';

function isFull({ requestBytes }: EmailJob): boolean {
  return requestBytes > MOST_REQUEST_BYTES;
}

function closing({ finish: finished, canceled }: EmailJob): Fault {
  return finished === null && !canceled ? undefined : 'the job is closing; ask again, and a new job takes the resend';
}

/** The same after a reset, which applies signals again in their order; different in all jobs of a workflow id. */
function nextUnnamedId(job: EmailJob): string {
  let requestId: string;
  do {
    job.unnamedRequests += 1;
    requestId = `${job.firstRunId}-${job.unnamedRequests}`;
    // A caller may have used this id for a request of its own.
  } while (isKnown(job, 'resend', requestId));
  return requestId;
}
