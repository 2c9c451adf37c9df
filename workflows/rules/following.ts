/** Which send's documents a job follows, and when it checks them. The checks go on beside everything else. */
import type { DeliveryCheck, DeliveryInput, EarlierCheck } from '../contract/activities.js';
import { checkWantedAt, isAccountedFor } from './documents.js';
import { isEmailedByOthers, openSendOf, type Delivery, type EmailJob } from './job.js';
import type { Send } from './send.js';
import { coolDownEnd, LOOK_IS_FRESH_MS } from './send-step.js';
import { openSendStep, questionIn } from './sending.js';
import { hasUnknown } from './verdict.js';

/** Follows the documents of the send that may have emailed them last. */
export function noteDelivery(job: EmailJob, now: number): void {
  const send = sendToFollow(job, now);
  if (send === undefined) {
    job.delivery = null;
    return;
  }
  const { delivery } = job;
  const times = timesOf(job, send);
  // One that Zuora emailed by itself begins anew with its first attempt.
  if (delivery?.ordinal === send.ordinal && delivery.isOurs === times.isOurs) {
    // Its acceptance and further emails of others begin the plan anew.
    const isNew = times.isOurs ? delivery.from !== times.from : delivery.lastEmails !== times.lastEmails;
    const { memory = delivery.memory } = delivery.check ?? {};
    if (isNew) {
      job.delivery = { ...delivery, ...times, check: null, ...(memory === undefined ? {} : { memory }) };
    }
    return;
  }
  const last = delivery?.check ?? null;
  // Later emails are those of the resend.
  const latest = send.resend && last !== null && isAccountedFor(last) ? last.memory.latest : null;
  const isMissing = !send.resend && send.requests.some(({ missing }) => missing === true);
  const memory = last === null ? memoryOfSend(job.earlier.check, times.since) : send.resend ? null : memoryAfter(last);
  job.delivery = {
    ...{ ordinal: send.ordinal, resend: send.resend, ...times },
    ...(latest === null ? {} : { before: latest }),
    ...(isMissing ? { missing: true as const } : {}),
    ...(memory === null ? {} : { memory }),
    ...{ check: null, changedAt: null, unreadable: null },
  };
}

const NOTHING = Object.freeze({
  ...{ lastLooked: null, inactiveSince: {}, latest: null, rows: {} },
  ...{ pdfErrors: [], dropped: {}, noAddressSince: {}, lookedBackTo: {} },
});

/**
 * What the last check of earlier jobs remembered, if it followed the send that began then (epoch, ms). The start of a send may differ by
 * the clocks.
 */
export function memoryOfSend(check: EarlierCheck | undefined, since: number): DeliveryCheck['memory'] | null {
  return check === undefined || Math.abs(check.since - since) > CLOCKS_DIFFER_BY_MS ? null : check.memory;
}

const CLOCKS_DIFFER_BY_MS = 10_000;

/** What was emailed once needs no further look. A row or a date may be of an email that failed before. */
function memoryAfter(check: DeliveryCheck): DeliveryCheck['memory'] {
  const { emailed, rows, rowsBefore } = check.memory;
  return { ...NOTHING, emailed, rowsBefore: isAccountedFor(check) ? { ...rowsBefore, ...rows } : null };
}

function sendToFollow(job: EmailJob, now: number): Send | undefined {
  const open = openSendOf(job);
  if (open !== undefined && isToFollow(job, open, now)) return open;
  const accepted = job.sends.filter(({ outcome }) => outcome === 'accepted');
  return accepted.toSorted((one, other) => settledAt(one) - settledAt(other)).at(-1);
}

/** Its outcome is in question, or Zuora sends for it by itself. */
function isToFollow(job: EmailJob, send: Send, now: number): boolean {
  if (send.attempts.length > 0) {
    // Once it is in question, it stays so until it is settled.
    const isFollowed = job.delivery?.ordinal === send.ordinal;
    return hasUnknown(send) && (isFollowed || questionIn(openSendStep(job, now))?.kind === 'unknown');
  }
  return !send.resend && isEmailedByOthers(job);
}

type Times = Pick<Delivery, 'isOurs' | 'since' | 'from' | 'before' | 'lastEmails'>;

function timesOf({ billRun, lookedAt }: EmailJob, send: Send): Times {
  const [first] = send.attempts.filter(({ idempotencyKey: key }) => key === send.attempts.at(-1)?.idempotencyKey);
  if (first === undefined) {
    const { postedDate, lastEmailSentTime } = billRun ?? {};
    const since = coolDownEnd(postedDate, 0, lookedAt) ?? lookedAt;
    const from = Math.max(since, coolDownEnd(lastEmailSentTime, 0, lookedAt) ?? -Infinity);
    return { isOurs: false, since, from, lastEmails: lastEmailSentTime ?? null };
  }
  const since = Date.parse(first.startedAt);
  const wasSeenBefore = lookedAt <= since && since - lookedAt <= LOOK_IS_FRESH_MS;
  const before = wasSeenBefore ? billRun?.lastEmailSentTime : undefined;
  return {
    ...{ isOurs: true, lastEmails: null, since, from: send.settledAt === null ? since : settledAt(send) },
    ...(before === undefined ? {} : { before }),
  };
}

function settledAt({ settledAt: at }: Send): number {
  return Date.parse(at ?? '');
}

/** Names the plan of checks while one is still to come; null otherwise. Another name ends a check of the plan. */
export function plannedChecks({ delivery, billRun }: EmailJob): string | null {
  if (delivery === null || billRun === null) return null;
  const { ordinal, from, check } = delivery;
  const isOver = check !== null && (check.next === null || isAccountedFor(check));
  return isOver ? null : `${ordinal} ${from}`;
}

/** The same for a check that a person asks for. It leaves the plan alone: a read that is ended and begun again can starve. */
export function wantedCheck(job: EmailJob): string | null {
  const wantedAt = checkWantedAt(job);
  const { delivery, billRun } = job;
  return wantedAt === null || delivery === null || billRun === null ? null : `${delivery.ordinal} ${wantedAt}`;
}

export function checkInput(
  { billRun, delivery }: EmailJob,
  { isWanted }: { readonly isWanted: boolean },
): Omit<DeliveryInput, 'billRunKey'> {
  const { resend = false, since = 0, from = 0, before, memory, check = null, unreadable = null } = delivery ?? {};
  const { id = '', number = '', postedDate, numberOfInvoices, numberOfCreditMemos } = billRun ?? {};
  return {
    ...{ billRunNumber: number, billRunId: id, resend, since, from },
    ...(delivery?.missing === true ? { missing: true as const } : {}),
    ...(delivery?.isOurs === false && billRun?.autoEmail === true ? { atPost: true as const } : {}),
    ...(before === undefined ? {} : { before }),
    ...(postedDate === undefined ? {} : { postedDate }),
    ...(numberOfInvoices === undefined ? {} : { numberOfInvoices }),
    ...(numberOfCreditMemos === undefined ? {} : { numberOfCreditMemos }),
    ...(check === null ? {} : { previous: check }),
    ...(memory === undefined || check !== null ? {} : { memory }),
    ...(unreadable === null ? {} : { cannotRead: unreadable.cannotRead }),
    ...(isWanted && unreadable === null ? { now: true as const } : {}),
  };
}
