/** Who sent what, when and why: read from event history alone, so it needs no worker, and tells of runs that are over. */
import type { Client } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { HandedOver } from '../../workflows/contract/activities.js';
import { ConfigurationError } from '../../environment/environment.js';
import { WORKFLOW_TYPE, type Attempt, type SendOutcome } from '../../workflows/contract/contract.js';
import { hasUnknown, recordOf, takeUp } from '../../workflows/rules/send.js';
import { attemptsByIntent, isAttempt, isReceipt, type HistoricAttempt } from './attempts.js';
import { firstOf, historiesOf, runIdsOf, timeOf, type HistoryEvent, type RunHistory } from './history.js';

/** One thing that happened, as Temporal recorded it. */
export interface AuditEntry {
  readonly at: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly eventId: number;
  /**
   * - `started`, `continued`, `reset`, `closed`: the beginnings and the ends of runs.
   * - `signal`, `update`, `cancelRequested`: what people and pipelines said.
   * - `status`: what Zuora said of the bill run. `state`: the `EmailState` of the run.
   * - `attempt`, `attemptEnded`: a call to email the documents, and what came of it.
   * - `handover`: requests that went to the run which emails the bill run.
   */
  readonly event:
    | 'started'
    | 'signal'
    | 'update'
    | 'cancelRequested'
    | 'status'
    | 'state'
    | 'attempt'
    | 'attemptEnded'
    | 'handover'
    | 'reset'
    | 'continued'
    | 'closed';
  /** The identity that Temporal recorded with the event; null where it recorded none, as for signals from Temporal UI without login. */
  readonly identity: string | null;
  /** Who the message itself says asked: a claim. */
  readonly requestedBy: string | null;
  readonly text: string;
}

/** A send that was attempted, as all histories together tell it. */
export interface AuditedSend {
  readonly resend: boolean;
  /** The resends that it was begun for; none for a first send, which serves whoever asked before it. */
  readonly requestIds: readonly string[];
  /** By the attempts alone: how a person closed it stands in the entries. */
  readonly outcome: SendOutcome;
  /** Oldest first; each tells by `runId` which run made it. */
  readonly attempts: readonly Attempt[];
}

export interface Audit {
  readonly workflowId: string;
  /** All runs that Temporal still keeps of this workflow id, oldest first. */
  readonly runIds: readonly string[];
  /** The ids of other workflows that were started for the same bill run; their entries are here, too. */
  readonly guests: readonly string[];
  /** In words, what Temporal does not keep any more; nothing, where this is all. */
  readonly incomplete: readonly string[];
  readonly sends: readonly AuditedSend[];
  /** Oldest first. */
  readonly entries: readonly AuditEntry[];
}

/** Reads the event histories of all runs of a workflow id, and of those that handed their requests to it. */
export async function auditOf(client: Client, workflowId: string): Promise<Audit> {
  // Visibility lags behind by a moment, so the newest run is asked for by itself.
  const { runId: newest } = await client.workflow.getHandle(workflowId).describe();
  const runIds = [...new Set([...((await runIdsOf(client, workflowId)) ?? []), newest])];
  const runs = runIds.map((runId) => ({ workflowId, runId }));
  const guests = await guestsOf(client, workflowId);
  const histories: RunHistory[] = [];
  for await (const history of historiesOf(client, [...runs, ...guests])) histories.push(history);

  const { loadedDataConverter: converter } = client.options;
  const entries: AuditEntry[] = [];
  for (const history of histories) entries.push(...(await entriesOf(history, runIds, converter)));
  const sends = [...(await attemptsByIntent(histories, converter)).values()].map(auditedSend);
  return {
    workflowId,
    runIds,
    guests: [...new Set(guests.map((guest) => guest.workflowId))],
    incomplete: histories.flatMap((history) => missing(history, histories)),
    sends: sends.sort((one, other) => byTime(one.attempts[0]?.startedAt, other.attempts[0]?.startedAt)),
    // Sorting keeps the order of what happened in the same millisecond of one run.
    entries: entries.sort((one, other) => byTime(one.at, other.at)),
  };
}

function byTime(one: string | undefined, other: string | undefined): number {
  return Date.parse(one ?? '') - Date.parse(other ?? '');
}

