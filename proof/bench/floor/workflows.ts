/** What ours is measured against. */
import { proxyActivities, sleep, upsertSearchAttributes } from '@temporalio/workflow';
import { searchAttributes } from '../../../workflows/contract/search-attributes.js';
import type { FloorActivities } from './activities.js';

const { read, email } = proxyActivities<FloorActivities>({ startToCloseTimeout: '150 seconds' });

/** The two calls to Zuora that emailing a bill run takes, as two activities, and nothing else. */
export async function floor(billRunKey: string): Promise<void> {
  await read(billRunKey);
  await email(billRunKey);
}

/** The floor, found as ours is: its start names it, and its end tells what came of it. */
export async function listedFloor(billRunKey: string): Promise<void> {
  const { billRunStatus, emailState, emailSends } = searchAttributes;
  const status = await read(billRunKey);
  await email(billRunKey);
  upsertSearchAttributes([
    { key: billRunStatus, value: status },
    { key: emailState, value: 'Emailed' },
    { key: emailSends, value: 1 },
  ]);
}

/** As samples wait for something: a timer and an activity, in turn. */
export async function pollLoop(billRunKey: string, intervalMs: number): Promise<void> {
  while ((await read(billRunKey)) !== 'Posted') await sleep(intervalMs);
  await email(billRunKey);
}
