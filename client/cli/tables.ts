/** What the command line prints for people. */
import type { KnownStatus } from '../bill-run-emails.js';
import type { StartResult } from '../starting.js';
import type { HoldAllRequest } from '../history/hold-all.js';
import { painted } from './email-states.js';
import type { Pause } from '../temporal/paused.js';
import type { EmailRequest, Question, SendRecord } from '../../workflows/contract/contract.js';
import { withoutMarkdown } from '../failures/plain-text.js';
import { countsInWords } from '../history/document-counts.js';
import type { Linked } from './ui-link.js';
import { hanging, timeHere, timesHere } from './terminal.js';
import { kindOfSend, notSentInWords, stateInWords } from '../../workflows/rules/text.js';
import { outlookOf, sentSoFar, willNotPost } from '../../workflows/rules/outlook.js';

export function started(start: StartResult & Linked): string {
  const { workflowId, runId, result, state, closing, uiUrl } = start;
  const current = state === null ? '' : `; it is ${painted(state)}${state === 'Held' ? ', until release' : ''}`;
  const order = closing === true ? ' A message waits for a worker, and may close it: see status.' : '';
  const words: Record<StartResult['result'], string> = {
    started: `Started ${workflowId} (run id ${runId})${state === 'Held' ? ', on hold until release' : ''}.`,
    joined: `Joined ${workflowId}, which is open already (run id ${runId})${current}.${order}`,
    alreadyEmailed: `${workflowId} was emailed before (run id ${runId}); nothing was started. ${whatIsLeft(start, keyOf(workflowId))}`,
    stopped: `A person closed the last job, ${workflowId}; nothing was started. To start anew: bill-run-emails start ${keyOf(workflowId)} --again`,
  };
  return uiUrl === undefined ? words[result] : `${words[result]}\nTemporal UI: ${uiUrl}`;
}

function whatIsLeft({ documentsNotSent }: StartResult, key: string): string {
  if ((documentsNotSent ?? 0) === 0)
    return `To email everybody again, as after a wrong template: bill-run-emails resend ${key}`;
  return `${notSentInWords(documentsNotSent ?? 0)}. Fix the cause, which status names. Then, for only these: bill-run-emails retry ${key}`;
}

function keyOf(workflowId: string): string {
  return workflowId.split('/').at(-1) ?? '';
}

/** One of many. */
export function startedLine({ result, documentsNotSent }: StartResult): string {
  return (documentsNotSent ?? 0) > 0
    ? `${result}, but ${notSentInWords(documentsNotSent ?? 0)}: retry emails only those`
    : result;
}

/** `heldBy`: who asked for the hold on all, if there is one. `sendRecords`: null while the workflow is paused. */
export interface StatusAndSends extends KnownStatus, Linked {
  readonly sendRecords: readonly SendRecord[] | null;
  readonly heldBy?: readonly HoldAllRequest[];
}

