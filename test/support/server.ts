/** Temporal's development server as tests start it, and what makes it suggest to continue as new. */
import type { WorkflowHandle } from '@temporalio/client';
import { skipsTime } from '../../scripts/time-skipping.js';
import { billRunSearchAttributes, type TemporalServerOptions } from '../../scripts/temporal-server.js';

/** Events after which the server suggests to continue as new: a quarter of its default, which takes a test half a minute to reach. */
const LONG_HISTORY = 1_024;

/** How many signals `sendTooMany` sends: each is an event. */
export const TOO_MANY = 1_050;

export const testServer: TemporalServerOptions = {
  headless: true,
  searchAttributes: billRunSearchAttributes,
  dynamicConfig: {
    'limit.historyCount.suggestContinueAsNew': LONG_HISTORY,
    'frontend.WorkflowPauseEnabled': true,
    ...skipsTime,
  },
};

/** Sends so many signals that the history becomes too long, and waits until the next Temporal run has begun. */
export async function sendTooMany(job: WorkflowHandle, ...signal: Parameters<WorkflowHandle['signal']>): Promise<void> {
  const { runId: first } = await job.describe();
  for (let sent = 0; sent < TOO_MANY; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, () => job.signal(...signal)));
  }
  for (;;) {
    const { runId } = await job.describe();
    if (runId !== first) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
