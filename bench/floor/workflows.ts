/** What ours is measured against. */
import { proxyActivities, sleep } from '@temporalio/workflow';
import type { FloorActivities } from './activities.js';

const { read, email } = proxyActivities<FloorActivities>({ startToCloseTimeout: '150 seconds' });

/** The two calls to Zuora that emailing a bill run takes, as two activities, and nothing else. */
export async function floor(billRunKey: string): Promise<void> {
  await read(billRunKey);
  await email(billRunKey);
}

/** As samples wait for something: a timer and an activity, in turn. */
export async function pollLoop(billRunKey: string, intervalMs: number): Promise<void> {
  while ((await read(billRunKey)) !== 'Posted') await sleep(intervalMs);
  await email(billRunKey);
}
