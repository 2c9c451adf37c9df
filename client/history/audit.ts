/** Who sent what, when and why. Read from event history alone, so it needs no worker and covers closed jobs. */
import type { Client } from '@temporalio/client';
import {
  HOLD_ALL_WORKFLOW_ID,
  WORKFLOW_TYPE,
  type Attempt,
  type SendOutcome,
} from '../../workflows/contract/contract.js';
import { recordOf, takeUp } from '../../workflows/rules/send.js';
import { ConfigurationError } from '../../environment/configuration-error.js';
import { hasUnknown } from '../../workflows/rules/verdict.js';
import { attemptsByIntent, type HistoricAttempt } from './attempts.js';
import { sendsIn } from './earlier-sends.js';
import { entriesOf, resetIn, withReason, type AuditEntry } from './entries.js';
import { lastOf, listed, orNotFound, type DescribedWorkflow } from '../temporal/jobs.js';
import { historiesOf, isOver, noDeadline, runIdsOf, type Call, type Run, type RunHistory } from './history.js';

/** A send with at least one attempt, by all histories together. */
export interface AuditedSend {
  readonly resend: boolean;
  /** The resends for which it was begun; none for a first send, which serves all earlier requests. */
  readonly requestIds: readonly string[];
  /** By the attempts alone: the entries show how a person closed it. */
  readonly outcome: SendOutcome;
  /** Oldest first; `runId` names the Temporal run that made the attempt. */
  readonly attempts: readonly Attempt[];
}

export interface Audit {
  readonly workflowId: string;
  /** All runs of this workflow id that Temporal still keeps, oldest first. */
  readonly runIds: readonly string[];
  /** The ids of other workflows that were started for the same bill run; the entries include theirs. */
  readonly aliases: readonly string[];
  /** What Temporal no longer keeps, one sentence each; empty if this is all. */
  readonly incomplete: readonly string[];
  readonly sends: readonly AuditedSend[];
  /** Oldest first. */
  readonly entries: readonly AuditEntry[];
}

/**
 * Reads the event histories of all runs of a workflow id, and of the jobs that handed their requests to it.
 *
 * @param call makes one call to Temporal, with a deadline
 */
export async function auditOf(client: Client, workflowId: string, call = noDeadline): Promise<Audit> {
  // Visibility lags behind by a moment, so the newest run is described directly.
  const newest = orNotFound(await call(() => lastOf(client, workflowId)), workflowId);
  const runIds = [...new Set([...((await call(() => runIdsOf(client, workflowId))) ?? []), newest.runId])];
  const runs = runIds.map((runId) => ({ workflowId, runId }));
  const aliases = await call(() => aliasesOf(client, workflowId));
  const histories: RunHistory[] = [];
  const unreadable: string[] = [];
  const skip = ({ runId }: Run, error?: unknown): void => {
    // If not even the newest run can be decoded, this process lacks the codec.
    if (runId === newest.runId && error instanceof ConfigurationError) throw error;
    unreadable.push(runId);
  };
  for await (const history of historiesOf(client, [...runs, ...aliases], skip, call)) histories.push(history);

  const { loadedDataConverter: converter } = client.options;
  const entries: AuditEntry[] = [];
  for (const history of histories) entries.push(...(await entriesOf(history, runIds, converter)));
  // Who held all jobs, if that kept this one back.
  if (entries.some(({ event, text }) => event === 'state' && text === 'Held (all)')) {
    const since = Math.min(...entries.map(({ at }) => Date.parse(at)));
    entries.push(...(await holdAllEntries(client, since, skip, call)));
  }
  entries.push(...pausedActivities(newest));
  const sends = [...(await attemptsByIntent(histories, converter, skip)).values()].flatMap(sendsIn).map(auditedSend);
  return {
    workflowId,
    runIds,
    aliases: [...new Set(aliases.map((alias) => alias.workflowId))],
    incomplete: [
      ...histories.flatMap((history) => missing(history, histories)),
      ...unreadable.map((runId) => `the history of run ${runId} cannot be read, so it is not known what it sent`),
    ],
    sends: sends.sort((one, other) => byTime(one.attempts[0]?.startedAt, other.attempts[0]?.startedAt)),
    // Sorting is stable: events of the same millisecond keep their order.
    entries: entries.sort((one, other) => byTime(one.at, other.at)),
  };
}

