import { setTimeout as delay } from 'node:timers/promises';
import { linkTo } from '../client/cli/ui-link.js';
import type { BillRunEmails, JobStatus } from '../client/index.js';
import { canonicalWorkflowId } from '../workflows/contract/contract.js';

/** Far above what a scene needs on a slow machine. */
const STUCK_AFTER_MS = 120_000;

/** Waits until the job of a bill run is as wanted. */
export async function untilJob(
  emails: BillRunEmails,
  billRunKey: string,
  wanted: (status: JobStatus) => boolean,
): Promise<JobStatus> {
  const stuckAt = Date.now() + STUCK_AFTER_MS;
  for (;;) {
    const status = await emails.status({ billRunKey });
    if (wanted(status)) return status;
    if (Date.now() > stuckAt) throw new Error(`The job of ${billRunKey} is stuck. ${status.state}: ${status.text}`);
    await delay(100);
  }
}

/** The page of a job in Temporal UI. */
export function linkToJob(uiUrl: string, billRunNumber: string): string {
  return linkTo(uiUrl, 'default', canonicalWorkflowId(billRunNumber));
}
