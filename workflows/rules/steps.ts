/**
 * What comes next in the life of a run, by the run and the clock alone: the same in replay, in tests, and in the answer to
 * a query. `settle` moves a run on as far as it goes by itself; `nextStep` says what the outside world must do.
 */
import type { EmailBillRunResult, EmailRequest, EmailState, FailureType, Question } from '../contract/contract.js';
import {
  acceptedSends,
  homeOf,
  ignore,
  isGuest,
  iso,
  joinableSendOf,
  misnamed,
  openResend,
  openSendOf,
  pendingRequests,
  unsettledOf,
  type RepeatedRequests,
  type Run,
} from './job.js';
import { nextInvoiceCountAt, nextSendStep, questionChangesAt, type Asked, type SendStep } from './send-step.js';
import { closeSend, decide, hasUnknown, intentOf, openSend, takeUp, type Send } from './send.js';
import * as words from './words.js';

export type Step =
  /** Watch the bill run until its status changes, `until` comes, or a message changes things. */
  | { readonly kind: 'watch'; readonly lastSeenStatus: string | undefined; readonly until: number }
  /** Look at the bill run once. */
  | { readonly kind: 'look' }
  /** Find out what earlier runs of the workflow did for these requests. */
  | { readonly kind: 'recall'; readonly requests: readonly EmailRequest[] }
  /** Hand these requests to the run which emails the bill run. */
  | { readonly kind: 'handOver'; readonly to: string; readonly requests: readonly EmailRequest[] }
  | { readonly kind: 'attempt'; readonly send: Send }
  /** Count the invoices that Zuora shows as emailed, for the person who is asked about this send; give up at `until`. */
  | { readonly kind: 'count'; readonly send: Send; readonly until: number }
  /** Wait for a message, at most until then. What people read may have to be told anew before, at `wake`. */
  | {
      readonly kind: 'wait';
      readonly until: number;
      readonly wake: number;
      readonly state: EmailState;
      readonly waitingFor: string;
    }
  | { readonly kind: 'complete'; readonly state: EmailBillRunResult['state'] }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'fail'; readonly type: FailureType; readonly message: string };

/** Does what needs nobody: begins the send for waiting requests, supersedes, closes, notes since when a person is asked. */
export function settle(run: Run, now: number): void {
  const current = openSendOf(run);
  if (current?.inFlight === true) return;
  if (run.canceled || run.finish !== null) {
    if (current !== undefined) closeUnsettled(run, current, now);
    return;
  }
  if (!isPosted(run) || isGuest(run)) return;
  supersede(run, now);
  // A send that is taken up from an earlier run may be overtaken already, by what came in the meantime.
  do beginSends(run, now);
  while (supersede(run, now));
  const send = openSendOf(run);
  if (send !== undefined) noteQuestion(run, send, now);
}

function supersede(run: Run, now: number): boolean {
  const current = openSendOf(run);
  if (current === undefined || !isSuperseded(run, current, now)) return false;
  closeSend(current, 'superseded', now, words.supersededBy(current.ordinal + 1, hasUnknown(current)));
  return true;
}

function beginSends(run: Run, now: number): void {
  for (const repeated of run.repeated.splice(0)) {
    const send = takeUp(run.sends.length + 1, repeated.requests, repeated.attempts);
    if (openSendOf(run) === undefined) run.sends.push(send);
    else if (send.outcome === 'accepted') ignoreRequests(run, repeated.requests, send.note ?? '', now);
    else run.repeated.push(repeated);
  }
  // What came at the same time is served by the same send, so all of it must be known first.
  if (run.queue.length === 0 || run.incoming.length > 0) return;
  const joined = joinableSendOf(run);
  if (joined !== undefined) joined.requests.push(...run.queue.splice(0));
  else if (openSendOf(run) === undefined && run.billRun !== null) {
    const requests = run.queue.splice(0);
    run.sends.push(openSend(run.sends.length + 1, requests, intentOf(requests, run.billRun.id)));
  }
}

function ignoreRequests(run: Run, requests: readonly EmailRequest[], note: string, now: number): void {
  for (const { requestId } of requests) ignore(run, 'resend', `request ${requestId}: ${note}`, now);
}

