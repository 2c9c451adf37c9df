import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Activities, BillRun, CannotRead, FinalFailures, WatchInput } from '../workflows/contract/activities.js';
import { ZuoraFailure } from '../zuora/client.js';
import type { ReadBillRun } from './look.js';
import { NeverLeft } from '../zuora/transport.js';
import { keepable } from '../zuora/words.js';
import { whileAlive } from './alive.js';

/** How often a waiting bill run is read, in milliseconds. */
export interface Polling {
  /** After a status change, and growing from there. */
  readonly first: number;
  /** Within the first hour. */
  readonly longest: number;
  /** After an hour without a change. */
  readonly afterAnHour: number;
  /** The most reads a minute of all waiting bill runs together, failed ones included. Absent: any number. */
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
/** How long reads may fail before the job is informed, in milliseconds. The last of them may take 30 s more. */
const FAILING_FOR_MS = 50_000;
/** How often it is tried from then on. */
const FAILING_MS = 60_000;
/** The wait after the first failed read of a look; it doubles. A watch waits for all of the time. */
const FIRST_RETRY_MS = 10_000;
/** A next try that comes so much too late would leave people without the cause. */
const LATE_MS = 15_000;
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
  const budget = pollBudget(polling);
  const withinBudget = (intervalMs: number): number => budget(jittered(intervalMs), performance.now());

  /** What follows a read that failed: another try, or a result by which people see the cause. */
  function failing(input: WatchInput, { type, message, retryAfterMs = 0 }: Unread, endedAt: number): CannotRead {
    const { attempt, currentAttemptScheduledTimestampMs } = activityInfo();
    const { failingSince = currentAttemptScheduledTimestampMs } = lastHeartbeat();
    const pauseMs = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
    if (input.cannotRead !== undefined) throw unreadable(type, message, Math.max(withinBudget(FAILING_MS), pauseMs));
    const leftMs = failingSince + FAILING_FOR_MS - endedAt;
    const isLook = input.lastSeenStatus === undefined;
    const retryMs = isLook ? Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), leftMs) : budget(leftMs, performance.now());
    const delayMs = Math.max(retryMs, pauseMs, 1000);
    if (leftMs <= 0 || delayMs > leftMs + LATE_MS) return { cannotRead: message, since: failingSince };
    heartbeat({ ...lastHeartbeat(), failingSince });
    throw unreadable(type, message, delayMs);
  }

  const unchanged = (key: string, status: string, elapsedMs: number): ApplicationFailure =>
    later(
      'StatusUnchanged',
      keepable(`bill run ${key} is still ${status}`),
      withinBudget(pollInterval(elapsedMs, polling)),
    );

  return async (input) => {
    checkEntity(input, multiEntity);
    // All times are the server's.
    const { attempt, scheduledTimestampMs, currentAttemptScheduledTimestampMs: startedAt } = activityInfo();
    // It has just been read, and every read counts against the budget. Temporal UI shows the message at the pending activity.
    const { lastSeenStatus, cannotRead } = input;
    if (attempt === 1 && cannotRead !== undefined) throw later('CannotRead', cannotRead, withinBudget(FAILING_MS));
    if (attempt === 1 && lastSeenStatus !== undefined) throw unchanged(input.billRunKey, lastSeenStatus, 0);
    const began = performance.now();
    const billRun = await whileAlive(() => read(readBillRun, input, polling));
    if ('message' in billRun) return failing(input, billRun, startedAt + (performance.now() - began));
    if (billRun.status !== lastSeenStatus || cannotRead !== undefined) return billRun;
    // Found again. The heartbeat comes only then, because heartbeats cost calls, and money on Temporal Cloud.
    const { notFoundSince, failingSince } = lastHeartbeat();
    if (notFoundSince !== undefined || failingSince !== undefined) heartbeat({});
    throw unchanged(billRun.number, lastSeenStatus, startedAt - scheduledTimestampMs);
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

/** A read that may work later. */
interface Unread {
  readonly type: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

async function read(
  readBillRun: ReadBillRun,
  { billRunKey, lastSeenStatus, cannotRead, ...scope }: WatchInput,
  polling: Polling,
): Promise<BillRun | Unread> {
  try {
    return await readBillRun(billRunKey, scope);
  } catch (error) {
    if (error instanceof NeverLeft) {
      const { code, message, retryAfterMs } = error;
      return {
        type: code,
        message: code === 'TOKEN_REFUSED' ? `${message}. ${FIX_CREDENTIALS}` : message,
        retryAfterMs,
      };
    }
    if (!(error instanceof ZuoraFailure)) throw error;
    const { kind, message, retryAfterMs } = error;
    switch (kind) {
      case 'notFound':
        throw notFound(message, polling);
      case 'unauthorized':
        return { type: 'Unauthorized', message: `${message}. ${FIX_CREDENTIALS}` };
      case 'refused':
        return { type: 'ReadRefused', message: `${message}. Fix the permissions or the settings of the worker` };
      case 'unavailable':
        return { type: 'Unavailable', message, retryAfterMs };
    }
  }
}

const FIX_CREDENTIALS = "Fix the worker's Zuora credentials";

/** What the attempt before kept in its heartbeat (epoch, ms). */
interface Since {
  readonly notFoundSince?: number;
  readonly failingSince?: number;
}

function lastHeartbeat(): Since {
  return (activityInfo().heartbeatDetails ?? {}) as Since;
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
  const text = `${message}; retrying for two minutes, because it may be new`;
  return later('NotFoundYet', text, Math.min(first, NOT_FOUND_FOR_MS));
}

/** A benign failure: the server waits and retries, and history holds one activity, however long it takes. */
function later(type: string, message: string, nextRetryDelay: number): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nextRetryDelay, category: ApplicationFailureCategory.BENIGN });
}

function unreadable(type: string, message: string, nextRetryDelay: number): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nextRetryDelay });
}
