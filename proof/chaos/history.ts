/** What one event history tells about attempts and requests, for those who check the rules of sending. */
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { AttemptInput, BillRun, Receipt } from '../../workflows/contract/activities.js';
import { checkNote, checkResend } from '../../workflows/contract/validation.js';
import type { EmailBillRunResult } from '../../workflows/contract/contract.js';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

/** A scheduled `emailBillRunDocuments`, with what the workflow knew when it scheduled it. */
export interface ScheduledAttempt {
  readonly input: AttemptInput;
  readonly at: number;
  readonly look: { readonly billRun: BillRun; readonly at: number } | undefined;
  readonly held: boolean;
  readonly closing: boolean;
  readonly end: AttemptEnd;
}

/** `notTaken`: no worker took it in time. `lost`: it ended without a receipt. */
type AttemptEnd = 'open' | 'notTaken' | 'lost' | Receipt;

/** What history tells. */
export interface Told {
  readonly history: readonly ScheduledAttempt[];
  /** The ids of all requests that history holds; those without an id are only counted. */
  readonly asked: { readonly ids: ReadonlySet<string>; readonly unnamed: number };
}

/** Everything that history tells about attempts and requests. */
export function readHistory({ events }: History): Told {
  const all = events ?? [];
  let task = 0;
  const tasks = new Map<number, number>();
  const ends = new Map<number, AttemptEnd>();
  const watches = new Set<number>();
  const interrupted = new Set<number>();
  const looks: { readonly id: number; readonly at: number; readonly billRun: BillRun }[] = [];
  for (const event of all) {
    const completed = event.activityTaskCompletedEventAttributes;
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskCanceledEventAttributes;
    const timedOut = event.activityTaskTimedOutEventAttributes;
    const scheduled = event.activityTaskScheduledEventAttributes;
    const interruption = event.activityTaskCancelRequestedEventAttributes;
    if (event.workflowTaskStartedEventAttributes != null) task = idOf(event);
    // The time-skipping server names another event as the task's; but only one task is under way at a time.
    if (scheduled != null) tasks.set(idOf(event), task);
    if (scheduled?.activityType?.name === 'watchBillRun') watches.add(idOf(event));
    if (interruption != null) interrupted.add(Number(interruption.scheduledEventId));
    if (failed != null) ends.set(Number(failed.scheduledEventId), 'lost');
    if (timedOut != null) {
      const { timeoutType } = timedOut.failure?.timeoutFailureInfo ?? {};
      // ScheduleToStart
      ends.set(Number(timedOut.scheduledEventId), Number(timeoutType) === 2 ? 'notTaken' : 'lost');
    }
    if (completed != null) {
      const id = Number(completed.scheduledEventId);
      const [value] = decoded(completed.result);
      if (!watches.has(id)) ends.set(id, value as Receipt);
      // Nobody hears the answer to a look that was interrupted.
      else if (!interrupted.has(id)) looks.push({ id: idOf(event), at: timeOf(event), billRun: value as BillRun });
    }
  }

  const history = all.flatMap((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name !== 'emailBillRunDocuments') return [];
    const known = tasks.get(idOf(event)) ?? 0;
    return {
      input: decoded(scheduled.input)[0] as AttemptInput,
      at: timeOf(event),
      look: looks.findLast(({ id }) => id < known),
      ...orders(all.filter((earlier) => idOf(earlier) < known)),
      end: ends.get(idOf(event)) ?? 'open',
    };
  });
  return { history, asked: requestsIn(all) };
}

/** What a closed run came to: its result, or what its failure says instead. The SDK keeps nothing of a cancellation. */
export function endIn({ events }: History): EmailBillRunResult | 'canceled' {
  const last = events?.at(-1);
  if (last?.workflowExecutionCanceledEventAttributes != null) return 'canceled';
  const failure = last?.workflowExecutionFailedEventAttributes?.failure;
  const said =
    last?.workflowExecutionCompletedEventAttributes?.result ?? failure?.applicationFailureInfo?.details ?? null;
  return decoded(said)[0] as EmailBillRunResult;
}

/** The argument that the run was started with. */
export function inputIn({ events }: History): unknown {
  return decoded(events?.[0]?.workflowExecutionStartedEventAttributes?.input)[0];
}

/** Of no account, by Temporal's enum: unhandled command, reset of the sticky queue, forced close, failover, reset, update. */
const HARMLESS_FAILURES: readonly number[] = [1, 13, 17, 18, 20, 31];

/** Workflow tasks that failed because the code threw, or could not go on with its history; in words. */
export function brokenTasksIn({ events }: History): readonly string[] {
  return (events ?? []).flatMap(({ eventId, workflowTaskFailedEventAttributes: failed }) => {
    if (failed == null || HARMLESS_FAILURES.includes(Number(failed.cause))) return [];
    return [`event ${Number(eventId)}, cause ${Number(failed.cause)}: ${failed.failure?.message ?? ''}`];
  });
}

/** What operators have said so far about going on. */
function orders(events: readonly HistoryEvent[]): { readonly held: boolean; readonly closing: boolean } {
  let held = false;
  let closing = false;
  for (const event of events) {
    const { signalName, input } = event.workflowExecutionSignaledEventAttributes ?? {};
    if (event.workflowExecutionCancelRequestedEventAttributes != null) closing = true;
    if (checkNote(decoded(input)[0]).faults !== undefined) continue;
    if (signalName === 'hold') held = true;
    if (signalName === 'release') held = false;
    if (signalName === 'finish') closing = true;
  }
  return { held, closing };
}

function requestsIn(events: readonly HistoryEvent[]): Told['asked'] {
  const ids = new Set<string>();
  let unnamed = 0;
  for (const event of events) {
    const signal = event.workflowExecutionSignaledEventAttributes;
    const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input;
    if (signal?.signalName !== 'resend' && update == null) continue;
    const { value } = checkResend(decoded(signal == null ? update?.args : signal.input)[0]);
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

function timeOf({ eventTime }: HistoryEvent): number {
  return tsToMs(eventTime);
}
