import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Activities, BillRun, FinalFailures, WatchInput } from '../workflows/contract/activities.js';
import { ZuoraFailure } from '../zuora/client.js';
import type { ReadBillRun } from './look.js';
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
  /** The most reads a minute of all waiting bill runs together, without the first read of each wait. Absent: any number. */
  readonly perMinute?: number;
}

export const DEFAULT_POLLING: Required<Polling> = {
  first: 10_000,
  longest: 60_000,
  afterAnHour: 15 * 60_000,
  perMinute: 1_200,
};

/** A new bill run may not be found for some seconds. */
const NOT_FOUND_FOR_MS = 2 * 60_000;
/** The wait while a person must fix something, such as a permission. */
const FIXING_MS = 60_000;
const HOUR_MS = 60 * 60_000;

type Failure = FinalFailures['watchBillRun'];

/** The longest wait that Zuora may ask for. */
const LONGEST_RETRY_AFTER_MS = HOUR_MS;

export function createWatchBillRun({
  readBillRun,
  multiEntity,
  polling = DEFAULT_POLLING,
}: {
  readBillRun: ReadBillRun;
  multiEntity: boolean;
  polling?: Polling;
}): Activities['watchBillRun'] {
  const withinBudget = pollBudget(polling);
  return async (input) => {
    checkEntity(input, multiEntity);
    const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = activityInfo();
    // Both by the server's clock.
    const elapsedMs = currentAttemptScheduledTimestampMs - scheduledTimestampMs;
    const billRun = await read(readBillRun, input, polling);
    if (billRun.status !== input.lastSeenStatus) return billRun;
    // Found again. The heartbeat comes only then, because heartbeats cost calls, and money on Temporal Cloud.
    if (lastHeartbeat().notFoundSince !== undefined) heartbeat({});
    // A benign failure: the server waits and retries, and history holds one activity, however long it takes.
    throw ApplicationFailure.create({
      type: 'StatusUnchanged',
      message: keepable(`bill run ${billRun.number} is still ${billRun.status}`),
      nextRetryDelay: withinBudget(jittered(pollInterval(elapsedMs, polling)), performance.now()),
      category: ApplicationFailureCategory.BENIGN,
    });
  };
}

/** Short at first, growing with the wait, and long after an hour. Milliseconds. */
export function pollInterval(elapsedMs: number, { first, longest, afterAnHour }: Polling): number {
  if (elapsedMs >= HOUR_MS) return afterAnHour;
  return Math.min(Math.max(elapsedMs / 5, first), longest);
}

/**
 * Keeps reads within the budget: each read gets a turn, and turns are as far apart as the budget requires. `now` is monotonic.
 *
 * @returns how long to wait: the interval, or until the next turn if that is later
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

/** Plus or minus a tenth, so that bill runs started together do not stay together. */
function jittered(intervalMs: number): number {
  return Math.round(intervalMs * (0.9 + 0.2 * Math.random()));
}

function checkEntity({ entityId }: WatchInput, multiEntity: boolean): void {
  if (multiEntity === (entityId !== undefined)) return;
  throw ApplicationFailure.nonRetryable(
    multiEntity
      ? 'invalid input: entityId is missing; this worker serves a tenant with Zuora Multi-entity'
      : 'invalid input: entityId must be left out; this worker serves a tenant without Zuora Multi-entity',
    'InvalidInput' satisfies Failure,
  );
}

async function read(
  readBillRun: ReadBillRun,
  { billRunKey, lastSeenStatus, ...scope }: WatchInput,
  polling: Polling,
): Promise<BillRun> {
  try {
    return await readBillRun(billRunKey, scope);
  } catch (error) {
    if (error instanceof NeverLeft) throw unreadable(error.code, error.message, error.retryAfterMs);
    if (!(error instanceof ZuoraFailure)) throw error;
    const { kind, message, retryAfterMs } = error;
    switch (kind) {
      case 'notFound':
        throw notFound(message, polling);
      case 'unauthorized':
        throw unreadable('Unauthorized', `${message}. Fix the worker's Zuora credentials`, FIXING_MS);
      case 'refused':
        throw unreadable('ReadRefused', `${message}. Fix the permissions or the settings of the worker`, FIXING_MS);
      case 'unavailable':
        throw unreadable('Unavailable', message, retryAfterMs);
    }
  }
}

/** The heartbeat of the attempt before (epoch, ms). */
function lastHeartbeat(): { readonly notFoundSince?: number } {
  return (activityInfo().heartbeatDetails ?? {}) as { notFoundSince?: number };
}

/** For two minutes a bill run may be too new to be found; after that it does not exist. */
function notFound(message: string, { first }: Polling): ApplicationFailure {
  const { currentAttemptScheduledTimestampMs: now } = activityInfo();
  const { notFoundSince = now } = lastHeartbeat();
  if (now - notFoundSince >= NOT_FOUND_FOR_MS) {
    return ApplicationFailure.nonRetryable(
      `${message.replace(/\.$/, '')}. It does not exist, was deleted, or these credentials may not see it`,
      'BillRunNotFound' satisfies Failure,
    );
  }
  heartbeat({ notFoundSince });
  return ApplicationFailure.create({
    type: 'NotFoundYet',
    message: `${message}; retrying for two minutes, because it may be new`,
    nextRetryDelay: Math.min(first, NOT_FOUND_FOR_MS),
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** A read that may work later. Temporal UI shows the message at the pending activity. */
function unreadable(type: string, message: string, retryAfterMs: number | undefined): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    ...(retryAfterMs === undefined
      ? {}
      : { nextRetryDelay: Math.min(Math.max(retryAfterMs, 1000), LONGEST_RETRY_AFTER_MS) }),
  });
}
