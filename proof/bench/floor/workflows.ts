/** The workflows beside which ours is measured. */
import { proxyActivities, sleep, upsertSearchAttributes } from '@temporalio/workflow';
import { searchAttributes } from '../../../workflows/contract/search-attributes.js';
import type { FloorActivities } from './activities.js';

const { read, email } = proxyActivities<FloorActivities>({ startToCloseTimeout: '150 seconds' });

const { emailWithHeartbeats } = proxyActivities<FloorActivities>({
  startToCloseTimeout: '150 seconds',
  heartbeatTimeout: '30 seconds',
});

/** Only the two calls to Zuora, as two activities. */
export async function floor(billRunKey: string): Promise<void> {
  await read(billRunKey);
  await email(billRunKey);
}

/** The floor with the search attributes of our jobs: at the start, before the email call, and at the end. */
export async function listedFloor(billRunKey: string): Promise<void> {
  const { billRunStatus, emailState, emailReason, emailStateSince, emailSends } = searchAttributes;
  const status = await read(billRunKey);
  upsertSearchAttributes([
    { key: billRunStatus, value: status },
    { key: emailState, value: 'Sending' },
    { key: emailReason, value: null },
    { key: emailStateSince, value: new Date() },
  ]);
  await email(billRunKey);
  upsertSearchAttributes([
    { key: emailState, value: 'Delivering' },
    { key: emailStateSince, value: new Date() },
    { key: emailSends, value: 1 },
  ]);
}

/** Waits as samples do: a timer and an activity alternate. */
export async function pollLoop(billRunKey: string, intervalMs: number): Promise<void> {
  while ((await read(billRunKey)) !== 'Posted') await sleep(intervalMs);
  await email(billRunKey);
}

/** Only the email call, and the time-out by which ours notices a lost worker. */
export async function emailFloor(billRunKey: string): Promise<void> {
  await emailWithHeartbeats(billRunKey);
}
