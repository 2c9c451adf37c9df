/** The hold on all jobs of the namespace: a workflow whose being open is the order. Finding out needs no worker. */
import type { Client } from '@temporalio/client';
import { HOLD_ALL_WORKFLOW_ID } from '../../workflows/contract/contract.js';
import { failedAs } from '../failures/grpc.js';

/** Whether it is open, in whatever status: a paused one counts, and so does one of another type. */
export async function isHoldAllOpen(client: Client): Promise<boolean> {
  return (await openHoldAll(client)) !== undefined;
}

/** The run id of the open one. */
export async function openHoldAll({ workflowService, options }: Client): Promise<string | undefined> {
  try {
    const { workflowExecutionInfo: last } = await workflowService.describeWorkflowExecution({
      namespace: options.namespace,
      execution: { workflowId: HOLD_ALL_WORKFLOW_ID },
    });
    return last?.closeTime == null ? (last?.execution?.runId ?? '') : undefined;
  } catch (error) {
    if (failedAs(error, 'notFound')) return undefined;
    throw error;
  }
}
