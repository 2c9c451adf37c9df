/** What the checks of a job showed about its documents, and what that means for the next send. */
import type { CannotRead, DeliveryCheck } from '../contract/activities.js';
import type { JobDocuments } from '../contract/contract.js';
import { openSendOf, type EmailJob } from './job.js';
import type { Send } from './send.js';
import { counted, iso, quotedUpTo, time } from './text.js';

export function recordCheck(job: EmailJob, check: DeliveryCheck, now: number): void {
  if (job.delivery === null) return;
  // Two checks go on beside each other.
  if (job.delivery.check !== null && check.at < job.delivery.check.at) return;
  job.delivery = { ...job.delivery, check, changedAt: now, unreadable: null };
  job.revision += 1;
}

export function recordUncheckable(job: EmailJob, unreadable: CannotRead): void {
  if (job.delivery === null) return;
  job.delivery = { ...job.delivery, unreadable };
  job.revision += 1;
}

/** Null before the first check after an acceptance. Until an acceptance or a check of this job, what the last job left unsent counts. */
export function documentsNotSent(job: EmailJob): number | null {
  const { attempts = [], missingSince } = openSendOf(job) ?? {};
  const { documents } = job.delivery?.check ?? {};
  // Those for which a send waits stay so, also if their cause is gone.
  if (missingSince !== undefined && attempts.length === 0 && documents !== undefined)
    return documents.notSent + documents.waiting + documents.unknown;
  return documentsSeenNotSent(job);
}

/** The same without those that may be on their way. */
export function documentsSeenNotSent(job: EmailJob): number | null {
  const { delivery, sends, earlierNotSent } = job;
  const { ordinal, attempts = [] } = openSendOf(job) ?? {};
  const isInQuestion = attempts.length > 0 && ordinal === delivery?.ordinal;
  const checked = isInQuestion ? undefined : delivery?.check?.documents.notSent;
  return checked ?? (sends.some(isAcceptedHere) ? null : earlierNotSent);
}

function isAcceptedHere({ outcome, attempts }: Send): boolean {
  return outcome === 'accepted' && attempts.some(({ runId }) => runId === undefined);
}

/** No email is on its way, and none is out of sight. */
export function isAccountedFor({ documents: { complete, waiting, unknown } }: DeliveryCheck): boolean {
  return complete && waiting === 0 && unknown === 0;
}

export function isAllSent(check: DeliveryCheck): boolean {
  return isAccountedFor(check) && check.documents.notSent === 0 && check.documents.total > 0;
}

/** A send for what was missed wants a check that is newer than its request. */
export function checkWantedAt(job: EmailJob): number | null {
  const wantedAt = openSendOf(job)?.missingSince ?? null;
  const { check = null } = job.delivery ?? {};
  return wantedAt === null || (check !== null && check.at >= wantedAt) ? null : wantedAt;
}

/**
 * Rule 10: since when no earlier email can be on its way.
 *
 * - `accountedFor`: since that check, which came after the request (epoch, ms).
 * - `waits`: the check is still to come.
 * - `onTheirWay`: it does not account for every document.
 * - `none`: nothing is missing.
 */
export type Missing =
  { readonly kind: 'none' | 'waits' | 'onTheirWay' } | { readonly kind: 'accountedFor'; readonly at: number };

export function missingOf(job: EmailJob): Missing {
  const { delivery } = job;
  if (checkWantedAt(job) !== null) return { kind: delivery?.unreadable === null ? 'waits' : 'onTheirWay' };
  const check = delivery?.check ?? null;
  if (check === null || !isAccountedFor(check)) return { kind: 'onTheirWay' };
  return isAllSent(check) ? { kind: 'none' } : { kind: 'accountedFor', at: check.at };
}

export function jobDocuments({ delivery }: EmailJob): JobDocuments | null {
  const { check = null } = delivery ?? {};
  return check === null ? null : { ...check.documents, checkedAt: iso(check.at) };
}

/** What Zuora shows, beside a question. */
export function evidenceText(job: EmailJob): string {
  const { check = null } = job.delivery ?? {};
  if (check === null) return '';
  const { sent, total } = check.documents;
  const others = sent > 0 && sent < total ? ' The others may still be on their way, so look again in an hour.' : '';
  return ` At ${time(check.at)}, Zuora showed an email for ${sent} of ${counted(total, 'document')}.${others}`;
}

/** The documents that are not sent, with their causes. */
export function notSentText({ documents: { notSent, total, list } }: DeliveryCheck): string {
  const named = list.filter(({ outcome }) => outcome === 'notSent').slice(0, DOCUMENTS_NAMED);
  const reasons = [...new Set(named.map(({ reason }) => reason ?? ''))];
  const texts = reasons.map((each) => {
    const numbers = named.filter(({ reason }) => (reason ?? '') === each).map(({ number }) => quotedUpTo(60, number));
    return `${numbers.join(', ')} (${quotedUpTo(200, each)})`;
  });
  const more = notSent - named.length;
  return `${notSent} of ${counted(total, 'document')} ${notSent === 1 ? 'was' : 'were'} not sent: ${texts.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const DOCUMENTS_NAMED = 3;
