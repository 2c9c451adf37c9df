/**
 * The life of one bill run, without Temporal: what is known, what messages change, and what comes next.
 *
 * `settle` moves a run on as far as it goes by itself; `nextStep` then says what the outside world must do. Both depend
 * on the run and the clock alone, so they are the same in replay, in tests, and in the answer to a query.
 */
import type { BillRun } from '../activities/types.js';
import { checkNote, checkResend, checkRetry, type Checked, type Settings } from './checks.js';
import type {
  Decision,
  EmailBillRunResult,
  EmailRequest,
  EmailState,
  FailureType,
  IgnoredMessage,
  NoteMessage,
  Question,
  ResendMessage,
  RetryMessage,
  RunStatus,
  SendRecord,
} from './contract.js';
import {
  closeSend,
  hasUnknown,
  isUntouched,
  needsSendAnyway,
  nextSendStep,
  openSend,
  recordOf,
  type Send,
} from './send.js';
import * as words from './words.js';

/** How many ignored messages are remembered word for word. */
const IGNORED_KEPT = 50;
/** A hint that the bill run posted is followed at most this often. */
const HINT_INTERVAL_MS = 5_000;

/** Everything one run knows. Plain data: a run that continues as new hands it to its successor as it is. */
export interface Run {
  readonly settings: Settings;
  /** Of the first run in a chain of runs that continue as new, as is its start (epoch, ms). */
  readonly firstRunId: string;
  readonly startedAt: number;

  billRun: BillRun | null;
  lookedAt: number;
  /** Somebody asked for a fresh look at the bill run. */
  lookWanted: boolean;
  /** The bill run went from PostInProgress back to Completed: Zuora could not post all of its documents. */
  postingFailed: boolean;
  /** A hint that the bill run posted, not followed yet, and when the last one was (epoch, ms). */
  hinted: boolean;
  hintFollowedAt: number;

  /** Reading the bill run failed for good. */
  failedLook: { readonly type: FailureType; readonly message: string } | null;

  /** Grows with every message that may change what comes next. */
  revision: number;
  /** Requests that no send serves yet. */
  queue: EmailRequest[];
  /** The ids of all requests so far: a `Set` in all but name, because this is JSON. */
  readonly requestIds: Record<string, true>;
  unnamedRequests: number;
  readonly sends: Send[];
  held: boolean;
  finish: NoteMessage | null;
  canceled: boolean;
  readonly ignored: { count: number; last: IgnoredMessage[] };
}

export function openRun(settings: Settings, { firstRunId, now }: { firstRunId: string; now: number }): Run {
  const run: Run = {
    settings,
    firstRunId,
    startedAt: now,
    billRun: null,
    lookedAt: 0,
    lookWanted: false,
    postingFailed: false,
    hinted: false,
    hintFollowedAt: 0,
    failedLook: null,
    revision: 0,
    queue: [],
    requestIds: {},
    unnamedRequests: 0,
    sends: [],
    held: false,
    finish: null,
    canceled: false,
    ignored: { count: 0, last: [] },
  };
  // A resend asked for by the start alone always has the same id, so that starting twice asks once.
  const requestId = settings.requestId ?? (settings.resend ? 'resend-at-start' : `${firstRunId}-0`);
  enqueue(run, settings, { requestId, resend: settings.resend, now });
  return run;
}

// Messages. None of them throws, whatever its argument: a signal that fails would fail the run or block it.

/** A message that changes nothing but its own mention among the ignored ones, and why. */
type Ignored = string | undefined;

export function receiveResend(run: Run, argument: unknown, now: number): void {
  receive(run, 'resend', argument, checkResend, now, (message) => {
    const requestId = message.requestId ?? nextUnnamedId(run);
    // A client that starts a run and signals it in one call says the same twice, and is right both times.
    if (run.settings.resend && requestId === run.settings.requestId) return undefined;
    if (isSeen(run, requestId)) return `request ${requestId} was made before`;
    enqueue(run, message, { requestId, resend: true, now });
    return undefined;
  });
}

/** The update's form of `resend`: answers with the send that will serve the request. Its argument is checked before. */
export function requestResend(run: Run, message: ResendMessage, now: number): { requestId: string; ordinal: number } {
  const requestId = message.requestId ?? nextUnnamedId(run);
  enqueue(run, message, { requestId, resend: true, now });
  run.revision += 1;
  return { requestId, ordinal: joinableSendOf(run)?.ordinal ?? run.sends.length + 1 };
}

