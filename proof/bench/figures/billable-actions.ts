import type { HistoryEvent } from '../../../client/history/history.js';
import { bare, ours, withWorkers, type Parts, type Variant } from '../parts.js';
import { lifeOf } from './life.js';

/**
 * The actions that Temporal Cloud bills for a workflow (docs.temporal.io/cloud/actions, 2026-11): its start, each timer, signal,
 * update and upsert of search attributes, and each attempt of an activity. Queries and heartbeats are billed too but are not in
 * history: our worker sends a heartbeat every 10 s while a call to Zuora is open, and no query.
 */
export function actionsIn(events: readonly HistoryEvent[]): number {
  return events.reduce(
    (sum, event) =>
      sum +
      // Failed attempts are not in history, but the last attempt has its number.
      (event.activityTaskStartedEventAttributes?.attempt ?? 0) +
      Number(
        event.workflowExecutionStartedEventAttributes != null ||
          event.timerStartedEventAttributes != null ||
          event.workflowExecutionSignaledEventAttributes != null ||
          event.workflowExecutionUpdateAcceptedEventAttributes != null ||
          event.upsertWorkflowSearchAttributesEventAttributes != null ||
          event.markerRecordedEventAttributes != null,
      ),
    0,
  );
}

/** `billableActions` of a posted bill run, and of one that posts after 20 polls. The figure `history` has those of long waits. */
export function billableActions(parts: Parts) {
  const posted = { status: 'Posted' };
  const polled = { status: 'Completed', postsAfterReads: 20 };
  return withWorkers(parts, { floor: true, pollInterval: '100ms' }, async () => {
    const actionsOf = async (variant: Variant, wanted: object): Promise<number> =>
      actionsIn(await lifeOf(parts, variant, wanted));
    const own = ours(parts);
    return {
      posted: { ours: await actionsOf(own, posted), floor: await actionsOf(bare(parts, 'floor'), posted) },
      after20Polls: {
        ours: await actionsOf(own, polled),
        pollLoop: await actionsOf(bare(parts, 'pollLoop', 100), polled),
      },
    };
  });
}
