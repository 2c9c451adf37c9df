/** Who sent what, when and why. Read from event history alone, so it needs no worker and covers closed jobs. */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import {
  HOLD_ALL_WORKFLOW_ID,
  WORKFLOW_TYPE,
  type Attempt,
  type SendOutcome,
} from '../../workflows/contract/contract.js';
import { searchAttributes } from '../../workflows/contract/search-attributes.js';
import { recordOf, takeUp } from '../../workflows/rules/send.js';
import { ConfigurationError } from '../../environment/configuration-error.js';
import { stateInWords } from '../../workflows/rules/text.js';
import { hasUnknown } from '../../workflows/rules/verdict.js';
import { attemptsByIntent, type HistoricAttempt } from './attempts.js';
import { sendsIn } from './earlier-sends.js';
import { entriesOf, entryOf, resetIn, withReason, type AuditEntry } from './entries.js';
import { versionHere } from '../../environment/version.js';
import { lastOf, listed, orNotFound, type DescribedWorkflow } from '../temporal/jobs.js';
import { retentionDays } from '../temporal/retention.js';
import {
  historiesOf,
  isOver,
  noDeadline,
  runIdsOf,
  runsWith,
  type Call,
  type Run,
  type RunHistory,
} from './history.js';

/** A send with at least one attempt, by all histories together. */
export interface AuditedSend {
  readonly resend: boolean;
  /** Such as `first send`, or `resend TICKET-1`. */
  readonly name: string;
  /** Who says to have asked for it, as far as messages name the request. */
  readonly requestedBy: readonly string[];
  /** The resends for which it was begun; none for a first send, which serves all earlier requests. */
  readonly requestIds: readonly string[];
  /** By the attempts alone: the entries show how a person closed it. */
  readonly outcome: SendOutcome;
  /** Oldest first; `runId` names the Temporal run that made the attempt. */
  readonly attempts: readonly Attempt[];
}

/** When and from where an audit was read, and how the last job stands. */
export interface AuditHead {
  readonly generatedAt: string;
  /** The identity of the client that read it. */
  readonly generatedBy: string;
  /** Of bill-run-emails. */
  readonly version: string;
  readonly namespace: string;
  /** How many days Temporal keeps closed jobs, and so the audit; null if it does not say. */
  readonly retentionDays: number | null;
  /** Temporal's status of the last job, such as `RUNNING`, and its `EmailState` with the reason. */
  readonly status: string;
  readonly state: string | null;
  readonly since: string | null;
}

export interface Audit {
  readonly workflowId: string;
  /** The answer on top: how often customers were emailed, for whom, and what became of the documents. */
  readonly answer: string;
  readonly head: AuditHead;
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
  const newest = orNotFound(await call(() => lastOf(client, workflowId)), workflowId);
  const runs = await runsWith(client, newest, call);
  const runIds = runs.map(({ runId }) => runId);
  const aliases = await call(() => aliasesOf(client, workflowId));
  const histories: RunHistory[] = [];
  const gaps: string[] = [];
  const skip = ({ runId }: Run, error?: unknown): void => {
    // If not even the newest run can be decoded, this process lacks the codec.
    if (runId === newest.runId && error instanceof ConfigurationError) throw error;
    gaps.push(`the history of run ${runId} cannot be read, so it is not known what it sent`);
  };
  for await (const history of historiesOf(client, [...runs, ...aliases], skip, call)) histories.push(history);

