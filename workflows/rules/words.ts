/**
 * What people read: in Temporal UI, on the command line, in failures. Each text says what happened, what was and was
 * not sent, and what to do now. Texts that callers supply are shown as code, so that they cannot pose as ours.
 */
import type { InvoiceCount } from '../contract/activities.js';
import type { Attempt, EmailRequest, Question, Reason } from '../contract/contract.js';

export function time(at: number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** A caller's text on one line, as markdown code, without what changes the direction or the look of the text around. */
export function quoted(text: string): string {
  return quotedUpTo(120, text);
}

function quotedUpTo(longest: number, text: string): string {
  const line = text.replace(/[\p{Control}\p{Format}\p{Surrogate}`\s]+/gu, ' ').trim();
  const short = line.length > longest ? wellFormed(`${line.slice(0, longest)}…`) : line;
  // Two backticks with nothing between them would make code of whatever follows.
  return `\`${short === '' ? ' ' : short}\``;
}

/** Without halves of surrogate pairs: Temporal takes no text that is not UTF-8, and one in a failure ends the worker. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

function because({ httpStatus, reasons }: Attempt): string {
  const said = reasons
    .filter(({ code }) => code !== `HTTP ${httpStatus ?? ''}`)
    .map(({ code, message }) => quotedUpTo(400, `${code}: ${message}`))
    .join('; ');
  const answer = httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`;
  return said === '' ? answer : `${answer}, ${said}`;
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

// Questions to a person.

export function refusedQuestion(last: Attempt): string {
  return `Zuora refused to email the documents (${because(last)}). Nothing was sent. Mend the cause in Zuora, then retry.`;
}

export function gaveUpQuestion(last: Attempt): string {
  return (
    `The automatic attempts are over, and Zuora carried none of them out (last: ${because(last)}). ` +
    `Nothing was sent. Retry when Zuora can take it.`
  );
}

export function unknownQuestion(attempts: readonly Attempt[]): string {
  const last = attempts.at(-1);
  return (
    `Nobody knows whether Zuora emailed the documents: ${counted(attempts.length, 'attempt')}, and no answer that settles it` +
    `${last === undefined ? '' : ` (last: ${because(last)})`}.`
  );
}

export function storedUnknownQuestion(last: Attempt): string {
  return (
    `Zuora repeats a stored answer that does not tell whether the documents were emailed (${because(last)}), and ` +
    `would repeat it under this idempotency key again.`
  );
}

export function refusedAfterUnknownQuestion(last: Attempt): string {
  return (
    `Zuora now refuses to email the documents (${because(last)}), but an earlier attempt got no answer that settles it ` +
    `and may have been carried out. Mend the cause first.`
  );
}

/** What to do where it is not known whether Zuora emailed; `protectedUntil` is null where no key protects a retry. */
export function howToGoOn(protectedUntil: number | null): string {
  const retry =
    protectedUntil === null
      ? `retry with sendAnyway: no idempotency key protects that, so if Zuora did send, customers get a second email`
      : `retry before ${time(protectedUntil)}, while the idempotency key keeps Zuora from emailing twice; after that, ` +
        `retry must say sendAnyway`;
  return `Look at the email history of some invoices in Zuora. If they were emailed, finish. If not, ${retry}.`;
}

export function resetQuestion(): string {
  return (
    `This workflow was reset, and what it did before is gone from its history. The resend may have been sent already, ` +
    `under a key that Zuora may have forgotten. Look at the audit of the earlier run. If it was sent, finish. ` +
    `If not, retry with sendAnyway.`
  );
}

export function stillUnknown(last: Attempt, end: number): string {
  return (
    `It is not known yet whether Zuora emailed the documents (last: ${because(last)}). Attempts go on until ` +
    `${time(end)} under one idempotency key, so they cannot email twice. Nothing needs to be done now; retry tries at once.`
  );
}

export function stillNotLeaving(last: Attempt, end: number): string {
  return (
    `The request does not get through to Zuora (last: ${because(last)}). Nothing was sent. Attempts go on until ` +
    `${time(end)}. Check the worker's network and Zuora credentials; retry tries at once.`
  );
}

/** What Zuora shows about the documents of a send that is not settled; null where it does not tell. */
export function shown(count: InvoiceCount | null, at: number): string {
  if (count === null) return `Zuora did not tell at ${time(at)} which invoices it shows as emailed.`;
  const { invoices, emailed, complete } = count;
  const of = complete ? `${invoices} invoices` : `the first ${invoices} invoices`;
  return (
    `At ${time(at)}, Zuora showed an email since the first attempt for ${emailed} of ${of}. That decides nothing: emails may ` +
    `leave hours late, others send them as well, and credit memos show none.`
  );
}

export function autoEmailQuestion(): string {
  return (
    `Zuora emails the documents of this bill run by itself (autoEmail is on), so the first send was skipped: it could ` +
    `email them twice. If Zuora does not email them, retry with sendAnyway.`
  );
}

export function noDocumentsQuestion(): string {
  return (
    `The bill run has no invoices and no credit memos, so the first send was skipped. Retry looks again; ` +
    `retry with sendAnyway asks Zuora all the same.`
  );
}

export function delayedQuestion(lastEmailSentTime: string, until: number): string {
  return (
    `Zuora sent emails for this bill run at ${quoted(lastEmailSentTime)}, and warns that repeating the call soon can ` +
    `email the same documents twice. The first send waits until ${time(until)}. Retry looks again; retry with ` +
    `sendAnyway sends now.`
  );
}

// What a run waits for.

export function coolDown(): string {
  return `the end of the cool-down after Zuora's last emails for this bill run`;
}

export function nextAttempt(number: number, last: Attempt): string {
  return `attempt ${number}, after ${because(last)}`;
}

export function noWorker(): string {
  return `a worker to take the attempt: none did in time, and nothing was sent by it`;
}

export function clockAhead(): string {
  return (
    `a worker whose clock is right: by the clock of the one that took the attempt, its idempotency key was too old, ` +
    `and nothing was sent by it`
  );
}

export function answerTo(attempt: number): string {
  return `Zuora's answer to attempt ${attempt}`;
}

export function posting(status: string | undefined, postingFailed: boolean, empty: boolean): string {
  if (status === undefined) return 'the first look at the bill run';
  if (postingFailed && empty) {
    return `the bill run to post: Zuora set it back to ${status}, perhaps because it has no documents. If so, finish`;
  }
  if (postingFailed) {
    return (
      `somebody to post the bill run again: Zuora could not post all of its documents and set it back to ${status}. ` +
      `Find the documents in error in Zuora, mend them, and post again`
    );
  }
  switch (status) {
    case 'Completed':
      return 'somebody to post the bill run: its documents are generated, but not posted';
    case 'PostInProgress':
      return 'Zuora to finish posting';
    case 'Paused':
      return 'somebody to resume the bill run, which is paused';
    case 'CancelInProgress':
    case 'RemoveInProgress':
      return `the bill run to post, though Zuora is taking it away (${status})`;
    default:
      return `the bill run to post; its status is ${status}`;
  }
}

export function answer(): string {
  return `a person's answer`;
}

export function recalling(): string {
  return 'the history of earlier runs, which may have served the same request';
}

export function handingOver(home: string): string {
  return `${home}, which emails this bill run, to take over the requests`;
}

export function release(): string {
  return 'release: the sends of this run are on hold';
}

export function escalation(): string {
  return 'an escalation, or the end of the run';
}

// Attempts and sends.

export function foreignReply(trackId: string): Reason {
  return {
    code: 'FOREIGN_REPLY',
    message: `Zuora repeated its answer to another request, ${trackId.slice(0, 64)}: it says nothing about this one`,
  };
}

export function workerLost(): Reason {
  return { code: 'WORKER_LOST', message: 'the worker was lost while its request may have been under way' };
}

export function supersededBy(ordinal: number, unknown: boolean): string {
  return unknown
    ? `closed as unknown: an attempt may have been carried out when send ${ordinal} was asked for, which emails all documents`
    : `superseded by send ${ordinal}, which emails all documents`;
}

export function emailedBefore(runId: string): string {
  return `an earlier run (${runId}) emailed for this request, and nothing was sent again; a new request id emails again`;
}

export function finished(): string {
  return 'closed by finish before it was settled; nothing more is sent';
}

export function canceled(): string {
  return 'closed by cancellation before it was settled; nothing more is sent';
}

export function unsettledSend(ordinal: number, resend: boolean, outcome: string): string {
  const what =
    outcome === 'unknown'
      ? 'it is not known whether the documents were emailed'
      : outcome === 'refused'
        ? 'Zuora refused it, and nothing was sent'
        : 'it was not carried out';
  return `send ${ordinal} (resend=${resend}): ${what}`;
}

export function unservedRequest({ requestId, resend }: EmailRequest): string {
  return `request ${requestId} (resend=${resend}): no send was begun for it`;
}

// One bill run, one sender.

export function misnamed(workflowId: string, billRunNumber: string): string {
  return (
    `invalid input: the workflow id ${workflowId} is that of another bill run than ${billRunNumber}; nothing was emailed. ` +
    `Start it without an id of your own, or with the bill run's`
  );
}

export function notTakenOver(requestId: string, home: string, ended: 'canceled' | 'terminated'): string {
  return `request ${requestId}: ${home} was ${ended} before, and not started again; start it with "again" to do so`;
}

export function holdNotTakenOver(home: string): string {
  return `the hold came after the requests were handed over; hold ${home}`;
}

export function askElsewhere(home: string): string {
  return `this run does not email the bill run; ask ${home}`;
}

export function full(): string {
  return 'the run has taken as many requests as it can keep; finish it, and ask for the resend again';
}

export function askLater(): string {
  return 'the number of the bill run is not known yet, and another run may email it; ask again in a moment, or signal resend';
}

// Temporal UI.

/** The most bytes in the summary of an activity or timer; the server takes 400, and fails the workflow task over more. */
const LONGEST_SUMMARY = 200;

/** Shown as plain text in one place and as markdown in another, so it is left without what markdown makes links of. */
export function summary(text: string): string {
  // Cut roughly first, because a text of thousands of request ids would keep a workflow task busy for seconds.
  let cut = text
    .slice(0, 5 * LONGEST_SUMMARY)
    .replace(/[\p{Control}\p{Format}\p{Surrogate}`[\]<>\s]+/gu, ' ')
    .trim();
  while (new TextEncoder().encode(cut).length > LONGEST_SUMMARY) cut = cut.slice(0, -1);
  return cut.replace(/\p{Surrogate}$/u, '');
}

/** How many requests of a send are looked at for a text: there may be thousands. */
const REQUESTS_READ = 100;

/** Who asked, each once. */
export function peopleIn(requests: readonly EmailRequest[]): readonly string[] {
  return [...new Set(requests.slice(0, REQUESTS_READ).flatMap(({ requestedBy }) => requestedBy ?? []))];
}

export function sendSummary(
  ordinal: number,
  resend: boolean,
  attempt: number,
  requests: readonly EmailRequest[],
): string {
  const people = peopleIn(requests);
  const asked = people.length === 0 ? '' : ` · asked by ${people.join(', ')}`;
  return summary(`send ${ordinal} · resend=${resend} · attempt ${attempt}${asked}`);
}

/** What people can copy into a message. */
const NOTE = { requestedBy: 'you', reason: 'why' };
const RESEND = { requestId: 'TICKET-1', ...NOTE };

/** The inputs of messages, as JSON to copy. */
export const inputs = {
  resend: JSON.stringify(RESEND),
  retry: JSON.stringify({ ordinal: 1, ...NOTE }),
  note: JSON.stringify(NOTE),
} as const;

/** How an operator can answer a question. */
export function answersTo({ ordinal, kind, needsSendAnyway }: Question): readonly string[] {
  const plain = signal('retry', { ordinal, ...NOTE });
  const risky = signal('retry', { ordinal, sendAnyway: true, ...NOTE });
  const looksAgain = kind === 'skipped' || kind === 'delayed';
  return [
    ...(looksAgain ? [`${plain} looks at the bill run again`] : []),
    needsSendAnyway ? `${risky} sends now, at your risk` : `${plain} tries again`,
  ];
}

export function canLook(): string {
  return 'signal **billRunPosted**, without input, looks at the bill run at once';
}

export function canResend(how: 'again' | 'instead' | 'also those emailed before'): string {
  return `${signal('resend', RESEND)} emails all documents${how.startsWith('also') ? ', ' : ' '}${how}`;
}

export function canHold(): string {
  return `${signal('hold', NOTE)} starts no further attempt`;
}

export function canRelease(): string {
  return `${signal('release', NOTE)} lets sends go on`;
}

export function canFinish(): string {
  return `${signal('finish', NOTE)} closes the run; nothing more is sent`;
}

export function canOnlyWait(): string {
  return 'nothing: the run closes as soon as the attempt under way has ended';
}

export function canLookAt(home: string): string {
  return `look at ${quoted(home)}, which emails this bill run`;
}

export function canMendInput(): string {
  return 'start it again with an input that is valid: the result names the fault';
}

/** What names a bill run in the input of a new run. */
interface BillRunInput {
  readonly billRunKey: string;
  readonly entityId?: string;
  readonly orgIds?: readonly string[];
}

/** After the end of a run that emailed nothing: its successor takes the same keys, so it is safe also where that is unknown. */
export function canStartAgain(billRun: BillRunInput, command: string): string {
  return startLikeThis({ ...billRun, ...NOTE }, 'email the documents once, when the bill run is posted', command);
}

/** After the end of a run that left a resend open. */
export function canGoOn(billRun: BillRunInput, requestId: string): string {
  const input = { ...billRun, resend: true, requestId, ...NOTE };
  return startLikeThis(input, 'go on with the resend that is open', 'resend', ', with the same request id');
}

export function canStartResend(billRun: BillRunInput): string {
  return startLikeThis({ ...billRun, resend: true, ...RESEND }, 'email all documents again', 'resend');
}

function startLikeThis(input: object, what: string, command: string, more = ''): string {
  return (
    `**Start Workflow Like This One**, with ${quotedUpTo(2000, JSON.stringify(input))}, has a new run ${what}; on the ` +
    `command line that is \`bill-run-emails ${command}\`${more}`
  );
}

/** How to go on after a run failed: as {@link canStartAgain} and {@link canGoOn}, in a failure's message. */
export function goOn(openResendId: string | undefined): string {
  return openResendId === undefined
    ? 'To go on: start again'
    : `To go on: resend again, under the request id ${quoted(openResendId)}`;
}

function signal(name: string, argument: object): string {
  return `signal **${name}** with \`${JSON.stringify(argument)}\``;
}
