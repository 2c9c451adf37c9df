/**
 * What people read where they are: that a person is needed, that documents were not sent, and that a job closes without emailing.
 * A hold is not among these: a person ordered it. The texts are ours alone, except for ids: words of Zuora and notes of callers can name
 * customers.
 */
import type { Notice } from '../contract/activities.js';
import type { EmailState, JobStatus, Question } from '../contract/contract.js';
import { afterClosing, answerTo, commandFor, keyOf, situationOf } from './details.js';
import { documentsSeenNotSent } from './documents.js';
import { acceptedSends, openSendOf, pendingRequests, type EmailJob } from './job.js';
import { questionOf } from './next-step.js';
import { attemptsContinue } from './outlook.js';
import { statusOf } from './status.js';
import type { Step } from './step.js';
import { counted } from './text.js';
import { hasUnknown } from './verdict.js';

export interface DueNotice {
  /** Differs for each notice of a job. After a reset, the same notice has the same name. */
  readonly name: string;
  readonly notice: Notice;
}

/** Notes each in the record, so it is due once. */
export function noticesDue(job: EmailJob, step: Step, now: number): readonly DueNotice[] {
  return [questionDue(job, step, now), notSentDue(job, now), closingDue(job, step, now)].filter((due) => due !== null);
}

function questionDue(job: EmailJob, { state }: Step, now: number): DueNotice | null {
  const question = state === 'NeedsAttention' ? questionOf(job, now) : null;
  if (question === null) return null;
  const name = nameOf(question, job);
  if (name === job.notices.question) return null;
  job.notices.question = name;
  const status = statusOf(job, now);
  const text = `${situationOf(status)}. ${answerTo(question)}`;
  return due(job, `${question.kind}-send-${question.ordinal}`, text, status);
}

/** An answer makes it another question, and so does the end of the automatic attempts. */
function nameOf({ kind, ordinal }: Question, job: EmailJob): string {
  const of = kind === 'cannotRead' ? job.reading?.since : openSendOf(job)?.decisions.length;
  return [kind, ordinal, of ?? 0, attemptsContinue(job.sends)].join(' ');
}

function notSentDue(job: EmailJob, now: number): DueNotice | null {
  const { notices, delivery } = job;
  const { documents, at = null } = delivery?.check ?? {};
  const notSent = documentsSeenNotSent(job) ?? 0;
  const isMore = notSent > notices.notSent && at !== notices.checkedAt;
  Object.assign(notices, { notSent, checkedAt: at });
  if (!isMore || documents === undefined || isRetried(job)) return null;
  const were = notSent === 1 ? 'was' : 'were';
  const text = `${notSent} of ${counted(documents.total, 'document')} ${were} not sent. Your turn: fix the cause, then retry.`;
  return due(job, `not-sent-send-${delivery?.ordinal ?? 0}`, text, statusOf(job, now));
}

/** A send for what was not sent is open or wanted, so nobody has to retry. */
function isRetried(job: EmailJob): boolean {
  return openSendOf(job)?.missingSince !== undefined || pendingRequests(job).some(({ missing }) => missing === true);
}

/** These close without emailing, or without emailing more. */
const UNSENT = Object.freeze<EmailState[]>(['NotPosted', 'Unsettled', 'Skipped', 'Stopped']);

function closingDue(job: EmailJob, step: Step, now: number): DueNotice | null {
  const { notices } = job;
  const isUnsent = UNSENT.includes(step.state) && !(step.kind === 'fail' && step.type === 'InvalidInput');
  const before = notices.closed;
  notices.closed = isUnsent ? step.state : null;
  if (!isUnsent || before === step.state) return null;
  const status = statusOf(job, now);
  const text = `${situationOf(status)}. ${emailedBefore(job)}${afterClosing(job, status)}`;
  return due(job, `closed-${step.state}`, text, status);
}

/** Keeps people from emailing a second time what an earlier send has emailed. */
function emailedBefore(job: EmailJob): string {
  if (acceptedSends(job) === 0) return '';
  const isUnknown = job.sends.some((send) => send.outcome === 'unknown' || hasUnknown(send));
  const more = isUnknown ? 'whether more was emailed is not known' : 'this job emailed nothing more';
  return `Zuora accepted an earlier send; ${more}. `;
}

function due(job: EmailJob, kind: string, text: string, { state, reason, billRunNumber }: JobStatus): DueNotice {
  const { notices, workflowId } = job;
  const count = (notices.counts[kind] ?? 0) + 1;
  notices.counts[kind] = count;
  return {
    name: `${kind}-${count}`,
    notice: {
      text: `Bill run ${keyOf(job)}: ${text.replaceAll('**', '')}`,
      command: commandFor(job, 'status'),
      workflowId,
      facts: { billRunNumber, state, reason, documentsNotSent: documentsSeenNotSent(job) },
    },
  };
}
