/** What was sent, and what happens by itself at `until`. It loads little, because every command of the command line loads it. */
import type { JobStatus, SendRecord } from '../contract/contract.js';
import { time } from './text.js';
import { hasUnknown } from './verdict.js';

type Sent = Pick<JobStatus, 'state' | 'reason' | 'until' | 'sends' | 'documents'> & {
  /** As Temporal lists it: null before a check. */
  readonly documentsNotSent?: number | null;
};

/**
 * Whether emails were sent, in words: nothing, not known, or how many times.
 *
 * @param records null if only the list of Temporal is known
 */
export function sentSoFar(
  { state, reason, until, sends, documents, documentsNotSent }: Sent,
  records: readonly Pick<SendRecord, 'ordinal' | 'attempts' | 'outcome' | 'requests'>[] | null,
): string {
  const rest = records?.filter(isOfMissing).length ?? 0;
  const sent = rest > 0 && rest < sends ? `${timesSent(sends - rest)}, and then what was not sent` : timesSent(sends);
  const open = records?.findLast(hasUnknown);
  const isUnknown = open !== undefined || (records === null && (reason === 'unknown' || state === 'Sending'));
  const what = open === undefined ? 'the last send' : `send ${open.ordinal}`;
  if (isUnknown) return sends === 0 ? 'Not known' : `${sent}; not known for ${what}`;
  const isUnchecked = state === 'Delivering' && reason === null && documents === null && documentsNotSent == null;
  if (isUnchecked && sends > 0)
    return `Accepted by Zuora${sends === 1 ? '' : ` ${sends} times`}; the documents are not checked so far`;
  if (sends > 0) return sent;
  const byOthers = state === 'Delivering' || state === 'Emailed' || state === 'HandedOver' || reason === 'coolDown';
  if (reason === 'autoEmail') return 'Nothing sent by this job; Zuora sends by itself';
  if (reason === 'emailedElsewhere') return 'Nothing sent by this job; Zuora says that it was emailed';
  if (byOthers) return 'Nothing sent by this job';
  return state === 'Sending' && until === null ? 'Nothing sent so far as Zuora has answered' : 'Nothing sent';
}

function isOfMissing({ outcome, requests }: Pick<SendRecord, 'outcome' | 'requests'>): boolean {
  return outcome === 'accepted' && requests.some(({ missing }) => missing === true);
}

function timesSent(count: number): string {
  return count === 1 ? 'Sent once' : `Sent ${count} times`;
}

/** One sentence about an open job; null if nothing happens by itself. */
export function outlookOf(
  { state, reason, until, billRunStatus }: Pick<JobStatus, 'state' | 'reason' | 'until' | 'billRunStatus'>,
  sends: readonly Pick<SendRecord, 'outcome' | 'attempts'>[],
): string | null {
  if (until === null) return null;
  const at = time(Date.parse(until));
  switch (state) {
    case 'Waiting':
      return billRunStatus === 'Posted'
        ? `The first send starts at ${at}.`
        : `If it is not posted by ${at}, the job closes as NotPosted, and nothing is emailed. Once it is posted, its documents are emailed.`;
    case 'NeedsAttention':
      return attemptsContinue(sends)
        ? `The next attempt is at ${at}.`
        : `Without an answer by ${at}, the job closes as Unsettled.`;
    case 'Delivering':
    case 'Emailed':
      // A send for what was not sent waits until then, or for a check.
      if (sends.at(-1)?.outcome === 'pending')
        return `What was not sent is sent at ${at}, or as soon as a check allows it.`;
      return `The job closes at ${at}; until then it takes a ${reason === 'notSent' ? 'retry' : 'resend'}.`;
    default:
      return `The next attempt is at ${at}.`;
  }
}

/** Attempts may continue although a person is asked. */
export function attemptsContinue(sends: readonly Pick<SendRecord, 'outcome' | 'attempts'>[]): boolean {
  const last = sends.at(-1);
  return last?.outcome === 'pending' && last.attempts.length > 0;
}

/** The statuses from which Zuora never posts a bill run. */
export function willNotPost(status: string): boolean {
  return status === 'Canceled' || status === 'Error';
}