/** Runs of other ids for the bill run that this workflow id names. */
async function guestsOf(client: Client, workflowId: string): Promise<{ workflowId: string; runId: string }[]> {
  const number = workflowId.split('/').at(-1) ?? '';
  const guests: { workflowId: string; runId: string }[] = [];
  if (!/^[\w.-]+$/.test(number)) return guests;
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND EmailState = 'HandedOver' AND BillRunNumber = '${number}'`;
  for await (const { workflowId: id, runId } of client.workflow.list({ query })) {
    if (id !== workflowId) guests.push({ workflowId: id, runId });
  }
  return guests;
}

/** What a history refers to and Temporal does not keep any more. */
function missing({ runId, events }: RunHistory, kept: readonly RunHistory[]): string[] {
  const isKept = (id: string): boolean => kept.some((history) => history.runId === id);
  const told = (id: string | null | undefined, how: string): string[] =>
    id == null || id === '' || isKept(id)
      ? []
      : [`run ${runId} ${how} run ${id}, whose history Temporal does not keep any more`];
  return [
    ...told(events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId, 'continues'),
    ...told(resetIn(events)?.attributes.baseRunId, 'came of a reset of'),
  ];
}

/** Where the events end that a reset copied from another run. */
function resetIn(events: readonly HistoryEvent[]) {
  const event = events.findLast(({ workflowTaskFailedEventAttributes: failed }) => {
    return failed?.baseRunId != null && failed.baseRunId !== '';
  });
  const attributes = event?.workflowTaskFailedEventAttributes;
  return event === undefined || attributes == null ? undefined : { eventId: Number(event.eventId), attributes };
}

function auditedSend(historic: readonly HistoricAttempt[]): AuditedSend {
  const send = takeUp(
    1,
    [],
    historic.map(({ resend, served, ...attempt }) => attempt),
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

type Told = Pick<AuditEntry, 'event' | 'text'> & Partial<Pick<AuditEntry, 'identity' | 'requestedBy'>>;

async function entriesOf(
  { workflowId, runId, events }: RunHistory,
  runIds: readonly string[],
  converter: LoadedDataConverter,
): Promise<AuditEntry[]> {
  const reset = resetIn(events);
  // What a reset copied stands in the other run's history, as long as that is kept.
  const copied = reset !== undefined && runIds.includes(reset.attributes.baseRunId ?? '') ? reset.eventId - 1 : 0;
  const scheduled = new Map<string, HistoryEvent>();
  const entries: AuditEntry[] = [];
  for (const event of events) {
    const eventId = Number(event.eventId);
    if (event.activityTaskScheduledEventAttributes) scheduled.set(String(eventId), event);
    if (eventId <= copied) continue;
    const at = new Date(timeOf(event)).toISOString();
    for (const told of [await tell(event, scheduled, converter), await tellOfState(event, converter)]) {
      if (told === undefined) continue;
      const { event: what, identity = '', requestedBy = null, text } = told;
      entries.push({
        at,
        workflowId,
        runId,
        eventId,
        event: what,
        identity: identity === '' ? null : identity,
        requestedBy,
        text,
      });
    }
  }
  return entries;
}

async function tell(
  event: HistoryEvent,
  scheduled: ReadonlyMap<string, HistoryEvent>,
  converter: LoadedDataConverter,
): Promise<Told | undefined> {
  const started = event.workflowExecutionStartedEventAttributes;
  if (started) {
    const argument = await first(converter, started.input?.payloads);
    const { identity, continuedExecutionRunId: before } = started;
    if (before) return { event: 'continued', text: `continues run ${before}` };
    return { event: 'started', identity: identity ?? '', ...claim(argument), text: `started with ${json(argument)}` };
  }
  const signaled = event.workflowExecutionSignaledEventAttributes;
  if (signaled) {
    const { signalName: name, identity, input } = signaled;
    return tellOfMessage('signal', { name, identity, argument: await first(converter, input?.payloads) });
  }
  const updated = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
  if (updated) {
    const { input, meta } = updated;
    const argument = await first(converter, input?.args?.payloads);
    return tellOfMessage('update', { name: input?.name, identity: meta?.identity, argument });
  }
  const canceled = event.workflowExecutionCancelRequestedEventAttributes;
  if (canceled) return { event: 'cancelRequested', identity: canceled.identity ?? '', text: 'cancellation asked for' };
  return (await tellOfActivity(event, scheduled, converter)) ?? tellOfEnd(event, converter);
}

/** The state that an event brings: that of a run which our library started is told with the start. */
async function tellOfState(event: HistoryEvent, converter: LoadedDataConverter): Promise<Told | undefined> {
  const started = event.workflowExecutionStartedEventAttributes;
  // A run that goes on as a new one was in this state before.
  const shown = started?.continuedExecutionRunId ? undefined : started;
  const { searchAttributes } = event.upsertWorkflowSearchAttributesEventAttributes ?? shown ?? {};
  const state = searchAttributes?.indexedFields?.['EmailState'];
  return state ? { event: 'state', text: plain(await first(converter, [state])) } : undefined;
}

function tellOfMessage(
  event: 'signal' | 'update',
  {
    name,
    identity,
    argument,
  }: { name: string | null | undefined; identity: string | null | undefined; argument: unknown },
): Told {
  const text = `${event} ${name ?? ''}${argument === undefined ? '' : ` with ${json(argument)}`}`;
  return { event, identity: identity ?? '', ...claim(argument), text };
}

async function tellOfActivity(
  event: HistoryEvent,
  scheduled: ReadonlyMap<string, HistoryEvent>,
  converter: LoadedDataConverter,
): Promise<Told | undefined> {
  const attempt = event.activityTaskScheduledEventAttributes;
  if (attempt) {
    if (attempt.activityType?.name !== 'emailBillRunDocuments') return undefined;
    const input = await own(converter, attempt.input?.payloads);
    const what = isAttempt(input) ? `resend=${input.resend}, key ${input.idempotencyKey}` : `with ${json(input)}`;
    return { event: 'attempt', text: `attempt to email, ${what}` };
  }
  const completed = event.activityTaskCompletedEventAttributes;
  const lost = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
  const attemptOf = scheduled.get(String((completed ?? lost)?.scheduledEventId))?.activityTaskScheduledEventAttributes;
  switch (attemptOf?.activityType?.name) {
    case 'watchBillRun': {
      if (!completed) return undefined;
      const billRun = (await own(converter, completed.result?.payloads)) as { number?: string; status?: string };
      return { event: 'status', text: `bill run ${billRun.number ?? '?'} is ${billRun.status ?? '?'}` };
    }
    case 'handOver': {
      if (!completed) return undefined;
      const handedOver = await own(converter, completed.result?.payloads);
      const requests = Array.isArray(handedOver)
        ? (handedOver as readonly HandedOver[]).map(({ requestId, result }) => `request ${requestId}: ${result}`)
        : [json(handedOver)];
      return { event: 'handover', text: `handed over to the bill run's own workflow: ${requests.join('; ')}` };
    }
    case 'emailBillRunDocuments': {
      const input = await own(converter, attemptOf.input?.payloads);
      const failure = await decodeOptionalFailureToOptionalError(converter, lost?.failure);
      const cause = failure?.cause instanceof Error ? failure.cause : failure;
      const text = completed
        ? outcomeText(await own(converter, completed.result?.payloads), isAttempt(input) ? input.trackId : null)
        : `attempt ended without a receipt: ${cause?.message ?? 'no reason'}`;
      return { event: 'attemptEnded', identity: completed?.identity ?? '', text };
    }
    default:
      return undefined;
  }
}