/** Why a resend cannot be asked for; nothing where it can. */
export function faultsOfResend(run: Run, argument: unknown): readonly string[] {
  const { value, faults } = checkResend(argument);
  if (faults !== undefined) return faults;
  if (value.requestId !== undefined && isSeen(run, value.requestId))
    return [`request ${value.requestId} was made before`];
  return run.finish === null && !run.canceled ? [] : ['the run is closing; start it again with resend'];
}

export function receiveRetry(run: Run, argument: unknown, now: number): void {
  receive(run, 'retry', argument, checkRetry, now, (message) => answerQuestion(run, message, now));
}

export function receiveHold(run: Run, argument: unknown, now: number): void {
  receive(run, 'hold', argument, checkNote, now, () => {
    if (run.held) return 'the run is held already';
    run.held = true;
    return undefined;
  });
}

export function receiveRelease(run: Run, argument: unknown, now: number): void {
  receive(run, 'release', argument, checkNote, now, () => {
    if (!run.held) return 'the run is not held';
    run.held = false;
    return undefined;
  });
}

export function receiveFinish(run: Run, argument: unknown, now: number): void {
  receive(run, 'finish', argument, checkNote, now, (message) => {
    run.finish ??= message;
    return undefined;
  });
}

export function receiveHint(run: Run): void {
  run.hinted = true;
}

/** A signal that the contract does not know. */
export function receiveUnknown(run: Run, name: string, now: number): void {
  ignore(run, name, 'there is no such signal; there are resend, billRunPosted, retry, hold, release and finish', now);
}

function receive<T>(
  run: Run,
  name: string,
  argument: unknown,
  check: (argument: unknown) => Checked<T>,
  now: number,
  follow: (message: T) => Ignored,
): void {
  const { value, faults } = check(argument);
  const reason = faults === undefined ? follow(value) : faults.join('; ');
  if (reason === undefined) run.revision += 1;
  else ignore(run, name, reason, now);
}

function ignore({ ignored }: Run, message: string, reason: string, now: number): void {
  ignored.count += 1;
  ignored.last = [...ignored.last, { message: message.slice(0, 60), at: iso(now), reason: reason.slice(0, 500) }].slice(
    -IGNORED_KEPT,
  );
}

function isSeen(run: Run, requestId: string): boolean {
  return Object.hasOwn(run.requestIds, requestId);
}

/** The same after a reset, which applies signals again in their order, and different over all runs of a workflow id. */
function nextUnnamedId(run: Run): string {
  let requestId: string;
  do {
    run.unnamedRequests += 1;
    requestId = `${run.firstRunId}-${run.unnamedRequests}`;
    // A caller may have taken the id for a request of its own.
  } while (isSeen(run, requestId));
  return requestId;
}

function enqueue(
  run: Run,
  { requestedBy, reason }: NoteMessage,
  { requestId, resend, now }: { requestId: string; resend: boolean; now: number },
): void {
  // A plain assignment would take "__proto__" for something else.
  Object.defineProperty(run.requestIds, requestId, { value: true, enumerable: true });
  run.queue.push({
    requestId,
    resend,
    ...(requestedBy === undefined ? {} : { requestedBy }),
    ...(reason === undefined ? {} : { reason }),
    requestedAt: iso(now),
  });
}

function answerQuestion(run: Run, message: RetryMessage, now: number): Ignored {
  const question = questionOf(run, now);
  const send = openSendOf(run);
  if (question === null || send === undefined) return 'no question is open';
  if (message.ordinal !== undefined && message.ordinal !== question.ordinal) {
    return `the open question is about send ${question.ordinal}, not ${message.ordinal}`;
  }
  const sendAnyway = message.sendAnyway ?? false;
  const held = question.kind === 'skipped' || question.kind === 'delayed';
  if (!held && needsSendAnyway(send, now) && !sendAnyway) {
    return 'retry must say sendAnyway: true here, because the idempotency key does not protect another attempt';
  }
  send.decisions.push(decision(sendAnyway ? 'sendAnyway' : 'retry', message, now));
  if (!held) send.retry = { sendAnyway, begun: false };
  else if (sendAnyway) send.lookOverridden = true;
  else run.lookWanted = true;
  return undefined;
}

function decision(made: Decision['decision'], { requestedBy, reason }: NoteMessage, now: number): Decision {
  return {
    decision: made,
    at: iso(now),
    ...(requestedBy === undefined ? {} : { requestedBy }),
    ...(reason === undefined ? {} : { reason }),
  };
}

// What comes of looks.

export function recordLook(run: Run, billRun: BillRun, now: number): void {
  if (run.billRun?.status === 'PostInProgress' && billRun.status === 'Completed') run.postingFailed = true;
  else if (billRun.status !== 'Completed') run.postingFailed = false;
  run.billRun = billRun;
  run.lookedAt = now;
  run.lookWanted = false;
}

