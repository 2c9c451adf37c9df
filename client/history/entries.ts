/** The events of one history that an auditor needs, in words. */
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { ConfigurationError } from '../../environment/configuration-error.js';
import type { AttemptReceipt, HandedOver, NoCallReceipt } from '../../workflows/contract/activities.js';
import type { Decision, EmailBillRunResult, SendRecord } from '../../workflows/contract/contract.js';
import { isCannotRead, isDeliveryCheck, isReceipt } from '../../workflows/contract/activity-failures.js';
import { ANSWER_AWAITED, kindOf, stateInWords } from '../../workflows/rules/text.js';
import { countsInWords } from './document-counts.js';
import { isAttempt, wasTakenBack } from './attempts.js';
import { firstOf, timeOf, type HistoryEvent, type RunHistory } from './history.js';

/** One thing that happened, as Temporal recorded it. */
export interface AuditEntry {
  readonly at: string;
  readonly workflowId: string;
  readonly runId: string;
  /** 0 for a pause of an activity, which leaves no event: the entry is there only until it is unpaused. */
  readonly eventId: number;
  /**
   * - `started`, `continued`, `reset`, `closed`: beginning and end of a Temporal run.
   * - `signal`, `update`, `cancelRequested`: messages of people and pipelines.
   * - `status`: the status of the bill run in Zuora. `state`: the `EmailState` of the job, with its `EmailReason`.
   * - `asked`, `decided`: a question to a person, and the answer that was followed.
   * - `attempt`, `attemptEnded`: a call to email the documents, and its outcome.
   * - `documents`: what became of the documents, by a check of Zuora.
   * - `handover`: requests that went to the canonical job of the bill run.
   * - `paused`, `resumed`: Temporal's own buttons.
   */
  readonly event:
    | 'started'
    | 'signal'
    | 'update'
    | 'cancelRequested'
    | 'status'
    | 'state'
    | 'asked'
    | 'decided'
    | 'attempt'
    | 'attemptEnded'
    | 'documents'
    | 'handover'
    | 'paused'
    | 'resumed'
    | 'reset'
    | 'continued'
    | 'closed';
  /** The identity that Temporal recorded with the event; null if there is none, as for signals from Temporal UI without login. */
  readonly identity: string | null;
  /** The sender's own claims, in the message. */
  readonly requestedBy: string | null;
  readonly requestId: string | null;
  readonly reason: string | null;
  /** Of an attempt, and of its end. */
  readonly resend: boolean | null;
  readonly idempotencyKey: string | null;
  readonly verdict: string | null;
  readonly httpStatus: number | null;
  readonly zuoraRequestId: string | null;
  /** Of a check: how many documents have each outcome. */
  readonly documents: string | null;
  readonly text: string;
}

const NO_DETAILS = Object.freeze({
  ...{ identity: null, requestedBy: null, requestId: null, reason: null },
  ...{ resend: null, idempotencyKey: null, verdict: null, httpStatus: null, zuoraRequestId: null, documents: null },
});

type Description = Pick<AuditEntry, 'event' | 'text'> & {
  readonly [Detail in keyof typeof NO_DETAILS]?: AuditEntry[Detail] | undefined;
};

/** @param runIds the runs of the audit: events that a reset copied from one of them are left to its own history */
export async function entriesOf(
  { workflowId, runId, events }: RunHistory,
  runIds: readonly string[],
  converter: LoadedDataConverter,
): Promise<AuditEntry[]> {
  const reset = resetIn(events);
  const copied = reset !== undefined && runIds.includes(reset.baseRunId) ? reset.eventId - 1 : 0;
  const reader = new Reader(events, converter);
  const entries: AuditEntry[] = [];
  for (const event of events) {
    const descriptions = [
      ...(await reader.decisionsIn(event)),
      await reader.describe(event),
      await reader.stateIn(event),
      await reader.questionIn(event),
    ];
    const eventId = Number(event.eventId);
    if (eventId <= copied) continue;
    const at = new Date(timeOf(event)).toISOString();
    for (const description of descriptions) {
      if (description === undefined) continue;
      entries.push(entryOf({ at, workflowId, runId, eventId }, description));
    }
  }
  return entries;
}

/** Absent and empty details are null. */
export function entryOf(
  where: Pick<AuditEntry, 'at' | 'workflowId' | 'runId' | 'eventId'>,
  { event, text, ...details }: Description,
): AuditEntry {
  const known = Object.entries(details).filter(([, value]) => value !== undefined && value !== '');
  return { ...where, event, ...NO_DETAILS, ...Object.fromEntries(known), text };
}

