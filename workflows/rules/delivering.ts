/** Phase 3: the emails are with Zuora, or Zuora sends them by itself. The job stays open for retries and resends. */
import { heldBy } from './held.js';
import { isOnHold, openSendOf, pendingRequests, type EmailJob } from './job.js';
import { openSendStep } from './sending.js';
import type { DeliveringStep, Shown } from './step.js';

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
    return Math.max(...sends.map(({ settledAt, heldMs }) => Date.parse(settledAt ?? '') + heldMs)) + settings.openForMs;
  }
  const step = openSendStep(job, now);
  const isFollowed = step?.kind === 'notNeeded' && step.reason !== 'noDocuments';
  if (!isFollowed) return null;
  return isOnHold(job) ? Infinity : (send.stoppedAt ?? now) + settings.openForMs;
}

/** What people read about a job whose emails are with Zuora. */
export function delivering(job: EmailJob, now: number): Shown & { readonly state: 'Delivering' } {
  if (job.sends.some(({ outcome }) => outcome === 'accepted')) {
    return { state: 'Delivering', reason: null, text: 'Zuora accepted the request and is sending the emails' };
  }
  const step = openSendStep(job, now);
  const notNeeded = step?.kind === 'notNeeded' ? step.reason : job.sends.at(-1)?.notNeeded;
  return notNeeded === 'emailedElsewhere'
    ? { state: 'Delivering', reason: 'emailedElsewhere', text: EMAILED_ELSEWHERE }
    : { state: 'Delivering', reason: 'autoEmail', text: AUTO_EMAIL };
}

const AUTO_EMAIL =
  'Zuora should email the documents by itself (autoEmail is on), so nothing is sent from here; ' +
  'bill-run-emails documents shows which it emailed; retry emails what was never emailed, once the cool-down is over';
const EMAILED_ELSEWHERE =
  'Zuora says that the bill run was emailed, and this job did not do it, so nothing is sent from here; ' +
  'bill-run-emails documents shows which documents were; retry emails what was never emailed, once the cool-down is over';
