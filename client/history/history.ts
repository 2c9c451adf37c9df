/** Event histories of all Temporal runs of a workflow id, for the audit and for the look-up of earlier sends. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { failedAs } from '../failures/grpc.js';
import { causeOf } from '../failures/temporal.js';
import { listed } from '../temporal/jobs.js';

export type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];
type Payloads = NonNullable<NonNullable<HistoryEvent['workflowExecutionStartedEventAttributes']>['input']>['payloads'];

/** The event history of one run. */
export interface RunHistory {
  readonly workflowId: string;
  readonly runId: string;
  readonly events: readonly HistoryEvent[];
  /** The ids of activities that no worker had begun when the run was ended from outside. */
  readonly neverBegun: readonly string[];
}

/** Makes one call to Temporal, with a deadline of its own where there is one. */
export type Call = <T>(ask: () => Promise<T>) => Promise<T>;

export const noDeadline: Call = (ask) => ask();

/** The runs that Temporal still keeps, oldest first. Lags by a moment. */
export async function runIdsOf(client: Client, workflowId: string): Promise<readonly string[]> {
  const runs = new Map<string, Date>();
  for await (const { runId, startedAt } of listed(client, `WorkflowId = '${workflowId}'`)) runs.set(runId, startedAt);
  return [...runs].sort(([, one], [, other]) => one.getTime() - other.getTime()).map(([runId]) => runId);
}

/** One run of a workflow id. */
export type Run = Pick<RunHistory, 'workflowId' | 'runId'>;

/** The runs of a workflow id, with the newest one, as it was described: visibility may not list it yet. */
export async function runsWith(client: Client, newest: Run, call = noDeadline): Promise<readonly Run[]> {
  const { workflowId } = newest;
  const runIds = new Set([...(await call(() => runIdsOf(client, workflowId))), newest.runId]);
  return [...runIds].map((runId) => ({ workflowId, runId }));
}

/**
 * One after the other, because a history may have megabytes.
 *
 * @param skip takes a run whose history cannot be read, although Temporal answers; the others are read all the same
 */
export async function* historiesOf(
  client: Client,
  runs: readonly Run[],
  skip: (run: Run) => void,
  call = noDeadline,
): AsyncGenerator<RunHistory> {
  for (const run of runs) {
    try {
      const events = await eventsOf(client, run, call);
      const neverBegun = isEndedFromOutside(events) ? await call(() => neverBegunIn(client, run)) : [];
      yield { ...run, events, neverBegun };
    } catch (error) {
      if (failedAs(causeOf(error), 'unavailable')) throw error;
      skip(run);
    }
  }
}

async function eventsOf({ workflowService, options }: Client, execution: Run, call: Call): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  let nextPageToken: Uint8Array | undefined;
  do {
    const request = { namespace: options.namespace, execution, ...(nextPageToken && { nextPageToken }) };
    const page = await call(() => workflowService.getWorkflowExecutionHistory(request));
    events.push(...(page.history?.events ?? []));
    ({ nextPageToken } = page);
  } while (nextPageToken.length > 0);
  return events;
}

/** Temporal still lists the activities that were pending when it terminated a run. History does not tell whether one had begun. */
async function neverBegunIn({ workflowService, options }: Client, execution: Run): Promise<string[]> {
  const { pendingActivities } = await workflowService.describeWorkflowExecution({
    namespace: options.namespace,
    execution,
  });
  return pendingActivities.flatMap(({ activityId, lastStartedTime }) =>
    lastStartedTime == null && activityId != null ? [activityId] : [],
  );
}

function isEndedFromOutside(events: readonly HistoryEvent[]): boolean {
  const last = events.at(-1);
  return (last?.workflowExecutionTerminatedEventAttributes ?? last?.workflowExecutionTimedOutEventAttributes) != null;
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