export function nextStep(run: Run, now: number): Step {
  const send = openSendOf(run);
  if (send?.inFlight === true) {
    const waitingFor = words.answerTo(send.attempts.length + 1);
    return { kind: 'wait', until: Infinity, wake: Infinity, state: 'Sending', waitingFor };
  }
  if (run.canceled) return { kind: 'cancel' };
  if (run.finish !== null) return { kind: 'complete', state: finalState(run) };
  if (run.failedLook !== null) return afterFailedLook(run, run.failedLook);
  if (isGuest(run)) return asGuest(run);
  if (run.billRun === null || !isPosted(run)) return beforePosting(run, now);
  if (run.lookWanted) return { kind: 'look' };
  if (run.incoming.length > 0) return { kind: 'recall', requests: run.incoming };
  if (send === undefined) return afterSend(run, now);

  const step = nextSendStep(send, { billRun: run.billRun, at: run.lookedAt }, run.settings, now);
  const question = questionIn(step);
  if (question?.kind === 'unknown' && now >= nextInvoiceCountAt(send) && (step.kind !== 'attempt' || run.held)) {
    return { kind: 'count', send, until: step.kind === 'wait' ? step.until : Infinity };
  }
  switch (step.kind) {
    case 'look':
      return run.held ? waiting(run, Infinity, words.release()) : step;
    case 'attempt':
      // What is still held when its automatic attempts end becomes a question to a person.
      return run.held ? waiting(run, step.until + 1, words.release(), question) : { kind: 'attempt', send };
    case 'wait':
      return run.held && question === undefined
        ? waiting(run, step.until, words.release())
        : waiting(run, step.until, step.why, question);
    case 'ask':
      return askedStep(run, send, step.question, now);
  }
}

function questionIn(step: SendStep): Asked | undefined {
  return step.kind === 'look' ? undefined : step.question;
}

/** How many requests are handed over by one activity, each by a call to Temporal. */
const MOST_HANDED_OVER = 100;

/** A run that is not to email the bill run: it hands its requests over, and is done. */
function asGuest(run: Run): Step {
  const wrong = misnamed(run);
  if (wrong !== null) return { kind: 'fail', type: 'InvalidInput', message: wrong };
  const requests = pendingRequests(run);
  if (requests.length === 0) return { kind: 'complete', state: 'HandedOver' };
  if (run.held) return waiting(run, Infinity, words.release());
  return { kind: 'handOver', to: homeOf(run) ?? '', requests: requests.slice(0, MOST_HANDED_OVER) };
}

function waiting(run: Run, until: number, waitingFor: string, question?: Asked): Step {
  const state = question !== undefined ? stateOfQuestion[question.kind] : run.held ? 'Held' : 'Sending';
  const send = openSendOf(run);
  const told = question !== undefined && send !== undefined ? questionChangesAt(send, question) : Infinity;
  return { kind: 'wait', until, wake: Math.min(until, told), state, waitingFor };
}

const stateOfQuestion: Record<Question['kind'], EmailState> = {
  refused: 'NeedsAttention',
  unknown: 'NeedsAttention',
  skipped: 'Skipped',
  delayed: 'Delayed',
};

function isPosted(run: Run): boolean {
  return run.billRun?.status === 'Posted';
}

function afterFailedLook(run: Run, { type, message }: NonNullable<Run['failedLook']>): Step {
  if (!isPosted(run)) return { kind: 'fail', type, message: `${message}; nothing was emailed` };
  return { kind: 'fail', type: 'Unsettled', message: [message, ...unsettledOf(run)].join('; ') };
}

/** The statuses from which no bill run is posted any more. */
export function willNotPost(status: string): boolean {
  return status === 'Canceled' || status === 'Error';
}

