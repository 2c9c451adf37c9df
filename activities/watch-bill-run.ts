import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Activities, BillRun, WatchInput } from '../workflows/contract/activities.js';
import { ZuoraFailure, type Zuora } from '../zuora/client.js';
import { NeverLeft } from '../zuora/transport.js';
import { keepable } from '../zuora/words.js';

/** How often a waiting bill run is read, in milliseconds. */
export interface Polling {
  /** After a status change, and growing from there. */
  readonly first: number;
  /** Within the first hour. */
  readonly longest: number;
  /** After an hour without a change. */
  readonly afterAnHour: number;
  /**
   * How many reads a minute there are at most, of all waiting bill runs together. The first read of a wait is beyond that.
   * Absent: any number.
   */
  readonly perMinute?: number;
}

export const DEFAULT_POLLING: Required<Polling> = {
  first: 10_000,
  longest: 60_000,
  afterAnHour: 15 * 60_000,
  perMinute: 1_200,
};

/** A bill run may be seconds old, and not to be found yet. */
const NOT_FOUND_FOR_MS = 2 * 60_000;
/** Where something must be mended before a read can work, such as a permission. */
const MENDING_MS = 60_000;
const HOUR_MS = 60 * 60_000;
/** What Zuora asks for is obeyed up to here; after it, one more read is no burden. */
const LONGEST_RETRY_AFTER_MS = HOUR_MS;

export function createWatchBillRun({
  zuora,
  multiEntity,
  polling = DEFAULT_POLLING,
}: {
  zuora: Zuora;
  multiEntity: boolean;
  polling?: Polling;
}): Activities['watchBillRun'] {
  const withinBudget = pollBudget(polling);
  return async (input) => {
    checkEntity(input, multiEntity);
    const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = activityInfo();
    // Both by the server's clock, whatever the worker's says.
    const elapsedMs = currentAttemptScheduledTimestampMs - scheduledTimestampMs;
    const billRun = await read(zuora, input, polling);
    if (billRun.status !== input.lastSeenStatus) return billRun;
    // It was found, so a time of not being found is over. Said only then, for heartbeats cost calls, and on Cloud money.
    if (lastSaid().notFoundSince !== undefined) heartbeat({});
    // A failure that is none: the server waits and tries again, and history holds one activity, however long it takes.
    throw ApplicationFailure.create({
      type: 'StatusUnchanged',
      message: keepable(`bill run ${billRun.number} is still ${billRun.status}`),
      nextRetryDelay: withinBudget(jittered(pollInterval(elapsedMs, polling)), performance.now()),
      category: ApplicationFailureCategory.BENIGN,
    });
  };
}

/** Short at first, growing with the wait to the longest, and long after an hour. */
export function pollInterval(elapsedMs: number, { first, longest, afterAnHour }: Polling): number {
  if (elapsedMs >= HOUR_MS) return afterAnHour;
  return Math.min(Math.max(elapsedMs / 5, first), longest);
}

/**
 * Keeps reads within the budget, by a clock that nobody sets: each has a turn of its own, as far from the one before as the
 * budget asks. Thousands that wait are read in turn, however often each would like to be.
 *
 * @returns how long to wait: the interval, or until the next turn where that is later
 */
export function pollBudget({
  perMinute = Infinity,
}: Pick<Polling, 'perMinute'>): (intervalMs: number, now: number) => number {
  const apartMs = 60_000 / perMinute;
  let turn = 0;
  return (intervalMs, now) => {
    turn = Math.max(turn + apartMs, now);
    return Math.max(intervalMs, Math.ceil(turn - now));
  };
}

/** A tenth more or less, so that bill runs started together do not stay together. */
function jittered(intervalMs: number): number {
  return Math.round(intervalMs * (0.9 + 0.2 * Math.random()));
}

function checkEntity({ entityId }: WatchInput, multiEntity: boolean): void {
  if (multiEntity === (entityId !== undefined)) return;
  throw ApplicationFailure.nonRetryable(
    multiEntity
      ? 'invalid input: entityId is missing; this worker serves a tenant with Zuora Multi-entity'
      : 'invalid input: entityId must be left out; this worker serves a tenant without Zuora Multi-entity',
    'InvalidInput',
  );
}

async function read(zuora: Zuora, { billRunKey, ...scope }: WatchInput, polling: Polling): Promise<BillRun> {
  try {
    return await zuora.getBillRun(billRunKey, scope);
  } catch (error) {
    if (error instanceof NeverLeft) throw unreadable(error.code, error.message, error.retryAfterMs);
    if (!(error instanceof ZuoraFailure)) throw error;
    const { kind, message, retryAfterMs } = error;
    switch (kind) {
      case 'notFound':
        throw notFound(message, polling);
      case 'unauthorized':
        throw unreadable('Unauthorized', `${message}. Mend the worker's Zuora credentials`, MENDING_MS);
      case 'refused':
        throw unreadable('ReadRefused', `${message}. Mend the permissions or the settings of the worker`, MENDING_MS);
      case 'unavailable':
        throw unreadable('Unavailable', message, retryAfterMs);
    }
  }
}

/** What the attempt before said in its heartbeat (epoch, ms). */
function lastSaid(): { readonly notFoundSince?: number } {
  return (activityInfo().heartbeatDetails ?? {}) as { notFoundSince?: number };
}

/** For two minutes it may be new, or hidden for a moment; then it is gone. */
function notFound(message: string, { first }: Polling): ApplicationFailure {
  const { currentAttemptScheduledTimestampMs: now } = activityInfo();
  const { notFoundSince = now } = lastSaid();
  if (now - notFoundSince >= NOT_FOUND_FOR_MS) {
    const said = message.replace(/\.$/, '');
    return ApplicationFailure.nonRetryable(
      `${said}. It does not exist, was deleted, or is not to be seen by these credentials`,
      'BillRunNotFound',
    );
  }
  heartbeat({ notFoundSince });
  return ApplicationFailure.create({
    type: 'NotFoundYet',
    message: `${message}; looking for two minutes, for it may be new`,
    nextRetryDelay: Math.min(first, NOT_FOUND_FOR_MS),
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** A read that may work later: Temporal UI shows its words at the pending activity. */
function unreadable(type: string, message: string, retryAfterMs: number | undefined): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    ...(retryAfterMs === undefined
      ? {}
      : { nextRetryDelay: Math.min(Math.max(retryAfterMs, 1000), LONGEST_RETRY_AFTER_MS) }),
  });
}
