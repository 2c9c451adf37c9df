/**
 * What Temporal UI shows about a job, in markdown: what happens, since when, what comes next, and what an operator can do now, with
 * the signal and the JSON to send. It is written at every step, so its length has a bound however many requests there are.
 */
import {
  HOLD_ALL_WORKFLOW_ID,
  type EmailRequest,
  type EmailState,
  type JobStatus,
  type Question,
} from '../contract/contract.js';
import { documentsNotSent } from './documents.js';
import {
  acceptedSends,
  canonicalIdOf,
  isAlias,
  isEmailedByOthers,
  openResend,
  openSendOf,
  type EmailJob,
} from './job.js';
import { isEnding } from './ending.js';
import { nextStep } from './next-step.js';
import { attemptsContinue, outlookOf, sentSoFar, willNotPost } from './outlook.js';
import type { Send } from './send.js';
import { statusOf } from './status.js';
import type { Ending, Step } from './step.js';
import {
  answerOf,
  counted,
  kindOfSend,
  OUTCOMES,
  OUTCOMES_IN_WORDS,
  quoted,
  quotedUpTo,
  stateInWords,
  summary,
  time,
} from './text.js';
import { hasUnknown } from './verdict.js';

/** The most that is shown: last sends, documents, waiting requests, people who asked, and requests of a send that are searched for people. */
const SENDS_SHOWN = 10;
const DOCUMENTS_SHOWN = 20;
const REQUESTS_SHOWN = 3;
const PEOPLE_SHOWN = 5;
const REQUESTS_READ = 100;

export function detailsOf(job: EmailJob, now: number): string {
  const step = nextStep(job, now);
  const status = statusOf(job, now);
  const { state, text, pendingRequests } = status;
  const isClosed = isEnding(step);
  // Of a closed job nobody can answer it.
  const question = isClosed ? null : status.question;
  return [
    heading(status),
    about(job, status),
    isClosed ? `${afterClosing(job, status)} This job is closed and takes no more signals.` : turn(job, status),
    ...(question === null || state === 'Held' ? [text] : []),
    ...(question === null ? [] : [`**About send ${question.ordinal}:** ${question.text}`]),
    ...(isClosed || pendingRequests.length === 0 ? [] : [waitingRequests(pendingRequests, job)]),
    '**What you can do now**',
    list(choices(job, step, status)),
    ...lastIgnored(status),
    ...documents(status),
    ...(job.sends.length === 0 ? [] : ['**Sends**', list(job.sends.slice(-SENDS_SHOWN).map(sendLine))]),
    ...unreadable(job),
    started(job),
    ...(isClosed ? [] : [whereToSignal(job)]),
    ...(['Waiting', 'Sending', 'NeedsAttention'].includes(state) && !isClosed ? [HOW_TO_STOP] : []),
  ].join('\n\n');
}

function heading(status: JobStatus): string {
  return `### ${situationOf(status)}`;
}

/** The situation, and the state by which people search. */
export function situationOf({ state, reason, documents: checked }: JobStatus): string {
  const name = stateInWords(state, reason);
  if (reason !== 'notSent' || checked === null) return `${SITUATIONS_BY_REASON[name] ?? SITUATIONS[state]}: ${name}`;
  const { notSent, total } = checked;
  return `${notSent} of ${counted(total, 'document')} ${notSent === 1 ? 'was' : 'were'} not sent: ${name}`;
}

const SITUATIONS: Readonly<Record<EmailState, string>> = Object.freeze({
  Waiting: 'Looking at the bill run',
  Sending: 'Asking Zuora to send',
  Held: 'On hold',
  NeedsAttention: 'A person is needed',
  Delivering: 'Zuora is sending',
  Emailed: 'All documents were sent',
  Skipped: 'There are no documents',
  Stopped: 'Closed by a person',
  NotPosted: 'Closed without emails',
  Unsettled: 'Closed without an answer',
  HandedOver: 'Another job emails this bill run',
});

