/** What tests leave in Temporal, walked through the explorer's transitions. */
import type { Client } from '@temporalio/client';
import { historiesOf, runIdsOf, type HistoryEvent } from '../../client/history/history.js';
import { readHistory } from '../../proof/history.js';
import { walk, type LoggedCall, type Traced, type TracedAttempt } from '../../proof/explore/trace.js';

/**
 * What the rules or Zuora could not have done, in the attempts of all runs of a workflow id. A reset hides attempts from the job, which
 * the walk would know: such jobs are left out.
 *
 * @param calls null if Zuora keeps no log
 */
export async function impossibleIn(
  client: Client,
  workflowId: string,
  calls: readonly LoggedCall[] | null,
): Promise<Traced['faults']> {
  const { runId: newest } = await client.workflow.getHandle(workflowId).describe();
  const runIds = [...new Set([...((await runIdsOf(client, workflowId)) ?? []), newest])];
  const attempts: TracedAttempt[] = [];
  const runs = runIds.map((runId) => ({ workflowId, runId }));
  for await (const { runId, events } of historiesOf(client, runs, () => undefined)) {
    if (events.some(isReset)) return [];
    attempts.push(...readHistory({ events: [...events] }).history.map((attempt) => ({ ...attempt, runId })));
  }
  return walk(attempts, calls).faults;
}

function isReset({ workflowTaskFailedEventAttributes: failed }: HistoryEvent): boolean {
  return failed?.baseRunId !== undefined && failed.baseRunId !== null && failed.baseRunId !== '';
}
