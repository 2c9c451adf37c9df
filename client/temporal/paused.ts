/** What somebody paused by Temporal's own buttons. Temporal tells it without a worker; an activity's pause leaves no event. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { TypedSearchAttributes } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { EMAIL_REASONS, EMAIL_STATES, type JobStatus } from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';

export interface Pause {
  /** The whole job, or what it does now. */
  readonly what: 'job' | (typeof ACTIVITIES)[keyof typeof ACTIVITIES] | 'activity';
  /** The identity that Temporal recorded; null if it recorded none, as for Temporal UI without login. */
  readonly by: string | null;
  readonly at: string | null;
  readonly reason: string | null;
}

const ACTIVITIES = {
  emailBillRunDocuments: 'attempt',
  watchBillRun: 'look',
  watchDelivery: 'check of documents',
  watchHoldAll: 'look for a hold on all',
  earlierSends: 'look-up',
  handOver: 'handover',
} as const;

type Described = Pick<WorkflowExecutionDescription['raw'], 'workflowExtendedInfo' | 'pendingActivities'>;
type Timestamp = Parameters<typeof tsToMs>[0];

/** Empty for a closed job: Temporal forgets it. */
export function pausesIn({ workflowExtendedInfo, pendingActivities }: Described): readonly Pause[] {
  const job = workflowExtendedInfo?.pauseInfo;
  const activities = (pendingActivities ?? []).filter(({ paused }) => paused === true);
  return [
    ...(job == null ? [] : [pause('job', job, job.pausedTime)]),
    ...activities.map(({ activityType, pauseInfo }) =>
      pause(whatOf(activityType?.name ?? ''), pauseInfo?.manual ?? pauseInfo?.rule, pauseInfo?.pauseTime),
    ),
  ];
}

/** The status of a job that answers no query, by what Temporal lists. */
export function listedStatus({
  attributes: indexed,
  status,
  closedAt,
}: {
  readonly attributes: TypedSearchAttributes;
  readonly status: string;
  readonly closedAt: Date | null;
}): JobStatus {
  const reason = indexed.get(searchAttributes.emailReason);
  const state = indexed.get(searchAttributes.emailState);
  return {
    state: EMAIL_STATES.find((each) => each === state) ?? (closedAt === null ? 'Waiting' : 'NotPosted'),
    reason: EMAIL_REASONS.find((each) => each === reason) ?? null,
    since: indexed.get(searchAttributes.emailStateSince)?.toISOString() ?? null,
    text: status === 'PAUSED' ? PAUSED : NO_WORKER,
    until: null,
    question: null,
    billRunNumber: indexed.get(searchAttributes.billRunNumber) ?? null,
    billRunId: indexed.get(searchAttributes.billRunId) ?? null,
    billRunStatus: indexed.get(searchAttributes.billRunStatus) ?? null,
    documents: null,
    sends: indexed.get(searchAttributes.emailSends) ?? 0,
    pendingRequests: [],
    ignored: { count: 0, last: [] },
  };
}

const PAUSED =
  'The job is paused in Temporal. Until somebody unpauses it, no attempt begins, and only its last listed state is known.';
const NO_WORKER =
  'No worker answered in time, so only what Temporal lists is known. Nothing begins until one runs; bill-run-emails doctor says more.';

function whatOf(activity: string): Pause['what'] {
  return Object.hasOwn(ACTIVITIES, activity) ? ACTIVITIES[activity as keyof typeof ACTIVITIES] : 'activity';
}

function pause(
  what: Pause['what'],
  by: { readonly identity?: string | null; readonly reason?: string | null } | null | undefined,
  at: Timestamp,
): Pause {
  const { identity, reason } = by ?? {};
  return {
    what,
    by: textIn(identity),
    at: at == null ? null : new Date(tsToMs(at)).toISOString(),
    reason: textIn(reason),
  };
}

/** Temporal writes an absent text as an empty one. */
function textIn(text: string | null | undefined): string | null {
  return text == null || text === '' ? null : text;
}
