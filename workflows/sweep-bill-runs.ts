/**
 * Names the bill runs that Zuora posted and nobody emailed, and the jobs that wait for people. With `startPostedSince` it starts what was
 * forgotten. Its history is the record. A Temporal Schedule or a person starts it: `bill-run-emails sweep`.
 */
import { ApplicationFailure, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { findForgotten, startForgotten } from './activities.js';
import { beginNotice } from './notify-people.js';
import { sweepDetails, sweepNotice } from './rules/sweep-details.js';
import { reportSweep } from './telemetry.js';
import { sweepWorkflowId, type SweepInput, type SweepResult } from './contract/sweep.js';
import { checkSweep } from './contract/validation.js';

/** @throws ApplicationFailure `InvalidInput`, or ActivityFailure if Zuora or Temporal could not be read */
export async function sweepBillRuns(input: SweepInput = {}): Promise<SweepResult> {
  const { value: settings, faults } = checkSweep(input);
  if (faults !== undefined)
    throw ApplicationFailure.nonRetryable(`invalid input: ${faults.join('; ')}`, 'InvalidInput');
  const { postedSinceMs, startPostedSince: postedSince, entityId } = settings;
  const entity = entityId === undefined ? {} : { entityId };
  const scheduleId = sweepWorkflowId(entityId);
  const { known, ...findings } = await findForgotten({ postedSinceMs, ...entity, scheduleId });
  const { forgotten: billRuns } = findings;
  const starts =
    postedSince === undefined || billRuns.length === 0
      ? { started: [] }
      : await startForgotten({ billRuns, postedSince, ...entity });
  const result = { ...findings, ...starts };
  setCurrentDetails(sweepDetails(result));
  reportSweep(result);
  const { workflowId } = workflowInfo();
  const notice = sweepNotice(result, known);
  // A person who sweeps by hand reads the result.
  if (notice !== undefined && workflowId !== scheduleId) {
    await beginNotice('found', {
      ...notice,
      workflowId,
      command: `bill-run-emails sweep${entityId === undefined ? '' : ` --entity ${entityId}`}`,
    });
  }
  return result;
}