export function status(found: StatusAndSends): string {
  const status = inPlainText(found);
  const {
    state,
    reason,
    since,
    text,
    billRunNumber,
    billRunStatus,
    question,
    pendingRequests,
    ignored,
    ended,
    paused,
    closedAt,
    documentsNotSent,
  } = status;
  const isOpen = closedAt === null;
  const heldBy = isOpen ? (status.heldBy ?? []) : [];
  const key = billRunNumber ?? keyOf(status.workflowId);
  // What a person ended has kept the state that it had.
  const isEndedOutside = ended !== undefined && ended.status !== 'FAILED' && state !== 'Stopped';
  const isStopped = state === 'Stopped' || (isEndedOutside && ended.status !== 'TIMED_OUT');
  const isOver = !isEndedOutside && !isStopped && state !== 'NotPosted' && state !== 'Unsettled';
  const isDone = isOver || (state === 'NotPosted' && willNotPost(billRunStatus ?? ''));
  const isEmailed = reason === 'autoEmail' || reason === 'emailedElsewhere';
  const isMissing = (documentsNotSent ?? 0) > 0;
  const isRetriable = isMissing || (isEmailed && ended === undefined);
  const table = lines([
    [
      'state',
      `${stateInWords(painted(status.state), status.reason)}${since === null ? '' : ` since ${timeHere(since)}`}`,
    ],
    [
      'closed',
      ended === undefined
        ? timeOrNull(closedAt)
        : `${endInWords(ended)}${isEndedOutside ? '; the fields below are its last known state' : ''}`,
    ],
    ['bill run', billRunNumber === null ? 'not seen yet' : `${billRunNumber}, ${billRunStatus ?? ''}`],
    ['sent', sentSoFar(status, status.sendRecords)],
    ['documents', documentsOf(status)],
    [isOpen ? 'now' : 'why', isOpen && isSaidByQuestion(status) ? null : text],
    ...(paused ?? []).map((pause, index) => [index === 0 ? 'paused' : '', pauseInWords(pause)] as const),
    ...heldBy.map((request, index) => [index === 0 ? 'all held by' : '', holderIn(request)] as const),
    ['until', isOpen ? timesHere(outlookOf(status, status.sendRecords ?? []) ?? '') || null : null],
    ['question', question === null ? null : `send ${question.ordinal}, ${question.kind}`],
    ['', question?.text ?? null],
    ['safe until', timeOrNull(question?.safeUntil ?? null)],
    ...(question === null || !isOpen ? [] : answersTo(question, key)),
    ['continue with', isOpen && reason === 'job' ? `bill-run-emails release ${key} ${NOTE}` : null],
    [reason === 'job' ? '' : 'continue with', heldBy.length > 0 ? `bill-run-emails release --all ${NOTE}` : null],
    ['look again', isOpen && reason === 'coolDown' ? `bill-run-emails retry ${key}` : null],
    ['send the rest', isRetriable ? `bill-run-emails retry ${key} ${NOTE}` : null],
    ['', isMissing ? 'Fix the cause first. It emails only what was not sent; resend is for a wrong template.' : null],
    ['start anew', isOpen || isDone ? null : `bill-run-emails start ${key}${isStopped ? ' --again' : ''} ${NOTE}`],
    [
      isOpen ? 'pending' : 'left open',
      pendingRequests.length === 0 ? null : pendingRequests.map(requestInWords).join('; '),
    ],
    ['ignored', ignored.count === 0 ? null : `${ignored.count}; the last: ${lastIgnored(ignored)}`],
    ['Temporal UI', status.uiUrl ?? null],
  ]);
  const { sendRecords } = status;
  const sent = sendRecords === null ? `Its sends: bill-run-emails audit ${key}` : sends(sendRecords);
  return [table, ...notSentDocuments(status, key), sent].join('\n\n');
}

/** While a person is asked, the text of the state is the question. */
function isSaidByQuestion({ text, question }: KnownStatus): boolean {
  return question?.text.startsWith(text.replace(/\.$/, '')) === true;
}

/** The safest comes first. */
function answersTo({ ordinal, kind, needsSendAnyway }: Question, key: string): readonly (readonly [string, string])[] {
  const retry = `bill-run-emails retry ${key} --ordinal ${ordinal}`;
  const finish = ['if emailed', `bill-run-emails finish ${key} ${NOTE}`] as const;
  if (kind !== 'unknown') {
    const giveUp = ['or give up', `bill-run-emails finish ${key} ${NOTE}`] as const;
    return [['answer with', `${retry}${needsSendAnyway ? ' --send-anyway' : ''} ${NOTE}`], giveUp];
  }
  if (!needsSendAnyway) return [['answer with', `${retry} ${NOTE}`], finish];
  return [['look first', `bill-run-emails documents ${key}`], finish, ['if not', `${retry} --send-anyway ${NOTE}`]];
}

function inPlainText<S extends KnownStatus>(status: S): S {
  const { text, question } = status;
  return {
    ...status,
    text: readable(text),
    question: question === null ? null : { ...question, text: readable(question.text) },
  };
}

/** As this command line writes it: without Markdown, with its own options, and with local times. */
function readable(text: string): string {
  return timesHere(withoutMarkdown(text)).replace(/\bsendAnyway\b/g, '--send-anyway');
}

function timeOrNull(time: string | null): string | null {
  return time === null ? null : timeHere(time);
}

/** Null if nothing is known about them. */
function documentsOf({ documents, documentsNotSent }: KnownStatus): string | null {
  if (documents !== null) return `${countsInWords(documents)}; as of ${timeHere(documents.checkedAt)}`;
  return documentsNotSent === null ? null : `${documentsNotSent} not sent, as Temporal lists it`;
}

/** Those that a person may have to look after. */
function notSentDocuments({ documents }: KnownStatus, key: string): string[] {
  if (documents === null) return [];
  const listed = documents.list.filter(({ outcome }) => outcome === 'notSent' || outcome === 'unknown');
  const more = documents.notSent + documents.unknown - listed.length;
  const rows = listed.map(({ number, outcome, reason }) =>
    hanging(`  ${number.padEnd(12)}  ${outcome === 'unknown' ? 'unknown ' : 'not sent'}  `, reason ?? ''),
  );
  if (more > 0) rows.push(`  and ${more} more: bill-run-emails documents ${key}`);
  return rows.length === 0 ? [] : [['Documents that were not sent, or cannot be seen:', ...rows].join('\n')];
}

