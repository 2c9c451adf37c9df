/** The attempts to email that event histories hold. */
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { AttemptInput, AttemptResult, EarlierAttempt, LostAttempt } from '../../workflows/contract/activities.js';
import { keyParts } from '../../workflows/rules/keys.js';
import { attemptResult, lostAttempt } from '../../workflows/contract/activity-failures.js';
import { firstOf, isOver, timeOf, type HistoryEvent, type RunHistory } from './history.js';

/** An attempt that may have reached Zuora. */
export interface HistoricAttempt extends EarlierAttempt {
  readonly resend: boolean;
  /** The resends that its send serves, if its input names them. */
  readonly served: readonly string[];
  /** Further runs that hold the attempt: a reset copies events. */
  readonly copiedTo: string[];
}

/** The result of an attempt that ended, or whose Temporal run ended, while its request may have been under way. */
const CUT_OFF: LostAttempt = {
  verdict: 'unknown',
  reasons: [{ code: 'RUN_ENDED', message: 'the run ended while its request may have been under way' }],
};

/** The result of an attempt that is under way. */
const UNDER_WAY: LostAttempt = {
  verdict: 'unknown',
  reasons: [{ code: 'UNDER_WAY', message: 'there is no answer yet' }],
};

/**
 * The attempts in these histories, by the prefix that all keys of a send share.
 *
 * @param skip takes a run whose history cannot be decoded; by default that is an error
 */
export async function attemptsByIntent(
  histories: AsyncIterable<RunHistory> | Iterable<RunHistory>,
  converter: LoadedDataConverter,
  skip?: (run: RunHistory, error: unknown) => void,
): Promise<ReadonlyMap<string, readonly HistoricAttempt[]>> {
  const byIntent = new Map<string, HistoricAttempt[]>();
  const originals = new Map<string, HistoricAttempt>();
  for await (const history of histories) {
    for (const found of await attemptsOrSkip(history, converter, skip)) {
      const { runId } = history;
      const name = JSON.stringify([found.trackId, found.startedAt, found.result]);
      const original = originals.get(name);
      if (original !== undefined) {
        original.copiedTo.push(runId);
        continue;
      }
      const attempt = { runId, ...found, copiedTo: [] };
      originals.set(name, attempt);
      const { intent } = keyParts(attempt.idempotencyKey);
      byIntent.set(intent, [...(byIntent.get(intent) ?? []), attempt]);
    }
  }
  return byIntent;
}

async function attemptsOrSkip(
  history: RunHistory,
  converter: LoadedDataConverter,
  skip: ((run: RunHistory, error: unknown) => void) | undefined,
): Promise<readonly Found[]> {
  try {
    return await attemptsIn(history, converter);
  } catch (error) {
    if (skip === undefined) throw error;
    skip(history, error);
    return [];
  }
}

type Found = Omit<HistoricAttempt, 'runId' | 'copiedTo'>;

async function attemptsIn({ events, neverBegun }: RunHistory, converter: LoadedDataConverter): Promise<Found[]> {
  const attempts: Found[] = [];
  for (const event of events) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name !== 'emailBillRunDocuments') continue;
    const input = await firstOf(converter, scheduled.input?.payloads);
    // Another application may have used the id before.
    if (!isAttempt(input)) continue;
    // A closed run never begins what it had only scheduled.
    if (neverBegun.includes(scheduled.activityId ?? '')) continue;
    const result = await endOf(events, String(event.eventId), converter);
    if (result === 'neverTaken' || ('called' in result && !result.called)) continue;
    const { idempotencyKey, trackId, resend, requestIds: served = [] } = input;
    attempts.push({ idempotencyKey, trackId, resend, served, startedAt: timeOf(event), result });
  }
  return attempts;
}

/** False for an activity of the same name of another application. */
export function isAttempt(input: unknown): input is AttemptInput {
  if (typeof input !== 'object' || input === null) return false;
  const { idempotencyKey, trackId, resend } = input as Partial<Record<keyof AttemptInput, unknown>>;
  return typeof idempotencyKey === 'string' && typeof trackId === 'string' && typeof resend === 'boolean';
}

/** Whether an attempt was canceled before a worker began it: then nothing was sent. */
export function wasTakenBack({
  startedEventId,
}: NonNullable<HistoryEvent['activityTaskCanceledEventAttributes']>): boolean {
  return Number(startedEventId ?? 0) === 0;
}

async function endOf(
  events: readonly HistoryEvent[],
  scheduledId: string,
  converter: LoadedDataConverter,
): Promise<AttemptResult | 'neverTaken'> {
  for (const event of events) {
    const completed = event.activityTaskCompletedEventAttributes;
    const lost = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const canceled = event.activityTaskCanceledEventAttributes;
    if (String((completed ?? lost ?? canceled)?.scheduledEventId) !== scheduledId) continue;
    if (canceled) return wasTakenBack(canceled) ? 'neverTaken' : CUT_OFF;
    if (completed) return attemptResult(await firstOf(converter, completed.result?.payloads));
    return lostAttempt(await decodeOptionalFailureToOptionalError(converter, lost?.failure));
  }
  return isOver(events) ? CUT_OFF : UNDER_WAY;
}
