/** What Temporal itself shows about workflows. No memo is decoded: another starter may have written it, in any encoding. */
import { isGrpcServiceError, NamespaceNotFoundError, type Client } from '@temporalio/client';
import type { TypedSearchAttributes } from '@temporalio/common';
import { decodeTypedSearchAttributes } from '@temporalio/common/lib/converter/payload-search-attributes.js';
import { tsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { failedAs } from '../failures/grpc.js';
import { noJob } from '../failures/temporal.js';
import { pausesIn, type Pause } from './paused.js';

const { PendingWorkflowTaskState } = proto.temporal.api.enums.v1;

type Info = proto.temporal.api.workflow.v1.IWorkflowExecutionInfo;
type Payload = proto.temporal.api.common.v1.IPayload;

export interface KnownWorkflow {
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  readonly taskQueue: string;
  /** Temporal's status, such as `RUNNING` or `CANCELLED`. */
  readonly status: string;
  readonly startedAt: Date;
  /** Null while it is open, also while it is paused. */
  readonly closedAt: Date | null;
  readonly attributes: TypedSearchAttributes;
  readonly memo: Readonly<Record<string, Payload | undefined>>;
}

export interface DescribedWorkflow extends KnownWorkflow {
  /** What somebody paused by Temporal's own buttons. */
  readonly paused: readonly Pause[];
  /** A message, or something else that is new, waits for a worker. */
  readonly hasNews: boolean;
  /** An order may be about to close it: a cancellation was requested, or there is news. */
  readonly isChanging: boolean;
  /** A worker has a workflow task. What is new meanwhile is not in history before its end. */
  readonly isTaskUnderWay: boolean;
  /** Events so far. */
  readonly historyLength: number;
}

/** The last run of a workflow id; undefined if Temporal has none. */
export async function lastOf(client: Client, workflowId: string): Promise<DescribedWorkflow | undefined> {
  try {
    const described = await client.workflowService.describeWorkflowExecution({
      namespace: client.options.namespace,
      execution: { workflowId },
    });
    const { workflowExecutionInfo: info, workflowExtendedInfo: extended, pendingWorkflowTask } = described;
    if (info == null) return undefined;
    const last = known(info);
    const hasNews = pendingWorkflowTask != null && last.status !== 'PAUSED';
    const isCanceling = extended?.cancelRequested === true && last.status !== 'PAUSED';
    // What is paused takes no message.
    const paused = last.closedAt === null ? pausesIn(described) : [];
    const historyLength = Number(info.historyLength);
    const isTaskUnderWay = pendingWorkflowTask?.state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED;
    return { ...last, paused, hasNews, isChanging: hasNews || isCanceling, isTaskUnderWay, historyLength };
  } catch (error) {
    if (!failedAs(error, 'notFound')) throw error;
    if (isAboutNamespace(error)) throw new NamespaceNotFoundError(client.options.namespace);
    return undefined;
  }
}

/** By the details alone: messages of other servers name the namespace for a workflow, too. */
function isAboutNamespace(error: unknown): boolean {
  return failedAs(error, 'notFound') && isGrpcServiceError(error) && /namespace/i.test(error.details);
}

/** @throws BillRunEmailsError `NotFound` if Temporal has no run of the id */
export function orNotFound<T>(last: T | undefined, workflowId: string): T {
  if (last === undefined) throw noJob(workflowId);
  return last;
}

/** The event with which a run closed; none while it is open. */
export async function closingEvents(
  { workflowService, options: { namespace } }: Client,
  { workflowId, runId }: Pick<KnownWorkflow, 'workflowId' | 'runId'>,
) {
  const { history } = await workflowService.getWorkflowExecutionHistory({
    ...{ namespace, execution: { workflowId, runId } },
    historyEventFilterType: proto.temporal.api.enums.v1.HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
  });
  return history?.events ?? [];
}

/** How long a worker may take for the messages of a job. */
const SETTLES_WITHIN_MS = 3_000;
const ASK_AGAIN_MS = 100;

/** The last run once nothing is about to close it, or as it is after that time. */
export const unchanging = (client: Client, workflowId: string): Promise<DescribedWorkflow | undefined> =>
  waited(client, workflowId, SETTLES_WITHIN_MS, 'isChanging');

/** The last run once a worker has taken all that is new, or as it is after that time. */
export const caughtUp = (
  client: Client,
  workflowId: string,
  withinMs: number,
): Promise<DescribedWorkflow | undefined> => waited(client, workflowId, withinMs, 'hasNews');

async function waited(
  client: Client,
  workflowId: string,
  withinMs: number,
  what: 'isChanging' | 'hasNews',
): Promise<DescribedWorkflow | undefined> {
  const until = performance.now() + withinMs;
  for (;;) {
    const last = await lastOf(client, workflowId);
    if (last?.[what] !== true || performance.now() > until) return last;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

/**
 * Waits for the next event of a run, after those of the run as it was described, and at most so long. Temporal holds the call back
 * until then.
 */
export function newsOf(client: Client) {
  let read: { readonly runId: string; readonly events: number; readonly nextPageToken?: Uint8Array } = NOTHING_READ;
  return async (
    { workflowId, runId, historyLength }: Pick<DescribedWorkflow, 'workflowId' | 'runId' | 'historyLength'>,
    withinMs: number,
  ): Promise<void> => {
    if (read.runId !== runId) read = { ...NOTHING_READ, runId };
    const until = Date.now() + withinMs;
    const { namespace } = client.options;
    while (read.events <= historyLength && Date.now() < until) {
      const from = read.nextPageToken === undefined ? {} : { nextPageToken: read.nextPageToken };
      const question = { namespace, execution: { workflowId, runId }, waitNewEvent: true, ...from };
      const { history, nextPageToken } = await client.withDeadline(until, () =>
        client.workflowService.getWorkflowExecutionHistory(question),
      );
      // It has closed.
      if (nextPageToken.length === 0) return;
      read = { runId, events: read.events + (history?.events?.length ?? 0), nextPageToken };
    }
  };
}

const NOTHING_READ = { runId: '', events: 0 };

/** Temporal's limit for a page. */
const MOST_PER_PAGE = 1000;

/** What visibility lists; it lags behind by a moment. Pages are fetched as they are read. */
export async function* listed(
  { workflowService, options: { namespace } }: Client,
  query: string,
  pageSize = MOST_PER_PAGE,
): AsyncGenerator<KnownWorkflow, void, undefined> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const call = workflowService.listWorkflowExecutions({
      ...{ namespace, query, pageSize: Math.min(pageSize, MOST_PER_PAGE) },
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
    const page = await call.catch((error: unknown) => {
      throw isAboutNamespace(error) ? new NamespaceNotFoundError(namespace) : error;
    });
    yield* page.executions.map(known);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
}

function known(info: Info): KnownWorkflow {
  const { WorkflowExecutionStatus } = proto.temporal.api.enums.v1;
  const status = WorkflowExecutionStatus[info.status ?? 0] ?? '';
  return {
    workflowId: info.execution?.workflowId ?? '',
    runId: info.execution?.runId ?? '',
    type: info.type?.name ?? '',
    taskQueue: info.taskQueue ?? '',
    // As the SDK spells them.
    status: status.replace('WORKFLOW_EXECUTION_STATUS_', '').replace('CANCELED', 'CANCELLED'),
    startedAt: new Date(tsToMs(info.startTime)),
    closedAt: info.closeTime == null ? null : new Date(tsToMs(info.closeTime)),
    attributes: decodeTypedSearchAttributes(info.searchAttributes?.indexedFields),
    memo: info.memo?.fields ?? {},
  };
}
