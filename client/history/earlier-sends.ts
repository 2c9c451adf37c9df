import type { Client } from '@temporalio/client';
import type { EarlierSend } from '../../workflows/contract/activities.js';
import { attemptsByIntent } from './attempts.js';
import { historiesOf, runIdsOf } from './history.js';

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
  const runIds = await runIdsOf(client, workflowId);
  if (runIds === undefined) return [];
  if (!runIds.includes(own)) throw new Error(`Temporal does not list run ${own} yet`);
  const runs = runIds.map((runId) => ({ workflowId, runId }));
  const histories = historiesOf(client, runs);
  const sends = [...(await attemptsByIntent(histories, client.options.loadedDataConverter)).values()];
  return sends
    .map((all) => {
      const resends = all.filter(({ resend }) => resend);
      const served = new Set(resends.flatMap((attempt) => attempt.served));
      return {
        requestIds: requestIds.filter((requestId) => served.has(requestId)),
        attempts: resends.map(({ resend, served: _, ...attempt }) => attempt),
      };
    })
    .filter((send) => send.requestIds.length > 0);
}
