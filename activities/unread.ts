/** What follows a read of a watch that failed: another try, or a result by which people see the cause. */
import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { CannotRead } from '../workflows/contract/activities.js';
import { ZuoraFailure } from '../zuora/client.js';
import { NeverLeft } from '../zuora/transport.js';
import type { Budget } from './budget.js';

/** How long reads may fail before the job is informed, in milliseconds. The last of them may take 30 s more. */
const FAILING_FOR_MS = 50_000;
/** How often it is tried from then on. */
export const FAILING_MS = 60_000;
/** The wait after the first failed read of a look; it doubles. A watch waits for all of the time. */
const FIRST_RETRY_MS = 10_000;
/** A next try that comes so much too late would leave people without the cause. */
const LATE_MS = 15_000;
/** The longest wait that Zuora may ask for. */
const LONGEST_RETRY_AFTER_MS = 60 * 60_000;

/** A read that may work later. */
export interface Unread {
  readonly type: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

/** What the attempt before kept in its heartbeat (epoch, ms). */
interface Since {
  readonly notFoundSince?: number;
  readonly failingSince?: number;
}

export function lastHeartbeat<Kept = unknown>(): Since & Partial<Kept> {
  return (activityInfo().heartbeatDetails ?? {}) as Since & Partial<Kept>;
}

/**
 * @param cannotRead the job knows that reads fail
 * @param isLook a person or a send waits for this read
 * @throws ApplicationFailure by which Temporal tries again
 */
export function failing(
  { type, message, retryAfterMs = 0 }: Unread,
  {
    cannotRead,
    isLook,
    endedAt,
    budget,
  }: { cannotRead: string | undefined; isLook: boolean; endedAt: number; budget: Budget },
): CannotRead {
  const { attempt, currentAttemptScheduledTimestampMs } = activityInfo();
  const { failingSince = currentAttemptScheduledTimestampMs } = lastHeartbeat();
  const pauseMs = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
  if (cannotRead !== undefined) throw unreadable(type, message, Math.max(budget.jittered(FAILING_MS), pauseMs));
  const leftMs = failingSince + FAILING_FOR_MS - endedAt;
  const retryMs = isLook ? Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), leftMs) : budget.turn(leftMs);
  const delayMs = Math.max(retryMs, pauseMs, 1000);
  if (leftMs <= 0 || delayMs > leftMs + LATE_MS) return { cannotRead: message, since: failingSince };
  heartbeat({ ...lastHeartbeat(), failingSince });
  throw unreadable(type, message, delayMs);
}

/** @throws the error itself, if it is not the failure of a read */
export function unreadIn(error: unknown): Unread {
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
      return { type: 'NotFound', message };
    case 'unauthorized':
      return { type: 'Unauthorized', message: `${message}. ${FIX_CREDENTIALS}` };
    case 'refused':
      return { type: 'ReadRefused', message: `${message}. Fix the permissions or the settings of the worker` };
    case 'unavailable':
      return { type: 'Unavailable', message, retryAfterMs };
  }
}

const FIX_CREDENTIALS = "Fix the worker's Zuora credentials";

/** A benign failure: the server waits and retries, and history holds one activity, however long it takes. */
export function later(type: string, message: string, nextRetryDelay: number): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nextRetryDelay, category: ApplicationFailureCategory.BENIGN });
}

function unreadable(type: string, message: string, nextRetryDelay: number): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nextRetryDelay });
}
