/** How the workflow runs each activity: its time-outs, its retries, and its reaction to a cancellation. */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities, BillRunAddress } from './contract/activities.js';
import type { EmailJob } from './rules/job.js';

/** A worker may have been lost. */
const UNLESS_LOST = Object.freeze({
  nonRetryableErrorTypes: ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'],
});

const READ_AGAIN = Object.freeze({
  initialInterval: '10 seconds',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
});

/** For a watch: after its many tries, the policy would wait a minute for a read that was lost. It begins anew instead. */
export const WATCH_AGAIN = Object.freeze({ ...READ_AGAIN, ...UNLESS_LOST });

export const { watchBillRun } = proxyActivities<Activities>({
  // For one read, and a token before it. The activity itself says how long to wait between reads.
  startToCloseTimeout: '90 seconds',
  heartbeatTimeout: '30 seconds',
  retry: READ_AGAIN,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  priority: { priorityKey: 5 },
});

export const { watchDelivery } = proxyActivities<Activities>({
  // 500 calls, each of which may have to wait for its turn. The activity itself says how long to wait between checks.
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '30 seconds',
  retry: READ_AGAIN,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  priority: { priorityKey: 5 },
});

export const { watchHoldAll } = proxyActivities<Activities>({
  startToCloseTimeout: '30 seconds',
  retry: READ_AGAIN,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  priority: { priorityKey: 5 },
});

export const { emailBillRunDocuments } = proxyActivities<Activities>({
  // The activity's own deadline is 130 s, for token and call together.
  startToCloseTimeout: '150 seconds',
  heartbeatTimeout: '30 seconds',
  retry: {
    // Only what never left is repeated here, by the activity for two minutes. Everything else comes back as a receipt, and the rules
    // decide. The limit is for an input that no worker can decode.
    maximumAttempts: 10,
    maximumInterval: '30 seconds',
    // A lost worker may have made its call.
    ...UNLESS_LOST,
  },
  // A call under way ends with its receipt.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  priority: { priorityKey: 1 },
});

export const { notify } = proxyActivities<Activities>({
  // One try takes 10 s at most. A receiver that is away for a minute is reached by a later one.
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '5 seconds', backoffCoefficient: 2, maximumAttempts: 5 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  // Reads and sends come first.
  priority: { priorityKey: 5 },
});

// The workflow says how long looks, look-ups and handovers may be tried.
export const { earlierSends, handOver } = proxyActivities<Activities>({
  startToCloseTimeout: '90 seconds',
  heartbeatTimeout: '30 seconds',
  retry: { maximumInterval: '1 minute' },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

const SWEEPS = {
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '30 seconds',
  // The next sweep looks again, and one that has failed is seen.
  retry: { initialInterval: '10 seconds', maximumAttempts: 5 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  priority: { priorityKey: 5 },
} as const;

export const { findForgotten, startForgotten } = proxyActivities<Activities>(SWEEPS);

export function addressOf({ settings }: EmailJob): BillRunAddress {
  const { billRunKey, entityId, orgIds } = settings;
  return {
    billRunKey,
    ...(entityId === undefined ? {} : { entityId }),
    ...(orgIds === undefined ? {} : { orgIds }),
  };
}
