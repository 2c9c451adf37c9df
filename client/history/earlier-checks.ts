import type { LoadedDataConverter } from '@temporalio/common';
import type { EarlierCheck } from '../../workflows/contract/activities.js';
import { isDeliveryCheck } from '../../workflows/contract/activity-failures.js';
import { attemptsByIntent } from './attempts.js';
import { firstOf, type HistoryEvent, type RunHistory } from './history.js';

/** The attempts by intent, and the last check of the documents. Histories are read once. */
export async function attemptsAndCheck(
  histories: AsyncIterable<RunHistory>,
  converter: LoadedDataConverter,
  skip: Parameters<typeof attemptsByIntent>[2],
): Promise<{ byIntent: Awaited<ReturnType<typeof attemptsByIntent>>; check: EarlierCheck | undefined }> {
  let check: EarlierCheck | undefined;
  const noting = notingChecks(histories, converter, (noted) => {
    check = noted;
  });
  return { byIntent: await attemptsByIntent(noting, converter, skip), check };
}

async function* notingChecks(
  histories: AsyncIterable<RunHistory>,
  converter: LoadedDataConverter,
  note: (check: EarlierCheck) => void,
): AsyncGenerator<RunHistory> {
  let lastAt = -Infinity;
  for await (const history of histories) {
    for (const [input, result] of await checksIn(history.events, converter)) {
      const { since } = (input ?? {}) as { since?: unknown };
      if (typeof since !== 'number' || !isDeliveryCheck(result) || result.at < lastAt) continue;
      lastAt = result.at;
      note({ since, memory: result.memory });
    }
    yield history;
  }
}

/** Inputs and results. What cannot be decoded is left out: it only saves reads of Zuora. */
async function checksIn(
  events: readonly HistoryEvent[],
  converter: LoadedDataConverter,
): Promise<readonly (readonly [input: unknown, result: unknown])[]> {
  const scheduled = new Map(
    events.flatMap((event) => {
      const { activityType, input } = event.activityTaskScheduledEventAttributes ?? {};
      return activityType?.name === 'watchDelivery' ? [[String(event.eventId), input?.payloads] as const] : [];
    }),
  );
  const checks: (readonly [unknown, unknown])[] = [];
  for (const { activityTaskCompletedEventAttributes: completed } of events) {
    const input = scheduled.get(String(completed?.scheduledEventId));
    if (completed == null || input === undefined) continue;
    try {
      checks.push([await firstOf(converter, input), await firstOf(converter, completed.result?.payloads)]);
    } catch {
      continue;
    }
  }
  return checks;
}
