import type { SendRecord } from './contract.js';
import { acceptedSends, type Run } from './run.js';
import { sendsOf, statusOf } from './status.js';
import * as words from './words.js';

/** How many of the last sends are told. */
const SENDS_TOLD = 10;

/** What Temporal UI shows about a run, in markdown: what is happening, what comes next, and what an operator can do. */
export function detailsOf(run: Run, now: number): string {
  const { state, billRunNumber, billRunStatus, waitingFor, until, question, held, pendingRequests, ignored } = statusOf(
    run,
    now,
  );
  const sends = sendsOf(run);
  return [
    `### ${state}`,
    `Bill run ${words.quoted(billRunNumber ?? run.settings.billRunKey)}` +
      `${billRunStatus === null ? '' : `, in Zuora ${words.quoted(billRunStatus)}`}. Emailed ${times(acceptedSends(run))}.`,
    ...(question === null ? [] : [`**A person is asked (send ${question.ordinal}):** ${question.text}`]),
    ...(waitingFor === null
      ? []
      : [
          `Waiting for ${waitingFor}${until === null ? '' : `; at the latest until ${words.time(Date.parse(until))}`}.`,
        ]),
    ...(held && state !== 'Held' ? ['On hold: no attempt is started until `release`.'] : []),
    ...(pendingRequests.length === 0 ? [] : [`${pendingRequests.length} requests wait for the next send.`]),
    ...(sends.length === 0 ? [] : ['**Sends**', list(sends.slice(-SENDS_TOLD).map(sendLine))]),
    ...(ignored.count === 0 ? [] : [`Ignored messages: ${ignored.count}; the query \`status\` tells why.`]),
    '**What you can do now**',
    list(question === null ? choices(run, state) : words.answersTo(question)),
  ].join('\n\n');
}

function times(count: number): string {
  return count === 0 ? 'not yet' : count === 1 ? 'once' : `${count} times`;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}

function sendLine({ ordinal, resend, outcome, attempts, requests, note }: SendRecord): string {
  const people = words.peopleIn(requests).map(words.quoted).join(', ');
  return (
    `send ${ordinal}, resend=${resend}: **${outcome}**, ${attempts.length} attempt${attempts.length === 1 ? '' : 's'}` +
    `${people === '' ? '' : `, asked by ${people}`}${note === null ? '' : ` (${note})`}`
  );
}

function choices(run: Run, state: string): readonly string[] {
  const note = { requestedBy: 'you', reason: 'why' };
  return [
    ...(state === 'WaitingForPost' ? [`signal **billRunPosted**, without input, looks at the bill run at once`] : []),
    `${words.signal('resend', { requestId: 'TICKET-1', ...note })} emails all documents` +
      (state === 'Emailed' ? ' again' : ', also those emailed before'),
    run.held
      ? `${words.signal('release', note)} lets sends go on`
      : `${words.signal('hold', note)} starts no further attempt`,
    `${words.signal('finish', note)} closes the run; nothing more is sent`,
  ];
}
