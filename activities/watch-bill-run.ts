import { activityInfo, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, BillRun, FinalFailures, WatchInput } from '../workflows/contract/activities.js';
import { ZuoraFailure } from '../zuora/client.js';
import type { ReadBillRun } from './look.js';
import { keepable } from '../zuora/words.js';
import { whileAlive } from './alive.js';
import { budgetOf, DEFAULT_POLLING, type Budget, type Polling } from './budget.js';
import { failing, FAILING_MS, lastHeartbeat, later, unreadIn, type Unread } from './unread.js';

/** A new bill run may not be found for some seconds. */
const NOT_FOUND_FOR_MS = 2 * 60_000;
const HOUR_MS = 60 * 60_000;

type Failure = FinalFailures['watchBillRun'];

export function createWatchBillRun({
  readBillRun,
  multiEntity,
  polling = DEFAULT_POLLING,
  budget = budgetOf(polling),
}: {
  readBillRun: ReadBillRun;
  multiEntity: boolean;
  polling?: Polling;
  budget?: Budget;
}): Activities['watchBillRun'] {
  const unchanged = (key: string, status: string, elapsedMs: number): ApplicationFailure =>
    later(
      'StatusUnchanged',
      keepable(`bill run ${key} is still ${status}`),
      budget.jittered(pollInterval(elapsedMs, polling)),
    );

  return async (input) => {
    checkEntity(input, multiEntity);
    // All times are the server's.
    const { attempt, scheduledTimestampMs, currentAttemptScheduledTimestampMs: startedAt } = activityInfo();
    // It has just been read, and every read counts against the budget. Temporal UI shows the message at the pending activity.
    const { lastSeenStatus, cannotRead } = input;
    if (attempt === 1 && cannotRead !== undefined) throw later('CannotRead', cannotRead, budget.jittered(FAILING_MS));
    if (attempt === 1 && lastSeenStatus !== undefined) throw unchanged(input.billRunKey, lastSeenStatus, 0);
    const began = performance.now();
    const billRun = await whileAlive(() => read(readBillRun, input, polling));
    if ('message' in billRun) {
      const endedAt = startedAt + (performance.now() - began);
      return failing(billRun, { cannotRead, isLook: lastSeenStatus === undefined, endedAt, budget });
    }
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

export function checkEntity({ entityId }: { readonly entityId?: string | undefined }, multiEntity: boolean): void {
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
  { billRunKey, lastSeenStatus, cannotRead, ...scope }: WatchInput,
  polling: Polling,
): Promise<BillRun | Unread> {
  try {
    return await readBillRun(billRunKey, scope);
  } catch (error) {
    if (error instanceof ZuoraFailure && error.kind === 'notFound') throw notFound(error.message, polling);
    return unreadIn(error);
  }
}

/** For two minutes a bill run may be too new to be found; after that it does not exist. */
function notFound(message: string, { first }: Polling): ApplicationFailure {
  const { currentAttemptScheduledTimestampMs: now } = activityInfo();
  const { notFoundSince = now } = lastHeartbeat();
  if (now - notFoundSince >= NOT_FOUND_FOR_MS) {
    return ApplicationFailure.nonRetryable(
      `${message}. It does not exist, was deleted, or these credentials may not see it`,
      'BillRunNotFound' satisfies Failure,
    );
  }
  heartbeat({ notFoundSince });
  const text = `${message}; retrying for two minutes, because it may be new`;
  return later('NotFoundYet', text, Math.min(first, NOT_FOUND_FOR_MS));
}
