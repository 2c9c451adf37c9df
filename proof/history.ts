/** Attempts and requests in one event history, for the checks of the rules of sending. */
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { timeOf } from '../client/history/history.js';
import type { AttemptInput, BillRun, Receipt } from '../workflows/contract/activities.js';
import { checkNote, checkResend } from '../workflows/contract/validation.js';
import { isCannotRead } from '../workflows/contract/activity-failures.js';
import type { EmailBillRunResult } from '../workflows/contract/contract.js';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

/** A scheduled `emailBillRunDocuments`, with the workflow's knowledge at that time. */
export interface ScheduledAttempt {
  readonly eventId: number;
  readonly input: AttemptInput;
  readonly at: number;
  readonly look: { readonly billRun: BillRun; readonly at: number } | undefined;
  readonly held: boolean;
  readonly closing: boolean;
  readonly end: AttemptEnd;
}

/** `notTaken`: it was taken back, or no worker began it. `lost`: it ended without a receipt. */
type AttemptEnd = 'open' | 'notTaken' | 'lost' | Receipt;

export interface HistoryFacts {
  readonly history: readonly ScheduledAttempt[];
  /** The ids of all resends in history; those without an id are only counted. */
  readonly resends: { readonly ids: ReadonlySet<string>; readonly unnamed: number };
}

export function readHistory({ events }: History): HistoryFacts {
  const all = events ?? [];
  let task = 0;
  const tasks = new Map<number, number>();
  const ends = new Map<number, AttemptEnd>();
  const watches = new Set<number>();
  const interrupted = new Set<number>();
  const looks: { readonly id: number; readonly at: number; readonly billRun: BillRun }[] = [];
  for (const event of all) {
    const completed = event.activityTaskCompletedEventAttributes;
    const failed = event.activityTaskFailedEventAttributes;
    const canceled = event.activityTaskCanceledEventAttributes;
    const timedOut = event.activityTaskTimedOutEventAttributes;
    const scheduled = event.activityTaskScheduledEventAttributes;
    const interruption = event.activityTaskCancelRequestedEventAttributes;
    if (event.workflowTaskStartedEventAttributes != null) task = idOf(event);
    // Only one task is in progress at a time.
    if (scheduled != null) tasks.set(idOf(event), task);
    if (scheduled?.activityType?.name === 'watchBillRun') watches.add(idOf(event));
    if (interruption != null) interrupted.add(Number(interruption.scheduledEventId));
    if (failed != null) ends.set(Number(failed.scheduledEventId), 'lost');
    if (canceled != null) {
      ends.set(Number(canceled.scheduledEventId), Number(canceled.startedEventId ?? 0) === 0 ? 'notTaken' : 'lost');
    }
    if (timedOut != null) {
      const { timeoutType } = timedOut.failure?.timeoutFailureInfo ?? {};
      // ScheduleToStart
      ends.set(Number(timedOut.scheduledEventId), Number(timeoutType) === 2 ? 'notTaken' : 'lost');
    }
    if (completed != null) {
      const id = Number(completed.scheduledEventId);
      const [value] = decoded(completed.result);
      if (!watches.has(id)) ends.set(id, value as Receipt);
      // The workflow ignores the result of an interrupted look.
      else if (!interrupted.has(id) && !isCannotRead(value))
        looks.push({ id: idOf(event), at: timeOf(event), billRun: value as BillRun });
    }
  }

  const history = all.flatMap((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name !== 'emailBillRunDocuments') return [];
    const known = tasks.get(idOf(event)) ?? 0;
    return {
      eventId: idOf(event),
      input: decoded(scheduled.input)[0] as AttemptInput,
      at: timeOf(event),
      look: looks.findLast(({ id }) => id < known),
      ...orders(all.filter((earlier) => idOf(earlier) < known)),
      end: ends.get(idOf(event)) ?? 'open',
    };
  });
  return { history, resends: resendsIn(all) };
}

/** The result of a closed run, or the details of its failure. The SDK keeps no details of a cancellation. */
export function endIn({ events }: History): EmailBillRunResult | 'canceled' {
  const last = events?.at(-1);
  if (last?.workflowExecutionCanceledEventAttributes != null) return 'canceled';
  const failure = last?.workflowExecutionFailedEventAttributes?.failure;
  const payloads =
    last?.workflowExecutionCompletedEventAttributes?.result ?? failure?.applicationFailureInfo?.details ?? null;
  return decoded(payloads)[0] as EmailBillRunResult;
}

/** The run's argument. */
export function inputIn({ events }: History): unknown {
  return decoded(events?.[0]?.workflowExecutionStartedEventAttributes?.input)[0];
}

