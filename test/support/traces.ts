/** What tests leave in Temporal, walked through the explorer's transitions. */
import type { Client } from '@temporalio/client';
import { historiesOf, runsWith, type HistoryEvent } from '../../client/history/history.js';
import { readHistory, type ScheduledAttempt } from '../../proof/history.js';
import { walk, type LoggedCall, type Traced, type TracedAttempt } from '../../proof/explore/trace.js';

/**
 * What the rules or Zuora could not have done, in the attempts of all runs of a workflow id. Left out are jobs with
 * attempts that nobody can decode, and jobs that were reset: a reset hides attempts from them.
 *
 * @param callsTo reads Zuora's log; null if Zuora keeps none
 */
export async function impossibleIn(
  client: Client,
  workflowId: string,
  callsTo: (() => Promise<readonly LoggedCall[]>) | null,
): Promise<Traced['faults']> {
  const runs = await runsWith(client, await client.workflow.getHandle(workflowId).describe());
  const attempts: TracedAttempt[] = [];
  for await (const { runId, events } of historiesOf(client, runs, () => undefined)) {
    if (events.some(isReset)) return [];
    const { history } = readHistory({ events: [...events] });
    if (!history.every(isDecoded)) return [];
    attempts.push(...history.map((attempt) => ({ ...attempt, runId })));
  }
  // The log is read last: it must have every call that history has.
  return walk(attempts, callsTo === null ? null : await callsTo()).faults;
}

/** Another data converter may have written it. */
function isDecoded({ input }: ScheduledAttempt): boolean {
  return typeof (input as Partial<typeof input> | undefined)?.trackId === 'string';
}

function isReset({ workflowTaskFailedEventAttributes: failed }: HistoryEvent): boolean {
  return failed?.baseRunId !== undefined && failed.baseRunId !== null && failed.baseRunId !== '';
}
