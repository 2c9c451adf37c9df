/** Event histories of all Temporal runs of a workflow id, for the audit and for the look-up of earlier sends. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { failedAs } from '../failures/grpc.js';
import { causeOf } from '../failures/temporal.js';

export type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];
type Payloads = NonNullable<NonNullable<HistoryEvent['workflowExecutionStartedEventAttributes']>['input']>['payloads'];

/** The event history of one run. */
export interface RunHistory {
  readonly workflowId: string;
  readonly runId: string;
  readonly events: readonly HistoryEvent[];
}

/** The runs that Temporal still keeps, oldest first; undefined if the server cannot list, as the time-skipping one. Lags by a moment. */
export async function runIdsOf(client: Client, workflowId: string): Promise<readonly string[] | undefined> {
  const runs = new Map<string, Date>();
  try {
    for await (const { runId, startTime } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
      runs.set(runId, startTime);
    }
  } catch (error) {
    if (failedAs(causeOf(error), 'unimplemented')) return undefined;
    throw error;
  }
  return [...runs].sort(([, one], [, other]) => one.getTime() - other.getTime()).map(([runId]) => runId);
}

/** One after the other, because a history may have megabytes. */
export async function* historiesOf(
  client: Client,
  runs: readonly Pick<RunHistory, 'workflowId' | 'runId'>[],
): AsyncGenerator<RunHistory> {
  for (const { workflowId, runId } of runs) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    yield { workflowId, runId, events: events ?? [] };
  }
}

/** The first payload, decoded. */
export async function firstOf(converter: LoadedDataConverter, payloads: Payloads): Promise<unknown> {
  return (await decodeArrayFromPayloads(converter, payloads ?? undefined))[0];
}

/** Epoch, ms. */
export function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + Math.floor((eventTime?.nanos ?? 0) / 1e6);
}

/** Whether the run has closed. */
export function isOver(events: readonly HistoryEvent[]): boolean {
  const last = events.at(-1);
  const end =
    last?.workflowExecutionCompletedEventAttributes ??
    last?.workflowExecutionFailedEventAttributes ??
    last?.workflowExecutionCanceledEventAttributes ??
    last?.workflowExecutionTerminatedEventAttributes ??
    last?.workflowExecutionTimedOutEventAttributes ??
    last?.workflowExecutionContinuedAsNewEventAttributes;
  return end != null;
}
