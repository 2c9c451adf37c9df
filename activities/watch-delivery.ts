import { isDeepStrictEqual } from 'node:util';
import { activityInfo, heartbeat } from '@temporalio/activity';
import type { Activities, DeliveryCheck, DeliveryInput } from '../workflows/contract/activities.js';
import type { DocumentOutcome } from '../workflows/contract/contract.js';
import { OUTCOMES } from '../workflows/rules/text.js';
import type { Zuora } from '../zuora/client.js';
import { readDelivery, type Delivery, type DeliveryMemory } from '../zuora/delivery.js';
import { keepable } from '../zuora/words.js';
import { whileAlive } from './alive.js';
import { turnsOf, type Budget } from './budget.js';
import { failing, FAILING_MS, lastHeartbeat, later, unreadIn, type Unread } from './unread.js';

/** From an acceptance to the first check, in milliseconds. */
export const DEFAULT_DELIVERY_INTERVAL_MS = 5 * 60_000;

/** Of the first check, in intervals: 5, 15 and 30 minutes, then doubling. */
const FIRST_CHECKS = [1, 3, 6];
/** The longest wait before the last check. */
const DOUBLING_FOR_MS = 8 * 60 * 60_000;
/** The last check: Zuora has shown no email for so long. */
const LAST_CHECK_MS = 24 * 60 * 60_000;
/** When all checks that a worker makes at once are under way, another one waits so long. */
const BUSY_MS = 15_000;
/** More would only be shown as numbers. */
const MOST_LISTED = 50;

/** What the attempt before kept in its heartbeat. */
interface Kept {
  readonly at: number;
  readonly memory: DeliveryMemory;
}

/** @param mostAtOnce checks at the same time in this worker: they can take minutes, and sends must not wait for them */
export function createWatchDelivery({
  zuora,
  budget,
  intervalMs = DEFAULT_DELIVERY_INTERVAL_MS,
  mostAtOnce,
}: {
  zuora: Zuora;
  budget: Budget;
  intervalMs?: number | undefined;
  mostAtOnce: number;
}): Activities['watchDelivery'] {
  let underWay = 0;
  const turn = turnsOf(budget);

  async function check(input: DeliveryInput, now: number): Promise<Delivery | Unread> {
    underWay += 1;
    try {
      return await whileAlive(() => readDelivery(zuora, questionOf(input, now, intervalMs), turn));
    } catch (error) {
      return unreadIn(error);
    } finally {
      underWay -= 1;
    }
  }

  return async (input) => {
    // All times are the server's.
    const { attempt, currentAttemptScheduledTimestampMs: scheduledAt } = activityInfo();
    const { previous, from, cannotRead } = input;
    const { at: checkedAt = previous?.at, failingSince } = lastHeartbeat<Kept>();
    const dueAt = nextCheck(from, intervalMs, checkedAt);
    if (attempt === 1 && cannotRead !== undefined) throw later('CannotRead', cannotRead, budget.jittered(FAILING_MS));
    const isAnswer = input.now === true || cannotRead !== undefined;
    const isPlanned = !isAnswer && failingSince === undefined && dueAt !== null;
    if (isPlanned && attempt === 1 && scheduledAt < dueAt) throw notDue(dueAt - scheduledAt);
    // A further attempt comes when it is due, but Temporal may round its time down.
    const now = isPlanned ? Math.max(scheduledAt, dueAt) : scheduledAt;
    if (underWay >= mostAtOnce)
      throw later('Busy', 'other checks of documents are under way', budget.jittered(BUSY_MS));
    const began = performance.now();
    const delivery = await check(input, now);
    if ('message' in delivery) {
      const endedAt = now + (performance.now() - began);
      return failing(delivery, { cannotRead, isLook: input.now === true, endedAt, budget });
    }
    const next = nextCheck(from, intervalMs, now);
    const result = checkOf(delivery, now, next);
    const isNews = isAnswer || next === null || !isDeepStrictEqual(result.documents, previous?.documents);
    if (isNews) return result;
    heartbeat({ at: now, memory: result.memory } satisfies Kept);
    throw notDue(next - now);
  };
}

function notDue(inMs: number): Error {
  return later('NothingNew', 'the documents are checked again by plan', inMs);
}

/** The first check of the plan after that time (epoch, ms); null after the last. */
export function nextCheck(from: number, intervalMs: number, after = -Infinity): number | null {
  const checks = FIRST_CHECKS.map((intervals) => intervals * intervalMs);
  for (let at = 12 * intervalMs; at <= DOUBLING_FOR_MS; at *= 2) checks.push(at);
  checks.push(LAST_CHECK_MS);
  const next = checks.filter((each) => each <= LAST_CHECK_MS).find((each) => from + each > after);
  return next === undefined ? null : from + next;
}

function questionOf(input: DeliveryInput, now: number, intervalMs: number): Parameters<typeof readDelivery>[1] {
  const { billRunNumber, billRunId, resend, since, before, postedDate, numberOfInvoices, numberOfCreditMemos } = input;
  const { from, previous, memory, entityId, orgIds, atPost, missing } = input;
  return {
    ...{ billRunNumber, billRunId, resend, since, from, now, intervalMs },
    ...{ missing, atPost, postedDate, numberOfInvoices, numberOfCreditMemos },
    before: { billRun: before },
    previous: lastHeartbeat<Kept>().memory ?? previous?.memory ?? memory ?? null,
    scope: { entityId, orgIds },
  };
}

function checkOf(
  { documents, complete, otherFailures, remember }: Delivery,
  at: number,
  next: number | null,
): DeliveryCheck {
  const none = (): Record<DocumentOutcome, number> => ({ sent: 0, waiting: 0, notSent: 0, leftOut: 0, unknown: 0 });
  const counts = none();
  const kinds = { invoice: none(), creditMemo: none() };
  for (const { kind, outcome } of documents) {
    counts[outcome] += 1;
    kinds[kind][outcome] += 1;
  }
  const list = URGENCY.flatMap((wanted) => documents.filter(({ outcome }) => outcome === wanted));
  return {
    documents: {
      ...{ complete, total: documents.length, ...counts },
      list: list.slice(0, MOST_LISTED).map((document) => ({ ...document, number: keepable(document.number) })),
    },
    ...{ kinds, otherFailures, at, next, memory: remember },
  };
}

/** Of the documents that are not sent, those that need a person come first. */
const URGENCY = OUTCOMES.filter((outcome) => outcome !== 'sent');