const NOTE = '--requested-by "<who>" --reason "<why>"';

function lastIgnored({ last }: KnownStatus['ignored']): string {
  const { message, at, reason } = last.at(-1) ?? { message: '', at: '', reason: '' };
  return `${message}, ${timeHere(at)}: ${reason}`;
}

/** Who asked for the hold on all, when and why. */
export function holderIn({ at, requestedBy, reason, identity }: HoldAllRequest): string {
  const claim = requestedBy === null ? '' : `, requestedBy says ${requestedBy}`;
  return `${identity ?? 'no identity recorded'}${claim}, ${timeHere(at)}${reason === null ? '' : `: ${reason}`}`;
}

/** Who paused what in Temporal, when and why. */
function pauseInWords({ what, by, at, reason }: Pause): string {
  const time = at === null ? '' : `, ${timeHere(at)}`;
  return `${what}, by ${by ?? 'no identity recorded'}${time}${reason === null ? '' : `: ${reason}`}`;
}

/** One of many. */
export function statusLine(found: StatusAndSends): string {
  const status = inPlainText(found);
  const { text, question, paused = [], closedAt } = status;
  const current = closedAt === null ? (question?.text ?? text) : `Closed ${timeHere(closedAt)}: ${text}`;
  const documents = documentsOf(status);
  return [
    `${stateInWords(painted(status.state), status.reason)}. ${sentSoFar(status, status.sendRecords)}. ${current}`,
    ...(documents === null ? [] : [`Documents: ${documents}.`]),
    ...paused.map((each) => `Paused: ${pauseInWords(each)}.`),
  ].join(' ');
}

/** Temporal's end of a job, such as "terminated 2026-03-02T12:00:00.000Z". */
function endInWords({ status, at }: NonNullable<KnownStatus['ended']>): string {
  return `${status.toLowerCase().replace('_', ' ')}${at === null ? '' : ` ${timeHere(at)}`}`;
}

export function sends(records: readonly SendRecord[]): string {
  if (records.length === 0) return 'No send yet.';
  return records.flatMap(linesOfSend).join('\n');
}

function linesOfSend({ ordinal, resend, outcome, note, requests, attempts, decisions }: SendRecord): string[] {
  return [
    `send ${ordinal}  ${kindOfSend({ resend, requests })}  ${outcome}${note === null ? '' : `  (${note})`}`,
    ...requests.map((request) => hanging('  request   ', requestInWords(request))),
    ...attempts.flatMap(({ startedAt, verdict, httpStatus, stored, zuoraRequestId, idempotencyKey, reasons }) => [
      hanging(
        '  attempt   ',
        `${timeHere(startedAt)}  ${VERDICTS[verdict]}${stored ? ' (stored reply)' : ''}  ` +
          `${httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`}  key ${idempotencyKey}` +
          (zuoraRequestId === null ? '' : `  Zuora request ${zuoraRequestId}`),
      ),
      ...reasons.map(({ code, message }) => hanging('            ', `${code}: ${message}`)),
    ]),
    ...decisions.map(({ at, decision, ...by }) => hanging('  decision  ', `${timeHere(at)}  ${decision}${byWhom(by)}`)),
  ];
}

/** An id that nobody chose says nothing to people: jobs make it of a run id and a number, and the client makes one for a retry. */
function requestInWords(request: EmailRequest): string {
  const { requestId, resend, missing } = request;
  const [uuid, number] = /^[0-9a-f]{8}-[0-9a-f-]{27}(-\d+)?$/.exec(requestId) ?? [];
  const isNamed = uuid === undefined || (number === undefined && missing !== true);
  return `${isNamed ? requestId : kindOfSend({ resend, requests: [request] })}${byWhom(request)}`;
}

const VERDICTS: Readonly<Record<SendRecord['attempts'][number]['verdict'], string>> = {
  accepted: 'accepted',
  refused: 'refused',
  notExecuted: 'not executed',
  unknown: 'unknown',
};

function byWhom({ requestedBy, reason }: { readonly requestedBy?: string; readonly reason?: string }): string {
  return `${requestedBy === undefined ? '' : ` by ${requestedBy}`}${reason === undefined ? '' : `: ${reason}`}`;
}

/** Names and values below each other. */
export function lines(rows: readonly (readonly [string, string | null])[]): string {
  return rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => hanging(`${name.padEnd(13)} `, value ?? ''))
    .join('\n');
}
