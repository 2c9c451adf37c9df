/**
 * What a start does, by Temporal's `describe` of the last job alone: that needs no worker, history or result. The whole table is in
 * docs/how-it-works.md.
 */
import type { Client } from '@temporalio/client';
import { decodeOptionalSinglePayload } from '@temporalio/common/lib/internal-non-workflow/index.js';
import {
  EMAIL_REASONS,
  EMAIL_STATES,
  WORKFLOW_TYPE,
  type EmailReason,
  type EmailState,
  type JobMemo,
} from '../workflows/contract/contract.js';
import { searchAttributes } from '../workflows/contract/search-attributes.js';
import { lastOf, type DescribedWorkflow, type KnownWorkflow } from './temporal/jobs.js';

/** The last job of a workflow id. */
export interface LastJob extends Pick<
  DescribedWorkflow,
  'workflowId' | 'runId' | 'type' | 'taskQueue' | 'status' | 'isChanging' | 'paused' | 'historyLength'
> {
  readonly isOpen: boolean;
  readonly state: EmailState | null;
  readonly reason: EmailReason | null;
  /** Since when it has its state and reason. */
  readonly since: Date | null;
  readonly closedAt: Date | null;
  readonly billRunNumber: string | null;
  /** How many sends Zuora accepted in all jobs of the id, and the last resends of those. */
  readonly sends: number;
  readonly resends: readonly string[];
  /** How many documents were not sent; null if that is not known. */
  readonly documentsNotSent: number | null;
}

export interface Wanted {
  /** The request id of a resend; absent for a start. */
  readonly resend?: string | undefined;
  /** Only what was not sent, as by `retry` on a closed job. */
  readonly missing?: boolean | undefined;
  readonly again: boolean;
}

/**
 * - `start`: a new job. `join`: the open one.
 * - `alreadyEmailed`: nothing to do. `stopped`: a person closed the last job, and only `again` opens another.
 * - `handedOver`: the job of another id decides.
 * - `nothingMissing`: only what was not sent is wanted, and nothing is known to be.
 */
export type Decision = 'start' | 'join' | 'alreadyEmailed' | 'stopped' | 'handedOver' | 'nothingMissing';

export function decide(last: LastJob, { resend, missing = false, again }: Wanted): Decision {
  const isEmailed = resend === undefined ? isEmailedIn(last) : last.resends.includes(resend);
  if (isEmailed && !missing) return 'alreadyEmailed';
  if (last.isOpen) return 'join';
  if (last.state === 'HandedOver' && last.billRunNumber !== null) return 'handedOver';
  if (missing) return isMissingIn(last) ? 'start' : 'nothingMissing';
  return resend === undefined && isClosedByPerson(last) && !again ? 'stopped' : 'start';
}

/** Zuora accepted a send of ours, or sent by itself. */
export function isEmailedIn(last: Pick<LastJob, 'sends' | 'status' | 'state'>): boolean {
  return last.sends > 0 || isLeftToOthers(last);
}

/** It completed without a send of ours: only Zuora itself, or somebody else, emailed. */
function isLeftToOthers({ sends, status, state }: Pick<LastJob, 'sends' | 'status' | 'state'>): boolean {
  return sends === 0 && status === 'COMPLETED' && (state === 'Emailed' || state === 'Delivering');
}

/** What others emailed may have missed some; the new job checks that before it sends. */
function isMissingIn(last: LastJob): boolean {
  return (last.documentsNotSent ?? 0) > 0 || isLeftToOthers(last);
}

function isClosedByPerson({ status, state }: LastJob): boolean {
  return status === 'CANCELLED' || status === 'TERMINATED' || (status === 'COMPLETED' && state === 'Stopped');
}

export async function lastJob(client: Client, workflowId: string): Promise<LastJob | undefined> {
  const last = await lastOf(client, workflowId);
  if (last === undefined) return undefined;
  const { runId, type, taskQueue, status, isChanging, paused, historyLength, closedAt, attributes } = last;
  return {
    ...{ workflowId, runId, type, taskQueue, status, isChanging, paused, historyLength },
    isOpen: closedAt === null,
    closedAt,
    state: emailStateIn(last),
    reason: emailReasonIn(last),
    since: attributes.get(searchAttributes.emailStateSince) ?? null,
    billRunNumber: attributes.get(searchAttributes.billRunNumber) ?? null,
    sends: attributes.get(searchAttributes.emailSends) ?? 0,
    resends: type === WORKFLOW_TYPE ? await resendsIn(client, last) : [],
    documentsNotSent: attributes.get(searchAttributes.documentsNotSent) ?? null,
  };
}

/** None if this process lacks the codec of the memo: a job that is opened then looks them up itself. */
async function resendsIn(client: Client, { workflowId, memo }: KnownWorkflow): Promise<readonly string[]> {
  const { loadedDataConverter: converter, namespace } = client.options;
  const context = { type: 'workflow', namespace, workflowId } as const;
  const resends: unknown = await decodeOptionalSinglePayload(
    converter,
    memo['resends' satisfies keyof JobMemo],
    context,
  ).catch(() => undefined);
  return Array.isArray(resends) ? resends.filter((each): each is string => typeof each === 'string') : [];
}

/** The state that Temporal lists; it needs no worker. */
export function emailStateIn({ attributes }: Pick<KnownWorkflow, 'attributes'>): EmailState | null {
  const state = attributes.get(searchAttributes.emailState);
  return EMAIL_STATES.find((each) => each === state) ?? null;
}

/** The cause of the state; null for a state without one. */
export function emailReasonIn({ attributes }: Pick<KnownWorkflow, 'attributes'>): EmailReason | null {
  const reason = attributes.get(searchAttributes.emailReason);
  return EMAIL_REASONS.find((each) => each === reason) ?? null;
}
