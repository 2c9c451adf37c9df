import type { Client } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import type { AttemptInput, Receipt } from '../activities/types.js';
import { eventsOf, firstOf, runIdsOf, timeOf, type HistoryEvent } from './history.js';

/** One thing that happened, as Temporal recorded it. */
export interface AuditEntry {
  readonly at: string;
  readonly runId: string;
  readonly eventId: number;
  readonly event:
    'started' | 'signal' | 'update' | 'status' | 'attempt' | 'attemptEnded' | 'cancelRequested' | 'closed';
  /** The identity that Temporal recorded with the event; null where it recorded none, as for signals from Temporal UI without login. */
  readonly identity: string | null;
  /** Who the message itself says asked: a claim. */
  readonly requestedBy: string | null;
  readonly text: string;
}

export interface Audit {
  readonly workflowId: string;
  /** All runs that Temporal still keeps under this workflow id, oldest first. */
  readonly runIds: readonly string[];
  readonly entries: readonly AuditEntry[];
}

/** Reads the event histories of all runs of a workflow id. Needs Temporal only, no worker. */
export async function auditOf(client: Client, workflowId: string): Promise<Audit> {
  // Visibility lags behind by a moment, so the newest run is asked for by itself.
  const { runId: newest } = await client.workflow.getHandle(workflowId).describe();
  const runIds = [...new Set([...((await runIdsOf(client, workflowId)) ?? []), newest])];
  const entries: AuditEntry[] = [];
  for (const runId of runIds) {
    const events = await eventsOf(client, workflowId, runId);
    entries.push(...(await entriesOf(events, runId, client.options.loadedDataConverter)));
  }
  return { workflowId, runIds, entries };
}

type Told = Pick<AuditEntry, 'event' | 'text'> & Partial<Pick<AuditEntry, 'identity' | 'requestedBy'>>;

async function entriesOf(
  events: readonly HistoryEvent[],
  runId: string,
  converter: LoadedDataConverter,
): Promise<AuditEntry[]> {
  const scheduled = new Map<string, HistoryEvent>();
  const entries: AuditEntry[] = [];
  for (const event of events) {
    const id = String(event.eventId);
    if (event.activityTaskScheduledEventAttributes) scheduled.set(id, event);
    const told = await tell(event, scheduled, converter);
    if (told === undefined) continue;
    entries.push({
      at: new Date(timeOf(event)).toISOString(),
      runId,
      eventId: Number(id),
      event: told.event,
      identity: told.identity === '' ? null : (told.identity ?? null),
      requestedBy: told.requestedBy ?? null,
      text: told.text,
    });
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
    return {
      event: 'started',
      identity: started.identity ?? '',
      ...claim(argument),
      text: `started with ${json(argument)}`,
    };
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
  return (await tellOfActivity(event, scheduled, converter)) ?? tellOfEnd(event);
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
    const input = (await first(converter, attempt.input?.payloads)) as AttemptInput;
    return { event: 'attempt', text: `attempt to email, resend=${input.resend}, key ${input.idempotencyKey}` };
  }
  const ended =
    event.activityTaskCompletedEventAttributes ??
    event.activityTaskFailedEventAttributes ??
    event.activityTaskTimedOutEventAttributes;
  const attemptOf = scheduled.get(String(ended?.scheduledEventId))?.activityTaskScheduledEventAttributes;
  const name = attemptOf?.activityType?.name;
  const completed = event.activityTaskCompletedEventAttributes;
  const failure = (event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes)?.failure;
  if (name === 'watchBillRun' && completed) {
    const billRun = (await first(converter, completed.result?.payloads)) as { number: string; status: string };
    return { event: 'status', text: `bill run ${billRun.number} is ${billRun.status}` };
  }
  if (name !== 'emailBillRunDocuments') return undefined;
  const input = (await first(converter, attemptOf?.input?.payloads)) as AttemptInput;
  const text = completed
    ? outcomeText((await first(converter, completed.result?.payloads)) as Receipt, input.trackId)
    : `attempt ended without a receipt: ${failure?.cause?.message ?? failure?.message ?? 'no reason'}`;
  return { event: 'attemptEnded', identity: completed?.identity ?? '', text };
}

function outcomeText(receipt: Receipt, trackId: string): string {
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

function tellOfEnd(event: HistoryEvent): Told | undefined {
  const failed = event.workflowExecutionFailedEventAttributes;
  if (failed) return { event: 'closed', text: `failed: ${failed.failure?.message ?? 'no reason'}` };
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (terminated) {
    const text = `terminated${terminated.reason ? `: ${terminated.reason}` : ''}`;
    return { event: 'closed', identity: terminated.identity ?? '', text };
  }
  if (event.workflowExecutionCompletedEventAttributes) return { event: 'closed', text: 'completed' };
  if (event.workflowExecutionCanceledEventAttributes) return { event: 'closed', text: 'canceled' };
  if (event.workflowExecutionTimedOutEventAttributes) return { event: 'closed', text: 'timed out' };
  if (event.workflowExecutionContinuedAsNewEventAttributes) return { event: 'closed', text: 'continued as new' };
  return undefined;
}

async function first(...encoded: Parameters<typeof firstOf>): Promise<unknown> {
  return firstOf(...encoded).catch(() => '(cannot be decoded)');
}

function claim(argument: unknown): { requestedBy?: string } {
  const who =
    typeof argument === 'object' && argument !== null && 'requestedBy' in argument ? argument.requestedBy : '';
  return typeof who === 'string' && who !== '' ? { requestedBy: who } : {};
}

function json(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
