/** What a check of the documents can show at a moment, and what it reveals. */
import type { DeliveryCheck } from '../../workflows/contract/activities.js';
import type { EmailJob } from '../../workflows/rules/job.js';
import type { World } from './state.js';
import { decideExecuted, emailOf, HOUR, intentOf, type Zuora } from './zuora.js';

type Counts = Record<'sent' | 'waiting' | 'notSent' | 'unknown', number>;

/** What a check can see: emails that were decided have left, or not yet; of the others the cause shows, or they are out of sight. */
export const SIGHTS = ['allHasLeft', 'nothingHasLeft', 'outOfSight'] as const;

export function countsOf(
  { delivery, sends }: EmailJob,
  zuora: Zuora,
  now: number,
  sight: (typeof SIGHTS)[number],
): Counts {
  const counts: Counts = { sent: 0, waiting: 0, notSent: 0, unknown: 0 };
  const send = sends.find(({ ordinal }) => ordinal === delivery?.ordinal);
  const intent = intentOf(`${send?.intent ?? ''}/1`);
  const isUndecided = send?.attempts.some(({ idempotencyKey: key }) => zuora.keys[key]?.executed === null) === true;
  const isOver = areChecksOver(delivery, now);
  for (const document of zuora.documents) {
    const isEmailed = delivery?.resend === true ? intent in document.emails : document.email !== 'never';
    const mayBeEmailed = isEmailed || isUndecided;
    const isSent = mayBeEmailed && (sight === 'allHasLeft' || emailOf(document, now) === 'left');
    const unsent = sight === 'outOfSight' ? 'unknown' : mayBeEmailed && !isOver ? 'waiting' : 'notSent';
    counts[isSent ? 'sent' : unsent] += 1;
  }
  return counts;
}

export function leave({ job, zuora }: World): void {
  const send = job.sends.find(({ ordinal }) => ordinal === job.delivery?.ordinal);
  for (const { idempotencyKey: key } of send?.attempts ?? []) decideExecuted(zuora, key);
  for (const document of zuora.documents) if (document.email === 'onTheWay') document.email = 'left';
}

export function checkOf({ job, now, zuora }: World, counts: Counts): DeliveryCheck {
  const list = (['notSent', 'unknown', 'waiting'] as const)
    .filter((outcome) => counts[outcome] > 0)
    .map((outcome) => ({ number: 'INV-1', kind: 'invoice' as const, outcome, reason: 'a cause' }));
  const all = { ...counts, leftOut: 0 };
  const isOver = areChecksOver(job.delivery, now);
  return {
    documents: { complete: true, total: zuora.documents.length, ...all, list },
    kinds: { invoice: all, creditMemo: { sent: 0, waiting: 0, notSent: 0, leftOut: 0, unknown: 0 } },
    ...{ otherFailures: 0, at: now, next: isOver ? null : now + HOUR },
    memory: {
      ...{ lastLooked: null, inactiveSince: {}, emailed: [], latest: null, rows: {}, rowsBefore: null },
      ...{ pdfErrors: [], dropped: {}, noAddressSince: {}, lookedBackTo: {} },
    },
  };
}

function areChecksOver(delivery: EmailJob['delivery'], now: number): boolean {
  return now >= (delivery?.from ?? 0) + 24 * HOUR;
}
