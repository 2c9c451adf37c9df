import { setTimeout as delay } from 'node:timers/promises';
import { withoutMarkdown } from '../client/failures/plain-text.js';
import { linkTo } from '../client/temporal/ui-link.js';
import type { BillRunEmails, JobStatus } from '../client/index.js';
import { canonicalWorkflowId } from '../workflows/contract/contract.js';

/** Far above what a scene needs on a slow machine. */
const STUCK_AFTER_MS = 120_000;

/** A job that did not become as wanted. */
export class StuckJob extends Error {
  override readonly name = 'StuckJob';

  constructor(billRunKey: string, { state, text }: JobStatus) {
    super(`the job of ${billRunKey} is not as planned after two minutes. It is ${state}: ${withoutMarkdown(text)}`);
  }
}

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
    if (Date.now() > stuckAt) throw new StuckJob(billRunKey, status);
    await delay(100);
  }
}

/** The page of a job in Temporal UI. */
export function linkToJob(uiUrl: string, billRunNumber: string): string {
  return linkTo(uiUrl, 'default', canonicalWorkflowId(billRunNumber));
}