/** What the newest run does now, and somebody paused. */
function pausedActivities({ workflowId, runId, paused }: DescribedWorkflow): readonly AuditEntry[] {
  return paused.flatMap(({ what, at, by: identity, reason }) =>
    what === 'job' || at === null
      ? []
      : [
          {
            ...{ at, workflowId, runId, eventId: 0, event: 'paused', identity, requestedBy: null },
            text: withReason(`${what} paused in Temporal, and not unpaused since`, { reason }),
          },
        ],
  );
}

/** The holds on all that had not ended by then (epoch, ms). */
async function holdAllEntries(
  client: Client,
  since: number,
  skip: (run: Run) => void,
  call: Call,
): Promise<AuditEntry[]> {
  const runIds = (await call(() => runIdsOf(client, HOLD_ALL_WORKFLOW_ID))) ?? [];
  const runs = runIds.map((runId) => ({ workflowId: HOLD_ALL_WORKFLOW_ID, runId }));
  const entries: AuditEntry[] = [];
  for await (const history of historiesOf(client, runs, skip, call)) {
    const ofRun = await entriesOf(history, runIds, client.options.loadedDataConverter);
    if (isOver(history.events) && Date.parse(ofRun.at(-1)?.at ?? '') < since) continue;
    entries.push(...ofRun.map((entry) => ({ ...entry, text: `hold on all jobs: ${entry.text}` })));
  }
  return entries;
}

function byTime(one: string | undefined, other: string | undefined): number {
  return Date.parse(one ?? '') - Date.parse(other ?? '');
}

/** The runs of other workflow ids for the bill run that this id names. */
async function aliasesOf(client: Client, workflowId: string): Promise<{ workflowId: string; runId: string }[]> {
  const number = workflowId.split('/').at(-1) ?? '';
  const aliases: { workflowId: string; runId: string }[] = [];
  if (!/^[\w.-]+$/.test(number)) return aliases;
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND EmailState = 'HandedOver' AND BillRunNumber = '${number}'`;
  for await (const { workflowId: id, runId } of listed(client, query)) {
    if (id !== workflowId) aliases.push({ workflowId: id, runId });
  }
  return aliases;
}

/** The runs to which a history refers, and which Temporal no longer keeps. */
function missing({ runId, events }: RunHistory, kept: readonly RunHistory[]): string[] {
  const gap = (id: string | null | undefined, relation: string): string[] =>
    id == null || id === '' || kept.some((history) => history.runId === id)
      ? []
      : [`run ${runId} ${relation} run ${id}, whose history Temporal no longer keeps`];
  return [
    ...gap(events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId, 'continues'),
    ...gap(resetIn(events)?.baseRunId, 'is a reset of'),
  ];
}

function auditedSend(historic: readonly HistoricAttempt[]): AuditedSend {
  const send = takeUp(
    1,
    [],
    historic.map(({ resend, served, copiedTo, ...attempt }) => attempt),
  );
  const { attempts } = recordOf(send);
  return {
    resend: historic.some(({ resend }) => resend),
    requestIds: [...new Set(historic.flatMap(({ served }) => served))],
    outcome: outcomeOf(attempts, hasUnknown(send)),
    attempts,
  };
}

function outcomeOf(attempts: readonly Attempt[], unknown: boolean): SendOutcome {
  if (attempts.some(({ verdict }) => verdict === 'accepted')) return 'accepted';
  if (unknown) return 'unknown';
  return attempts.at(-1)?.verdict === 'refused' ? 'refused' : 'pending';
}
