import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';

const DAY_MS = 24 * 60 * 60_000;

/** How long a namespace keeps closed jobs, in days; null if Temporal does not say. */
export async function retentionDays(
  workflowService: Client['workflowService'],
  namespace: string,
): Promise<number | null> {
  const { config } = await workflowService.describeNamespace({ namespace });
  const keptMs = optionalTsToMs(config?.workflowExecutionRetentionTtl);
  return keptMs === undefined ? null : keptMs / DAY_MS;
}