export function recordFailedLook(run: Run, type: FailureType, message: string): void {
  run.failedLook = { type, message };
}

/** When a hint may be followed (epoch, ms). */
export function hintDueAt(run: Run): number {
  return run.hintFollowedAt + HINT_INTERVAL_MS;
}

export function followHint(run: Run, now: number): void {
  if (!run.hinted) return;
  run.hinted = false;
  run.hintFollowedAt = now;
}

// What comes next.

export type Step =
  /** Watch the bill run until its status changes, `until` comes, or a message changes things. */
  | { readonly kind: 'watch'; readonly lastSeenStatus: string | undefined; readonly until: number }
  /** Look at the bill run once. */
  | { readonly kind: 'look' }
  | { readonly kind: 'attempt'; readonly send: Send }
  /** Wait for a message, at most until then. */
  | { readonly kind: 'wait'; readonly until: number; readonly state: EmailState; readonly waitingFor: string }
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
  if (!isPosted(run)) return;
  if (current !== undefined && isSuperseded(run, current, now)) {
    closeSend(current, 'superseded', now, words.supersededBy(current.ordinal + 1, hasUnknown(current)));
  }
  if (run.queue.length > 0) {
    const joined = joinableSendOf(run);
    if (joined !== undefined) joined.requests.push(...run.queue.splice(0));
    else if (openSendOf(run) === undefined) run.sends.push(openSend(run.sends.length + 1, run.queue.splice(0)));
  }
  const send = openSendOf(run);
  if (send !== undefined) noteQuestion(run, send, now);
}

export function nextStep(run: Run, now: number): Step {
  const send = openSendOf(run);
  if (send?.inFlight === true) {
    const waitingFor = words.answerTo(send.attempts.length + 1);
    return { kind: 'wait', until: Infinity, state: 'Sending', waitingFor };
  }
  if (run.canceled) return { kind: 'cancel' };
  if (run.finish !== null) return { kind: 'complete', state: finalState(run) };
  if (run.failedLook !== null) return { kind: 'fail', ...run.failedLook };
  if (run.billRun === null || !isPosted(run)) return beforePosting(run, now);
  if (run.lookWanted) return { kind: 'look' };
  if (send === undefined) return afterSend(run, now);

  const step = nextSendStep(send, { billRun: run.billRun, at: run.lookedAt }, run.settings, now);
  switch (step.kind) {
    case 'look':
      return run.held ? waiting(run, Infinity, words.release()) : step;
    case 'attempt':
      // What is still held when its automatic attempts end becomes a question to a person.
      return run.held ? waiting(run, step.until + 1, words.release(), step.question) : { kind: 'attempt', send };
    case 'wait':
      return run.held && step.question === undefined
        ? waiting(run, step.until, words.release())
        : waiting(run, step.until, step.why, step.question);
    case 'ask':
      return askedStep(run, send, step.question.kind, now);
  }
}

