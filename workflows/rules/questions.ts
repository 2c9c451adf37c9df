/**
 * The questions that a job asks a person. Each says what happened, what was and was not sent, and what to do now. Texts of callers
 * and of Zuora are shown as code, so that they cannot pass for ours.
 */
import type { CannotRead } from '../contract/activities.js';
import type { Attempt } from '../contract/contract.js';
import type { Read } from './job.js';
import { answerOf, counted, quotedUpTo, time } from './text.js';

export function refusedQuestion(last: Attempt): string {
  return `Zuora refused to email the documents (${answerOf(last)}). Nothing was sent. Fix the cause in Zuora (bill-run-emails doctor looks for it), then retry.`;
}

export function gaveUpQuestion(last: Attempt): string {
  return (
    `The automatic attempts are over, and Zuora did not execute any of them (last: ${answerOf(last)}). ` +
    `Nothing was sent. Retry when Zuora can take the request.`
  );
}

export function unknownQuestion(last: Attempt, attempts: number): string {
  return (
    `It is not known whether Zuora emailed the documents: ${counted(attempts, 'attempt')}, and no answer that settles it ` +
    `(last: ${answerOf(last)}).`
  );
}

export function storedUnknownQuestion(last: Attempt): string {
  return (
    `It is not known whether Zuora emailed the documents. Zuora repeats a stored answer that does not say it ` +
    `(${answerOf(last)}), and would repeat it again under this idempotency key.`
  );
}

export function refusedAfterUnknownQuestion(last: Attempt): string {
  return (
    `Zuora now refuses to email the documents (${answerOf(last)}). An earlier attempt got no answer that settles it, ` +
    `so Zuora may have emailed them. Fix the cause first.`
  );
}

/** @param safeUntil until when the key protects a retry (epoch, ms); null if it does not */
export function howToGoOn(safeUntil: number | null): string {
  const retry =
    safeUntil === null
      ? `retry with sendAnyway. No idempotency key protects that: if Zuora did send, customers get a second email`
      : `retry: until ${time(safeUntil)} the idempotency key keeps Zuora from emailing twice. Later, retry needs sendAnyway`;
  return `Look at the email history of some invoices in Zuora, or at what the command documents shows. If they were emailed, finish. If not, ${retry}.`;
}

export function resetQuestion(): string {
  return (
    `This workflow was reset, and its history no longer shows what it did before. The resend may have been sent already, ` +
    `under a key that Zuora may have forgotten. Look at the audit of the earlier job. If it was sent, finish. ` +
    `If not, retry with sendAnyway.`
  );
}

export function stillUnknown(last: Attempt, end: number): string {
  return (
    `It is not known yet whether Zuora emailed the documents (last: ${answerOf(last)}). Attempts continue until ` +
    `${time(end)} under one idempotency key, so they cannot email twice. You need not do anything now; retry tries at once.`
  );
}

export function stillNotLeaving(last: Attempt, end: number): string {
  return (
    `The request does not reach Zuora (last: ${answerOf(last)}). Nothing was sent. Attempts continue until ` +
    `${time(end)}. Check the worker's network and its Zuora credentials; retry tries at once.`
  );
}

export function unreadText({ cannotRead, since }: CannotRead): string {
  const words = quotedUpTo(400, cannotRead);
  return `Reads of the bill run in Zuora have failed since ${time(since)} (last: ${words})`;
}

/** @param since since when it is tried (epoch, ms) */
export function unreadQuestion(what: Read, since: number, words: string): string {
  const [trouble, advice] = UNREAD[what];
  return `${trouble}, tried since ${time(since)} (last: ${quotedUpTo(400, words)}). ${advice}`;
}

const UNREAD: Readonly<Record<Read, readonly [trouble: string, advice: string]>> = Object.freeze({
  look: [
    'The bill run cannot be read in Zuora',
    `Nothing was sent by this send. Fix the cause, then retry: it looks again. Retry with sendAnyway sends without a look, at ` +
      `your risk: if somebody emailed the documents a short while ago, customers may get a second email.`,
  ],
  lookUp: [
    'It cannot be read in Temporal what earlier jobs of this bill run did',
    `Nothing was sent for the requests that wait. Fix the cause, then retry: it looks again. Retry with sendAnyway takes these ` +
      `requests for new ones, at your risk: if an earlier job emailed for them, customers may get a second email.`,
  ],
  handOver: [
    'The requests cannot be handed to the job that emails this bill run',
    'Nothing was sent by this job. Fix the cause, then retry.',
  ],
});
