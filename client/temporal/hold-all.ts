/** The hold on all jobs of the namespace: a workflow whose being open is the order. Finding out needs no worker. */
import type { Client } from '@temporalio/client';
import { HOLD_ALL_WORKFLOW_ID } from '../../workflows/contract/contract.js';
import { lastOf, type DescribedWorkflow } from './jobs.js';

/** Whether it is open, in whatever status: a paused one counts, and so does one of another type. */
export async function isHoldAllOpen(client: Client): Promise<boolean> {
  return (await openHoldAll(client)) !== undefined;
}

export async function openHoldAll(client: Client): Promise<DescribedWorkflow | undefined> {
  const last = await lastOf(client, HOLD_ALL_WORKFLOW_ID);
  return last?.closedAt === null ? last : undefined;
}