function waiting(run: Run, until: number, waitingFor: string, question?: Pick<Question, 'kind'>): Step {
  const state = question !== undefined ? stateOfQuestion[question.kind] : run.held ? 'Held' : 'Sending';
  return { kind: 'wait', until, state, waitingFor };
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

function beforePosting(run: Run, now: number): Step {
  const { billRun, settings } = run;
  const until = run.startedAt + settings.postDeadlineMs;
  if (billRun?.status === 'Canceled' || billRun?.status === 'Error') {
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

function askedStep(run: Run, send: Send, kind: Question['kind'], now: number): Step {
  const { attentionWindowMs, escalationWindowMs } = run.settings;
  const skipped = kind === 'skipped';
  const until = (send.stoppedAt ?? now) + (skipped ? escalationWindowMs : attentionWindowMs);
  if (now < until) {
    return { kind: 'wait', until, state: stateOfQuestion[kind], waitingFor: `a person's answer` };
  }
  if (skipped) return { kind: 'complete', state: finalState(run) };
  return {
    kind: 'fail',
    type: 'Unsettled',
    message: `nobody answered in time: ${unsettledOf(run).join('; ')}. Start again with resend to email all documents`,
  };
}

function afterSend(run: Run, now: number): Step {
  const settledAt = run.sends.at(-1)?.settledAt;
  const until = (settledAt == null ? now : Date.parse(settledAt)) + run.settings.escalationWindowMs;
  return now < until
    ? { kind: 'wait', until, state: 'Emailed', waitingFor: words.escalation() }
    : { kind: 'complete', state: finalState(run) };
}

/** The send that is not settled yet: the last one, or none. */
function openSendOf(run: Run): Send | undefined {
  const last = run.sends.at(-1);
  return last?.settledAt === null ? last : undefined;
}

/** The resend that is begun but not tried, because of a hold, say: further requests are served by it. */
function joinableSendOf(run: Run): Send | undefined {
  const send = openSendOf(run);
  return send?.resend === true && isUntouched(send) ? send : undefined;
}

/**
 * A resend that arrives between the attempts of a first send takes its place; one that arrives during a resend waits
 * for it, unless that one is waiting for a person.
 */
function isSuperseded(run: Run, current: Send, now: number): boolean {
  if (!run.queue.some(({ resend }) => resend) || run.billRun === null) return false;
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
  if (run.finish !== null) send.decisions.push(decision('finish', run.finish, now));
  closeSend(send, 'finished', now, run.finish === null ? words.canceled() : words.finished());
}

/** The open question, as it stands now. */
export function questionOf(run: Run, now: number): Question | null {
  const send = openSendOf(run);
  if (send?.retry !== null || run.billRun === null || !isPosted(run)) return null;
  const step = nextSendStep(send, { billRun: run.billRun, at: run.lookedAt }, run.settings, now);
  const question = step.kind === 'look' ? undefined : step.question;
  return question === undefined ? null : { ordinal: send.ordinal, ...question, since: iso(send.askedAt ?? now) };
}

// What people and pipelines read.

export function stateOf(run: Run, now: number): EmailState {
  return stateAt(run, nextStep(run, now));
}

function stateAt(run: Run, step: Step): EmailState {
  switch (step.kind) {
    case 'watch':
      return 'WaitingForPost';
    case 'look':
    case 'attempt':
      return 'Sending';
    case 'wait':
      // While attempts go on, an open question counts more than the attempt under way.
      return step.state === 'Sending' && run.sends.at(-1)?.askedAt != null ? 'NeedsAttention' : step.state;
    case 'complete':
      return step.state;
    case 'cancel':
      return 'Canceled';
    case 'fail':
      return step.type === 'NotPosted' ? 'NotPosted' : 'NeedsAttention';
  }
}

export function statusOf(run: Run, now: number): RunStatus {
  const step = nextStep(run, now);
  const until = step.kind === 'wait' || step.kind === 'watch' ? step.until : Infinity;
  return {
    state: stateAt(run, step),
    billRunNumber: run.billRun?.number ?? null,
    billRunId: run.billRun?.id ?? null,
    billRunStatus: run.billRun?.status ?? null,
    waitingFor: waitingFor(run, step),
    until: until === Infinity ? null : iso(until),
    question: questionOf(run, now),
    held: run.held,
    pendingRequests: [...run.queue],
    ignored: { count: run.ignored.count, last: [...run.ignored.last] },
  };
}

function waitingFor(run: Run, step: Step): string | null {
  switch (step.kind) {
    case 'watch':
      return words.posting(run.billRun?.status, run.postingFailed);
    case 'wait':
      return step.waitingFor;
    case 'look':
      return words.posting(undefined, false);
    case 'attempt':
      return words.answerTo(step.send.attempts.length + 1);
    case 'complete':
    case 'cancel':
    case 'fail':
      return null;
  }
}

export function sendsOf(run: Run): readonly SendRecord[] {
  return run.sends.map(recordOf);
}

export function acceptedSends(run: Run): number {
  return run.sends.filter(({ outcome }) => outcome === 'accepted').length;
}

function finalState(run: Run): 'Emailed' | 'Skipped' | 'Finished' {
  if (unsettledOf(run).length > 0) return 'Finished';
  if (acceptedSends(run) > 0) return 'Emailed';
  return run.sends.some(({ outcome }) => outcome === 'skipped') ? 'Skipped' : 'Finished';
}

/** In words, what a closing run leaves open. A send that a later one took the place of is not open. */
export function unsettledOf(run: Run): readonly string[] {
  const open = run.sends.slice(-1).filter(({ outcome }) => outcome !== 'accepted' && outcome !== 'skipped');
  return [
    ...open.map(({ ordinal, resend, outcome }) => words.unsettledSend(ordinal, resend, outcome)),
    ...run.queue.map(words.unservedRequest),
  ];
}

export function resultOf(run: Run, state: EmailBillRunResult['state']): EmailBillRunResult {
  return {
    state,
    billRunNumber: run.billRun?.number ?? null,
    billRunId: run.billRun?.id ?? null,
    sends: sendsOf(run),
    unsettled: unsettledOf(run),
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
