/** Phase 3: the emails are with Zuora, or Zuora sends them by itself. It follows the documents, and stays open for retries and resends. */
import type { CannotRead, DeliveryCheck } from '../contract/activities.js';
import { isAllSent, notSentText } from './documents.js';
import { heldBy } from './held.js';
import { hasAccepted, isOnHold, openSendOf, pendingRequests, type EmailJob } from './job.js';
import { openSendStep } from './sending.js';
import type { DeliveringStep, Shown } from './step.js';
import { counted, quotedUpTo, time } from './text.js';

export function deliveringStep(job: EmailJob, now: number): DeliveringStep | null {
  const until = openUntil(job, now);
  if (until === null) return null;
  const step = delivering(job, now);
  const text = job.held ? `${step.text}. ${heldBy(job)}` : step.text;
  return { kind: 'wait', until, wake: until, ...step, text };
}

/** When the job closes (epoch, ms); null if something is still to be sent. Every job has a request, so without one it has a send. */
export function openUntil(job: EmailJob, now: number): number | null {
  const { settings, sends } = job;
  if (pendingRequests(job).length > 0) return null;
  const send = openSendOf(job);
  if (send === undefined) {
    if (isOnHold(job)) return Infinity;
    const settled = sends.map(({ settledAt, heldMs }) => Date.parse(settledAt ?? '') + heldMs);
    return Math.max(...settled, changedAt(job)) + settings.openForMs;
  }
  const step = openSendStep(job, now);
  const isFollowed = step?.kind === 'notNeeded' && step.reason !== 'noDocuments';
  if (!isFollowed) return null;
  return isOnHold(job) ? Infinity : Math.max(send.stoppedAt ?? now, changedAt(job)) + settings.openForMs;
}

/** When a document last changed, later by the time on hold since then (epoch, ms); 0 before the first check. */
function changedAt({ delivery }: EmailJob): number {
  return delivery?.changedAt ?? 0;
}

/** What people read about a job whose emails are with Zuora. */
export function delivering(job: EmailJob, now: number): Shown & { readonly state: 'Delivering' | 'Emailed' } {
  const sender = senderOf(job, now);
  const { check = null, unreadable = null, from = 0 } = job.delivery ?? {};
  const checked = check === null ? null : stateAfter(check);
  if (checked?.reason === 'notSent' || checked?.state === 'Emailed') return checked;
  if (unreadable !== null) return { state: 'Delivering', reason: 'cannotRead', text: uncheckedText(unreadable) };
  if (checked !== null) return checked;
  if (check === null) return sender;
  const { sent, total } = check.documents;
  // A check that shows nothing new leaves no trace here, so the time of the next one is not known.
  const end = time(from + CHECKS_FOR_MS);
  const progress = `Zuora shows an email for ${sent} of ${counted(total, 'document')}; checks go on until ${end}`;
  return { ...sender, text: `${sender.text}. ${progress}` };
}

const CHECKS_FOR_MS = 24 * 60 * 60_000;

/** Null while documents are on their way. */
function stateAfter(check: DeliveryCheck): (Shown & { readonly state: 'Delivering' | 'Emailed' }) | null {
  const { notSent, unknown, sent, leftOut, list } = check.documents;
  if (notSent > 0) return { state: 'Delivering', reason: 'notSent', text: `${notSentText(check)}. ${AFTER_NOT_SENT}` };
  if (isAllSent(check)) {
    const rest = leftOut === 0 ? '' : `; ${leftOut} left out on purpose`;
    return { state: 'Emailed', reason: null, text: `Zuora shows an email for ${counted(sent, 'document')}${rest}` };
  }
  if (check.next !== null) return null;
  const why = list.find(({ outcome }) => outcome === 'unknown')?.reason ?? null;
  const what =
    why === null
      ? 'list all documents of the bill run'
      : `show what became of ${counted(unknown, 'document')} (${quotedUpTo(200, why)})`;
  const text = `Zuora does not ${what}, and the checks are over. Look at the email history of some of them in Zuora`;
  return { state: 'Delivering', reason: 'unknown', text };
}

const AFTER_NOT_SENT =
  'Fix the cause in Zuora, then retry: that emails only documents for which Zuora shows no email. If one stays unsent, email it in Zuora';

function uncheckedText({ cannotRead, since }: CannotRead): string {
  const words = quotedUpTo(400, cannotRead);
  return `Zuora accepted the request, but its documents cannot be read since ${time(since)} (last: ${words}). The checks go on by themselves`;
}

/** Who sends the emails. */
function senderOf(job: EmailJob, now: number): Shown & { readonly state: 'Delivering' } {
  if (hasAccepted(job.sends)) {
    return { state: 'Delivering', reason: null, text: 'Zuora accepted the request and is sending the emails' };
  }
  const step = openSendStep(job, now);
  const notNeeded = step?.kind === 'notNeeded' ? step.reason : job.sends.at(-1)?.notNeeded;
  return notNeeded === 'emailedElsewhere'
    ? { state: 'Delivering', reason: 'emailedElsewhere', text: EMAILED_ELSEWHERE }
    : { state: 'Delivering', reason: 'autoEmail', text: AUTO_EMAIL };
}

const AUTO_EMAIL =
  'Zuora emails the documents by itself (autoEmail is on), so this job sends nothing, and checks what became of them. ' +
  'If some are missing, a retry emails only those, once no email can be on its way (after 24 hours at most)';
const EMAILED_ELSEWHERE =
  'Zuora says that the bill run was emailed, and this job did not do it. So it sends nothing, and checks what became of the documents. ' +
  'If some are missing, a retry emails only those, once no email can be on its way (after 24 hours at most)';