  const { loadedDataConverter: converter } = client.options;
  const entries: AuditEntry[] = [];
  for (const history of histories) entries.push(...(await entriesOf(history, runIds, converter)));
  // Who held all jobs, if that kept this one back.
  if (entries.some(({ text }) => text === 'Held (all)')) {
    const since = Math.min(...entries.map(({ at }) => Date.parse(at)));
    const skipHold = ({ runId }: Run): void => {
      gaps.push(`the history of a hold on all jobs, run ${runId}, cannot be read, so it is not known who asked for it`);
    };
    entries.push(...(await holdAllEntries(client, since, skipHold, call)));
  }
  entries.push(...pausedActivities(newest));
  const sends = [...(await attemptsByIntent(histories, converter, skip)).values()]
    .flatMap(sendsIn)
    .map((historic) => auditedSend(historic, entries))
    .sort((one, other) => byTime(one.attempts[0]?.startedAt, other.attempts[0]?.startedAt));
  return {
    ...{ workflowId, answer: answerOf(sends, entries), head: await headOf(client, newest, call) },
    runIds,
    aliases: [...new Set(aliases.map((alias) => alias.workflowId))],
    incomplete: [...histories.flatMap((history) => missing(history, histories)), ...gaps],
    sends,
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
          entryOf(
            { at, workflowId, runId, eventId: 0 },
            {
              event: 'paused',
              identity,
              text: withReason(`${what} paused in Temporal, and not unpaused since`, { reason }),
            },
          ),
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
  const runIds = await call(() => runIdsOf(client, HOLD_ALL_WORKFLOW_ID));
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

async function headOf(client: Client, newest: DescribedWorkflow, call: Call): Promise<AuditHead> {
  const { identity, namespace } = client.options;
  const { attributes, status } = newest;
  const state = attributes.get(searchAttributes.emailState);
  return {
    ...{ generatedAt: new Date().toISOString(), generatedBy: identity, version: versionHere(), namespace },
    ...{ retentionDays: await call(() => keptDays(client)), status },
    state: state === undefined ? null : stateInWords(state, attributes.get(searchAttributes.emailReason)),
    since: attributes.get(searchAttributes.emailStateSince)?.toISOString() ?? null,
  };
}

/** Whole days; null if Temporal refuses to describe the namespace. */
async function keptDays({ workflowService, options: { namespace } }: Client): Promise<number | null> {
  try {
    const days = await retentionDays(workflowService, namespace);
    return days === null ? null : Math.floor(days);
  } catch (error) {
    if (isGrpcServiceError(error)) return null;
    throw error;
  }
}

/** What an auditor asks first. */
function answerOf(sends: readonly AuditedSend[], entries: readonly AuditEntry[]): string {
  const accepted = sends.filter(({ outcome }) => outcome === 'accepted');
  const unknown = sends.filter(({ outcome }) => outcome === 'unknown');
  const counts = entries.findLast(({ documents }) => documents !== null)?.documents;
  return [
    ...(accepted.length === 0
      ? []
      : [`Emailed ${times(accepted.filter(isWhole).length)}: ${accepted.map(nameAndPeople).join('; ')}`]),
    ...(unknown.length === 0 ? [] : [`Not known whether emailed: ${unknown.map(nameAndPeople).join('; ')}`]),
    ...(accepted.length + unknown.length === 0 ? ['The jobs of this bill run have emailed nothing'] : []),
    ...(counts == null ? [] : [counts.replace(/of \d+/, '$& documents')]),
  ]
    .map((sentence) => `${sentence}.`)
    .join(' ');
}

/** The others email only what an earlier send missed. */
function isWhole({ resend, requestIds }: AuditedSend): boolean {
  return resend || requestIds.length === 0;
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}

function nameAndPeople({ name, requestedBy }: AuditedSend): string {
  return requestedBy.length === 0 ? name : `${name} for ${requestedBy.join(', ')}`;
}

function auditedSend(historic: readonly HistoricAttempt[], entries: readonly AuditEntry[]): AuditedSend {
  const send = takeUp(
    1,
    [],
    historic.map(({ resend, served, copiedTo, ...attempt }) => attempt),
  );
  const { attempts } = recordOf(send);
  const resend = historic.some((each) => each.resend);
  const requestIds = [...new Set(historic.flatMap(({ served }) => served))];
  const last = attempts.at(-1)?.startedAt;
  // A first send serves every start before it; a resend, and a send for what was missed, those that name its requests.
  const people = entries
    .filter(({ event, requestId, at }) =>
      requestIds.length > 0 ? requestIds.includes(requestId ?? '') : event === 'started' && byTime(at, last) <= 0,
    )
    .flatMap(({ requestedBy }) => requestedBy ?? []);
  return {
    ...{ resend, requestIds, requestedBy: [...new Set(people)] },
    name: resend
      ? `resend ${requestIds.join(', ')}`
      : requestIds.length > 0
        ? 'retry of what was not sent'
        : 'first send',
    outcome: outcomeOf(attempts, hasUnknown(send)),
    attempts,
  };
}

function outcomeOf(attempts: readonly Attempt[], unknown: boolean): SendOutcome {
  if (attempts.some(({ verdict }) => verdict === 'accepted')) return 'accepted';
  if (unknown) return 'unknown';
  return attempts.at(-1)?.verdict === 'refused' ? 'refused' : 'pending';
}
