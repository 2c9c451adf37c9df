/**
 * What Temporal UI shows about a run, in markdown: what is happening, since when, what comes next, and what an operator can
 * do now, with the signal and the JSON to send. It is told anew with every step, so its length and the work for it have
 * bounds, however many requests and sends there are.
 */
import type { EmailRequest, EmailState, Question, RunStatus } from '../contract/contract.js';
import { acceptedSends, homeOf, openResend, openSendOf, type Run } from './job.js';
import type { Send } from './send.js';
import { statusOf } from './status.js';
import { nextStep, type Step } from './steps.js';
import * as words from './words.js';

/** How many of the last sends, of the first requests that wait, and of the people who asked are told. */
const SENDS_TOLD = 10;
const REQUESTS_TOLD = 3;
const PEOPLE_TOLD = 5;

export function detailsOf(run: Run, now: number): string {
  const step = nextStep(run, now);
  const status = statusOf(run, now);
  const { state, question, pendingRequests, ignored } = status;
  return [
    `### ${state}`,
    about(run, status),
    ...(isEnd(step)
      ? ['This run is over and takes no more signals; its result tells how it ended.']
      : [...asked(question), ...outlook(run, status), ...hold(run)]),
    ...(pendingRequests.length === 0 ? [] : [waitingRequests(pendingRequests)]),
    '**What you can do now**',
    list(choices(run, step, status)),
    ...(run.sends.length === 0 ? [] : ['**Sends**', list(run.sends.slice(-SENDS_TOLD).map(sendLine))]),
    ...(ignored.count === 0 ? [] : [`Ignored messages: ${ignored.count}; the query \`status\` tells why.`]),
    started(run),
  ].join('\n\n');
}

function about(run: Run, { state, billRunNumber, billRunStatus }: RunStatus): string {
  const since = run.stateSince?.state === state ? `Since ${words.time(run.stateSince.at)}. ` : '';
  const inZuora = billRunStatus === null ? '' : `, in Zuora ${words.quoted(billRunStatus)}`;
  return `${since}Bill run ${words.quoted(billRunNumber ?? run.settings.billRunKey)}${inZuora}. ${emailed(run)}.`;
}

function emailed(run: Run): string {
  const count = acceptedSends(run);
  return count === 0 ? 'Not emailed yet' : count === 1 ? 'Emailed once' : `Emailed ${count} times`;
}

function asked(question: Question | null): readonly string[] {
  return question === null ? [] : [`**A person is asked (send ${question.ordinal}):** ${question.text}`];
}

/** What happens when nobody does anything; in other states, what is waited for says it. */
const atTheEnd: Partial<Record<EmailState, string>> = {
  WaitingForPost: 'then the run fails as NotPosted, and nothing is emailed',
  NeedsAttention: 'then the run fails, and names what is unsettled',
  Skipped: 'then the run closes, and nothing is sent',
  Emailed: 'then the run closes',
};

function outlook(run: Run, { state, waitingFor, until }: RunStatus): readonly string[] {
  if (waitingFor === null) return [];
  // While attempts go on, a question ends no run.
  const end = state === 'NeedsAttention' && openSendOf(run)?.stoppedAt === null ? undefined : atTheEnd[state];
  return [
    `Waiting for ${waitingFor}${until === null ? '' : `; at the latest until ${words.time(Date.parse(until))}`}` +
      `${until === null || end === undefined ? '' : `, ${end}`}.` +
      (state === 'WaitingForPost' && !run.held ? ' Once it has posted, its documents are emailed.' : ''),
  ];
}

function hold({ held, heldBy }: Run): readonly string[] {
  if (!held) return [];
  const since = heldBy === null ? '' : ` since ${words.time(heldBy.at)}`;
  const by = heldBy?.requestedBy === undefined ? '' : `, by ${words.quoted(heldBy.requestedBy)}`;
  const why = heldBy?.reason === undefined ? '' : `: ${words.quoted(heldBy.reason)}`;
  return [`On hold${since}${by}${why}. No attempt is started until \`release\`.`];
}

function waitingRequests(requests: readonly EmailRequest[]): string {
  const more = requests.length - REQUESTS_TOLD;
  const lines = requests.slice(0, REQUESTS_TOLD).map(({ requestId, resend, requestedBy, reason }) => {
    const by = requestedBy === undefined ? '' : `, asked by ${words.quoted(requestedBy)}`;
    return `request ${words.quoted(requestId)}, resend=${resend}${by}${reason === undefined ? '' : `: ${words.quoted(reason)}`}`;
  });
  return `**Requests for the next send**\n\n${list(more > 0 ? [...lines, words.counted(more, 'more request')] : lines)}`;
}

function choices(run: Run, step: Step, { state, question }: RunStatus): readonly string[] {
  if (isEnd(step)) return [afterTheEnd(run, step)];
  if (run.finish !== null || run.canceled) return [words.canOnlyWait()];
  if (state === 'HandedOver') return [words.canLookAt(homeOf(run) ?? '')];
  return [
    ...(state === 'WaitingForPost' ? [words.canLook()] : []),
    ...(question === null ? [] : words.answersTo(question)),
    words.canResend(state === 'Emailed' ? 'again' : question === null ? 'also those emailed before' : 'instead'),
    run.held ? words.canRelease() : words.canHold(),
    words.canFinish(),
  ];
}

type End = Extract<Step, { kind: 'complete' | 'cancel' | 'fail' }>;

function isEnd(step: Step): step is End {
  return step.kind === 'complete' || step.kind === 'cancel' || step.kind === 'fail';
}

function afterTheEnd(run: Run, step: End): string {
  if (step.kind === 'complete' && step.state === 'HandedOver') return words.canLookAt(homeOf(run) ?? '');
  if (step.kind === 'fail' && step.type === 'InvalidInput') return words.canMendInput();
  const { billRunKey, entityId, orgIds } = run.settings;
  const billRun = {
    billRunKey: run.billRun?.number ?? billRunKey,
    ...(entityId === undefined ? {} : { entityId }),
    ...(orgIds === undefined ? {} : { orgIds }),
  };
  const open = openResend(run);
  if (open !== undefined) return words.canGoOn(billRun, open.requestId);
  return acceptedSends(run) > 0
    ? words.canStartResend(billRun)
    : words.canStartAgain(billRun, step.kind === 'cancel' ? 'start --again' : 'start');
}

function sendLine({ ordinal, resend, outcome, attempts, requests, note }: Send): string {
  const people = words.peopleIn(requests);
  const told = people.slice(0, PEOPLE_TOLD).map(words.quoted).join(', ');
  const others = people.length > PEOPLE_TOLD ? ' and others' : '';
  const by = told === '' ? '' : `, asked by ${told}${others}`;
  const tried = words.counted(attempts.length, 'attempt');
  return `send ${ordinal}, resend=${resend}: **${outcome}**, ${tried}${by}${note === null ? '' : ` (${note})`}`;
}

/** Temporal drops the static summary when a run continues as new, and other clients may start a run without one. */
function started({ startedAt, settings: { requestedBy, reason } }: Run): string {
  const by = requestedBy === undefined ? '' : `, asked for by ${words.quoted(requestedBy)}`;
  return `Started ${words.time(startedAt)}${by}${reason === undefined ? '' : `: ${words.quoted(reason)}`}.`;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}
