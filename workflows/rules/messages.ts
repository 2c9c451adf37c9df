/**
 * What messages do to a run. None of these functions throws, whatever its argument: a signal that fails would fail the run,
 * or block it.
 */
import { checkNote, checkResend, checkRetry, type Checked } from '../contract/validation.js';
import { canonicalWorkflowId, isBillRunId, type ResendMessage, type RetryMessage } from '../contract/contract.js';
import { enqueue, homeOf, ignore, joinableSendOf, openSendOf, type Run } from './job.js';
import { decide, needsSendAnyway } from './send.js';
import { questionOf } from './steps.js';
import * as words from './words.js';

/** A message that changes nothing but its own mention among the ignored ones, and why. */
type Ignored = string | undefined;

export function receiveResend(run: Run, argument: unknown, now: number): void {
  receive(run, 'resend', argument, checkResend, now, (message) => {
    const requestId = message.requestId ?? nextUnnamedId(run);
    // A client that starts a run and signals it in one call says the same twice, and is right both times.
    if (run.settings.resend && requestId === run.settings.requestId) return undefined;
    if (isSeen(run, requestId)) return `request ${requestId} was made before`;
    if (isFull(run)) return words.full();
    enqueue(run, message, { requestId, resend: true, now });
    return undefined;
  });
}

/** The update's form of `resend`: answers with the send that will serve the request. Its argument is checked before. */
export function requestResend(run: Run, message: ResendMessage, now: number): { requestId: string; ordinal: number } {
  const requestId = message.requestId ?? nextUnnamedId(run);
  enqueue(run, message, { requestId, resend: true, now });
  run.revision += 1;
  return { requestId, ordinal: joinableSendOf(run)?.ordinal ?? run.sends.length + run.repeated.length + 1 };
}

/** Why a resend cannot be asked for; nothing where it can. */
export function faultsOfResend(run: Run, argument: unknown): readonly string[] {
  const { value, faults } = checkResend(argument);
  if (faults !== undefined) return faults;
  if (value.requestId !== undefined && isSeen(run, value.requestId))
    return [`request ${value.requestId} was made before`];
  const elsewhere = elsewhereOf(run);
  if (elsewhere !== null) return [elsewhere];
  if (isFull(run)) return [words.full()];
  return run.finish === null && !run.canceled ? [] : ['the run is closing; start it again with resend'];
}

/** Whom to ask instead: another run emails the bill run, or may do so. */
function elsewhereOf(run: Run): string | null {
  const { workflowId, settings } = run;
  const home = homeOf(run);
  if (home !== null) return home === workflowId ? null : words.askElsewhere(home);
  const likely = canonicalWorkflowId(settings.billRunKey, settings.entityId);
  return likely === workflowId && !isBillRunId(settings.billRunKey) ? null : words.askLater();
}

export function receiveRetry(run: Run, argument: unknown, now: number): void {
  receive(run, 'retry', argument, checkRetry, now, (message) => answerQuestion(run, message, now));
}

export function receiveHold(run: Run, argument: unknown, now: number): void {
  receive(run, 'hold', argument, checkNote, now, (message) => {
    if (run.held) return 'the run is held already';
    run.held = true;
    run.heldBy = { ...message, at: now };
    return undefined;
  });
}

export function receiveRelease(run: Run, argument: unknown, now: number): void {
  receive(run, 'release', argument, checkNote, now, () => {
    if (!run.held) return 'the run is not held';
    run.held = false;
    run.heldBy = null;
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

/** A run that continues as new, and its result, are limited by Temporal to 2 MB. */
const MOST_REQUEST_BYTES = 1_000_000;

function isFull({ requestBytes }: Run): boolean {
  return requestBytes > MOST_REQUEST_BYTES;
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
  decide(send, sendAnyway ? 'sendAnyway' : 'retry', message, now);
  if (!held) send.retry = { sendAnyway, begun: false };
  else if (sendAnyway) send.lookOverridden = true;
  else run.lookWanted = true;
  return undefined;
}
