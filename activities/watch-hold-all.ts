import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { isHoldAllOpen } from '../client/temporal/hold-all.js';
import type { Activities } from '../workflows/contract/activities.js';

const SECOND = 1000;
const DEADLINE_MS = 10 * SECOND;

export const watchHoldAll: Activities['watchHoldAll'] = async () => {
  const { client } = Context.current();
  if (!(await client.withDeadline(Date.now() + DEADLINE_MS, () => isHoldAllOpen(client)))) return;
  const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = activityInfo();
  throw ApplicationFailure.create({
    type: 'StillOnHold',
    message: 'all jobs are on hold',
    nextRetryDelay: askAgainIn(currentAttemptScheduledTimestampMs - scheduledTimestampMs),
    category: ApplicationFailureCategory.BENIGN,
  });
};

/** 30 s, 1 and 2 min, then 5 min, in milliseconds. */
function askAgainIn(elapsedMs: number): number {
  if (elapsedMs < 30 * SECOND) return 30 * SECOND;
  if (elapsedMs < 90 * SECOND) return 60 * SECOND;
  return elapsedMs < 210 * SECOND ? 120 * SECOND : 300 * SECOND;
}