const SITUATIONS_BY_REASON: Readonly<Record<string, string>> = Object.freeze({
  'Waiting (notPosted)': 'Waiting for the bill run to be posted',
  'Waiting (coolDown)': 'Waiting until earlier emails have left',
  'Waiting (cannotRead)': 'Zuora cannot be read',
  'Sending (unknown)': 'No answer from Zuora yet',
  'Sending (cannotRead)': 'Zuora cannot be read',
  'Held (all)': 'All jobs are on hold',
  'NeedsAttention (refused)': 'Sending does not work',
  'NeedsAttention (unknown)': 'Nobody knows whether it was sent',
  'NeedsAttention (cannotRead)': 'Something must be read first',
  'Delivering (autoEmail)': 'Zuora sends by itself',
  'Delivering (emailedElsewhere)': 'Zuora says that others emailed it',
  'Delivering (notSent)': 'Documents were not sent',
  'Delivering (unknown)': 'Documents that Zuora does not show',
  'Delivering (cannotRead)': 'Documents cannot be read',
  'Stopped (cancel)': 'Canceled by a person',
});

const HOW_TO_STOP =
  'To stop emails, use the signal **hold**, not _Pause_, _Request Cancellation_, _Terminate_ or _Reset_.';

function whereToSignal(job: EmailJob): string {
  return `To signal: _More Actions_, _Send a Signal_. Each signal is also a command, such as \`${commandFor(job, 'hold')}\`.`;
}

export function keyOf({ billRun, settings }: EmailJob): string {
  return billRun?.number ?? settings.billRunKey;
}

/** A command for the bill run of a job, to copy. */
export function commandFor(job: EmailJob, command: string): string {
  const { entityId } = job.settings;
  return `bill-run-emails ${command} ${keyOf(job)}${entityId === undefined ? '' : ` --entity ${entityId}`}`;
}

/** Whether a person must act, and what happens by itself. */
function turn(job: EmailJob, status: JobStatus): string {
  const sentence = outlookOf(status, job.sends);
  return sentence === null ? whoseTurn(job, status) : `${whoseTurn(job, status)} ${sentence}`;
}

function whoseTurn(job: EmailJob, { state, reason, question, billRunStatus }: JobStatus): string {
  if (state === 'Held') {
    return reason === 'all'
      ? '**Your turn:** when sending may go on, release all jobs. Releasing this one changes nothing. A hold has no deadline.'
      : '**Your turn:** release it once it may send. A hold has no deadline.';
  }
  if (question !== null && !attemptsContinue(job.sends)) return answerTo(question);
  if (reason === 'notSent' && openSendOf(job) === undefined) return '**Your turn:** fix the cause, then retry.';
  if (reason === 'notPosted' && billRunStatus === 'Completed') return '**Your turn:** post it in Zuora.';
  if (state === 'Emailed') return '**Nothing to do.**';
  if (state === 'Delivering') {
    return reason === 'unknown'
      ? '**Your turn:** look in Zuora for the documents that it did not show.'
      : '**Nothing to do:** the job checks what became of the documents.';
  }
  return '**Nothing to do:** the job goes on by itself.';
}

/** Whether a person must act on a job that has closed. */
export function afterClosing(job: EmailJob, { state, reason, billRunStatus, sends }: JobStatus): string {
  if (documentsNotSent(job)) return '**Your turn:** fix the cause, then retry.';
  switch (state) {
    case 'HandedOver':
      return '**Nothing to do here:** the other job says what was sent.';
    case 'Stopped':
      return sends > 0 ? '**Nothing to do.**' : '**Nothing to do,** unless it should be emailed after all.';
    case 'NotPosted':
      if (billRunStatus === null) return '**Your turn:** check its number and who may see it, then start it again.';
      if (willNotPost(billRunStatus)) return '**Nothing to do** for this bill run.';
      return billRunStatus === 'Posted'
        ? '**Your turn:** start it again without the fault.'
        : '**Your turn:** post it in Zuora, then start it again.';
    case 'Unsettled':
      return reason === 'unknown'
        ? `**Your turn:** look whether customers have the emails, also by \`${commandFor(job, 'documents')}\`. If not, ${continuing(job)}.`
        : `**Your turn:** fix the cause, then ${continuing(job)}.`;
    default:
      return '**Nothing to do.**';
  }
}

/** A start does not continue a resend. */
function continuing(job: EmailJob): string {
  return openResend(job) === undefined ? 'start it again' : 'ask for the resend again, with the same request id';
}

export function answerTo({ kind, safeUntil }: Question): string {
  switch (kind) {
    case 'refused':
      return '**Your turn:** fix the cause, then retry; or finish.';
    case 'unknown':
      return `**Your turn${safeUntil === null ? '' : `, best before ${time(Date.parse(safeUntil))}`}:** look whether the emails left. If they did, finish; if not, retry.`;
    case 'cannotRead':
      return '**Your turn:** fix the cause, then retry.';
  }
}