/** No call may leave from an order on, until it is lifted; null: for good. Epoch, ms. */
export interface Forbidden {
  readonly by: string;
  readonly from: number;
  readonly until: number | null;
}

/** Since when, and until when, orders in this history forbid calls. */
export function forbiddenIn({ events }: History): readonly Forbidden[] {
  const forbidden: Forbidden[] = [];
  let heldSince: number | undefined;
  const lift = (until: number | null): void => {
    if (heldSince !== undefined) forbidden.push({ by: 'hold', from: heldSince, until });
    heldSince = undefined;
  };
  for (const event of events ?? []) {
    const { held, closing } = orders([event]);
    const isTerminated = event.workflowExecutionTerminatedEventAttributes != null;
    if (held) heldSince ??= timeOf(event);
    if (messageIn(event)?.name === 'release') lift(timeOf(event));
    if (closing || isTerminated) {
      forbidden.push({ by: isTerminated ? 'terminate' : 'finish or cancel', from: timeOf(event), until: null });
    }
  }
  lift(null);
  return forbidden;
}

/** Whether a person ended the run before its work was done. */
export function isClosedByPerson(history: History): boolean {
  const last = history.events?.at(-1);
  if ((last?.workflowExecutionTerminatedEventAttributes ?? last?.workflowExecutionCanceledEventAttributes) != null)
    return true;
  if (last?.workflowExecutionCompletedEventAttributes == null) return false;
  const end = endIn(history);
  return end !== 'canceled' && end.state === 'Stopped';
}

/** When a run began and ended (epoch, ms); null if it is open. */
export function lifeOf({ events }: History): { readonly from: number; readonly until: number | null } {
  const first = events?.at(0);
  const last = events?.at(-1);
  const ended =
    last?.workflowExecutionCompletedEventAttributes ??
    last?.workflowExecutionFailedEventAttributes ??
    last?.workflowExecutionCanceledEventAttributes ??
    last?.workflowExecutionTerminatedEventAttributes;
  return {
    from: first === undefined ? 0 : timeOf(first),
    until: last === undefined || ended == null ? null : timeOf(last),
  };
}

/** Harmless causes in Temporal's enum: unhandled command, reset of the sticky queue, forced close, failover, reset, update. */
const HARMLESS_FAILURES: readonly number[] = [1, 13, 17, 18, 20, 31];

/** Workflow tasks that failed because the code threw or did not match its history, as text. */
export function brokenTasksIn({ events }: History): readonly string[] {
  return (events ?? []).flatMap(({ eventId, workflowTaskFailedEventAttributes: failed }) => {
    if (failed == null || HARMLESS_FAILURES.includes(Number(failed.cause))) return [];
    return [`event ${Number(eventId)}, cause ${Number(failed.cause)}: ${failed.failure?.message ?? ''}`];
  });
}

/** Whether the job is held or closing after these events. */
function orders(events: readonly HistoryEvent[]): { readonly held: boolean; readonly closing: boolean } {
  let held = false;
  let closing = false;
  for (const event of events) {
    if (event.workflowExecutionCancelRequestedEventAttributes != null) closing = true;
    const message = messageIn(event);
    if (message === undefined) continue;
    if (message.name === 'hold') held = true;
    if (message.name === 'release') held = false;
    if (message.name === 'finish' && checkNote(message.argument).faults === undefined) closing = true;
  }
  return { held, closing };
}

/** The signal or update in an event. */
function messageIn({
  workflowExecutionSignaledEventAttributes: signal,
  workflowExecutionUpdateAcceptedEventAttributes: update,
}: HistoryEvent): { readonly name: string; readonly argument: unknown } | undefined {
  if (signal != null) return { name: signal.signalName ?? '', argument: decoded(signal.input)[0] };
  const input = update?.acceptedRequest?.input;
  return input == null ? undefined : { name: input.name ?? '', argument: decoded(input.args)[0] };
}

function resendsIn(events: readonly HistoryEvent[]): HistoryFacts['resends'] {
  const ids = new Set<string>();
  let unnamed = 0;
  for (const event of events) {
    const message = messageIn(event);
    if (message?.name !== 'resend') continue;
    const { value } = checkResend(message.argument);
    if (value === undefined) continue;
    if (value.requestId === undefined) unnamed += 1;
    else ids.add(value.requestId);
  }
  return { ids, unnamed };
}

function decoded(payloads: { readonly payloads?: readonly Payload[] | null } | null | undefined): readonly unknown[] {
  return (payloads?.payloads ?? []).map((payload) => {
    try {
      return defaultPayloadConverter.fromPayload(payload);
    } catch {
      return 'cannot be decoded';
    }
  });
}

function idOf({ eventId }: HistoryEvent): number {
  return Number(eventId);
}