function outcomeText(receipt: unknown, trackId: string | null): string {
  if (!isReceipt(receipt)) return `ended with ${json(receipt)}`;
  if (!receipt.called) return `no call was made (${receipt.why})`;
  const { verdict, httpStatus, zuoraRequestId, echoedTrackId, reasons } = receipt;
  // Another track id than was sent: the reply was made for an earlier attempt, and nothing left again.
  const stored = echoedTrackId !== null && echoedTrackId !== trackId;
  return [
    stored ? `${verdict} (stored reply)` : verdict,
    httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`,
    ...(zuoraRequestId === null ? [] : [`Zuora request ${zuoraRequestId}`]),
    ...reasons.map(({ code, message }) => `${code}: ${message}`),
  ].join(', ');
}

async function tellOfEnd(event: HistoryEvent, converter: LoadedDataConverter): Promise<Told | undefined> {
  const reset = event.workflowTaskFailedEventAttributes;
  if (reset?.baseRunId) {
    const { identity, baseRunId, failure } = reset;
    return { event: 'reset', identity: identity ?? '', text: `reset of run ${baseRunId}: ${failure?.message ?? ''}` };
  }
  const failed = event.workflowExecutionFailedEventAttributes;
  if (failed) {
    const failure = await decodeOptionalFailureToOptionalError(converter, failed.failure);
    return { event: 'closed', text: `failed: ${failure?.message ?? 'no reason'}` };
  }
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (terminated) {
    const text = `terminated${terminated.reason ? `: ${terminated.reason}` : ''}`;
    return { event: 'closed', identity: terminated.identity ?? '', text };
  }
  if (event.workflowExecutionCompletedEventAttributes) return { event: 'closed', text: 'completed' };
  if (event.workflowExecutionCanceledEventAttributes) return { event: 'closed', text: 'canceled' };
  if (event.workflowExecutionTimedOutEventAttributes) return { event: 'closed', text: 'timed out' };
  // The run that continues it says so itself.
  return undefined;
}

/** What anybody may have sent. */
async function first(...encoded: Parameters<typeof firstOf>): Promise<unknown> {
  return firstOf(...encoded).catch((error: unknown) =>
    error instanceof ConfigurationError ? `(${error.message})` : '(cannot be decoded)',
  );
}

/** Inputs and results of our activities. There is no audit without the codecs that decode them. */
async function own(...encoded: Parameters<typeof firstOf>): Promise<unknown> {
  return firstOf(...encoded).catch((error: unknown) => {
    if (error instanceof ConfigurationError) throw error;
    return '(cannot be decoded)';
  });
}

function claim(argument: unknown): { requestedBy?: string } {
  const who =
    typeof argument === 'object' && argument !== null && 'requestedBy' in argument ? argument.requestedBy : '';
  return typeof who === 'string' && who !== '' ? { requestedBy: who } : {};
}

function plain(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}

function json(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