function lastIgnored({ ignored: { count, last } }: JobStatus): readonly string[] {
  const message = last.at(-1);
  if (message === undefined) return [];
  const others = count === 1 ? '' : ` The query \`status\` has the last ${last.length} of ${count} such messages.`;
  return [
    `**The last message had no effect:** ${quoted(message.message)} at ${time(Date.parse(message.at))}: ${quotedUpTo(400, message.reason)}.${others}`,
  ];
}

/** The counts, and the documents that are not sent. */
function documents({ documents: checked }: JobStatus): readonly string[] {
  if (checked === null) return [];
  const { checkedAt, total, list: rest, complete, ...counts } = checked;
  const parts = OUTCOMES.filter((outcome) => counts[outcome] > 0).map(
    (outcome) => `${counts[outcome]} ${OUTCOMES_IN_WORDS[outcome]}`,
  );
  const all = complete ? '' : '; Zuora does not list all of them';
  const head = `**Documents**, checked ${time(Date.parse(checkedAt))}: ${total}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}${all}`;
  if (rest.length === 0) return [head];
  const rows = rest.slice(0, DOCUMENTS_SHOWN).map(({ number, kind, outcome, reason }) => {
    const cells = [quotedUpTo(60, number), kind === 'invoice' ? 'invoice' : 'credit memo', OUTCOMES_IN_WORDS[outcome]];
    return `| ${[...cells, reason === null ? '' : quotedUpTo(160, reason)].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  const more = rest.length - rows.length;
  const table = ['| document | kind | outcome | why |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return [head, table, ...(more > 0 ? [`${counted(more, 'more document')}: the query \`status\` lists them.`] : [])];
}

/** Jobs whose history cannot be read were skipped by the look-up. */
function unreadable({ earlier }: EmailJob): readonly string[] {
  if (earlier.unreadable.length === 0) return [];
  const runs = earlier.unreadable.slice(-REQUESTS_SHOWN).map(quoted).join(', ');
  return [`Earlier jobs whose history cannot be read, so that it is not known what they sent: ${runs}.`];
}

function about(job: EmailJob, status: JobStatus): string {
  const { since, billRunNumber, billRunStatus, documents } = status;
  const from = since === null ? '' : ` The job has been in this state since ${time(Date.parse(since))}.`;
  const inZuora = billRunStatus === null ? '' : ` is ${quoted(billRunStatus)} in Zuora`;
  const emailed = documents === null ? '' : `; ${documents.sent} of ${counted(documents.total, 'document')} emailed`;
  return `**${sentSoFar(status, job.sends)}${emailed}.** Bill run ${quoted(billRunNumber ?? job.settings.billRunKey)}${inZuora}.${from}`;
}

function waitingRequests(requests: readonly EmailRequest[], { firstRunId }: EmailJob): string {
  const more = requests.length - REQUESTS_SHOWN;
  const lines = requests.slice(0, REQUESTS_SHOWN).map((request) => {
    const { requestId, resend, requestedBy, reason } = request;
    const by = requestedBy === undefined ? '' : `, asked by ${quoted(requestedBy)}`;
    // The others have an id that we made.
    const name = requestId.startsWith(firstRunId) ? '' : `request ${quoted(requestId)}, `;
    return `${name}${kindOfSend({ resend, requests: [request] })}${by}${reason === undefined ? '' : `: ${quoted(reason)}`}`;
  });
  return `**Requests for the next send**\n\n${list(more > 0 ? [...lines, counted(more, 'more request')] : lines)}`;
}

/** Notes that people copy into messages. A placeholder that is left there makes a message be ignored, with that reason. */
const NOTE = Object.freeze({ requestedBy: '<who>', reason: '<why>' });
const RESEND = Object.freeze({ requestId: '<ticket>', ...NOTE });

/** Inputs of messages, as JSON to copy. */
export const EXAMPLES = Object.freeze({
  resend: JSON.stringify(RESEND),
  retry: JSON.stringify({ ordinal: 1, ...NOTE }),
  note: JSON.stringify(NOTE),
});

