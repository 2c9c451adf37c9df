/** The workflows beside which ours is measured. */
import { proxyActivities, sleep, upsertSearchAttributes } from '@temporalio/workflow';
import { searchAttributes } from '../../../workflows/contract/search-attributes.js';
import type { FloorActivities } from './activities.js';

const { read, email } = proxyActivities<FloorActivities>({ startToCloseTimeout: '150 seconds' });

/** Only the two calls to Zuora, as two activities. */
export async function floor(billRunKey: string): Promise<void> {
  await read(billRunKey);
  await email(billRunKey);
}

/** The floor with search attributes: some at the start, and one upsert at the end. */
export async function listedFloor(billRunKey: string): Promise<void> {
  const { billRunStatus, emailState, emailSends } = searchAttributes;
  const status = await read(billRunKey);
  await email(billRunKey);
  upsertSearchAttributes([
    { key: billRunStatus, value: status },
    { key: emailState, value: 'Delivering' },
    { key: emailSends, value: 1 },
  ]);
}

/** Waits as samples do: a timer and an activity alternate. */
export async function pollLoop(billRunKey: string, intervalMs: number): Promise<void> {
  while ((await read(billRunKey)) !== 'Posted') await sleep(intervalMs);
  await email(billRunKey);
}
