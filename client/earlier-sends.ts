import type { Client } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { AttemptInput, EarlierAttempt, EarlierSend, LostAttempt, Receipt } from '../activities/types.js';
import { keyParts } from '../workflows/keys.js';
import { lostAttempt } from '../workflows/lost-attempt.js';
import { eventsOf, firstOf, runIdsOf, timeOf, type HistoryEvent } from './history.js';

/** What a run that ended in the middle of an attempt leaves of it. */
const CUT_OFF: LostAttempt = {
  verdict: 'unknown',
  reasons: [{ code: 'RUN_ENDED', message: 'the run ended while its request may have been under way' }],
};

/**
 * The `resend=true` sends of all runs of a workflow id which served some of these requests: read from event history, so it
 * needs no worker, and knows of runs that were terminated or reset as well.
 *
 * @throws Error while visibility does not list the asking run: then one that closed just before it may be missing as well
 */
export async function earlierSends(
  client: Client,
  { workflowId, runId: own }: { readonly workflowId: string; readonly runId: string },
  requestIds: readonly string[],
): Promise<readonly EarlierSend[]> {
  const sends = new Map<string, { requestIds: Set<string>; attempts: EarlierAttempt[] }>();
  const copies = new Set<string>();
  const runIds = await runIdsOf(client, workflowId);
  if (runIds === undefined) return [];
  if (!runIds.includes(own)) throw new Error(`Temporal does not list run ${own} yet`);
  for (const runId of runIds) {
    const events = await eventsOf(client, workflowId, runId);
    for (const { served, ...attempt } of await attemptsIn(events, client.options.loadedDataConverter)) {
      // A reset copies events: the attempt then stands in both histories.
      const copy = JSON.stringify([attempt.trackId, attempt.startedAt, attempt.came]);
      if (copies.has(copy)) continue;
      copies.add(copy);
      const { intent } = keyParts(attempt.idempotencyKey);
      const send = sends.get(intent) ?? { requestIds: new Set(), attempts: [] };
      sends.set(intent, send);
      for (const requestId of served) send.requestIds.add(requestId);
      send.attempts.push({ runId, ...attempt });
    }
  }
  return [...sends.values()]
    .map((send) => ({ ...send, requestIds: requestIds.filter((requestId) => send.requestIds.has(requestId)) }))
    .filter((send) => send.requestIds.length > 0);
}

async function attemptsIn(events: readonly HistoryEvent[], converter: LoadedDataConverter) {
  const attempts: (Omit<EarlierAttempt, 'runId'> & { readonly served: readonly string[] })[] = [];
  for (const event of events) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled?.activityType?.name !== 'emailBillRunDocuments') continue;
    const input = await firstOf(converter, scheduled.input?.payloads);
    // Another application may have used the id before.
    if (!isAttempt(input) || !input.resend) continue;
    const came = await endOf(events, String(event.eventId), converter);
    if (came === 'neverTaken' || ('called' in came && !came.called)) continue;
    const { idempotencyKey, trackId, requestIds: served = [] } = input;
    attempts.push({ idempotencyKey, trackId, served, startedAt: timeOf(event), came });
  }
  return attempts;
}

function isAttempt(input: unknown): input is AttemptInput {
  if (typeof input !== 'object' || input === null) return false;
  const { idempotencyKey, trackId, resend } = input as Partial<Record<keyof AttemptInput, unknown>>;
  return typeof idempotencyKey === 'string' && typeof trackId === 'string' && typeof resend === 'boolean';
}

async function endOf(
  events: readonly HistoryEvent[],
  scheduledId: string,
  converter: LoadedDataConverter,
): Promise<Receipt | LostAttempt | 'neverTaken'> {
  for (const event of events) {
    const completed = event.activityTaskCompletedEventAttributes;
    const lost = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    if (String((completed ?? lost)?.scheduledEventId) !== scheduledId) continue;
    if (completed) return (await firstOf(converter, completed.result?.payloads)) as Receipt;
    return lostAttempt(await decodeOptionalFailureToOptionalError(converter, lost?.failure));
  }
  return CUT_OFF;
}
