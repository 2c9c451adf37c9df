/** The event history of one bill run's job. */
import type { HistoryEvent } from '../../../client/history/history.js';
import { billRuns, type Parts, type Variant } from '../parts.js';

/** Emails a new bill run, and returns the events of its whole life. */
export async function lifeOf(parts: Parts, variant: Variant, wanted: object): Promise<readonly HistoryEvent[]> {
  const [number = ''] = await billRuns(parts, 1, wanted);
  const job = await variant.start(number);
  await job.result();
  return (await job.fetchHistory()).events ?? [];
}
