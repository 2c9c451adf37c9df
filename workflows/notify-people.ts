/** Notices to people, each in a workflow of its own: a job that closes would take its open activities with it. Decision 24. */
import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { notify } from './activities.js';
import type { Notice, Notified } from './contract/activities.js';
import { summary, wellFormed } from './rules/text.js';

export async function notifyPeople(notice: Notice): Promise<Notified> {
  return notify(notice);
}

/** In characters. Temporal takes ids of 1,000 bytes, and a job can have any. */
const LONGEST_ID = 200;

/**
 * Begins to notify people, and returns once Temporal has taken it. It never fails: history shows what Temporal did not take.
 *
 * @param name of the notice within the calling workflow: each is given once, also after a reset
 */
export async function beginNotice(name: string, notice: Notice): Promise<void> {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const caller = wellFormed(workflowId.slice(0, LONGEST_ID));
  const options = {
    workflowId: `notify/${caller}/${firstExecutionRunId}/${name}`,
    args: [notice],
    staticSummary: summary(notice.text),
    parentClosePolicy: ParentClosePolicy.ABANDON,
    cancellationType: ChildWorkflowCancellationType.ABANDON,
    workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
  } as const;
  await startChild(notifyPeople, options).catch(() => undefined);
}