function choices(job: EmailJob, step: Step, { state, reason, question }: JobStatus): readonly string[] {
  if (isEnding(step)) return [afterTheEnd(job, step)];
  if (job.finish !== null || job.canceled)
    return ['nothing: the job closes as soon as the attempt under way has ended'];
  if (isAlias(job)) {
    const answers = question === null ? [] : answersTo(question, job).safe;
    return [...answers, lookAtCanonical(job), ...(job.held ? [RELEASE] : [])];
  }
  const again = acceptedSends(job) > 0;
  const order = holdOrRelease(job, state);
  const isHeld = job.held || state === 'Held';
  const isFirst = state !== 'Delivering' && !job.settings.resend && openSendOf(job)?.resend !== true;
  const emailsAll = again ? EMAILS_AGAIN : `${isFirst ? 'instead of the first send, ' : ''}${EMAILS_ALL}`;
  const { safe, risky } = question === null ? retries(job, reason) : answersTo(question, job);
  // The safest comes first.
  return [
    ...(isHeld ? order : []),
    ...(step.kind === 'watch'
      ? [
          'signal **billRunPosted**, without input, is not needed: it makes the job look at once instead of within minutes',
        ]
      : []),
    ...safe,
    ...(isHeld ? [] : order),
    `${signal('finish', NOTE)} ${mayBeOnTheirWay(job, state) ? FINISH_DELIVERING : 'closes the job; nothing more is sent'}`,
    ...risky,
    `${signal('resend', RESEND)} ${isHeld ? 'after the release, ' : ''}${emailsAll}`,
  ];
}

const FINISH_DELIVERING = 'closes the job; it does not stop emails that Zuora is sending';

function mayBeOnTheirWay(job: EmailJob, state: JobStatus['state']): boolean {
  const open = openSendOf(job);
  return state === 'Delivering' || (open !== undefined && hasUnknown(open));
}

const EMAILS_AGAIN = 'emails all documents again, such as after a wrong template';
const EMAILS_ALL = 'emails all documents, also those that customers already have';

function holdOrRelease(job: EmailJob, state: JobStatus['state']): readonly string[] {
  if (job.held) return [RELEASE];
  if (state === 'Held') {
    return [
      `${signal('release', NOTE)} to the workflow \`${HOLD_ALL_WORKFLOW_ID}\`, or \`bill-run-emails release --all\`, lets all jobs continue`,
    ];
  }
  return state === 'Delivering' || state === 'Emailed' ? [] : [`${signal('hold', NOTE)} sends nothing until a release`];
}

const RELEASE = `${signal('release', NOTE)} lets sends continue`;

/** Those with `sendAnyway` are risky. */
interface Retries {
  readonly safe: readonly string[];
  readonly risky: readonly string[];
}

function answersTo({ ordinal, kind, needsSendAnyway }: Question, job: EmailJob): Retries {
  const sendsAnyway = needsSendAnyway || (kind === 'cannotRead' && !isAlias(job));
  return {
    safe: needsSendAnyway ? [] : [`${signal('retry', { ordinal, ...NOTE })} tries again`],
    risky: sendsAnyway ? [sendNow(ordinal)] : [],
  };
}

function sendNow(ordinal: number): string {
  return `${signal('retry', { ordinal, sendAnyway: true, ...NOTE })} sends now, at your risk: customers may get a second email`;
}

/** `retry` without a question: during a cool-down, or if the documents are emailed without us. */
function retries(job: EmailJob, reason: JobStatus['reason']): Retries {
  if (reason === 'notSent' && openSendOf(job) === undefined) {
    const safe = [
      `${signal('retry', NOTE)} emails only documents for which Zuora shows no email, once none can be on its way`,
    ];
    return { safe, risky: [] };
  }
  const ordinal = openSendOf(job)?.ordinal;
  const emails = isEmailedByOthers(job) || reason === 'notSent';
  if (ordinal === undefined || (reason !== 'coolDown' && !emails)) return { safe: [], risky: [] };
  const effect = emails
    ? 'emails what was never emailed, once no email can be on its way'
    : 'checks again whether it must wait';
  return { safe: [`${signal('retry', { ordinal, ...NOTE })} ${effect}`], risky: [sendNow(ordinal)] };
}

function lookAtCanonical(job: EmailJob): string {
  return `look at ${quoted(canonicalIdOf(job) ?? '')}, which emails this bill run: \`${commandFor(job, 'status')}\``;
}

