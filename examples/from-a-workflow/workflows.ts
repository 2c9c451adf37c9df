/**
 * A workflow of yours that has a bill run emailed, such as the last step of a nightly billing. The job is its child, and goes on when this
 * workflow is over. Both are in one namespace; the workers of bill-run-emails run the job.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { proxyActivities, startChild } from '@temporalio/workflow';
import type * as activities from './activities.js';

const { startOrJoin } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

/** Returns `started`, `joined`, `alreadyEmailed` or `stopped`, as every start does. */
export async function nightlyBilling(billRunNumber: string): Promise<string> {
  // … create and post the bill run
  const billRun = { billRunKey: billRunNumber, requestedBy: 'nightly-billing' };
  try {
    await startChild('emailBillRun', {
      // With Zuora Multi-entity: `email-bill-run/${entityId}/${billRunNumber}`.
      workflowId: `email-bill-run/${billRunNumber}`,
      taskQueue: 'bill-run-emails',
      args: [billRun],
      // By default, a bill run whose job has closed would get a second one, without a look at what the first did.
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      // By default, the end of this workflow would terminate the job, and its cancellation would cancel it: nothing more is emailed.
      parentClosePolicy: 'ABANDON',
      cancellationType: 'ABANDON',
    });
    return 'started';
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return startOrJoin(billRun);
  }
}