export function withReason(text: string, { reason }: { readonly reason?: string | null | undefined }): string {
  return reason == null || reason === '' ? text : `${text}: ${reason}`;
}

/** The last event that a reset copied from another run, and that run. */
export function resetIn(events: readonly HistoryEvent[]): { eventId: number; baseRunId: string } | undefined {
  const event = events.findLast(({ workflowTaskFailedEventAttributes: failed }) => Boolean(failed?.baseRunId));
  const baseRunId = event?.workflowTaskFailedEventAttributes?.baseRunId;
  return event === undefined || baseRunId == null ? undefined : { eventId: Number(event.eventId), baseRunId };
}

class Reader {
  readonly #converter: LoadedDataConverter;
  /** The activities of the history, by the id of the event that scheduled them. */
  readonly #scheduled: ReadonlyMap<string, HistoryEvent['activityTaskScheduledEventAttributes']>;
  #state = '';
  #reason = '';
  #question = '';
  readonly #decisions = new Set<string>();

  constructor(events: readonly HistoryEvent[], converter: LoadedDataConverter) {
    this.#converter = converter;
    this.#scheduled = new Map(
      events.map((event) => [String(event.eventId), event.activityTaskScheduledEventAttributes]),
    );
  }

  async describe(event: HistoryEvent): Promise<Description | undefined> {
    const started = event.workflowExecutionStartedEventAttributes;
    if (started) {
      const { identity, input, continuedExecutionRunId: before } = started;
      if (before) return { event: 'continued', text: `continues run ${before}` };
      const argument = await this.#decoded(input?.payloads);
      return { event: 'started', identity, ...claimsIn(argument), text: `started with ${json(argument)}` };
    }
    const signal = event.workflowExecutionSignaledEventAttributes;
    if (signal) return this.#message('signal', signal.signalName, signal.identity, signal.input?.payloads);
    const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
    if (update) {
      return this.#message('update', update.input?.name, update.meta?.identity, update.input?.args?.payloads);
    }
    const cancel = event.workflowExecutionCancelRequestedEventAttributes;
    if (cancel) return { event: 'cancelRequested', identity: cancel.identity, text: 'cancellation requested' };
    const paused = event.workflowExecutionPausedEventAttributes;
    if (paused)
      return { event: 'paused', identity: paused.identity, text: withReason('job paused in Temporal', paused) };
    const resumed = event.workflowExecutionUnpausedEventAttributes;
    if (resumed) {
      return { event: 'resumed', identity: resumed.identity, text: withReason('job unpaused in Temporal', resumed) };
    }
    return (await this.#activity(event)) ?? this.#end(event);
  }

  /** The state after an event that changes it. A start by our library brings the first one. */
  async stateIn(event: HistoryEvent): Promise<Description | undefined> {
    const { searchAttributes } =
      event.upsertWorkflowSearchAttributesEventAttributes ?? event.workflowExecutionStartedEventAttributes ?? {};
    const { EmailState: state, EmailReason: reason } = searchAttributes?.indexedFields ?? {};
    if (state) this.#state = plain(await this.#decoded([state]));
    if (reason) this.#reason = plain(await this.#decoded([reason]));
    // A run that continues another one was in this state before.
    if (event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId) return undefined;
    if (!state && !reason) return undefined;
    this.#question = '';
    return { event: 'state', text: stateInWords(this.#state, this.#reason) };
  }

  /** A question is in the summary of the timer that waits for its answer, again after each message that changes nothing. */
  async questionIn({
    timerStartedEventAttributes: timer,
    userMetadata,
  }: HistoryEvent): Promise<Description | undefined> {
    if (!timer || !userMetadata?.summary) return undefined;
    const summary = plain(await this.#decoded([userMetadata.summary]));
    if (!summary.startsWith(ANSWER_AWAITED) || summary === this.#question) return undefined;
    this.#question = summary;
    return {
      event: 'asked',
      text: withReason(`question (${this.#reason})`, { reason: summary.slice(ANSWER_AWAITED.length) }),
    };
  }

  /**
   * An attempt names the decision that led to it, and the result of a job the decisions that closed it. Attempts of an hour may name the
   * same one, and so does the attempt after one that was taken back.
   */
  async decisionsIn(event: HistoryEvent): Promise<Description[]> {
    const attempt = event.activityTaskScheduledEventAttributes;
    if (attempt?.activityType?.name === 'emailBillRunDocuments') {
      const input = await this.#decoded(attempt.input?.payloads);
      return isAttempt(input) && input.decision !== undefined ? this.#newAmong([input.decision]) : [];
    }
    const completed = event.workflowExecutionCompletedEventAttributes;
    if (!completed) return [];
    const { sends } = ((await this.#decoded(completed.result?.payloads)) ?? {}) as Partial<EmailBillRunResult>;
    const decisions = Array.isArray(sends) ? (sends as readonly SendRecord[]).flatMap((send) => send.decisions) : [];
    return this.#newAmong(decisions.filter(({ decision }) => decision === 'finish'));
  }

  #newAmong(decisions: readonly Decision[]): Description[] {
    return decisions.flatMap((decision) => {
      const name = JSON.stringify(decision);
      if (this.#decisions.has(name)) return [];
      this.#decisions.add(name);
      return [decided(decision)];
    });
  }

  async #message(
    event: 'signal' | 'update',
    name: string | null | undefined,
    identity: string | null | undefined,
    payloads: Payloads,
  ): Promise<Description> {
    const argument = await this.#decoded(payloads);
    const text = `${event} ${name ?? ''}${argument === undefined ? '' : ` with ${json(argument)}`}`;
    return { event, identity, ...claimsIn(argument), text };
  }

  async #activity(event: HistoryEvent): Promise<Description | undefined> {
    const attempt = event.activityTaskScheduledEventAttributes;
    if (attempt) {
      if (attempt.activityType?.name !== 'emailBillRunDocuments') return undefined;
      const input = await this.#decoded(attempt.input?.payloads);
      if (!isAttempt(input)) return { event: 'attempt', text: `attempt to email, with ${json(input)}` };
      const { resend, idempotencyKey } = input;
      const text = `attempt to email (${kindOf(resend)}), key ${idempotencyKey}`;
      return { event: 'attempt', resend, idempotencyKey, text };
    }
    const completed = event.activityTaskCompletedEventAttributes;
    const lost = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const canceled = event.activityTaskCanceledEventAttributes;
    const scheduled = this.#scheduled.get(String((completed ?? lost ?? canceled)?.scheduledEventId));
    switch (scheduled?.activityType?.name) {
      case 'watchBillRun': {
        if (!completed) return undefined;
        const result = await this.#decoded(completed.result?.payloads);
        if (isCannotRead(result)) return { event: 'status', text: `bill run cannot be read: ${result.cannotRead}` };
        const billRun = result as { number?: string; status?: string };
        return { event: 'status', text: `bill run ${billRun.number ?? '?'} is ${billRun.status ?? '?'}` };
      }
      case 'watchDelivery': {
        return completed ? checkedIn(await this.#decoded(completed.result?.payloads)) : undefined;
      }
      case 'handOver': {
        if (!completed) return undefined;
        const handedOver = await this.#decoded(completed.result?.payloads);
        const requests = Array.isArray(handedOver)
          ? (handedOver as readonly HandedOver[]).map(({ requestId, result }) => `request ${requestId}: ${result}`)
          : [json(handedOver)];
        return { event: 'handover', text: `handed over to the bill run's own workflow: ${requests.join('; ')}` };
      }
      case 'emailBillRunDocuments': {
        if (canceled && wasTakenBack(canceled)) {
          return { event: 'attemptEnded', text: 'attempt taken back before it began; nothing was sent' };
        }
        if (!completed) {
          const why = await this.#reasonOf(lost?.failure, 'cause');
          return { event: 'attemptEnded', text: `attempt ended without a receipt: ${why}` };
        }
        const input = await this.#decoded(scheduled.input?.payloads);
        const receipt = await this.#decoded(completed.result?.payloads);
        const text = outcomeIn(receipt, isAttempt(input) ? input.trackId : null);
        const { resend, idempotencyKey } = isAttempt(input) ? input : {};
        const answer = isReceipt(receipt) && receipt.called ? receipt : {};
        const { verdict, httpStatus, zuoraRequestId } = answer as Partial<AttemptReceipt>;
        const details = { resend, idempotencyKey, verdict, httpStatus, zuoraRequestId };
        return { event: 'attemptEnded', identity: completed.identity, ...details, text };
      }
      default:
        return undefined;
    }
  }

  async #end(event: HistoryEvent): Promise<Description | undefined> {
    const reset = event.workflowTaskFailedEventAttributes;
    if (reset?.baseRunId) {
      const { identity, baseRunId, failure } = reset;
      return { event: 'reset', identity, text: `reset of run ${baseRunId}: ${failure?.message ?? ''}` };
    }
    const failed = event.workflowExecutionFailedEventAttributes;
    if (failed) return { event: 'closed', text: `failed: ${await this.#reasonOf(failed.failure)}` };
    const terminated = event.workflowExecutionTerminatedEventAttributes;
    if (terminated) {
      const text = withReason('terminated', terminated);
      return { event: 'closed', identity: terminated.identity, text };
    }
    const completed = event.workflowExecutionCompletedEventAttributes;
    if (completed) {
      const { text } = ((await this.#decoded(completed.result?.payloads)) ?? {}) as { readonly text?: string };
      return { event: 'closed', text: withReason('completed', { reason: text ?? null }) };
    }
    if (event.workflowExecutionCanceledEventAttributes) return { event: 'closed', text: 'canceled' };
    if (event.workflowExecutionTimedOutEventAttributes) return { event: 'closed', text: 'timed out' };
    // A run that continues as new is described by its successor.
    return undefined;
  }

  /** The message of a failure or, with `cause`, of its cause. */
  async #reasonOf(
    failure: Parameters<typeof decodeOptionalFailureToOptionalError>[1],
    of: 'itself' | 'cause' = 'itself',
  ): Promise<string> {
    const error = await decodeOptionalFailureToOptionalError(this.#converter, failure);
    const cause = of === 'cause' && error?.cause instanceof Error ? error.cause : error;
    return cause?.message ?? 'no reason';
  }

  /** Anyone may have sent it, in any encoding. */
  async #decoded(payloads: Payloads): Promise<unknown> {
    return firstOf(this.#converter, payloads).catch((error: unknown) =>
      error instanceof ConfigurationError ? `(${error.message})` : '(cannot be decoded)',
    );
  }
}

type Payloads = Parameters<typeof firstOf>[1];

const NO_CALL: Readonly<Record<NoCallReceipt['why'], string>> = {
  afterReset: 'the workflow was reset, and the part of its history that is gone may have used the key',
  keyTooOld: 'Zuora may have forgotten the key',
  heldByAll: 'all jobs were on hold',
  takenBack: 'an order had taken it back',
  looked: 'a look just before it forbade the send',
  neverLeft: 'it could not leave for two minutes',
};

function outcomeIn(receipt: unknown, trackId: string | null): string {
  if (!isReceipt(receipt)) return `ended with ${json(receipt)}`;
  if (!receipt.called) return `no call was made: ${NO_CALL[receipt.why]}`;
  const { verdict, httpStatus, zuoraRequestId, echoedTrackId, reasons } = receipt;
  // A stored reply echoes the track id of an earlier attempt; nothing left again.
  const isStored = echoedTrackId !== null && echoedTrackId !== trackId;
  return [
    isStored ? `${verdict} (stored reply)` : verdict,
    httpStatus === null ? 'no answer' : `HTTP ${httpStatus}`,
    ...(zuoraRequestId === null ? [] : [`Zuora request ${zuoraRequestId}`]),
    ...reasons.map(({ code, message }) => `${code}: ${message}`),
  ].join(', ');
}

/** Undefined if it is not what our activity returns: somebody completed it by hand, or another version did. */
function checkedIn(result: unknown): Description | undefined {
  if (isCannotRead(result)) return { event: 'documents', text: `documents cannot be read: ${result.cannotRead}` };
  if (!isDeliveryCheck(result)) return undefined;
  const { at } = result;
  const documents = countsInWords(result.documents);
  const notSent = result.documents.list.filter(({ outcome }) => outcome === 'notSent');
  const each = notSent.map(({ number, reason }) => withReason(number, { reason }));
  const text = [`documents checked ${new Date(at).toISOString()}: ${documents}`, ...each].join('; ');
  return { event: 'documents', documents, text };
}

function decided({ decision, requestedBy, requestId, reason }: Decision): Description {
  return { event: 'decided', requestedBy, requestId, reason, text: withReason(`decision: ${decision}`, { reason }) };
}

function claimsIn(argument: unknown): Pick<Description, 'requestedBy' | 'requestId' | 'reason'> {
  const { requestedBy, requestId, reason } = (argument ?? {}) as Readonly<Record<string, unknown>>;
  const claims = Object.entries({ requestedBy, requestId, reason }).filter(([, claim]) => typeof claim === 'string');
  return Object.fromEntries(claims);
}

/** The text of a search attribute, which is null or an empty list after it was unset. */
function plain(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'string' ? value : '';
}

function json(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