function afterTheEnd(job: EmailJob, step: Ending): string {
  if (step.state === 'HandedOver') return lookAtCanonical(job);
  if (step.kind === 'fail' && step.type === 'InvalidInput') {
    return 'start it again without the fault that the result names';
  }
  const { entityId, orgIds } = job.settings;
  // JSON leaves out what is undefined.
  const billRun = { billRunKey: keyOf(job), entityId, orgIds };
  const orgs = orgIds === undefined ? '' : ` --org ${orgIds.join(' ')}`;
  const command = (name: string, more = ''): string => `\`${commandFor(job, name)}${orgs}${more}\``;
  const open = openResend(job);
  if (open !== undefined) {
    const input = { ...billRun, resend: true, requestId: open.requestId, ...NOTE };
    return startLikeThis(input, 'continues the resend that is open', `${command('resend')}, with the same request id`);
  }
  // The documents were emailed, by a send of ours or by Zuora itself.
  if (documentsNotSent(job)) {
    const input = { ...billRun, missing: true, ...NOTE };
    return startLikeThis(
      input,
      'emails what Zuora takes for never emailed, once the cause is fixed',
      `\`${commandFor(job, 'retry')}\``,
    );
  }
  if (step.state === 'Delivering' || step.state === 'Emailed' || acceptedSends(job) > 0) {
    return startLikeThis({ ...billRun, resend: true, ...RESEND }, 'emails all documents again', command('resend'));
  }
  const status = job.billRun?.status ?? '';
  if (willNotPost(status)) {
    const kind = status === 'Canceled' ? 'canceled' : 'failed';
    return `A ${kind} bill run is never posted. If another one replaces it: \`bill-run-emails start <its number>\``;
  }
  if (step.state === 'Skipped') return `If Zuora adds documents later: ${command('start')}`;
  // A new job uses the same keys, so it is safe even if the outcome is unknown.
  const again = step.state === 'Stopped';
  return startLikeThis(
    { ...billRun, ...(again ? { again } : {}), ...NOTE },
    step.state === 'Unsettled'
      ? 'takes up the open send, and asks on its own page before anything could be emailed twice'
      : 'emails the documents once the bill run is posted',
    command('start', again ? ' --again' : ''),
  );
}

function startLikeThis(input: object, effect: string, command: string): string {
  return (
    `_More Actions_, **Start Workflow Like This One**, with ${quotedUpTo(2000, JSON.stringify(input))}: the new job ${effect}. ` +
    `On the command line: ${command}`
  );
}

function signal(name: string, argument: object): string {
  return `signal **${name}** with \`${JSON.stringify(argument)}\``;
}

function sendLine({ ordinal, resend, outcome, attempts, requests, note, notNeeded }: Send): string {
  const people = peopleIn(requests);
  const names = people.slice(0, PEOPLE_SHOWN).map(quoted).join(', ');
  const by = names === '' ? '' : `, asked by ${names}${people.length > PEOPLE_SHOWN ? ' and others' : ''}`;
  const kind = kindOfSend({ resend, requests });
  const last = attempts.at(-1);
  const isOpen = last !== undefined && last.verdict !== 'accepted';
  const answer = isOpen ? `; last answer: ${answerOf(last)}` : '';
  return `send ${ordinal}, ${kind}: **${notNeeded === null ? outcome : 'not needed'}**, ${counted(attempts.length, 'attempt')}${by}${answer}${note === null ? '' : ` (${note})`}`;
}

/** The summary of an attempt in Temporal UI. */
export function attemptSummary({ ordinal, resend, attempts, requests }: Send): string {
  const people = peopleIn(requests);
  const by = people.length === 0 ? '' : ` · asked by ${people.join(', ')}`;
  return summary(`send ${ordinal} · ${kindOfSend({ resend, requests })} · attempt ${attempts.length + 1}${by}`);
}

/** Everybody who asked, each once. */
function peopleIn(requests: readonly EmailRequest[]): readonly string[] {
  return [...new Set(requests.slice(0, REQUESTS_READ).flatMap(({ requestedBy }) => requestedBy ?? []))];
}

/** Temporal drops the static summary when a job continues as new, and other clients may start a job without one. */
function started({ startedAt, settings: { requestedBy, reason } }: EmailJob): string {
  const by = requestedBy === undefined ? '' : `, asked for by ${quoted(requestedBy)}`;
  return `Started ${time(startedAt)}${by}${reason === undefined ? '' : `: ${quoted(reason)}`}.`;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}