function beforePosting(run: Run, now: number): Step {
  const { billRun, settings } = run;
  const until = run.startedAt + settings.postDeadlineMs;
  if (billRun !== null && willNotPost(billRun.status)) {
    const said = billRun.errorMessage === undefined ? '' : ` (${billRun.errorMessage})`;
    return {
      kind: 'fail',
      type: 'NotPosted',
      message: `bill run ${billRun.number} ended as ${billRun.status}${said}; it will not post, and nothing was emailed`,
    };
  }
  if (now >= until) {
    const status = billRun === null ? 'was never seen' : `is ${billRun.status}`;
    return {
      kind: 'fail',
      type: 'NotPosted',
      message:
        `bill run ${billRun?.number ?? settings.billRunKey} did not post by ${words.time(until)} and ${status}; ` +
        `nothing was emailed. Post it, then start again`,
    };
  }
  return { kind: 'watch', lastSeenStatus: billRun?.status, until };
}

function askedStep(run: Run, send: Send, question: Asked, now: number): Step {
  const { attentionWindowMs, escalationWindowMs } = run.settings;
  const skipped = question.kind === 'skipped';
  const until = (send.stoppedAt ?? now) + (skipped ? escalationWindowMs : attentionWindowMs);
  if (now < until) {
    return waiting(run, until, words.answer(), question);
  }
  if (skipped) return { kind: 'complete', state: finalState(run) };
  const message = `nobody answered in time: ${unsettledOf(run).join('; ')}. ${words.goOn(openResend(run)?.requestId)}`;
  return { kind: 'fail', type: 'Unsettled', message };
}

function afterSend(run: Run, now: number): Step {
  const settledAt = Math.max(...run.sends.map((send) => Date.parse(send.settledAt ?? '')));
  const until = settledAt + run.settings.escalationWindowMs;
  return now < until
    ? { kind: 'wait', until, wake: until, state: 'Emailed', waitingFor: words.escalation() }
    : { kind: 'complete', state: finalState(run) };
}

/**
 * A resend that arrives between the attempts of a first send takes its place; one that arrives during a resend waits
 * for it, unless that one is waiting for a person.
 */
function isSuperseded(run: Run, current: Send, now: number): boolean {
  if (run.incoming.length > 0 || run.billRun === null) return false;
  const toSend = (each: RepeatedRequests): boolean => takeUp(0, each.requests, each.attempts).outcome !== 'accepted';
  if (!run.queue.some(({ resend }) => resend) && !run.repeated.some(toSend)) return false;
  if (!current.resend) return true;
  return nextSendStep(current, { billRun: run.billRun, at: run.lookedAt }, run.settings, now).kind === 'ask';
}

/** Writes into the record since when a person is asked, and what the answer will be if none comes. */
function noteQuestion(run: Run, send: Send, now: number): void {
  if (run.billRun === null || run.lookWanted) return;
  const step = nextSendStep(send, { billRun: run.billRun, at: run.lookedAt }, run.settings, now);
  if (step.kind !== 'ask') {
    if (step.kind === 'look' || step.question === undefined) send.askedAt = null;
    else send.askedAt ??= now;
    send.stoppedAt = null;
    send.outcome = 'pending';
    return;
  }
  const { kind } = step.question;
  send.outcome = kind === 'delayed' ? 'pending' : kind;
  send.askedAt ??= now;
  send.stoppedAt ??= now;
}

function closeUnsettled(run: Run, send: Send, now: number): void {
  if (run.finish !== null) decide(send, 'finish', run.finish, now);
  closeSend(send, 'finished', now, run.finish === null ? words.canceled() : words.finished());
}

/** The open question, as it stands now. */
export function questionOf(run: Run, now: number): Question | null {
  const send = openSendOf(run);
  if (send?.retry !== null || run.billRun === null || !isPosted(run)) return null;
  const step = nextSendStep(send, { billRun: run.billRun, at: run.lookedAt }, run.settings, now);
  const question = questionIn(step);
  return question === undefined ? null : { ordinal: send.ordinal, ...question, since: iso(send.askedAt ?? now) };
}

function finalState(run: Run): EmailBillRunResult['state'] {
  if (run.handedOver.length > 0 && unsettledOf(run).length === 0) return 'HandedOver';
  if (unsettledOf(run).length > 0) return 'Finished';
  if (acceptedSends(run) > 0) return 'Emailed';
  return run.sends.some(({ outcome }) => outcome === 'skipped') ? 'Skipped' : 'Finished';
}
